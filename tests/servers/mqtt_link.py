"""A link to a broker that writes down every MQTT packet, and can be throttled, black-holed, or cut.

It speaks MQTT 3.1.1 and 5 as far as its own tests need: what a client connects with, subscribes to, publishes
and how it leaves; of the broker only the kind of packet.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

KINDS = {
    1: "CONNECT", 2: "CONNACK", 3: "PUBLISH", 4: "PUBACK", 8: "SUBSCRIBE", 9: "SUBACK", 12: "PINGREQ",
    13: "PINGRESP", 14: "DISCONNECT",
}  # fmt: skip
_SLICE_S = 0.01
_BUFFER = 2_048  # of each socket here: what the link holds must not look like what it has carried


@dataclass(frozen=True)
class Packet:
    """One packet of one connection; ``up`` is from the client, CLOSED the end of what it sent."""

    connection: int
    up: bool
    kind: str
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    protocol: int = 0
    clean: bool = False
    expiry_s: int | None = None
    has_will: bool = False
    client_id: str = ""
    subscriptions: tuple[tuple[str, int], ...] = ()
    reason: int = 0


@dataclass
class MqttLink:
    """A proxy on ``port`` in front of ``target``; ``rate`` is bytes a second upwards, 0 for no bound."""

    target: int
    rate: float = 0.0
    hole: bool = False
    refuse: bool = False
    packets: list[Packet] = field(default_factory=list)
    port: int = 0
    open_now: int = 0
    sessions: int = 0
    carried: int = 0

    def count(self, kind: str, topic: str = "") -> int:
        """Return how many packets of a kind the client sent, of topics that contain something."""
        return sum(p.up and p.kind == kind and topic in p.topic for p in list(self.packets))

    def cut(self) -> None:
        """End every connection at once."""
        self._cut.set()

    def __post_init__(self) -> None:
        self._stop, self._cut = threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._connections = 0
        self._start(self._accept)

    def close(self) -> None:
        """End it and its threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._listener], [], [], 0.02)[0]:
                continue
            client, _ = self._listener.accept()
            if self.refuse:
                client.close()
                continue
            self._start(lambda client=client: self._carry(client))  # type: ignore[misc]  # bound on purpose

    def _carry(self, client: socket.socket) -> None:
        number = self._connections
        self._connections += 1
        self._cut.clear()
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self.target)) as broker,
        ):
            self.open_now += 1
            try:
                self._pass_on(number, client, broker)
            finally:
                self.open_now -= 1
                if _is_session(self.packets, number):
                    self.sessions -= 1
                    self.packets.append(Packet(number, up=True, kind="CLOSED"))

    def _pass_on(self, number: int, client: socket.socket, broker: socket.socket) -> None:
        up, down = Parser(number, up=True), Parser(number, up=False)
        next_up = 0.0
        while not self._stop.is_set() and not self._cut.is_set():
            if self.hole:
                time.sleep(_SLICE_S)
                continue
            wanted = [broker] if self.rate and time.monotonic() < next_up else [broker, client]
            for sock in select.select(wanted, [], [], _SLICE_S)[0]:
                bound = max(1, int(self.rate * _SLICE_S)) if self.rate and sock is client else 65_536
                data = sock.recv(bound)
                if not data:
                    return
                parser, other = (up, broker) if sock is client else (down, client)
                if sock is client:
                    self.carried += len(data)
                    if self.rate:
                        next_up = max(next_up, time.monotonic() - _SLICE_S) + len(data) / self.rate
                for packet in parser.feed(data):
                    self.sessions += packet.kind == "CONNECT"
                    self.packets.append(packet)
                other.sendall(data)


@contextlib.contextmanager
def linked(target: int, *, rate: float = 0.0) -> Iterator[MqttLink]:
    """Yield a link to the broker on a port."""
    link = MqttLink(target, rate)
    try:
        yield link
    finally:
        link.close()


def _is_session(packets: list[Packet], number: int) -> bool:
    return any(p.connection == number and p.kind == "CONNECT" for p in packets)


class Parser:
    """One direction of one connection."""

    def __init__(self, connection: int, *, up: bool) -> None:
        self._connection, self._up = connection, up
        self._buffer = b""
        self._five = False

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Yield the packets that are whole now."""
        self._buffer += data
        while True:
            size, at = _varint(self._buffer, 1)
            if at == 0 or len(self._buffer) < at + size:
                return
            first, body = self._buffer[0], self._buffer[at : at + size]
            self._buffer = self._buffer[at + size :]
            yield self._packet(first, body)

    def _packet(self, first: int, body: bytes) -> Packet:
        kind = KINDS.get(first >> 4, str(first >> 4))
        if self._up and kind == "CONNECT":
            return self._connect(body)
        if self._up and kind == "PUBLISH":
            return self._publish(first, body)
        if self._up and kind == "SUBSCRIBE":
            return self._subscribe(body)
        reason = body[0] if kind == "DISCONNECT" and body else 0
        return Packet(self._connection, self._up, kind, reason=reason)

    def _connect(self, body: bytes) -> Packet:
        reader = _Reader(body)
        reader.text()
        level, flags = reader.byte(), reader.byte()
        reader.take(2)
        self._five = level == 5
        expiry = _expiry(reader.properties()) if self._five else None
        client_id = reader.text().decode()
        topic, payload = "", b""
        if flags & 4:
            if self._five:
                reader.properties()
            topic, payload = reader.text().decode(), reader.text()
        return Packet(
            self._connection, up=True, kind="CONNECT", topic=topic, payload=payload, qos=flags >> 3 & 3,
            retain=bool(flags & 32), protocol=level, clean=bool(flags & 2), expiry_s=expiry,
            has_will=bool(flags & 4), client_id=client_id,
        )  # fmt: skip

    def _publish(self, first: int, body: bytes) -> Packet:
        reader = _Reader(body)
        topic = reader.text().decode()
        qos = first >> 1 & 3
        if qos:
            reader.take(2)
        if self._five:
            reader.properties()
        return Packet(
            self._connection, up=True, kind="PUBLISH", topic=topic, payload=reader.rest(), qos=qos,
            retain=bool(first & 1),
        )  # fmt: skip

    def _subscribe(self, body: bytes) -> Packet:
        reader = _Reader(body)
        reader.take(2)
        if self._five:
            reader.properties()
        found = []
        while not reader.ended:
            topic = reader.text().decode()
            found.append((topic, reader.byte() & 3))
        return Packet(self._connection, up=True, kind="SUBSCRIBE", subscriptions=tuple(found))


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._body)

    def take(self, size: int) -> bytes:
        piece = self._body[self._at : self._at + size]
        self._at += size
        return piece

    def byte(self) -> int:
        return self.take(1)[0]

    def text(self) -> bytes:
        return self.take(int.from_bytes(self.take(2), "big"))

    def properties(self) -> bytes:
        size, self._at = _varint(self._body, self._at)
        return self.take(size)

    def rest(self) -> bytes:
        return self._body[self._at :]


def _expiry(properties: bytes) -> int | None:
    """Return the session expiry interval, when it is the first property."""
    return int.from_bytes(properties[1:5], "big") if properties[:1] == b"\x11" else None


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return (value, where it ends); the end is 0 when it is not whole."""
    value = shift = 0
    while at < len(raw):
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return 0, 0
