"""The MQTT source of the service: a broker on one side, columns of readings on the other, no thread.

`poll` runs the connection in the caller's thread. While the caller does not poll, nothing is read: the
broker keeps what comes, within the bounds of its own settings.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from random import Random
from urllib.parse import urlsplit

import structlog

from minewatch.contracts import Clock, Watermark
from minewatch.errors import ConfigError
from minewatch.ingest import counters
from minewatch.ingest.backlog import Backlog
from minewatch.ingest.columns import warm_up
from minewatch.ingest.intake import Intake, Reject
from minewatch.ingest.receiver import Receiver
from minewatch.ingest.settings import IngestSettings
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.mqtt import Broker, Connection, Tls

AT_ONCE_BYTES = 1 << 20  # payload bytes handed to the core at once
AT_ONCE = 4_096  # messages handed to the core at once
STILL_S = 1.0  # the core stands still when it has taken nothing for so long

log = structlog.get_logger(__name__)

__all__ = ["Intake", "MqttSource", "Reject", "warm_up"]


class MqttSource:
    """One host application at one broker at a time; when that one fails, at the next of the settings."""

    def __init__(self, settings: IngestSettings, clock: Clock, *, rng: Random | None = None) -> None:
        """Raise ConfigError when a certificate cannot be read; a broker that is down is no error."""
        warm_up()
        self._settings = settings
        self._clock = clock
        self._rng = rng or Random(clock.now_ns())  # noqa: S311  # spreads requests, guards no secret
        self._receiver = Receiver(settings, self._rng)
        self._inbox: list[tuple[str, bytes]] = []
        self._backlog = Backlog(settings.max_backlog_bytes, settings.max_gateway_backlog_bytes)
        self._handed_s = 0.0
        self._marks: dict[tuple[str, str], Watermark] = {}
        self._marked_ns: dict[str, int] = {}
        self._turn = 0
        self._told = ""
        self._connection = self._connect()

    @property
    def online(self) -> bool:
        """Whether the broker is there and has confirmed the subscriptions."""
        return self._connection.connected and not self._connection.problem

    @property
    def problem(self) -> str:
        """What keeps this source from its readings, in a line; empty when nothing does."""
        return self._connection.problem

    def poll(
        self, timeout_s: float, wake: socket.socket | None = None, *, room: bool = True
    ) -> Intake | None:
        """Wait for news at most ``timeout_s``; return them, None when there are none.

        It returns early when something came in or ``wake`` can be read. Without ``room`` for news, messages
        are only kept, within bounds; beyond them the broker is held back, or a gateway that floods is shed.
        """
        now_ns = self._clock.now_ns()
        others = () if wake is None else (wake,)
        steady_s = self._clock.monotonic_ns() / 1e9
        # whoever is alone, or waits for a core that stands still, is held back and loses nothing
        shedding = not self._receiver.has_one_gateway and steady_s - self._handed_s < STILL_S
        if self._backlog.is_full(shedding=shedding):
            select.select(others, [], [], 0 if room else timeout_s)
        else:
            wait_s = 0.0 if room and self._backlog else self._patience(timeout_s, now_ns)
            self._connection.drive(wait_s, steady_s, others)
        now_ns = self._clock.now_ns()
        self._receiver.take(self._next(room, shedding, now_ns), now_ns)
        if room:
            self._handed_s = steady_s
        self._receiver.tick(now_ns)
        self._send(now_ns)
        self._watch()
        return self._receiver.collect(now_ns)

    def known(self) -> Intake:
        """Return every point, spool and gateway, for a core that starts anew."""
        return self._receiver.known()

    def acknowledge(self, marks: Sequence[Watermark]) -> None:
        """Tell gateways what the store holds; sent by `poll`, a few times a second, newest only."""
        for mark in marks:
            self._marks[mark.gateway, mark.spool] = mark

    def close(self) -> None:
        """Say that this host is gone, and leave."""
        if self._connection.connected:
            self._connection.publish(self._receiver.session.death(self._clock.now_ns() // 1_000_000))
        self._connection.stop()

    # ---- what the connection asks and tells (Handler) --------------------------------------------

    def will(self) -> Publish:
        """Return the offline STATE for the CONNECT that is about to go out."""
        return self._receiver.session.will(self._clock.now_ns() // 1_000_000)

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return what a host application subscribes to."""
        return self._receiver.session.subscriptions()

    def subscribed(self) -> None:
        """Say that this host is online."""
        counters.CONNECTIONS.inc()
        self._connection.publish(self._receiver.session.on_subscribed())

    def message(self, topic: str, payload: bytes) -> None:
        """Keep a message for the end of this poll."""
        self._inbox.append((topic, payload))

    def lost(self, why: str) -> None:
        """Give every gateway up until it is heard again, after what had still come in."""
        now_ns = self._clock.now_ns()
        messages, self._inbox = self._inbox, []
        self._receiver.take([*self._backlog.everything(), *messages], now_ns)
        self._receiver.lost(now_ns)

    # ---- the rest ---------------------------------------------------------------------------------

    def _connect(self) -> Connection:
        settings = self._settings
        url = urlsplit(settings.brokers[self._turn % len(settings.brokers)])
        secure = url.scheme == "mqtts"
        files = (settings.ca_file, settings.cert_file, settings.key_file)
        ca, cert, key = (str(f) if f else "" for f in files)
        broker = Broker(
            host=url.hostname or "",
            port=url.port or (8883 if secure else 1883),
            client_id=f"minewatch-host-{settings.host_id}",
            username=settings.username,
            password=settings.password.get_secret_value(),
            tls=Tls(ca, cert, key) if secure else None,
            keepalive_s=settings.keepalive_s,
            protocol=settings.protocol,
            retry_min_s=settings.retry_min_s,
            retry_max_s=settings.retry_max_s,
        )
        try:
            return Connection(broker, self)
        except OSError as error:
            names = ", ".join(str(f) for f in files if f)
            raise ConfigError(
                f"the TLS files {names} cannot be used: {error}",
                where="ingest.ca_file, cert_file, key_file",
                mend="Give readable PEM files, or mqtt:// for a broker without TLS",
            ) from None

    def _next(self, room: bool, shedding: bool, now_ns: int) -> list[tuple[str, bytes]]:
        """Return the messages whose turn it is; all that came in, as long as nobody has to wait."""
        messages, self._inbox = self._inbox, []
        if room and not self._backlog and len(messages) <= AT_ONCE // 4:
            return messages
        for gateway, count in self._backlog.add(messages, shedding=shedding).items():
            self._receiver.shed(gateway, count, now_ns)
        return self._backlog.take(AT_ONCE_BYTES, AT_ONCE) if room else []

    def _patience(self, timeout_s: float, now_ns: int) -> float:
        """Return how long to wait: no longer than until something of our own is due."""
        due_ms = self._receiver.session.next_tick_ms(now_ns // 1_000_000)
        if due_ms is not None:
            timeout_s = min(timeout_s, max(0.0, due_ms / 1e3 - now_ns / 1e9))
        if self._marks:
            timeout_s = min(timeout_s, self._settings.acknowledge_interval_s)
        return timeout_s

    def _send(self, now_ns: int) -> None:
        connection, receiver = self._connection, self._receiver
        outbox, receiver.outbox = receiver.outbox, []
        for message in outbox:  # without a connection rebirths and STATE mean nothing, so none is kept
            connection.publish(message)
        if self._marks and self.online:
            self._send_marks(now_ns)
        if receiver.reconnect:
            log.warning("connecting anew", reason=receiver.reconnect)
            receiver.reconnect = ""
            connection.drop()

    def _send_marks(self, now_ns: int) -> None:
        interval_ns = round(self._settings.acknowledge_interval_s * 1e9)
        for key, mark in list(self._marks.items()):
            if 0 <= now_ns - self._marked_ns.get(mark.gateway, 0) < interval_ns:
                continue
            site, _, gateway = mark.gateway.partition("/")
            state = self._receiver.session.nodes.get((site, gateway))
            if state is None or not state.online or state.speaker.is_doubted(now_ns // 1_000_000):
                continue
            command = self._receiver.session.acknowledge(
                site, gateway, mark.spool, mark.upto, now_ns // 1_000_000
            )
            if self._connection.publish(command):
                counters.ACKNOWLEDGEMENTS.inc()
                self._marked_ns[mark.gateway] = now_ns
                del self._marks[key]

    def _watch(self) -> None:
        """Log a loss once and a recovery once; go to the next broker when this one keeps failing."""
        connection = self._connection
        if not connection.problem and self._told != "found":
            self._told = "found"
            log.info("broker found", host=connection.broker.host, port=connection.broker.port)
        elif connection.problem and self._told != "lost" and (connection.attempts or self._told):
            self._told = "lost"
            log.warning("no broker", problem=connection.problem)
        if self._connection.attempts >= 2 and len(self._settings.brokers) > 1:
            self._connection.stop()
            self._turn += 1
            self._connection = self._connect()
