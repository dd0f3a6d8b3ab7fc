"""The edge node's half of a Sparkplug session, without input or output: time in, actions out.

The caller owns one connection and calls, in this order: `will` (persist `bd_seq`, then CONNECT with it),
`subscriptions`, `on_subscribed`, then `receive` and `data` as things happen, `death` before it leaves, and
`on_disconnected` when the connection is gone. It is not thread-safe: one thread, or one lock around it, must
also cover the publishing, because sequence numbers have to leave in order.
Source: Eclipse Sparkplug 3.0, chapters 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug import births, codec, topics
from minewatch_edge.sparkplug.actions import (
    Acknowledged,
    EdgeAction,
    HostOffline,
    HostOnline,
    Publish,
    RebirthRequested,
    Refused,
)
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import GOOD, Value
from minewatch_edge.sparkplug.schema import Payload
from minewatch_edge.sparkplug.state import decode_state

Reading: TypeAlias = tuple[str | int, int, Value, int]  # metric name or index, time ms, value, quality


class EdgeSession:
    """One edge node: births, data, deaths, rebirths, and the state of its primary host."""

    def __init__(
        self,
        group: str,
        node: str,
        points: Sequence[PointBirth],
        *,
        bd_seq: int = -1,
        primary_host: str = "",
        spool: str = "",
        version: str = "",
        interval_s: float = 0.0,
    ) -> None:
        """``bd_seq`` is the last one used (persisted), -1 for the first start ever."""
        self.group = topics.check_id("group", group)
        self.node = topics.check_id("edge node", node)
        self.primary_host = topics.check_id("primary host", primary_host) if primary_host else ""
        self._devices = births.devices_of(points)
        self._bd_seq = bd_seq
        self._seq = 0
        self._born = False
        self._subscribed = False
        self._host_online = False
        self._state_ms: int | None = None
        self._values: dict[str, Value] = {
            births.SPOOL: spool,
            births.MSG_ID: 0,
            births.ACK: 0,
            births.SPOOL_ROWS: 0,
            births.SPOOL_FIRST: 0,
            births.SPOOL_OLDEST: 0,
            births.VERSION: version,
            births.INTERVAL: float(interval_s),
            births.NOTE: "",
            births.CLOCK: 0,
        }
        self._ncmd = topics.node_topic(group, "NCMD", node)
        self._state = topics.state_topic(self.primary_host) if self.primary_host else ""
        self._ddata = {d: topics.device_topic(group, "DDATA", node, d) for d in self._devices}

    @property
    def bd_seq(self) -> int:
        """The bdSeq of the present connection, 0..255; persist it after `will`, before CONNECT."""
        return self._bd_seq

    @property
    def born(self) -> bool:
        """Whether births went out on this connection, so that data may follow."""
        return self._born

    @property
    def host_online(self) -> bool:
        """Whether the primary host is online; always true when none is configured."""
        return self._host_online or not self.primary_host

    def online(self, device: str) -> bool:
        """Whether a device is born on this connection and no DDEATH followed, so that data may be sent."""
        return self._born and self._device(device).online

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices in order of declaration."""
        return tuple(self._devices)

    def will(self, now_ms: int) -> Publish:
        """Begin a new connection: count bdSeq up and return the NDEATH that CONNECT carries as its will."""
        self.on_disconnected()
        self._bd_seq = (self._bd_seq + 1) % 256
        return self._death(now_ms, qos=1)

    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """Return (topic, QoS) to subscribe to before any birth."""
        commands = (self._ncmd, 1), (topics.device_topic(self.group, "DCMD", self.node, "+"), 1)
        return (*commands, (self._state, 1)) if self._state else commands

    def on_subscribed(self, now_ms: int) -> list[EdgeAction]:
        """Return the births once the broker confirmed the subscriptions and the primary host is online."""
        self._subscribed = True
        return list(self._births(now_ms)) if self.host_online else []

    def on_disconnected(self) -> None:
        """Forget the connection: nothing may be sent until the next births."""
        self._born = self._subscribed = self._host_online = False
        self._state_ms = None

    def receive(self, topic: str, payload: bytes, now_ms: int) -> list[EdgeAction]:
        """Handle one message from the broker."""
        try:
            if topic == self._state:
                return self._on_state(payload, now_ms)
            if topic == self._ncmd:
                return self._on_command(payload, now_ms)
        except WireError as error:
            return [Refused(topic, "unreadable", str(error))]
        return [Refused(topic, "not-a-command", "this agent takes no commands to devices")]

    def data(
        self,
        device: str,
        readings: Iterable[Reading],
        msg_id: int | None,
        now_ms: int,
        *,
        historical: bool = False,
        clock: int = 0,
    ) -> Publish:
        """Return one DDATA of readings taken together, in order of time.

        ``clock`` is how good the clock was that stamped them: 0 synchronised, 1 holdover, 2 unknown.
        Live readings also become the current values of later births. Raise WireError when no birth was sent,
        for an undeclared device or metric, or a value that does not fit; then nothing has changed.
        """
        found = self._device(device)
        if not self._born or not found.online:
            raise WireError(f"device {device!r} is not born on this connection; spool the readings")
        payload = Payload(timestamp=now_ms)
        rows = [(found.find(metric), ts, value, quality) for metric, ts, value, quality in readings]
        if not historical:
            rows.sort(key=_time)
        for row in rows:
            _add_reading(payload, found, row, historical=historical)
        when = max(now_ms, rows[-1][1]) if rows else now_ms  # a device's clock may be ahead of ours
        if msg_id is not None:
            _add_msg_id(payload, found.msg_id_alias, msg_id, when, historical=historical)
        if clock:
            _add_clock(payload, found.clock_alias, clock, when, historical=historical)
        payload.seq = self._next_seq()
        if not historical:
            _remember(found, rows, msg_id)
        return Publish(self._ddata[device], payload.SerializeToString())

    def observe(self, device: str, readings: Iterable[Reading]) -> None:
        """Take readings as the current values of later births without sending them."""
        found = self._device(device)
        _remember(found, [(found.find(m), ts, value, quality) for m, ts, value, quality in readings], None)

    def note(self, text: str, msg_id: int, now_ms: int, *, historical: bool = False) -> Publish:
        """Return one NDATA with a note (JSON) and its spool id; raise WireError when no birth was sent."""
        if not self._born:
            raise WireError(f"edge node {self.node!r} is not born on this connection; spool the note")
        metrics = tuple(
            codec.Metric(
                alias=births.NODE_ALIASES[name],
                timestamp_ms=now_ms,
                value=value,
                is_historical=historical,
            )
            for name, value in ((births.NOTE, text), (births.MSG_ID, msg_id))
        )
        message = codec.Message(metrics, now_ms, self._next_seq())
        if not historical:
            self._values[births.MSG_ID] = msg_id
        return Publish(topics.node_topic(self.group, "NDATA", self.node), codec.encode(message))

    def set_node_values(
        self, now_ms: int, *, spool_rows: int, spool_first: int = 0, spool_oldest: int = 0, clock: int = 0
    ) -> list[EdgeAction]:
        """Take the node's own figures; return an NDATA when one changed while the node is born.

        ``spool_first`` is the lowest id that will come, or be told of by a note (0 = unknown): a host does
        not wait for ids below it. ``spool_oldest`` is when the oldest row held was taken, in milliseconds
        (0 = none is held). ``clock`` is how good the clock is: 0 synchronised, 1 holdover, 2 unknown.
        """
        news: dict[str, Value] = {
            births.SPOOL_ROWS: spool_rows,
            births.SPOOL_FIRST: spool_first,
            births.SPOOL_OLDEST: spool_oldest,
            births.CLOCK: clock,
        }
        changed = {name: value for name, value in news.items() if self._values[name] != value}
        self._values.update(changed)
        if not changed or not self._born:
            return []
        metrics = tuple(
            codec.Metric(alias=births.NODE_ALIASES[name], timestamp_ms=now_ms, value=value)
            for name, value in changed.items()
        )
        message = codec.Message(metrics, now_ms, self._next_seq())
        return [Publish(topics.node_topic(self.group, "NDATA", self.node), codec.encode(message))]

    def set_spool(self, spool: str) -> None:
        """Name a new spool file; it counts from the next birth on."""
        self._values[births.SPOOL] = spool

    def device_death(self, device: str, now_ms: int) -> list[EdgeAction]:
        """Say that a device does not answer any more; births say it is there, until this is called again."""
        found = self._device(device)
        if not found.online:
            return []
        found.online = False
        if not self._born:
            return []
        raw = codec.encode(codec.Message((), now_ms, self._next_seq()))
        return [Publish(topics.device_topic(self.group, "DDEATH", self.node, device), raw)]

    def device_birth(self, device: str, now_ms: int) -> list[EdgeAction]:
        """Say that a device answers again.

        All births go out anew, because a DBIRTH may not follow data (payloads-dbirth-order).
        """
        found = self._device(device)
        if found.online:
            return []
        found.online = True
        return self.rebirth(now_ms)

    def rebirth(self, now_ms: int) -> list[EdgeAction]:
        """Return all births again: same bdSeq, sequence from 0, current values only."""
        return list(self._births(now_ms)) if self._born else []

    def death(self, now_ms: int) -> Publish:
        """Return the NDEATH to send before an intended disconnect; no data may follow."""
        self._born = False
        return self._death(now_ms, qos=0)

    def _death(self, now_ms: int, qos: int) -> Publish:
        raw = births.node_death(self._bd_seq, now_ms)
        return Publish(topics.node_topic(self.group, "NDEATH", self.node), raw, qos=qos)

    def _births(self, now_ms: int) -> list[Publish]:
        self._seq = 0
        self._born = True
        raw = births.node_birth(self._next_seq(), self._bd_seq, self._values, now_ms)
        made = [Publish(topics.node_topic(self.group, "NBIRTH", self.node), raw)]
        for name, device in self._devices.items():
            device.online = True  # a host must know the metrics of a dead device too; its DDEATH follows
            made.append(self._device_birth(name, now_ms))
        return made

    def _device_birth(self, device: str, now_ms: int) -> Publish:
        raw = self._devices[device].birth(self._next_seq(), now_ms)
        return Publish(topics.device_topic(self.group, "DBIRTH", self.node, device), raw)

    def _next_seq(self) -> int:
        seq = self._seq
        self._seq = (seq + 1) % 256
        return seq

    def _device(self, device: str) -> births.Device:
        found = self._devices.get(device)
        if found is None:
            raise WireError(f"edge node {self.node!r} declares no device {device!r}")
        return found

    def _on_state(self, payload: bytes, now_ms: int) -> list[EdgeAction]:
        state = decode_state(payload)
        if self._state_ms is not None and state.timestamp_ms < self._state_ms:
            return [Refused(self._state, "stale-state", f"{state.timestamp_ms} is before {self._state_ms}")]
        self._state_ms = state.timestamp_ms
        if state.online == self._host_online:
            return []
        self._host_online = state.online
        if state.online:
            made: list[EdgeAction] = [HostOnline(state.timestamp_ms)]
            return made + list(self._births(now_ms)) if self._subscribed and not self._born else made
        news: list[EdgeAction] = [self.death(now_ms)] if self._born else []
        return [*news, HostOffline(state.timestamp_ms)]

    def _on_command(self, payload: bytes, now_ms: int) -> list[EdgeAction]:
        message = codec.decode(payload)
        rebirth, ack = message.named(births.REBIRTH), message.named(births.ACK)
        done: list[EdgeAction] = []
        if ack is not None:
            done += self._on_ack(ack.value, message.named(births.SPOOL))
        if rebirth is not None and rebirth.value is True and self._born:
            done += [RebirthRequested(), *self._births(now_ms)]
        return done

    def _on_ack(self, upto: Value, spool: codec.Metric | None) -> list[EdgeAction]:
        mine = self._values[births.SPOOL]
        if spool is None or spool.value != mine or not isinstance(upto, int):
            got = None if spool is None else spool.value
            return [Refused(self._ncmd, "foreign-spool", f"acknowledges spool {got!r}, this is {mine!r}")]
        self._values[births.ACK] = upto
        return [Acknowledged(str(mine), upto)]


_Row: TypeAlias = tuple[int, int, Value, int]


def _time(row: _Row) -> int:
    return row[1]


def _add_reading(payload: Any, device: births.Device, row: _Row, *, historical: bool) -> None:
    index, ts, value, quality = row
    metric = payload.metrics.add()
    metric.alias = device.aliases[index]
    metric.timestamp = ts
    if value is None:
        metric.is_null = True
    else:
        codec.put(metric, device.types[index], value)
    if historical:
        metric.is_historical = True
    if quality != GOOD:
        codec.put_quality(metric, quality)


def _add_msg_id(payload: Any, alias: int, msg_id: int, now_ms: int, *, historical: bool) -> None:
    metric = payload.metrics.add()
    metric.alias = alias
    metric.timestamp = now_ms
    metric.long_value = msg_id
    if historical:
        metric.is_historical = True


def _add_clock(payload: Any, alias: int, clock: int, now_ms: int, *, historical: bool) -> None:
    metric = payload.metrics.add()
    metric.alias = alias
    metric.timestamp = now_ms
    metric.int_value = clock
    if historical:
        metric.is_historical = True


def _remember(device: births.Device, rows: Iterable[_Row], msg_id: int | None) -> None:
    for index, ts, value, quality in rows:
        last = device.last[index]
        if last is None or ts >= last[0]:
            device.last[index] = (ts, value, quality)
    if msg_id is not None:
        device.last_msg_id = msg_id
