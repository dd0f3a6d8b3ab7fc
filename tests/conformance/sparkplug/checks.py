"""Every module of checks: importing this one fills the frame."""

from conformance.sparkplug import (
    edge_births,
    edge_flow,
    edge_messages,
    edge_names,
    edge_payloads,
    edge_wire,
    host_nodes,
    host_state,
)

__all__ = [
    "edge_births",
    "edge_flow",
    "edge_messages",
    "edge_names",
    "edge_payloads",
    "edge_wire",
    "host_nodes",
    "host_state",
]
