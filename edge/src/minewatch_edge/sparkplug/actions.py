"""What the session machines ask of their caller: frozen, told apart by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Publish:
    """Send this message; as a will it is what the broker sends when the connection dies."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The host holds every spool id up to ``upto`` of this spool: those rows may be deleted."""

    spool: str
    upto: int


@dataclass(frozen=True, slots=True)
class HostOnline:
    """The primary host came online; births go out with this action."""

    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class HostOffline:
    """The primary host went offline: send the NDEATH given with this, disconnect, connect anew, spool."""

    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class RebirthRequested:
    """A host asked for births; they come with this action."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A message could not be read or may not be obeyed; ``reason`` is a stable word for counters."""

    topic: str
    reason: str
    detail: str


EdgeAction: TypeAlias = Publish | Acknowledged | HostOnline | HostOffline | RebirthRequested | Refused
