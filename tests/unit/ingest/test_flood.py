"""A flood from one gateway delays no other: queues in turn, bounded, and a real broker at its full rate."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from minewatch.ingest.backlog import OVERHEAD, QUANTUM, Backlog
from minewatch.ingest.intake import Intake
from minewatch.ingest.receiver import Receiver
from minewatch.ingest.settings import IngestSettings
from minewatch.ingest.source import MqttSource
from minewatch_edge.sparkplug.actions import EdgeAction, Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.mqtt import Broker, Connection
from servers import Server

HOG = "spBv1.0/mine/DDATA/hog/d"
MOUSE = "spBv1.0/mine/DDATA/mouse/d"


def test_turns() -> None:
    """Behind a megabyte of one gateway another one's message comes out within one turn, all in order."""
    backlog = Backlog(1 << 26, 1 << 23)
    hog = [(HOG, bytes([i % 256]) * 1_000) for i in range(1_000)]
    mouse = [(MOUSE, b"1"), (MOUSE, b"2")]
    backlog.add([*hog, *mouse], shedding=True)
    out = backlog.take(4 * QUANTUM, 10_000)
    assert out.index(mouse[0]) <= QUANTUM // (1_000 + OVERHEAD) + 1
    assert [m for m in out if m[0] == MOUSE] == mouse
    rest = out + backlog.everything()
    assert [m for m in rest if m[0] == HOG] == hog
    assert backlog.size == 0
    assert not backlog


def test_only_the_flood_is_shed() -> None:
    """What is above a gateway's share is shed and counted; births and the others' messages never are."""
    backlog = Backlog(1 << 20, 50_000)
    shed = backlog.add([(HOG, b"x" * 1_000)] * 100, shedding=True)
    assert shed == {"mine/hog": 100 - 50_000 // (1_000 + OVERHEAD)}
    birth = ("spBv1.0/mine/DBIRTH/hog/d", b"b" * 1_000)
    assert backlog.add([birth, (MOUSE, b"y")], shedding=True) == {}
    assert not backlog.is_full(shedding=True)
    assert birth in backlog.everything()


def test_back_pressure_instead_of_loss() -> None:
    """Where nothing may be shed, and where all queues are full, the broker is held back."""
    alone = Backlog(1 << 20, 50_000)
    assert alone.add([(MOUSE, b"x"), *[(HOG, b"x" * 1_000)] * 100], shedding=False) == {}
    assert alone.is_full(shedding=False)
    many = Backlog(100_000, 50_000)
    many.add([(f"spBv1.0/mine/DDATA/gw-{i}/d", b"x" * 10_000) for i in range(20)], shedding=True)
    assert many.is_full(shedding=True)


def test_whoever_is_alone_on_line_keeps_nobody_waiting() -> None:
    """A gateway that is known and offline is nobody for whose sake data would be shed."""
    into = Receiver(IngestSettings(), Random(1))
    wills = {}
    for name in ("gw-1", "gw-2"):
        session = EdgeSession("mine", name, [PointBirth("fan", "rpm", "count", "1")], spool=name)
        wills[name] = session.will(1)
        births = [a for a in session.on_subscribed(1) if isinstance(a, Publish)]
        into.take([(b.topic, b.payload) for b in births], 10**9)
    assert not into.has_one_gateway
    into.take([(wills["gw-2"].topic, wills["gw-2"].payload)], 2 * 10**9)
    assert into.has_one_gateway


FLOOD = """
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(bytes([16, 15, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 0, 0, 3]) + b"hog")
s.recv(4)
births, round = open(sys.argv[2], "rb").read(), open(sys.argv[3], "rb").read()
s.sendall(births)
while True:
    s.sendall(round)
"""


def packet(message: Publish) -> bytes:
    """An MQTT 3.1.1 PUBLISH of QoS 0."""
    topic = message.topic.encode()
    body = len(topic).to_bytes(2, "big") + topic + message.payload
    length, size = bytearray(), len(body)
    while True:
        size, low = divmod(size, 128)
        length.append(low | (128 if size else 0))
        if not size:
            return bytes([0x30]) + bytes(length) + body


class SystemClock:
    """The clocks of this machine."""

    def now_ns(self) -> int:
        return 1_790_000_000_000_000_000 + time.monotonic_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class Mouse:
    """A gateway that sends one reading now and then."""

    def __init__(self, port: int, clock: SystemClock) -> None:
        self.clock = clock
        self.session = EdgeSession("mine", "mouse", [PointBirth("d", "ch4", "methane", "%")], spool="s-m")
        self.connection = Connection(Broker("127.0.0.1", port, "mouse", retry_min_s=0.1), self)
        self.sent: dict[int, float] = {}

    def will(self) -> Publish:
        return self.session.will(self.clock.now_ns() // 1_000_000)

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        return self.session.subscriptions()

    def subscribed(self) -> None:
        self.do(self.session.on_subscribed(self.clock.now_ns() // 1_000_000))

    def message(self, topic: str, payload: bytes) -> None:
        self.do(self.session.receive(topic, payload, self.clock.now_ns() // 1_000_000))

    def lost(self, why: str) -> None:
        self.session.on_disconnected()

    def do(self, actions: Sequence[EdgeAction]) -> None:
        for action in actions:
            if isinstance(action, Publish):
                self.connection.publish(action)

    def send(self) -> None:
        now_ms = self.clock.now_ns() // 1_000_000
        number = len(self.sent) + 1
        self.connection.publish(self.session.data("d", [("ch4", now_ms, float(number), 192)], number, now_ms))
        self.sent[number] = time.monotonic()


def test_flood_over_a_real_broker(mosquitto_server: Server, tmp_path: Path) -> None:
    """While one gateway floods at the broker's full rate, another's readings come in time."""
    clock = SystemClock()
    settings = IngestSettings(
        brokers=(f"mqtt://127.0.0.1:{mosquitto_server.port}",), max_gateway_backlog_bytes=1 << 20
    )
    source = MqttSource(settings, clock, rng=Random(1))
    mouse = Mouse(mosquitto_server.port, clock)
    hog = EdgeSession("mine", "hog", [PointBirth("d", f"m{i}", "value", "1") for i in range(20)], spool="s-h")
    hog.will(1)
    births = [packet(a) for a in hog.on_subscribed(1) if isinstance(a, Publish)]
    turn = [hog.data("d", [(i, 5, 1.0, 192) for i in range(20)], n, 5) for n in range(256)]
    (tmp_path / "births").write_bytes(b"".join(births))
    (tmp_path / "turn").write_bytes(b"".join(map(packet, turn)))
    shown: dict[int, float] = {}
    flooded, busy_until = 0, 0.0

    def turn_over() -> None:
        nonlocal flooded, busy_until
        now = time.monotonic()
        mouse.connection.drive(0.0, now)
        found: Intake | None = source.poll(0.002, room=now >= busy_until)
        if found is None:
            return
        busy_until = time.monotonic() + len(found.batch) / 100_000  # a core of 100,000 readings a second
        mice = [i for i, (key, _) in source.known().spools.items() if key == "mine/mouse"]
        for spool, number in zip(
            found.deliveries.spool.tolist(), found.deliveries.msg_id.tolist(), strict=True
        ):
            if spool in mice:
                shown.setdefault(number, time.monotonic())
            else:
                flooded += 1

    def until(seconds: float, holds: object = None) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not (callable(holds) and holds()):
            turn_over()

    until(20, lambda: source.online and mouse.session.born and len(source.known().gateways) == 1)
    files = [str(tmp_path / "births"), str(tmp_path / "turn")]
    flood = subprocess.Popen([sys.executable, "-c", FLOOD, str(mosquitto_server.port), *files])
    try:
        until(20, lambda: flooded > 20_000)
        for _ in range(20):
            mouse.send()
            until(0.1)
        until(20, lambda: len(shown) == len(mouse.sent))
        state = next(g for g in source.known().gateways if g.gateway == "hog")
    finally:
        flood.kill()
        flood.wait()
    source.close()
    mouse.connection.stop()
    delays = [shown[n] - mouse.sent[n] for n in mouse.sent if n in shown]
    assert len(delays) == 20
    assert sorted(delays)[-1] < 5
    assert flooded > 20_000
    assert "flood" in state.problems
