"""What the host session tells its caller, beside the messages to publish: frozen, told apart by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.codec import Message


@dataclass(frozen=True, slots=True)
class NodeBirth:
    """A node was born or born again; all its devices are unknown until their own births."""

    group: str
    node: str
    message: Message
    received_ms: int
    again: bool


@dataclass(frozen=True, slots=True)
class DeviceBirth:
    """A device of a born node said what it measures."""

    group: str
    node: str
    device: str
    message: Message
    received_ms: int


@dataclass(frozen=True, slots=True)
class NodeDeath:
    """A node is gone, by its own NDEATH, its will, or because the broker is; its values are stale."""

    group: str
    node: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class DeviceDeath:
    """A device of a born node does not answer any more, by the node's clock."""

    group: str
    node: str
    device: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Data:
    """NDATA (no device) or DDATA in sequence, still encoded: the caller decodes it as it likes."""

    group: str
    node: str
    device: str
    payload: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class SequenceGap:
    """Messages of a node are missing and did not come in time."""

    group: str
    node: str
    expected: int
    got: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """A message came whose sequence number had passed: late, or from a second agent with this name."""

    group: str
    node: str


@dataclass(frozen=True, slots=True)
class Doubted:
    """Something speaks against one agent alone speaking as this node.

    Until ``until_ms`` its message ids may be another agent's; ``several`` says that two agents are held to
    speak: one client id or one image given to two gateways.
    """

    group: str
    node: str
    why: str
    several: bool
    until_ms: int


@dataclass(frozen=True, slots=True)
class RebirthAsked:
    """A rebirth command goes out with this event."""

    group: str
    node: str


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Leave the broker and connect anew with a newer STATE: nodes would not believe the present one."""

    why: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message was not taken; ``reason`` is a stable word for counters."""

    topic: str
    reason: str
    detail: str


HostEvent: TypeAlias = (
    Publish
    | NodeBirth
    | DeviceBirth
    | NodeDeath
    | DeviceDeath
    | Data
    | SequenceGap
    | Repeated
    | Doubted
    | RebirthAsked
    | Reconnect
    | Rejected
)
