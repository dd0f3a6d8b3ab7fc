"""Several brokers, one at a time: walk on where a broker or its host is missing, come back to the first.

Source: Eclipse Sparkplug 3.0, "Primary Host Application STATE in Multiple MQTT Server Topologies".
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.mqtt import Broker, Connection

log = logging.getLogger(__name__)

_S = 1_000_000_000
_ATTEMPTS = 2
_RETURN_MOST = 32  # times return_s, when the first broker is there but its host is not


@dataclass(frozen=True, slots=True)
class WalkSettings:
    """How long a broker may be without its host, and after how long the first is tried again."""

    host_wait_s: float = 10.0
    return_s: float = 600.0


class Brokers:
    """A transport over one or several connections, of which at most one is ever open.

    ``at`` is the place of the present one in the list. A single broker is just that connection.
    """

    def __init__(self, connections: Sequence[Connection], settings: WalkSettings | None = None) -> None:
        self.settings = settings or WalkSettings()
        self.at = 0
        self.moves = 0
        self._connections = list(connections)
        self._attempts = 0
        self._since_ns = 0  # since when the present broker has been without its host
        self._arrived_ns = 0
        self._patience = 1
        self._leaving = ""

    @property
    def _next(self) -> int:
        return (self.at + 1) % len(self._connections)

    @property
    def current(self) -> Connection:
        """The connection in use."""
        return self._connections[self.at]

    @property
    def several(self) -> bool:
        """Whether there is anywhere else to go."""
        return len(self._connections) > 1

    @property
    def connected(self) -> bool:
        """Whether the present broker has taken us."""
        return self.current.connected

    @property
    def problem(self) -> str:
        """What keeps the present broker from that."""
        return self.current.problem

    def warnings(self, now_ns: int) -> Mapping[str, str]:
        """Return what a person should mend before it becomes a problem."""
        found = dict(self.current.warnings(now_ns))
        if self.at:
            first = self._connections[0].broker
            found["broker fallback"] = (
                f"connected through broker {self.at + 1} of {len(self._connections)};"
                f" the first one ({first.host}:{first.port}) or its host is not there"
            )
        return found

    def load(self) -> tuple[int, int]:
        """Return (bytes the link has taken, bytes that wait for it) of the present connection."""
        return self.current.load()

    def publish(self, message: Publish) -> bool:
        """Hand a message to the present broker."""
        return self.current.publish(message)

    def drop(self, *, with_will: bool = False, silent: bool = False) -> None:
        """Leave the present broker, for the next one when there are several; the caller said its NDEATH.

        With several it only takes note, because it is called amid a packet: `tend` leaves.
        """
        if self.several:
            self._leaving = "silent" if silent else "told"
        else:
            self.current.drop(with_will=with_will, silent=silent)

    def failed(self) -> None:
        """Learn that the present broker does not answer."""
        if self.several:
            self._move_to(self._next, "it does not answer", silent=True)

    def tend(self, now_ns: int, *, online: bool) -> str:
        """Say whether to leave now, and why: "host" (none there), "return" (to the first), "" to stay.

        ``online`` is whether births are out. A broker that refuses us is left at once, by this itself.
        """
        if not self.several:
            return ""
        if self._leaving:
            self._move_to(self._next, "its host is not online", silent=self._leaving == "silent")
            return ""
        if self.current.attempts >= self._attempts + _ATTEMPTS:  # the first may be only a lost connection
            self._move_to(self._next, "it refuses us", silent=True)
            return ""
        if online:
            self._since_ns = 0
            self._arrived_ns = self._arrived_ns or now_ns
            if not self.at:
                self._patience = 1
            return "return" if self._may_return(now_ns) else ""
        self._arrived_ns = 0
        if not self.connected:
            self._since_ns = 0
            return ""
        self._since_ns = self._since_ns or now_ns
        return "host" if now_ns - self._since_ns >= self.settings.host_wait_s * _S else ""

    def back(self, *, with_will: bool = True) -> None:
        """Go back to the first broker; the caller said its NDEATH."""
        self._patience = min(self._patience * 2, _RETURN_MOST)
        self._move_to(0, "the first one answers again", silent=False, with_will=with_will)

    @property
    def first(self) -> Broker:
        """The broker to come back to."""
        return self._connections[0].broker

    def stay(self) -> None:
        """Learn that the first broker does not answer yet: it is asked again after ``return_s``."""
        self._arrived_ns = 0

    def drive(
        self, timeout_s: float, now_s: float, others: Sequence[socket.socket] = ()
    ) -> list[socket.socket]:
        """Do what the present connection needs; return which of ``others`` can be read."""
        return self.current.drive(timeout_s, now_s, others)

    def stop(self, *, with_will: bool = False, silent: bool = False) -> None:
        """Leave for good."""
        self.current.stop(with_will=with_will, silent=silent)

    def _may_return(self, now_ns: int) -> bool:
        wait = self.settings.return_s * self._patience * _S
        return self.at > 0 and self._arrived_ns > 0 and now_ns - self._arrived_ns >= wait

    def _move_to(self, at: int, why: str, *, silent: bool, with_will: bool = True) -> None:
        old = self.current
        old.leave(with_will=with_will, silent=silent)
        self.at = at
        self.moves += 1
        new = self.current
        new.problem = "not connected yet"
        self._attempts = new.attempts
        self._since_ns = self._arrived_ns = 0
        self._leaving = ""
        log.warning(
            "leaving the broker %s:%d (%s) for %s:%d",
            old.broker.host, old.broker.port, why, new.broker.host, new.broker.port,
        )  # fmt: skip
