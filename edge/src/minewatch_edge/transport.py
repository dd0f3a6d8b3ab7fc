"""What the agent needs of a connection to a broker."""

from __future__ import annotations

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

    def drop(self, *, with_will: bool = False) -> None:
        """Disconnect and connect anew."""
