"""minewatch: a real-time risk monitor for mines."""

__version__ = "0.1.0"
