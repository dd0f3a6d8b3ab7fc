"""A minimal host for tests: it keeps every reading by point and time, and acknowledges what it has."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from minewatch_edge.runtime import moment
from minewatch_edge.sparkplug import births, codec
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.events import Data, DeviceBirth, NodeBirth
from minewatch_edge.sparkplug.host_session import HostSession
from minewatch_edge.sparkplug.mqtt import Broker, Connection

ACK_EVERY_MS = 200


@dataclass
class Held:
    """What the host has of one spool."""

    node: tuple[str, str]
    upto: int = 0
    above: set[int] = field(default_factory=set)
    told: int = -1

    def take(self, row: int) -> bool:
        """Note a row; False for a repeat."""
        if row <= self.upto or row in self.above:
            return False
        self.above.add(row)
        self.advance()
        return True

    def advance(self, first: int = 0) -> None:
        """Move the watermark over what is there; rows before ``first`` will never come."""
        self.upto = max(self.upto, first - 1)
        self.above = {row for row in self.above if row > self.upto}
        while self.upto + 1 in self.above:
            self.upto += 1
            self.above.discard(self.upto)


class AckingHost:
    """Run it in a ``with``; ``readings`` counts (device, metric, time ms, value), each row once."""

    def __init__(self, port: int, *, acknowledge: bool = True) -> None:
        self.session = HostSession(
            "minewatch", Random(1), reorder_ms=200, rebirth_interval_ms=200, rebirth_jitter_ms=1
        )
        self.connection = Connection(
            Broker("127.0.0.1", port, "host", keepalive_s=5, retry_min_s=0.1, retry_max_s=0.3), self
        )
        self._readings: Counter[tuple[str, str, int, float | None]] = Counter()
        self._lock = threading.Lock()
        self.repeats = 0
        self.historical = 0
        self.births = 0
        self.notes: list[dict[str, Any]] = []
        self.delays_ms: list[float] = []
        self._acknowledge = acknowledge
        self._names: dict[tuple[str, str, str], dict[int, str]] = {}
        self._spools: dict[str, Held] = {}
        self._of: dict[tuple[str, str], str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def readings(self) -> Counter[tuple[str, str, int, float | None]]:
        """Readings so far, as a copy."""
        with self._lock:
            return self._readings.copy()

    @property
    def count(self) -> int:
        return len(self._readings)

    def __enter__(self) -> AckingHost:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def will(self) -> Publish:
        return self.session.will(_now_ms())

    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        return self.session.subscriptions()

    def subscribed(self) -> None:
        self.connection.publish(self.session.on_subscribed())

    def message(self, topic: str, payload: bytes) -> None:
        self._take(self.session.receive(topic, payload, _now_ms()))

    def lost(self, _why: str) -> None:
        self._take(self.session.on_disconnected(_now_ms()))

    def _run(self) -> None:
        told_ms = 0
        while not self._stop.is_set():
            self.connection.drive(0.02, moment().mono_ns / 1e9)
            self._take(self.session.tick(_now_ms()))
            if self._acknowledge and _now_ms() - told_ms >= ACK_EVERY_MS:
                told_ms = _now_ms()
                for spool, held in list(self._spools.items()):
                    if held.upto > held.told or held.above:
                        message = self.session.acknowledge(*held.node, spool, held.upto, told_ms)
                        if self.connection.publish(message):
                            held.told = held.upto
        self.connection.publish(self.session.death(_now_ms()))
        self.connection.stop()

    def _take(self, events: object) -> None:
        for event in events:  # type: ignore[attr-defined]
            match event:
                case Publish():
                    self.connection.publish(event)
                case NodeBirth():
                    self.births += 1
                    self._names[event.group, event.node, ""] = _names(event.message)
                    spool = event.message.named(births.SPOOL)
                    first = event.message.named(births.SPOOL_FIRST)
                    self._of[event.group, event.node] = str(spool.value)
                    held = self._spools.setdefault(str(spool.value), Held((event.group, event.node)))
                    held.advance(int(first.value) if first else 0)
                    held.told = -1
                case DeviceBirth():
                    self._names[event.group, event.node, event.device] = _names(event.message)
                case Data() if event.device:
                    self._data(event)
                case Data():
                    self._note(event)

    def gap_ids(self) -> set[int]:
        """Return the ids that will never come, as the gateways told."""
        return {
            i for note in self.notes if note["kind"] == "gap" for a, b in note["ids"] for i in range(a, b + 1)
        }

    def _note(self, event: Data) -> None:
        names = self._names[event.group, event.node, ""]
        told = {names[m.alias]: m.value for m in codec.decode(event.payload).metrics}
        held = self._spools[self._of[event.group, event.node]]
        if births.NOTE not in told or not held.take(int(told[births.MSG_ID])):
            return
        note = json.loads(str(told[births.NOTE]))
        self.notes.append(note)
        for first, last in note.get("ids", ()):
            held.above.update(range(max(first, held.upto + 1), last + 1))
        held.advance()

    def _data(self, event: Data) -> None:
        names = self._names[event.group, event.node, event.device]
        metrics = codec.decode(event.payload).metrics
        row = next((m.value for m in metrics if names[m.alias] == births.MSG_ID), None)
        if row is not None and not self._spools[self._of[event.group, event.node]].take(int(row)):
            self.repeats += 1
            return
        self.historical += any(m.is_historical for m in metrics)
        for metric in metrics:
            if names[metric.alias].startswith("minewatch/"):
                continue
            with self._lock:
                self._readings[event.device, names[metric.alias], metric.timestamp_ms, metric.value] += 1
            if not metric.is_historical:
                self.delays_ms.append(moment().wall_ns / 1e6 - metric.timestamp_ms)


def _names(message: codec.Message) -> dict[int, str]:
    return {m.alias: m.name for m in message.metrics if m.alias is not None}


def _now_ms() -> int:
    return moment().wall_ns // 1_000_000
