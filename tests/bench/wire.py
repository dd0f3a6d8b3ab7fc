"""What the wire costs: encoding on the gateway, decoding in the service, and both around a real broker."""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from minewatch.ingest.receiver import Receiver
from minewatch.ingest.settings import IngestSettings
from minewatch.ingest.source import MqttSource
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.edge_session import EdgeSession

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from servers import Absent, iotcore, mosquitto

T = 1_790_000_000_000
DRAIN = 500
ROUNDS = 3


class SystemClock:
    """The clocks of this machine."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def gateway(metrics: int, primary: str = "") -> EdgeSession:
    points = [PointBirth("device", f"metric-{i}", "value", "1", "zone", 0, 100, 1.0) for i in range(metrics)]
    session = EdgeSession("site", "gateway", points, spool="spool", primary_host=primary)
    session.will(T)
    return session


def births(session: EdgeSession) -> list[Publish]:
    return [a for a in session.on_subscribed(T) if isinstance(a, Publish)]


def stream(session: EdgeSession, metrics: int, messages: int) -> list[Publish]:
    return [
        session.data("device", [(m, T + i, m + 0.25, 192) for m in range(metrics)], i + 1, T + i)
        for i in range(messages)
    ]


def encode(metrics: int, messages: int) -> float:
    """Return messages a second."""
    session = gateway(metrics)
    births(session)
    best = 0.0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        stream(session, metrics, messages)
        best = max(best, messages / (time.perf_counter() - began))
    return best


def decode(metrics: int, messages: int) -> float:
    """Return messages a second through sequence check, walker and hand-over, in drains as a socket gives."""
    best = 0.0
    for _ in range(ROUNDS):
        session = gateway(metrics)
        into = Receiver(IngestSettings(), Random(1))
        into.take([(b.topic, b.payload) for b in births(session)], T)
        sent = [(p.topic, p.payload) for p in stream(session, metrics, messages)]
        into.take(sent[:1], T)
        into.collect(T)
        rows = 0
        began = time.perf_counter()
        for at in range(1, messages, DRAIN):
            into.take(sent[at : at + DRAIN], T)
            found = into.collect(T)
            rows += len(found.batch) if found else 0
        best = max(best, (messages - 1) / (time.perf_counter() - began))
        assert rows == (messages - 1) * metrics
    return best


SENDER = """
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(bytes([16, 15, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 3]) + b"raw")
s.recv(4)
s.sendall(open(sys.argv[2], "rb").read())
sys.stdin.read()
"""


def packet(message: Publish) -> bytes:
    """Return an MQTT 3.1.1 PUBLISH of QoS 0."""
    topic = message.topic.encode()
    body = struct.pack(">H", len(topic)) + topic + message.payload
    length, size = bytearray(), len(body)
    while True:
        size, low = divmod(size, 128)
        length.append(low | (128 if size else 0))
        if not size:
            return bytes([0x30]) + bytes(length) + body


def through_broker(port: int, metrics: int, messages: int) -> tuple[float, float]:
    """Return (messages a second, share of them that came) from a raw sender through the broker into rows."""
    source = MqttSource(IngestSettings(brokers=(f"mqtt://127.0.0.1:{port}",)), SystemClock())
    while not source.online:
        source.poll(0.05)
    session = gateway(metrics)
    with tempfile.NamedTemporaryFile(suffix=".mqtt") as file:
        file.write(b"".join(map(packet, births(session) + stream(session, metrics, messages))))
        file.flush()
        command = [sys.executable, "-c", SENDER, str(port), file.name]
        sender = subprocess.Popen(command, stdin=subprocess.PIPE)
        got, began, last = 0, 0.0, time.perf_counter()
        while got < messages and time.perf_counter() - last < 5:
            found = source.poll(0.1)
            if found is not None and len(found.deliveries.rows):
                began = began or time.perf_counter()
                got += len(found.deliveries.rows)
                last = time.perf_counter()
        assert sender.stdin is not None
        sender.stdin.close()
        sender.wait(10)
    source.close()
    return got / (last - began), got / messages


def main() -> None:
    for metrics, messages in ((1, 40_000), (10, 10_000), (100, 2_000)):
        rate = encode(metrics, messages)
        print(f"wire.encode_{metrics} {rate * metrics:.0f} readings/s")
    for metrics, messages in ((1, 60_000), (10, 20_000), (100, 4_000)):
        rate = decode(metrics, messages)
        print(f"wire.decode_{metrics} {rate:.0f} messages/s")
        print(f"wire.decode_{metrics}_readings {rate * metrics:.0f} readings/s")
    for server in (mosquitto, iotcore):
        name = server.__name__.rpartition(".")[2]
        for metrics, messages in ((1, 60_000), (100, 12_000)):
            try:
                with server.running() as running:
                    rate, share = through_broker(running.port, metrics, messages)
            except Absent as absent:
                print(f"wire.{name}_{metrics} skipped: {absent}")
                continue
            print(f"wire.{name}_{metrics} {rate:.0f} messages/s")
            print(f"wire.{name}_{metrics}_arrived {share:.4f} share")


if __name__ == "__main__":
    main()
