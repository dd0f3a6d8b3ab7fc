"""Every module of checks: importing this one fills the frame."""

from conformance.sparkplug import edge_births

__all__ = ["edge_births"]
