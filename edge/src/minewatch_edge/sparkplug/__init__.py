"""Sparkplug B 3.0: payloads, topics, and the session machines of both ends.

`codec`, `topics` and the two sessions are the seam to the wire version: nothing above them knows sequence
numbers, millisecond times or ``is_historical``, since Sparkplug 4 changes all three.
"""
