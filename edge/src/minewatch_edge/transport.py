"""What the agent needs of a connection to a broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from minewatch_edge.sparkplug.actions import Publish


class Transport(Protocol):
    """What the agent needs of a connection: ``sparkplug.mqtt.Connection``, or ``testing.FakeBroker``."""

    @property
    def connected(self) -> bool:
        """Whether the broker has taken us."""

    @property
    def problem(self) -> str:
        """What keeps it from that, in a line."""

    def publish(self, message: Publish) -> bool:
        """Hand a message over; False when it was not taken."""

    def drop(self, *, with_will: bool = False, silent: bool = False) -> None:
        """Disconnect and connect anew; ``silent`` leaves the NDEATH to the broker's will."""

    def load(self) -> tuple[int, int]:
        """Return (bytes the link has taken, bytes that wait for it) of this connection."""

    def warnings(self, now_ns: int) -> Mapping[str, str]:
        """Return what a person should mend before it becomes a problem."""
