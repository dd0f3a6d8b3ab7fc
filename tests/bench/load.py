"""A gateway that sends as fast as the service acknowledges, or at a given rate; a process of its own.

It keeps what is not acknowledged in memory and sends it again as the real agent would, so that lost and
duplicate can be counted at the other end. Values stay below every limit, except those of ``--crossings``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import threading
import time
import uuid
from collections.abc import Sequence

from minewatch_edge.sparkplug.actions import Acknowledged, Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.mqtt import Broker, Connection

Row = tuple[str, list[tuple[int, int, float, int]]]


def now_ms() -> int:
    """Return the wall clock in milliseconds."""
    return time.time_ns() // 1_000_000


class Gateway:
    """The sending end."""

    def __init__(self, port: int, devices: int, metrics: int, per_message: int, window: int) -> None:
        self.devices = [f"device-{d}" for d in range(devices)]
        points = [
            PointBirth(device, f"ch4-{m}", "methane", "% CH4", "load/face", 0.0, 100.0)
            for device in self.devices
            for m in range(metrics)
        ]
        self.metrics = metrics
        self.per_message = per_message
        self.window = window
        self.session = EdgeSession(
            "load", "gw-load", points, primary_host="minewatch", spool=uuid.uuid4().hex
        )
        self.unacked: dict[int, Row] = {}
        self.acked = 0
        self.last_id = 0
        self.resent = 0
        self.lock = threading.Lock()
        self.connection = Connection(Broker("127.0.0.1", port, client_id="load"), self)

    # what the connection asks
    def will(self) -> Publish:
        with self.lock:
            return self.session.will(now_ms())

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        return self.session.subscriptions()

    def subscribed(self) -> None:
        self._act(lambda: self.session.on_subscribed(now_ms()))

    def message(self, topic: str, payload: bytes) -> None:
        self._act(lambda: self.session.receive(topic, payload, now_ms()))

    def lost(self, why: str) -> None:
        with self.lock:
            self.session.on_disconnected()

    def _act(self, call) -> None:  # type: ignore[no-untyped-def]  # a bench
        with self.lock:
            for action in call():
                if isinstance(action, Publish):
                    self.connection.publish(action)
                elif isinstance(action, Acknowledged):
                    for number in range(self.acked + 1, action.upto + 1):
                        self.unacked.pop(number, None)
                    self.acked = max(self.acked, action.upto)

    def send(self, row: Row) -> None:
        """Send one message now; it is kept until acknowledged."""
        with self.lock:
            self.last_id += 1
            self.unacked[self.last_id] = row
            if self.session.born:
                self.connection.publish(self.session.data(row[0], row[1], self.last_id, now_ms()))

    def resend(self) -> None:
        """Send everything that is not acknowledged again, as history."""
        with self.lock:
            if not self.session.born:
                return
            for number, (device, readings) in sorted(self.unacked.items()):
                self.resent += 1
                self.connection.publish(
                    self.session.data(device, readings, number, now_ms(), historical=True)
                )

    def drain(self, patience_s: float) -> None:
        """Wait until all is acknowledged; send again what stays behind."""
        until, seen, since = time.monotonic() + patience_s, -1, time.monotonic()
        while self.unacked and time.monotonic() < until:
            if self.acked != seen:
                seen, since = self.acked, time.monotonic()
            elif time.monotonic() - since > 3:
                self.resend()
                since = time.monotonic()
            time.sleep(0.02)


def rows(gateway: Gateway):  # type: ignore[no-untyped-def]  # a bench
    """Yield messages without end: devices in turn, metrics in turn, times that only go forward."""
    last: dict[tuple[str, int], int] = {}
    at = 0
    while True:
        for device in gateway.devices:
            readings = []
            for k in range(gateway.per_message):
                metric = (at + k) % gateway.metrics
                ts = max(now_ms(), last.get((device, metric), 0) + 1)
                last[device, metric] = ts
                readings.append((metric, ts, 0.3 + 0.05 * math.sin(ts / 997 + metric), 192))
            yield device, readings
        at += gateway.per_message


def main() -> None:
    """Send for a while and print what was sent."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--port", type=int, required=True)
    ask.add_argument("--seconds", type=float, default=60)
    ask.add_argument("--devices", type=int, default=10)
    ask.add_argument("--metrics", type=int, default=100)
    ask.add_argument("--per-message", type=int, default=100)
    ask.add_argument("--window", type=int, default=1000, help="messages sent and not yet acknowledged")
    ask.add_argument("--rate", type=float, default=0.0, help="messages a second; 0: as the window allows")
    ask.add_argument("--crossings", type=float, default=0.0, help="seconds between two limit crossings")
    given = ask.parse_args()
    gateway = Gateway(given.port, given.devices, given.metrics, given.per_message, given.window)
    gateway.connection.start()
    until = time.monotonic() + 30
    while not gateway.session.born and time.monotonic() < until:
        time.sleep(0.02)
    if not gateway.session.born:
        sys.exit("the host did not come online")
    source = rows(gateway)
    began = time.monotonic()
    sent = crossed = 0
    high: list[int] = []
    while (elapsed := time.monotonic() - began) < given.seconds:
        if len(gateway.unacked) >= given.window or (given.rate and sent >= given.rate * elapsed):
            time.sleep(0.001)
            continue
        device, readings = next(source)
        if given.crossings and elapsed >= (crossed + 1) * given.crossings:
            crossed += 1
            high = [] if high else [crossed % given.metrics]
        for i, (metric, ts, _, quality) in enumerate(readings):
            if metric in high and device == gateway.devices[0]:
                readings[i] = (metric, ts, 5.0, quality)
        gateway.send((device, readings))
        sent += 1
    seconds = time.monotonic() - began
    acked_in_time = gateway.acked
    gateway.drain(60)
    held = len(gateway.unacked)
    gateway.connection.stop()
    print(
        json.dumps(
            {
                "messages": sent,
                "readings": sent * given.per_message,
                "seconds": seconds,
                "stored_in_time": acked_in_time * given.per_message,
                "held": held,
                "resent": gateway.resent,
            }
        )
    )


if __name__ == "__main__":
    main()
