"""The evidence for the host: the real MQTT source of the service, told a story against a clock we move.

The network is the only part that is not real (`Wire`): it writes down, in order, what the host does with it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from functools import cached_property
from random import Random
from typing import Any

from minewatch.contracts import Watermark
from minewatch.ingest import source as source_module
from minewatch.ingest.settings import IngestSettings
from minewatch_edge.sparkplug import codec
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.mqtt import Broker, Connection

HOST = "centre"
STATE = f"spBv1.0/STATE/{HOST}"
START_MS = 1_800_000_000_000


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ns(self) -> int:
        return self.ms * 1_000_000

    def monotonic_ns(self) -> int:
        return self.ms * 1_000_000


class Wire:
    """The network: writes down what the host does with it, in order."""

    log: list[tuple[str, Any, int]]
    clock: Clock

    def __init__(self, broker: Broker, handler: Any) -> None:
        self.broker, self.handler = broker, handler
        self.connected, self.problem, self.attempts = False, "not connected yet", 0
        self.refuse = False

    def note(self, what: str, detail: Any = None) -> None:
        self.log.append((what, detail, self.clock.ms))

    def drive(
        self, timeout_s: float, now_s: float, others: Sequence[socket.socket] = ()
    ) -> list[socket.socket]:
        if not self.connected and not self.refuse:
            self.note("CONNECT", self.handler.will())
            self.connected, self.problem, self.attempts = True, "", 0
            self.note("SUBSCRIBE", tuple(self.handler.subscriptions()))
            self.handler.subscribed()
        elif self.refuse:
            self.attempts += 1
        return []

    def publish(self, message: Publish) -> bool:
        if self.connected:
            self.note("PUBLISH", message)
        return self.connected

    def lose(self) -> None:
        """Have the connection be lost."""
        self.connected, self.problem = False, "lost"
        self.note("LOST")
        self.handler.lost("gone")

    def drop(self) -> None:
        self.lose()

    def stop(self) -> None:
        if self.connected:
            self.note("DISCONNECT")
        self.connected = False


class Host:
    """The service's source on a timeline, and gateways that talk to it."""

    def __init__(self, brokers: int = 1, **options: Any) -> None:
        self.clock = Clock()
        self.log: list[tuple[str, Any, int]] = []
        kind = type("Wired", (Wire,), {"log": self.log, "clock": self.clock})
        urls = tuple(f"mqtt://broker-{i}:1883" for i in range(brokers))
        settings = IngestSettings(brokers=urls, host_id=HOST, rebirth_jitter_s=0, **options)
        kept = source_module.Connection
        source_module.Connection = kind  # type: ignore[misc]  # the network, see above
        try:
            self.source = source_module.MqttSource(settings, self.clock, rng=Random(1))
            self._kind = kind
        finally:
            source_module.Connection = kept  # type: ignore[misc]
        self.rows: list[Any] = []

    @property
    def wire(self) -> Any:
        return self.source._connection

    @property
    def session(self) -> Any:
        return self.source._receiver.session

    @property
    def registry(self) -> Any:
        return self.source._receiver.registry

    def turn(self, ms: int = 10) -> None:
        """Let time go by and the source do its work."""
        self.clock.ms += ms
        kept = source_module.Connection
        source_module.Connection = self._kind  # type: ignore[misc]
        try:
            found = self.source.poll(0.0)
        finally:
            source_module.Connection = kept  # type: ignore[misc]
        if found is not None:
            self.rows += found.batch.value.tolist()

    def give(self, *messages: Publish, ms: int = 10) -> None:
        """Have messages arrive."""
        for message in messages:
            self.source.message(message.topic, message.payload)
        self.turn(ms)

    def published(self, word: str = "") -> list[Publish]:
        """What went out, of topics that hold a word."""
        return [d for what, d, _ in self.log if what == "PUBLISH" and word in d.topic]

    def wills(self) -> list[Publish]:
        return [d for what, d, _ in self.log if what == "CONNECT"]

    def info(self, gateway: str = "gw") -> Any:
        return next(g for g in self.source.known().gateways if g.gateway == gateway)


class Gateway:
    """A real edge session whose messages are handed over by hand."""

    def __init__(self, node: str = "gw") -> None:
        points = [PointBirth("fan", "rpm", "count", "1"), PointBirth("wall", "ch4", "methane", "%")]
        self.session = EdgeSession("mine", node, points, spool="s-1")
        self.will, self.births = self.connect(START_MS)

    def connect(self, now_ms: int) -> tuple[Publish, list[Publish]]:
        will = self.session.will(now_ms)
        return will, [a for a in self.session.on_subscribed(now_ms) if isinstance(a, Publish)]

    def data(self, value: float, device: str = "fan") -> Publish:
        return self.session.data(device, [(0, START_MS, value, 192)], int(value), START_MS)


def state_of(message: Publish) -> dict[str, Any]:
    """The JSON of a STATE message."""
    found: dict[str, Any] = json.loads(message.payload)
    return found


class HostEvidence:
    """What checks look at; made anew for every mutant."""

    def online(self, **options: Any) -> Host:
        """A host that is online."""
        host = Host(**options)
        host.turn()
        return host

    def with_gateway(self, **options: Any) -> tuple[Host, Gateway]:
        """A host that is online and has heard a gateway's births."""
        host, gateway = self.online(**options), Gateway()
        host.give(*gateway.births)
        return host, gateway

    @cached_property
    def asked(self) -> Publish:
        """The rebirth command for a node whose birth was not seen."""
        host, gateway = self.online(), Gateway()
        host.give(gateway.data(1.0))
        host.turn(20)
        return host.published("NCMD")[0]

    @cached_property
    def acknowledged(self) -> Publish:
        """The acknowledgement of a spool id."""
        host, _ = self.with_gateway()
        host.source.acknowledge([Watermark("mine/gw", "s-1", 5)])
        host.turn(1_000)
        return host.published("NCMD")[-1]

    def connects(self, protocol: int) -> Any:
        """The client's side of a CONNECT as paho is about to send it."""
        connection = Connection(Broker("127.0.0.1", protocol=protocol), self.online().source)
        connection._connect_async()
        return connection._client


def message_of(message: Publish) -> codec.Message:
    """The payload of a command."""
    return codec.decode(message.payload)
