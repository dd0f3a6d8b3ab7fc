"""Devices that publish plain JSON, or a plain number, at a broker of their own or the mine's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import nan
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import topic_matches_sub

from minewatch_edge.drivers.ahead import ahead
from minewatch_edge.drivers.csv_rows import TimeFormat, time_format
from minewatch_edge.drivers.driver import Batch, CheckResult, Reading
from minewatch_edge.drivers.mqtt_json import Path, Unusable, number, path_of, payload_of, time_ns
from minewatch_edge.drivers.mqtt_link import Arrived, Link
from minewatch_edge.errors import DriverError
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD, GOOD, UNCERTAIN
from minewatch_edge.sparkplug.mqtt import Broker
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

if TYPE_CHECKING:
    from minewatch_edge.config import DeviceConfig

DEVICE_KEYS = ("broker", "topic", "qos", "retained", "time", "format", "time_zone", "room", "keep")
POINT_KEYS = ("topic", "path", "scale")

_TOPICS_KEPT = 500
_LOOK_NS = 100_000_000  # a message without a time of its own carries that of the poll, so polls are close
_CONNECT_S = 2.5
_CHECK_S = 5.0
_MEND = "Look at the address in the device's broker table, and whether that broker runs"


@dataclass(frozen=True, slots=True)
class Field:
    """Where a point's value comes from: messages of a topic (``+``, ``#`` allowed), and a place in them."""

    topic: str
    path: Path
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Reader:
    """How messages are read; ``time`` is where their own time stands, if they have one."""

    fields: tuple[Field, ...]
    form: TimeFormat
    time: Path | None = None
    retained: str = "ignore"


class MqttIn:
    """One device, or several of one kind, at one broker. What cannot be used is refused with its reason."""

    def __init__(
        self, points: Sequence[PointBirth], link: Link, reader: Reader, refuse: Callable[[Reject], None]
    ) -> None:
        self._points = tuple(points)
        self._link = link
        self._reader = reader
        self._refuse = refuse
        self._last: dict[str, int] = {}  # the latest time of each point and topic
        self._polls = 0
        self._due_ns = 0
        shortest = min((p.interval_s for p in points if p.interval_s), default=1.0)
        self._step_ns = min(_LOOK_NS, int(shortest * 1e9))

    def points(self) -> Sequence[PointBirth]:
        """Return its points."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return when to look again."""
        return min(self._due_ns, now_ns + self._step_ns)

    def poll(self, now_ns: int) -> Batch:
        """Return the readings of the messages that came.

        Raises DriverError when the broker is away and nothing is left to take.
        """
        self._due_ns = now_ns + self._step_ns
        self._polls += 1
        if not self._link.begun:
            self._link.start()
            self._link.subscribed.wait(_CONNECT_S)
        messages, dropped = self._link.take(self._polls)
        if dropped:
            self._refuse(Reject(now_ns, self._points[0].device, "queue", f"{dropped} messages found no room"))
        if not messages and not self._link.subscribed.is_set():
            raise self._away()
        found = _apart([r for m in messages for r in self._read(m, now_ns)])
        return Batch(found, json.dumps(self._last) if 0 < len(self._last) <= _TOPICS_KEPT else "")

    def kept(self, polls: int) -> None:
        """Have the messages of the first so many polls confirmed: their readings are on the disk."""
        self._link.kept = polls

    def resume(self, mark: str) -> None:
        """Remember which times were read, so that what the broker keeps is not read again."""
        with suppress(ValueError, TypeError, AttributeError):
            self._last = {str(k): int(v) for k, v in json.loads(mark).items()}

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Listen for some seconds and say what each point gave; a retained message counts here."""
        told: list[Reject] = []
        probe = MqttIn(self._points, self._link, self._reader, told.append)
        seen: dict[int, tuple[Reading, bool]] = {}
        was_begun = self._link.begun
        try:
            why = probe._listen(seen, now_ns)
        finally:
            if not was_begun:
                self._link.close()
        if told:
            why += f"; {told[-1].reason}: {told[-1].text}"
        return [_said(p, seen.get(i), why) for i, p in enumerate(self._points)]

    def close(self) -> None:
        """Let go of the broker."""
        self._link.close()

    def _listen(self, seen: dict[int, tuple[Reading, bool]], now_ns: int) -> str:
        """Collect the first good reading of each point; return what to say of those that gave none."""
        link = self._link
        if not link.begun:
            link.start()
        if not link.subscribed.wait(_CONNECT_S):
            return str(self._away())
        for _ in range(20):  # pieces of a time, so that no clock is needed
            link.arrived.wait(_CHECK_S / 20)
            for message in link.take(1)[0]:
                fresh = message._replace(retained=False)
                for reading in self._read(fresh, now_ns):
                    if reading.quality == GOOD:
                        seen[reading.point] = reading, message.retained
            if len(seen) == len(self._points):
                break
        return f"{self._place}: nothing came in {_CHECK_S:g} s that holds it"

    @property
    def _place(self) -> str:
        return f"{self._link.broker.host}:{self._link.broker.port}"

    def _away(self) -> DriverError:
        return DriverError(f"the broker {self._place}: {self._link.problem or 'connection lost'}", mend=_MEND)

    def _read(self, message: Arrived, now_ns: int) -> list[Reading]:
        """Return the readings of one message."""
        reader = self._reader
        indexes = [i for i, f in enumerate(reader.fields) if topic_matches_sub(f.topic, message.topic)]
        if not indexes:
            return []  # another point's subscription may be wider than this topic
        try:
            if message.retained and reader.time is None and reader.retained == "ignore":
                raise Unusable("retained", "of unknown age: it was kept by the broker and has no time")
            payload = payload_of(message.payload)
            ts_ns = self._time(payload, now_ns)
        except Unusable as error:
            self._reject(error, message, now_ns)
            return []
        quality = UNCERTAIN if message.retained and reader.time is None else GOOD
        found = []
        for index in indexes:
            try:
                found += self._value(index, payload, ts_ns, quality, message)
            except Unusable as error:
                self._reject(error, message, now_ns)
        return found

    def _value(self, index: int, payload: Any, ts_ns: int, quality: int, message: Arrived) -> list[Reading]:
        field = self._reader.fields[index]
        value = number(field.path.find(payload), field.path.text)
        if self._reader.time is not None:
            key = f"{index} {message.topic}"
            if (message.retained or message.again) and ts_ns <= self._last.get(key, -1):
                return []  # what the broker kept, or sends again, was read when it was new
            if ts_ns < self._last.get(key, -1):
                raise Unusable("order", "its time is before that of the message before")
            self._last[key] = ts_ns
        if value is None:
            return [Reading(index, ts_ns, nan, BAD)]
        return [Reading(index, ts_ns, value * field.scale, quality)]

    def _time(self, payload: Any, now_ns: int) -> int:
        reader = self._reader
        if reader.time is None:
            return now_ns
        ts_ns = time_ns(reader.time.find(payload), reader.form)
        if ahead(ts_ns, now_ns):
            raise Unusable("time", "it is more than a day ahead of the clock")
        return ts_ns

    def _reject(self, error: Unusable, message: Arrived, now_ns: int) -> None:
        text = f"{error}: {message.topic}: {message.payload[:300].decode('utf-8', 'replace')}"
        self._refuse(Reject(now_ns, self._points[0].device, error.reason, text))


def _apart(readings: list[Reading]) -> list[Reading]:
    """Give readings of one point with one time a millisecond each, the last one the time they have."""
    taken: set[tuple[int, int]] = set()
    found = []
    for reading in reversed(readings):
        ts_ns = reading.ts_ns
        while (reading.point, ts_ns) in taken:
            ts_ns -= 1_000_000
        taken.add((reading.point, ts_ns))
        found.append(reading._replace(ts_ns=ts_ns))
    return found[::-1]


def _said(point: PointBirth, seen: tuple[Reading, bool] | None, why: str) -> CheckResult:
    place = f"{point.device}/{point.metric}"
    if seen is None:
        return CheckResult(place, False, why)
    kept = " (kept by the broker, of unknown age)" if seen[1] else ""
    return CheckResult(place, True, f"{seen[0].value:g} {point.unit}{kept}")


def make(device: DeviceConfig, folder: FilePath, refuse: Callable[[Reject], None]) -> MqttIn:
    """Make the driver of a device from its tables."""
    table = device.options
    time = _path(table, "time")
    reader = Reader(
        fields=tuple(_field(p.options, table) for p in device.points),
        time=time if time.steps else None,
        form=time_format(table),
        retained=table.text("retained", "ignore", choices=("ignore", "uncertain")),
    )
    if time.steps and reader.retained != "ignore":
        raise table.error("retained", "messages have a time of their own", "Leave retained away")
    qos = table.whole("qos", 1, least=0, most=1)
    wide = table.text("topic", "")
    topics = [wide] if wide else _subscriptions(device, [f.topic for f in reader.fields])
    keep = table.flag("keep", False)
    broker = _broker(table.table("broker"), folder)
    if keep and (not broker.client_id or not qos):
        raise table.error("keep", "the broker must know us again", "Set client_id in broker, and qos = 1")
    room = table.whole("room", 10_000, least=1, most=1_000_000)
    link = Link(broker, [(topic, qos) for topic in topics], room=room, keep=keep)
    return MqttIn([p.birth for p in device.points], link, reader, refuse)


def _broker(table: Table, folder: FilePath) -> Broker:
    """Read the table of a device's broker, which has the keys of [broker]."""
    from minewatch_edge.config import broker_of  # here, because that module asks for the kinds of drivers

    for key in ("primary_host", "acknowledgement", "fallback"):
        if key in table.values:
            raise table.error(key, "it means nothing for a device", f"Leave {key} away")
    found = broker_of(table, folder)
    try:
        if found.tls is not None:
            found.tls.context()
    except OSError as error:
        raise table.error(
            "tls", f"the certificates cannot be used: {error}", "Mend ca_file, cert_file, key_file"
        ) from error
    return Broker(
        host=found.host,
        port=found.port,
        client_id=found.client_id,
        username=found.username,
        password=found.password(),
        tls=found.tls,
        keepalive_s=found.keepalive_s,
        protocol=found.protocol,
        connect_timeout_s=2.0,
        retry_max_s=15.0,
    )


def _field(table: Table, device: Table) -> Field:
    wide = device.text("topic", "")
    topic = table.text("topic", wide)
    if not topic:
        raise table.error("topic", "there is none, here or at the device", 'Add topic = "plant/gas-1/state"')
    _need_topic(table if "topic" in table.values else device, topic)
    if wide and topic != wide and ("+" in topic or "#" in topic or not topic_matches_sub(wide, topic)):
        raise table.error(
            "topic", f"{topic!r} is not part of the device's {wide!r}", "Name one topic of those"
        )
    return Field(topic, _path(table, "path"), table.number("scale", 1.0))


def _subscriptions(device: DeviceConfig, topics: Sequence[str]) -> list[str]:
    """Return topics that have no message in common: some brokers deliver such a message twice."""
    found = [t for t in dict.fromkeys(topics) if not any(u != t and _covers(u, t) for u in topics)]
    for i, topic in enumerate(found):
        for other in found[i + 1 :]:
            if _meet(topic.split("/"), other.split("/")):
                point = device.points[topics.index(other)].options
                raise point.error(
                    "topic",
                    f"{other!r} and {topic!r} share messages",
                    "Set one topic at the device for both",
                )
    return found


def _covers(wide: str, narrow: str) -> bool:
    ours, theirs = wide.split("/"), narrow.split("/")
    for i, level in enumerate(ours):
        if level == "#":
            return True
        if i >= len(theirs) or theirs[i] == "#" or (level not in ("+", theirs[i])):
            return False
    return len(ours) == len(theirs)


def _meet(one: list[str], other: list[str]) -> bool:
    for a, b in zip(one, other, strict=False):
        if "#" in (a, b):
            return True
        if a != b and "+" not in (a, b):
            return False
    return len(one) == len(other) or "#" in (*one[len(other) :], *other[len(one) :])


def _need_topic(table: Table, topic: str) -> None:
    levels = topic.split("/")
    wild = [level for level in levels if ("+" in level and level != "+") or ("#" in level and level != "#")]
    if wild or "#" in levels[:-1] or "\0" in topic or len(topic.encode()) > 65_535:
        raise table.error("topic", f"{topic!r} is no topic", "Use + for one level, # for all at the end")


def _path(table: Table, key: str) -> Path:
    text = table.text(key, "")
    try:
        return path_of(text)
    except ValueError as error:
        raise table.error(key, f"{text!r} is no path", 'Write it as "data.gas[0].ppm"') from error
