"""Sparkplug B 3.0: payloads, topics, and the session machines of both ends."""
