"""What every payload of the edge node must be: sequence, times, types, properties, order of values."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from conformance.sparkplug import edge_mutants as mutant
from conformance.sparkplug.edge_story import START_NS, Evidence, Sent
from conformance.sparkplug.frame import change, not_applicable, proves
from minewatch_edge.sparkplug import births, codec, edge_session
from minewatch_edge.sparkplug.edge_session import EdgeSession

VARINT, TEXT = 0, 2  # wire types of protobuf


def fields(raw: bytes) -> Iterator[tuple[int, int, Any]]:
    """Yield (field, wire type, value) of a protobuf message, read without our codec."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        kind = tag & 7
        value: Any
        if kind == VARINT:
            value, at = _varint(raw, at)
        elif kind == TEXT:
            size, at = _varint(raw, at)
            value, at = raw[at : at + size], at + size
            assert len(value) == size
        else:
            assert kind in (1, 5), f"wire type {kind}"
            size = 8 if kind == 1 else 4
            value, at = raw[at : at + size], at + size
        yield tag >> 3, kind, value


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        assert at < len(raw), "cut short"
        value |= (raw[at] & 127) << shift
        shift += 7
        at += 1
        if raw[at - 1] < 128:
            return value, at


def metrics_of(sent: Sent) -> Iterator[bytes]:
    """Yield the bytes of each metric."""
    return (value for field, kind, value in fields(sent.publish.payload) if (field, kind) == (2, TEXT))


def is_payload(raw: bytes) -> bool:
    """Tell whether bytes are a Sparkplug payload: only its fields, each of its wire type."""
    wanted = {1: VARINT, 2: TEXT, 3: VARINT, 4: TEXT, 5: TEXT}
    try:
        return bool(raw) and all(wanted.get(field) == kind for field, kind, _ in fields(raw))
    except AssertionError:
        return False


def _json(verb: str) -> Any:
    return mutant.raw(verb, f"{verb} as JSON", lambda _raw: b'{"metrics": []}')


@proves("edge", "message-flow-edge-node-birth-publish-nbirth-payload", mutants=_json("NBIRTH"))
def nbirth_is_protobuf(seen: Evidence) -> None:
    """NBIRTH is a Sparkplug payload."""
    assert all(is_payload(s.publish.payload) for s in seen.story.edge.of("NBIRTH"))


@proves("edge", "message-flow-device-birth-publish-dbirth-payload", mutants=_json("DBIRTH"))
def dbirth_is_protobuf(seen: Evidence) -> None:
    """DBIRTH is a Sparkplug payload."""
    assert all(is_payload(s.publish.payload) for s in seen.story.edge.of("DBIRTH"))


@proves("edge", "message-flow-edge-node-birth-publish-will-message-payload", mutants=_json("NDEATH"))
def will_is_protobuf(seen: Evidence) -> None:
    """The will is a Sparkplug payload."""
    assert all(is_payload(s.publish.payload) for s in seen.story.edge.wills)


def _without_wrap(self: EdgeSession) -> int:
    seq = self._seq
    self._seq = seq + 1
    return seq


def _wrap_at_255(self: EdgeSession) -> int:
    seq = self._seq
    self._seq = (seq + 1) % 255
    return seq


@proves(
    "edge", "payloads-sequence-num-incrementing",
    mutants=(
        change(EdgeSession, "_next_seq", _without_wrap, "after 255 comes 256"),
        change(EdgeSession, "_next_seq", _wrap_at_255, "after 254 comes 0"),
    ),
)  # fmt: skip
def seq_wraps(seen: Evidence) -> None:
    """Within a session each message has the next number, and after 255 comes 0."""
    found = [s.message.seq for s in seen.story.edge.sent[seen.story.marks["rebirth"] :] if s.verb != "NDEATH"]
    assert found[:300] == [i % 256 for i in range(300)]


@proves(
    "edge", "payloads-sequence-num-always-included",
    mutants=tuple(
        mutant.payload(v, f"{v} without seq", lambda raw: raw.ClearField("seq"))
        for v in ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH")
    ),
)  # fmt: skip
def seq_is_everywhere(seen: Evidence) -> None:
    """Every message but NDEATH has a sequence number."""
    assert {s.verb for s in seen.story.edge.sent} == {
        "NBIRTH",
        "DBIRTH",
        "NDATA",
        "DDATA",
        "DDEATH",
        "NDEATH",
    }
    assert all(s.message.seq is not None for s in seen.story.edge.sent if s.verb != "NDEATH")


@proves(
    "edge", "payloads-name-birth-data-requirement",
    mutants=tuple(
        mutant.metrics(v, f"{v} without times", lambda m: m.ClearField("timestamp"))
        for v in ("NBIRTH", "DBIRTH", "NDATA", "DDATA")
    ),
)  # fmt: skip
def every_metric_has_a_time(seen: Evidence) -> None:
    """Each metric of births and data has a time."""
    for sent in seen.story.edge.of("NBIRTH", "DBIRTH", "NDATA", "DDATA"):
        assert sent.raw.metrics
        assert all(m.HasField("timestamp") for m in sent.raw.metrics)


def _local(raw: Any) -> None:
    raw.timestamp += 5 * 3_600_000


@proves(
    "edge", "payloads-timestamp-in-UTC",
    mutants=mutant.payload("", "times of Almaty", _local),
)  # fmt: skip
def payload_times_are_utc(seen: Evidence) -> None:
    """Payload times are milliseconds of UTC since 1970, as the clock has them."""
    sent = seen.story.edge.sent
    assert all(s.message.timestamp_ms == s.at_ms for s in sent)
    assert sent[0].at_ms // 60_000 == START_NS // 60_000_000_000


@proves(
    "edge", "payloads-metric-timestamp-in-UTC",
    mutants=(
        mutant.metrics("DDATA", "readings in the time of Almaty", _local),
        mutant.metrics("NDATA", "figures in the time of Almaty", _local),
    ),
)  # fmt: skip
def metric_times_are_utc(seen: Evidence) -> None:
    """Times of values are milliseconds of UTC since 1970, no later than the message and of that minute."""
    for sent in seen.story.edge.of("NDATA", "DDATA"):
        times = [m.timestamp for m in sent.raw.metrics if not m.is_historical]
        assert all(sent.at_ms - 60_000 < t <= sent.at_ms for t in times)


def _datatype_as_text(raw: bytes) -> bytes:
    return raw + b"\x12\x09" + b"\x0a\x01x" + b"\x22\x04text"  # a metric "x" whose field 4 is a string


@proves(
    "edge", "payloads-metric-datatype-value-type",
    mutants=(
        mutant.raw("DBIRTH", "a data type in words", _datatype_as_text),
        mutant.raw("NBIRTH", "a data type in words", _datatype_as_text),
    ),
)  # fmt: skip
def datatype_is_a_number(seen: Evidence) -> None:
    """The data type is an unsigned 32-bit number on the wire."""
    for sent in seen.story.edge.of("NBIRTH", "DBIRTH"):
        for metric in metrics_of(sent):
            found = [(kind, value) for field, kind, value in fields(metric) if field == 4]
            assert found
            assert all(kind == VARINT and value < 2**32 for kind, value in found)


@proves(
    "edge", "payloads-metric-datatype-value",
    mutants=(
        mutant.metrics("DBIRTH", "data type 99", lambda m: setattr(m, "datatype", 99)),
        mutant.metrics("NBIRTH", "data type 0", lambda m: setattr(m, "datatype", 0)),
    ),
)  # fmt: skip
def datatype_is_known(seen: Evidence) -> None:
    """Each data type is one of the specification's list."""
    for sent in seen.story.edge.of("NBIRTH", "DBIRTH"):
        assert all(1 <= m.datatype <= 34 for m in sent.raw.metrics)


@proves(
    "edge", "payloads-metric-datatype-req",
    mutants=tuple(
        mutant.metrics(v, f"{v} without types", lambda m: m.ClearField("datatype"))
        for v in ("NBIRTH", "DBIRTH")
    ),
)  # fmt: skip
def births_have_types(seen: Evidence) -> None:
    """Each metric of a birth has its data type."""
    for sent in seen.story.edge.of("NBIRTH", "DBIRTH"):
        assert all(m.HasField("datatype") for m in sent.raw.metrics)


@proves(
    "edge", "payloads-metric-datatype-not-req",
    mutants=tuple(
        mutant.metrics(v, f"{v} with types", lambda m: setattr(m, "datatype", 10)) for v in ("NDATA", "DDATA")
    ),
)  # fmt: skip
def data_has_no_types(seen: Evidence) -> None:
    """Data repeats no data types."""
    for sent in seen.story.edge.of("NDATA", "DDATA"):
        assert not any(m.HasField("datatype") for m in sent.raw.metrics)


def properties(seen: Evidence) -> list[Any]:
    """Return every property set of births and data."""
    found = [m.properties for s in seen.story.edge.sent for m in s.raw.metrics if m.HasField("properties")]
    assert found
    return found


@proves(
    "edge", "payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size",
    mutants=(
        mutant.metrics("DBIRTH", "a key too many", lambda m: m.properties.keys.append("more")),
        mutant.metrics("DBIRTH", "a value too many", lambda m: m.properties.values.add()),
    ),
)  # fmt: skip
def keys_match_values(seen: Evidence) -> None:
    """A property set has as many keys as values."""
    assert all(len(p.keys) == len(p.values) for p in properties(seen))


def _spoil_types(value: int | None) -> Any:
    def spoil(metric: Any) -> None:
        for entry in metric.properties.values:
            if value is None:
                entry.ClearField("type")
            else:
                entry.type = value

    return spoil


@proves(
    "edge", "payloads-metric-propertyvalue-type-value", "payloads-metric-propertyvalue-type-req",
    mutants=(
        mutant.metrics("DBIRTH", "properties of type 99", _spoil_types(99)),
        mutant.metrics("DBIRTH", "properties without type", _spoil_types(None)),
    ),
)  # fmt: skip
def properties_have_known_types(seen: Evidence) -> None:
    """Each property has a type, one of the basic types or of the two property types."""
    for found in properties(seen):
        assert all(v.HasField("type") and (1 <= v.type <= 14 or v.type in (20, 21)) for v in found.values)


_TYPE_IN_WORDS = bytes([0x12, 13, 0x0A, 1, 120, 0x4A, 8, 0x0A, 1, 107, 0x12, 3, 0x0A, 1, 116])


@proves(
    "edge", "payloads-metric-propertyvalue-type-type",
    mutants=mutant.raw("DBIRTH", "a property type in words", lambda raw: raw + _TYPE_IN_WORDS),
)  # fmt: skip
def property_type_is_a_number(seen: Evidence) -> None:
    """The type of a property is an unsigned 32-bit number on the wire."""
    count = 0
    for sent in seen.story.edge.of("DBIRTH"):
        for metric in metrics_of(sent):
            for _, _, found in (f for f in fields(metric) if f[0] == 9):
                for _, _, entry in (f for f in fields(found) if f[0] == 2):
                    types = [(kind, value) for field, kind, value in fields(entry) if field == 1]
                    assert types
                    assert all(kind == VARINT and value < 2**32 for kind, value in types)
                    count += 1
    assert count


def qualities(seen: Evidence) -> list[Any]:
    """Return every Quality property that was sent."""
    return [
        value
        for found in properties(seen)
        for key, value in zip(found.keys, found.values, strict=False)
        if key == "Quality"
    ]


def _opc_quality(target: Any, quality: int) -> None:
    codec._put_int32(target.properties, "Quality", quality)


def _as_long(target: Any, quality: int) -> None:
    target.properties.keys.append("Quality")
    value = target.properties.values.add()
    value.type = 4
    value.long_value = quality if quality in (0, 192, 500) else 192


@proves(
    "edge", "payloads-propertyset-quality-value-type",
    mutants=change(codec, "put_quality", _as_long, "Quality as Int64"),
)  # fmt: skip
def quality_is_int32(seen: Evidence) -> None:
    """Quality is a signed 32-bit number."""
    assert len(qualities(seen)) >= 2
    assert all(q.type == 3 for q in qualities(seen))


@proves(
    "edge", "payloads-propertyset-quality-value-value",
    mutants=(
        change(codec, "put_quality", _opc_quality, "Quality 64 for uncertain"),
        change(codec, "put_quality", _as_long, "Quality in long_value"),
    ),
)  # fmt: skip
def quality_is_one_of_three(seen: Evidence) -> None:
    """Quality is 0, 192 or 500 in int_value, also for what a driver calls uncertain."""
    found = qualities(seen)
    assert {q.int_value for q in found} >= {0, 192}
    assert all(q.WhichOneof("value") == "int_value" and q.int_value in (0, 192, 500) for q in found)


def in_order(sent: Sent) -> bool:
    """Tell whether the values of a message that are not historical stand in order of time."""
    times = [m.timestamp for m in sent.raw.metrics if not m.is_historical]
    return all(a <= b for a, b in pairwise(times))


def _backwards(raw: Any) -> None:
    turned = list(raw.metrics)[::-1]
    del raw.metrics[:]
    raw.metrics.extend(turned)


def _older(raw: Any) -> None:
    if len(raw.metrics) > 1:
        raw.metrics[-1].timestamp -= 5_000


@proves(
    "edge", "operational-behavior-data-publish-nbirth-order",
    mutants=(
        mutant.payload("NBIRTH", "NBIRTH with an old value last", _older),
        mutant.payload("NDATA", "NDATA with an old value last", _older),
    ),
)  # fmt: skip
def node_values_in_order(seen: Evidence) -> None:
    """NBIRTH and NDATA hold their values in order of time."""
    found = seen.story.edge.of("NBIRTH", "NDATA")
    assert max(len(s.raw.metrics) for s in found if s.verb == "NDATA") > 1
    assert all(in_order(s) for s in found)


def _newest_first(row: tuple[Any, ...]) -> int:
    return -int(row[1])


@proves(
    "edge", "operational-behavior-data-publish-dbirth-order",
    mutants=(
        mutant.payload("DBIRTH", "DBIRTH newest first", _backwards),
        change(edge_session, "_time", _newest_first, "DDATA newest first"),
        mutant.metrics("DDATA", "backfill not called historical", lambda m: m.ClearField("is_historical")),
    ),
)  # fmt: skip
def device_values_in_order(seen: Evidence) -> None:
    """DBIRTH and DDATA hold values in order of time, and no later data goes back behind them."""
    edge = seen.story.edge
    assert any(m.is_historical for s in edge.of("DDATA") for m in s.raw.metrics)
    latest: dict[int, int] = {}
    for sent in edge.of("DBIRTH", "DDATA"):
        assert in_order(sent)
        for metric in sent.raw.metrics:
            if sent.verb == "DDATA" and not metric.is_historical:
                assert metric.timestamp >= latest.get(metric.alias, 0)
                latest[metric.alias] = metric.timestamp


def _say_again(self: EdgeSession, now_ms: int, **figures: Any) -> Any:
    self._values[births.SPOOL_FIRST] = -1
    return _set_node_values(self, now_ms, **figures)


_set_node_values = EdgeSession.set_node_values


@proves(
    "edge", "operational-behavior-data-publish-nbirth-change",
    mutants=change(EdgeSession, "set_node_values", _say_again, "NDATA with what has not changed"),
)  # fmt: skip
def ndata_only_on_change(seen: Evidence) -> None:
    """NDATA holds only values that differ from what was said last."""
    said: dict[int, Any] = {}
    count = 0
    for sent in seen.story.edge.of("NBIRTH", "NDATA"):
        for metric in sent.message.metrics:
            if sent.verb == "NDATA" and metric.alias not in (None, births.NODE_ALIASES[births.MSG_ID]):
                assert said[metric.alias] != metric.value
                count += 1
            if metric.alias is not None:
                said[metric.alias] = metric.value
    assert count


def _drop_rows(raw: Any) -> None:
    kept = [m for m in raw.metrics if m.alias != births.NODE_ALIASES[births.SPOOL_ROWS]]
    del raw.metrics[:]
    raw.metrics.extend(kept)


@proves("edge", "topics-ndata-payload", mutants=mutant.payload("NDATA", "NDATA that lacks one", _drop_rows))
def ndata_has_what_changed(seen: Evidence) -> None:
    """NDATA holds every figure of the node that changed: the rows held, after some were added."""
    said = {m.alias for s in seen.story.edge.of("NDATA") for m in s.message.metrics}
    assert births.NODE_ALIASES[births.SPOOL_ROWS] in said


def _drop_first(raw: Any) -> None:
    del raw.metrics[0]


@proves("edge", "topics-ddata-payload", mutants=mutant.payload("DDATA", "DDATA that lacks one", _drop_first))
def ddata_has_what_changed(seen: Evidence) -> None:
    """DDATA holds every value that a device delivered: the three that came at once, and the next."""
    edge = seen.story.edge
    live = [
        s
        for s in edge.sent[seen.story.marks["born"] :]
        if s.verb == "DDATA" and s.device == "wall" and not any(m.is_historical for m in s.raw.metrics)
    ]
    assert [m.value for m in live[0].message.metrics][:-1] == [1.5, 0.4, 1.6]
    assert [m.value for m in live[1].message.metrics][:-1] == [None]


not_applicable(
    "edge",
    "it is a SHOULD left to each point: `deadband` and `heartbeat_s` make the agent report by exception;"
    " without them an unchanged reading is sent too, since only that proves a sensor of gas alive",
    "principles-rbe-recommended", "operational-behavior-data-publish-dbirth-change",
)  # fmt: skip
not_applicable(
    "edge",
    "the agent sends no data sets",
    "payloads-dataset-column-size", "payloads-dataset-column-num-headers", "payloads-dataset-types-def",
    "payloads-dataset-types-num", "payloads-dataset-types-type", "payloads-dataset-types-value",
    "payloads-dataset-parameter-type-req", "payloads-template-dataset-value",
)  # fmt: skip
not_applicable(
    "edge",
    "the agent sends no templates",
    "topics-nbirth-templates",
    *(
        f"payloads-template-{name}"
        for name in (
            "definition-nbirth-only", "definition-is-definition", "definition-ref", "definition-members",
            "definition-nbirth", "definition-parameters", "definition-parameters-default",
            "instance-is-definition", "instance-ref", "instance-members", "instance-members-birth",
            "instance-members-data", "instance-parameters", "version", "ref-definition", "ref-instance",
            "is-definition", "is-definition-definition", "is-definition-instance", "parameter-name-required",
            "parameter-name-type", "parameter-value-type", "parameter-type-value", "parameter-type-req",
            "parameter-value",
        )
    ),
)  # fmt: skip
