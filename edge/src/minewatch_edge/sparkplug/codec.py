"""Sparkplug B payloads as frozen dataclasses: the only module that touches protobuf messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError

from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug.schema import SIGNED_BITS, DataType, Payload

Value: TypeAlias = bool | int | float | str | bytes | None

BAD, UNCERTAIN, GOOD, STALE = 0, 64, 192, 500  # Sparkplug 3.0, 6.4.9.1; 64 is OPC's and never a Quality
QUALITY = "Quality"
OPC_QUALITY = "minewatch/quality"  # beside a Quality of 192: what OPC calls it, where Sparkplug has no word
_QUALITIES = (BAD, GOOD, STALE)

_INTEGERS = range(DataType.INT8, DataType.UINT64 + 1)
_SHORT = frozenset({1, 2, 3, 5, 6, 7})  # data types that travel in int_value; the others in long_value
_TEXTS = frozenset({DataType.STRING, DataType.TEXT, DataType.UUID})


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a payload; what the sender left out is "", None, or False.

    ``value`` is None for a null value and for a type that has no scalar (``unsupported``); ``nested`` names
    the properties that hold property sets, which are left out.
    """

    name: str = ""
    alias: int | None = None
    datatype: int = 0
    timestamp_ms: int | None = None
    value: Value = None
    is_null: bool = False
    is_historical: bool = False
    quality: int | None = None
    properties: Mapping[str, Value] = field(default_factory=dict)
    unsupported: bool = False
    nested: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One payload: its metrics, its own time, and its sequence number (none in NDEATH and commands)."""

    metrics: tuple[Metric, ...] = ()
    timestamp_ms: int | None = None
    seq: int | None = None

    def named(self, name: str) -> Metric | None:
        """Return the first metric of that name."""
        return next((m for m in self.metrics if m.name == name), None)


def signed(value: int, datatype: int) -> int:
    """Read the two's complement that Sparkplug puts into unsigned fields, by the metric's data type."""
    bits = SIGNED_BITS.get(DataType(datatype)) if datatype <= DataType.TEMPLATE else None
    if bits is None:
        return value
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def put(target: Any, datatype: int, value: Value) -> None:
    """Set the value field of a protobuf metric or property, in the form its data type asks for.

    Raise WireError when the value does not fit the type.
    """
    try:
        if datatype == DataType.DOUBLE:
            target.double_value = value
        elif datatype == DataType.FLOAT:
            target.float_value = value
        elif datatype in _SHORT:
            target.int_value = _wrapped(value, datatype, 32)
        elif datatype in _INTEGERS or datatype == DataType.DATETIME:
            target.long_value = _wrapped(value, datatype, 64)
        elif datatype == DataType.BOOLEAN:
            target.boolean_value = bool(value)
        elif datatype in _TEXTS:
            target.string_value = value
        elif datatype == DataType.BYTES:
            target.bytes_value = value
        else:
            raise WireError(f"data type {datatype} is not one that minewatch sends")
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"value {value!r} does not fit {DataType(datatype).name}: {error}") from None


def _wrapped(value: Value, datatype: int, width: int) -> int:
    if not isinstance(value, int | float) or value != value or value in (float("inf"), float("-inf")):
        raise WireError(f"value {value!r} is no integer, as {DataType(datatype).name} needs")
    number = int(value)
    bits = SIGNED_BITS.get(DataType(datatype))
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if bits else (0, (1 << width) - 1)
    if not low <= number <= high:
        raise WireError(f"value {number} is outside {DataType(datatype).name}")
    return number & ((1 << width) - 1)


def put_quality(target: Any, quality: int) -> None:
    """Add the Quality property to a protobuf metric, and our own beside it when it is none of Sparkplug's.

    Source: payloads-propertyset-quality-value-value (only 0, 192 and 500).
    """
    _put_int32(target.properties, QUALITY, quality if quality in _QUALITIES else GOOD)
    if quality not in _QUALITIES:
        _put_int32(target.properties, OPC_QUALITY, quality)


def _put_int32(properties: Any, key: str, number: int) -> None:
    properties.keys.append(key)
    value = properties.values.add()
    value.type = DataType.INT32
    value.int_value = number


def encode(message: Message) -> bytes:
    """Return the payload's bytes; raise WireError for a value that does not fit its data type."""
    payload = Payload()
    if message.timestamp_ms is not None:
        payload.timestamp = message.timestamp_ms
    if message.seq is not None:
        payload.seq = message.seq
    for metric in message.metrics:
        _encode_metric(payload.metrics.add(), metric)
    raw: bytes = payload.SerializeToString()
    return raw


def _encode_metric(target: Any, metric: Metric) -> None:
    if metric.name:
        target.name = metric.name
    if metric.alias is not None:
        target.alias = metric.alias
    if metric.timestamp_ms is not None:
        target.timestamp = metric.timestamp_ms
    if metric.datatype:
        target.datatype = metric.datatype
    if metric.is_historical:
        target.is_historical = True
    if metric.quality is not None:
        put_quality(target, metric.quality)
    for key, value in metric.properties.items():
        _encode_property(target.properties, key, value)
    if metric.is_null or metric.value is None:
        target.is_null = True
    else:
        put(target, metric.datatype or _natural(metric.value), metric.value)


def _encode_property(properties: Any, key: str, value: Value) -> None:
    properties.keys.append(key)
    entry = properties.values.add()
    if value is None:
        entry.is_null = True
        return
    entry.type = _natural(value)
    put(entry, entry.type, value)


def _natural(value: Value) -> DataType:
    """Return the data type of a Python value whose metric names none."""
    if isinstance(value, bool):
        return DataType.BOOLEAN
    if isinstance(value, int):
        return DataType.INT64
    if isinstance(value, float):
        return DataType.DOUBLE
    return DataType.STRING if isinstance(value, str) else DataType.BYTES


def decode(raw: bytes) -> Message:
    """Return the payload; raise WireError when the bytes are none.

    Integers whose metric names no data type come unsigned: give them to `signed` with the type of the birth.
    """
    payload = parse(raw)
    return Message(
        tuple(_decode_metric(m) for m in payload.metrics),
        payload.timestamp if payload.HasField("timestamp") else None,
        payload.seq if payload.HasField("seq") else None,
    )


def parse(raw: bytes) -> Any:
    """Return the raw protobuf payload; raise WireError when the bytes are none."""
    try:
        return Payload.FromString(raw)
    except (DecodeError, RecursionError) as error:
        raise WireError(f"payload of {len(raw)} bytes is no Sparkplug B: {error}") from None


def sequence(raw: bytes) -> int | None:
    """Return only the payload's sequence number; raise WireError when the bytes are no payload."""
    payload = parse(raw)
    return payload.seq if payload.HasField("seq") else None


def text(value: str | bytes) -> str:
    """Return a protobuf string, which comes as bytes when it is no UTF-8; what is none is replaced."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _decode_metric(source: Any) -> Metric:
    properties = _decode_properties(source.properties) if source.HasField("properties") else {}
    quality = properties.pop(QUALITY, None)
    quality = properties.pop(OPC_QUALITY, quality)
    value, unsupported = _scalar(source, source.datatype)
    return Metric(
        name=text(source.name),
        alias=source.alias if source.HasField("alias") else None,
        datatype=source.datatype,
        timestamp_ms=source.timestamp if source.HasField("timestamp") else None,
        value=None if source.is_null else value,
        is_null=source.is_null,
        is_historical=source.is_historical,
        quality=quality if isinstance(quality, int) else None,
        properties=properties,
        unsupported=unsupported,
        nested=_nested(source.properties) if properties else (),
    )


def _scalar(source: Any, datatype: int) -> tuple[Value, bool]:
    """Return the value and whether it is of a kind that has no scalar."""
    which = source.WhichOneof("value")
    if which is None:
        return None, False
    value = getattr(source, which)
    if which in ("int_value", "long_value"):
        return signed(value, datatype), False
    if which == "string_value":
        return text(value), False
    if isinstance(value, bool | float | bytes):
        return value, False
    return None, True


def _nested(source: Any) -> tuple[str, ...]:
    pairs = zip(source.keys, source.values, strict=False)
    return tuple(
        text(key) for key, v in pairs if v.HasField("propertyset_value") or v.HasField("propertysets_value")
    )


def _decode_properties(source: Any) -> dict[str, Value]:
    """Return the scalar properties; keys without a value are left out."""
    pairs: Iterable[tuple[str, Any]] = zip(source.keys, source.values, strict=False)
    return {text(key): None if v.is_null else _scalar(v, v.type)[0] for key, v in pairs}
