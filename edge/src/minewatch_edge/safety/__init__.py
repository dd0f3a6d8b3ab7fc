"""Local safety: the gateway judges its own limits, drives outputs and hears buttons, with or without uplink.

minewatch observes and warns. Trips stay in certified hardware.
"""
