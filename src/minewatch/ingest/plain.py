"""DATA payloads through protobuf: names, other makers' nodes, and all that the walker gives back.

This is the authority: what the walker accepts must come out here with the same values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any

from minewatch.contracts import Quality
from minewatch.ingest.kernels.walker import LAST_MS, MSG_ID, NODE_VALUE, REFUSED, SENDER_CLOCK
from minewatch.ingest.registry import Entry, Node
from minewatch_edge.sparkplug import births, codec
from minewatch_edge.sparkplug.schema import DataType

_WHOLE = range(DataType.INT8, DataType.UINT64 + 1)
_BROKEN = (DataType.FLOAT, DataType.DOUBLE)


@dataclass(slots=True)
class Decoded:
    """One DATA message: its readings as columns, what the node said of itself, and what was not taken."""

    seq: int = -1
    stamp_ms: int = -1
    msg_id: int = -1
    clock: int = 0
    unknown: bool = False
    point: list[int] = field(default_factory=list)
    ts_ns: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    historical: list[bool] = field(default_factory=list)
    node_values: dict[str, codec.Value] = field(default_factory=dict)
    note: str | None = None
    rejects: list[tuple[str, str]] = field(default_factory=list)

    def add(self, point: int, ts_ns: int, value: float, quality: int, historical: bool) -> None:
        """Append one reading."""
        self.point.append(point)
        self.ts_ns.append(ts_ns)
        self.value.append(value)
        self.quality.append(quality)
        self.historical.append(historical)


def decode_data(raw: bytes, node: Node, device: str, received_ms: int) -> Decoded:
    """Return what a DATA payload holds, by the node's present births; raise WireError when it is none.

    A metric without a time has the payload's, else the time of receipt.
    """
    payload = codec.parse(raw)
    done = Decoded()
    if payload.HasField("seq"):
        done.seq = payload.seq
    if payload.HasField("timestamp"):
        done.stamp_ms = payload.timestamp
    fallback_ms = done.stamp_ms if done.stamp_ms >= 0 else received_ms
    for metric in payload.metrics:
        _take(done, metric, node, device, fallback_ms)
    if done.clock:
        done.quality = [quality_by_clock(quality, done.clock) for quality in done.quality]
    return done


def quality_by_clock(quality: int, clock: int) -> int:
    """Return a quality as the sender's clock leaves it: 0 synchronised, 1 holdover, else unknown."""
    if clock == 0 or quality >= Quality.UNCERTAIN:
        return quality
    return Quality.GOOD_HOLDOVER if clock == 1 else Quality.UNCERTAIN_CLOCK


def _take(done: Decoded, metric: Any, node: Node, device: str, fallback_ms: int) -> None:
    if metric.HasField("alias"):
        entry = node.aliases.get(metric.alias)
        called = f"alias {metric.alias}"
    else:
        name = codec.text(metric.name)
        entry = node.names.get((device, name))
        called = f"metric {name!r}"
    if entry is None:
        done.unknown = True
        done.rejects.append(("unknown-metric", f"{called} is in no birth"))
    elif entry.code == MSG_ID:
        _take_msg_id(done, metric)
    elif entry.code == NODE_VALUE and entry.name == births.NOTE:
        _take_note(done, metric)
    elif entry.code == SENDER_CLOCK:
        _take_clock(done, metric)
    elif entry.code == NODE_VALUE:
        done.node_values[entry.name] = _any_value(metric)
    elif entry.code == REFUSED:
        done.rejects.append(("refused-point", f"{entry.name!r} was refused at its birth"))
    else:
        _take_reading(done, metric, entry, fallback_ms)


def _take_msg_id(done: Decoded, metric: Any) -> None:
    which = metric.WhichOneof("value")
    if metric.is_null or which not in ("int_value", "long_value") or getattr(metric, which) >> 63:
        done.rejects.append(("msg-id", "the message id is no whole number below 2**63"))
        return
    done.msg_id = getattr(metric, which)


def _take_note(done: Decoded, metric: Any) -> None:
    if metric.is_null or metric.WhichOneof("value") != "string_value":
        done.rejects.append(("note", "the note is no text"))
        return
    done.note = codec.text(metric.string_value)


def _take_clock(done: Decoded, metric: Any) -> None:
    which = metric.WhichOneof("value")
    if metric.is_null or which not in ("int_value", "long_value"):
        done.rejects.append(("clock", "the quality of the clock is no whole number"))
        done.clock = 2
        return
    done.clock = getattr(metric, which)


def _take_reading(done: Decoded, metric: Any, entry: Entry, fallback_ms: int) -> None:
    when = metric.timestamp if metric.HasField("timestamp") else fallback_ms
    if when > LAST_MS:
        done.rejects.append(("timestamp", f"{entry.name!r} has the time {when} ms, beyond what fits"))
        return
    which = metric.WhichOneof("value")
    if metric.is_null or which is None:
        done.add(entry.code, when * 1_000_000, nan, Quality.BAD_NO_SIGNAL, metric.is_historical)
        return
    other = metric.datatype and metric.datatype != entry.datatype
    value = None if other else number(which, getattr(metric, which), entry.datatype)
    if value is None:
        form = f"data type {metric.datatype}" if other else which
        done.rejects.append(("type", f"{entry.name!r} comes as {form}, born as data type {entry.datatype}"))
        return
    quality = quality_of(metric)
    if not isfinite(value):
        quality = max(quality, Quality.BAD_NOT_A_NUMBER)
    done.add(entry.code, when * 1_000_000, value, quality, metric.is_historical)


def number(which: str, value: Any, datatype: int) -> float | None:
    """Return a protobuf value as a number, None when its form does not fit the data type of the birth."""
    if which in ("double_value", "float_value"):
        return float(value) if datatype in _BROKEN else None
    if which == "boolean_value":
        return float(value) if datatype == DataType.BOOLEAN else None
    if which in ("int_value", "long_value"):
        return float(codec.signed(value, datatype)) if datatype in _WHOLE else None
    return None


def quality_of(metric: Any) -> int:
    """Return the quality that a metric's Quality property stands for; good when there is none."""
    if not metric.HasField("properties"):
        return Quality.GOOD
    code: int | None = None
    finer: int | None = None
    for key, entry in zip(metric.properties.keys, metric.properties.values, strict=False):
        if key not in (codec.QUALITY, codec.OPC_QUALITY):
            continue
        number = entry.int_value if entry.WhichOneof("value") == "int_value" else None
        if key == codec.QUALITY:
            code = number
        else:
            finer = number
    code = code if finer is None else finer
    if code is None:
        return Quality.GOOD
    return quality_from_code(code)


def quality_from_code(code: int) -> int:
    """Return the quality that a Sparkplug or OPC code stands for."""
    if codec.GOOD <= code < 256:
        return Quality.GOOD
    if codec.UNCERTAIN <= code < 128 or code == codec.STALE:
        return Quality.UNCERTAIN
    return Quality.BAD


def _any_value(metric: Any) -> codec.Value:
    which = metric.WhichOneof("value")
    value = getattr(metric, which) if which else None
    return value if isinstance(value, bool | int | float | str) else None
