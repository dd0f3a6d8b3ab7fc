"""The agent of a site gateway: sensors in, a spool that loses nothing, Sparkplug B out."""

__version__ = "0.1.0"
