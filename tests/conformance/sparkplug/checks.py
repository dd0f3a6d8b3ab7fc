"""Every module of checks: importing this one fills the frame."""

from conformance.sparkplug import edge_births, host_nodes, host_state

__all__ = ["edge_births", "host_nodes", "host_state"]
