"""What an edge node declares: devices, points, aliases and last values, and the birth payloads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug.codec import GOOD, Message, Metric, Value, encode
from minewatch_edge.sparkplug.schema import NUMERIC, DataType
from minewatch_edge.sparkplug.topics import check_id

BD_SEQ = "bdSeq"
REBIRTH = "Node Control/Rebirth"
MSG_ID = "minewatch/msg_id"
CLOCK = "minewatch/clock"
ACK = "minewatch/ack"
SPOOL = "minewatch/spool"
SPOOL_ROWS = "minewatch/spool_rows"
SPOOL_FIRST = "minewatch/spool_first"
SPOOL_OLDEST = "minewatch/spool_oldest"
VERSION = "minewatch/version"
INTERVAL = "minewatch/interval_s"
NOTE = "minewatch/note"

# Aliases of the node's own metrics; those of the devices follow. ACK and SPOOL are commands of the host and
# keep their names, so that a host can send them before it has read an alias.
NODE_ALIASES = {
    MSG_ID: 1, SPOOL_ROWS: 2, VERSION: 3, INTERVAL: 4, SPOOL_FIRST: 5, NOTE: 6, CLOCK: 7, SPOOL_OLDEST: 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PointBirth:
    """One point as a gateway declares it; ``low`` and ``high`` bound what the instrument can show.

    ``interval_s`` is the longest normal time between two readings (0 = unknown); ``calibration_due`` is an
    ISO date.
    """

    device: str
    metric: str
    quantity: str
    unit: str
    zone: str = ""
    low: float = float("-inf")
    high: float = float("inf")
    interval_s: float = 0.0
    resolution: float = 0.0
    sentinels: tuple[float, ...] = ()
    calibration_due: str = ""
    datatype: DataType = DataType.DOUBLE

    def properties(self) -> dict[str, Value]:
        """Return the birth properties; a bound that is not known is left out."""
        found: dict[str, Value] = {"quantity": self.quantity, "engUnit": self.unit, "zone": self.zone}
        if isfinite(self.low):
            found["engLow"] = float(self.low)
        if isfinite(self.high):
            found["engHigh"] = float(self.high)
        if self.interval_s:
            found["interval_s"] = float(self.interval_s)
        if self.resolution:
            found["resolution"] = float(self.resolution)
        if self.sentinels:
            found["sentinels"] = ",".join(repr(float(s)) for s in self.sentinels)
        if self.calibration_due:
            found["calibration_due"] = self.calibration_due
        return found


class Device:
    """One device's points, aliases and last values (time ms, value, Sparkplug quality)."""

    def __init__(self, name: str, first_alias: int, points: Sequence[PointBirth]) -> None:
        self.name = name
        self.points = tuple(points)
        self.msg_id_alias = first_alias
        self.aliases = [first_alias + 1 + i for i in range(len(points))]
        self.clock_alias = first_alias + 1 + len(points)
        self.types = [int(p.datatype) for p in points]
        self.index = {p.metric: i for i, p in enumerate(points)}
        self.last: list[tuple[int, Value, int] | None] = [None] * len(points)
        self.last_msg_id = 0
        self.online = True

    def find(self, metric: str | int) -> int:
        """Return the index of a metric given by name or index; raise WireError if it was not declared."""
        if isinstance(metric, str):
            found = self.index.get(metric)
            if found is not None:
                return found
        elif 0 <= metric < len(self.points):
            return metric
        raise WireError(f"device {self.name!r} declares no metric {metric!r}; a birth must name it first")

    def birth(self, seq: int, now_ms: int) -> bytes:
        """Return the DBIRTH payload: every metric with name, alias, type, properties and last value."""
        metrics = []
        for point, alias, last in zip(self.points, self.aliases, self.last, strict=True):
            when, value, quality = last or (now_ms, None, GOOD)
            metrics.append(
                Metric(
                    point.metric,
                    alias,
                    point.datatype,
                    timestamp_ms=when,
                    value=value,
                    is_null=value is None,
                    quality=None if quality == GOOD else quality,
                    properties=point.properties(),
                )
            )
        # In order of time, as a host may take the values one after the other (data-publish-dbirth-order).
        metrics.sort(key=lambda metric: metric.timestamp_ms or 0)
        when = max(now_ms, max((m.timestamp_ms or 0 for m in metrics), default=0))
        metrics += [
            Metric(MSG_ID, self.msg_id_alias, DataType.UINT64, timestamp_ms=when, value=self.last_msg_id),
            Metric(CLOCK, self.clock_alias, DataType.INT32, timestamp_ms=when, value=0),
        ]
        return encode(Message(tuple(metrics), now_ms, seq))


def devices_of(points: Iterable[PointBirth]) -> dict[str, Device]:
    """Return the devices in order of appearance, aliases dense and unique across the node.

    Raise WireError for a name MQTT cannot carry, a metric declared twice (case counts for nothing, as
    Sparkplug asks), or a data type that is no number.
    """
    grouped: dict[str, list[PointBirth]] = {}
    seen: dict[tuple[str, str], PointBirth] = {}
    written: dict[str, str] = {}
    for point in points:
        check_id("device", point.device)
        if written.setdefault(point.device.casefold(), point.device) != point.device:
            raise WireError(f"device {point.device!r} is there twice, in two ways of writing")
        key = (point.device.casefold(), point.metric.casefold())
        if not point.metric or point.metric in (MSG_ID, CLOCK):
            raise WireError(f"device {point.device!r}: a metric must not be called {point.metric!r}")
        if key in seen:
            raise WireError(f"device {point.device!r} declares the metric {point.metric!r} twice")
        if point.datatype not in NUMERIC:
            raise WireError(f"{point.device}/{point.metric}: {point.datatype.name} is no type of a reading")
        seen[key] = point
        grouped.setdefault(point.device, []).append(point)
    made: dict[str, Device] = {}
    alias = max(NODE_ALIASES.values()) + 1
    for name, members in grouped.items():
        made[name] = Device(name, alias, members)
        alias += len(members) + 2
    return made


def node_birth(seq: int, bd_seq: int, values: Mapping[str, Value], now_ms: int) -> bytes:
    """Return the NBIRTH payload; ``values`` holds the node's own metrics by name."""
    metrics = [
        Metric(BD_SEQ, datatype=DataType.INT64, timestamp_ms=now_ms, value=bd_seq),
        Metric(REBIRTH, datatype=DataType.BOOLEAN, timestamp_ms=now_ms, value=False),
        *(node_metric(name, value, now_ms) for name, value in values.items()),
    ]
    return encode(Message(tuple(metrics), now_ms, seq))


def node_death(bd_seq: int, now_ms: int) -> bytes:
    """Return the NDEATH payload: the bdSeq and nothing else."""
    metric = Metric(BD_SEQ, datatype=DataType.INT64, timestamp_ms=now_ms, value=bd_seq)
    return encode(Message((metric,), now_ms))


_NODE_TYPES = {
    MSG_ID: DataType.UINT64,
    ACK: DataType.UINT64,
    SPOOL: DataType.STRING,
    SPOOL_ROWS: DataType.UINT64,
    SPOOL_FIRST: DataType.UINT64,
    SPOOL_OLDEST: DataType.UINT64,
    VERSION: DataType.STRING,
    INTERVAL: DataType.DOUBLE,
    NOTE: DataType.STRING,
    CLOCK: DataType.INT32,
}


def node_metric(name: str, value: Value, now_ms: int) -> Metric:
    """Return one of the node's own metrics as a birth declares it."""
    return Metric(name, NODE_ALIASES.get(name), _NODE_TYPES[name], timestamp_ms=now_ms, value=value)
