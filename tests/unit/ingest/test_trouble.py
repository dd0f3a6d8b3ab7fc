"""What strangers and faulty gateways send: skipped with a reason each, told as problems, never obeyed."""

import gc
import tracemalloc
from dataclasses import replace
from random import Random
from time import process_time

import pytest

from minewatch.contracts import GatewayInfo
from minewatch.ingest.bounds import Bounds, message_table
from minewatch.ingest.gateways import PROBLEMS
from minewatch.ingest.intake import Intake
from minewatch.ingest.receiver import Receiver
from minewatch.ingest.settings import IngestSettings
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import Message, Metric, encode
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.schema import DataType, Payload

MS = 1_000_000


def receiver(**options: object) -> Receiver:
    """A receiver that spreads nothing."""
    options.setdefault("rebirth_jitter_s", 0)
    return Receiver(IngestSettings(**options), Random(1))  # type: ignore[arg-type]  # test brevity


def after(into: Receiver, sent: list[tuple[str, bytes]], now_ms: int = 2_000) -> Intake:
    """Deliver and collect; there must be news."""
    into.take(sent, now_ms * MS)
    found = into.collect(now_ms * MS)
    assert found is not None
    return found


def node_birth(node: str = "plc", group: str = "mine", bd_seq: int = 0) -> tuple[str, bytes]:
    """The NBIRTH of another maker's node."""
    metric = Metric("bdSeq", None, DataType.INT64, 1, bd_seq)
    return f"spBv1.0/{group}/NBIRTH/{node}", encode(Message((metric,), 1, 0))


def device_birth(
    *metrics: Metric, device: str = "pump", node: str = "plc", seq: int = 1
) -> tuple[str, bytes]:
    """The DBIRTH of another maker's device."""
    return f"spBv1.0/mine/DBIRTH/{node}/{device}", encode(Message(metrics, 1, seq))


def reasons(found: Intake) -> list[str]:
    """The words under which things were not taken."""
    return sorted(r.reason for r in found.rejects)


def gateway(found: Intake, name: str = "plc") -> GatewayInfo:
    """What is told of a gateway."""
    return next(g for g in found.gateways if g.gateway == name)


def ours(
    name: str = "gw", spool: str = "s-1", bd_seq: int = -1
) -> tuple[EdgeSession, list[tuple[str, bytes]]]:
    """One of our own gateways and its births."""
    made = EdgeSession("mine", name, [PointBirth("fan", "rpm", "count", "1")], spool=spool, bd_seq=bd_seq)
    made.will(1)
    births = [a for a in made.on_subscribed(1) if isinstance(a, Publish)]
    return made, [(b.topic, b.payload) for b in births]


def test_what_is_no_number_has_a_reason_each() -> None:
    """Templates, data sets, bytes, files, arrays, texts and unknown types are skipped, by its own word."""
    kinds = {
        DataType.DATASET: "data-set", DataType.TEMPLATE: "template", DataType.BYTES: "bytes",
        DataType.FILE: "file", DataType.STRING: "not-numeric", DataType.DATETIME: "not-numeric",
        27: "array", 0: "unknown-type", 99: "unknown-type",
    }  # fmt: skip
    payload = Payload(timestamp=1, seq=1)
    for i, kind in enumerate(kinds):
        payload.metrics.add(name=f"m{i}", alias=i, datatype=int(kind))
    payload.metrics[0].dataset_value.num_of_columns = 1
    payload.metrics[1].template_value.metrics.add(name="inner", datatype=10)
    payload.metrics.add(name="good", alias=50, datatype=10, double_value=1.0)
    birth = ("spBv1.0/mine/DBIRTH/plc/pump", payload.SerializeToString())
    found = after(receiver(), [node_birth(), birth])
    assert reasons(found) == sorted(kinds.values())
    assert [p.metric for p in found.points.values()] == ["good"]


def test_property_sets_are_skipped() -> None:
    """A property that holds properties is left out and said; the point and its other properties stay."""
    payload = Payload(timestamp=1, seq=1)
    metric = payload.metrics.add(name="t", datatype=10, double_value=1.0)
    metric.properties.keys.extend(["engUnit", "nested"])
    metric.properties.values.add(type=12, string_value="K")
    metric.properties.values.add(type=20).propertyset_value.keys.append("x")
    found = after(receiver(), [node_birth(), ("spBv1.0/mine/DBIRTH/plc/pump", payload.SerializeToString())])
    assert reasons(found) == ["property-set"]
    assert [p.unit for p in found.points.values()] == ["K"]


def test_ids_that_differ_by_case() -> None:
    """Sites, gateways, devices and metrics that differ only by case are said and kept: no reading is lost."""
    into = receiver()
    a = Metric("Temp", 1, DataType.DOUBLE, 1, 1.0)
    found = after(into, [node_birth(), device_birth(a, replace(a, name="TEMP", alias=2))])
    assert reasons(found) == ["case-twin"]
    assert len(found.batch) == 2
    assert gateway(found).problems == ("case-twin",)
    found = after(into, [device_birth(replace(a, alias=3), device="Pump", seq=2)])
    assert reasons(found) == ["case-twin"]
    found = after(into, [node_birth("PLC")])
    assert gateway(found, "PLC").problems == ("case-twin",)
    found = after(into, [node_birth("other", "Mine")])
    assert reasons(found) == ["case-twin"]


def test_a_name_twice_in_a_birth() -> None:
    """Of a metric that stands twice the first counts; the alias of the second is refused, not guessed."""
    into = receiver()
    a = Metric("t", 1, DataType.DOUBLE, 1, 1.0)
    found = after(
        into, [node_birth(), device_birth(a, replace(a, alias=2, datatype=DataType.INT32, value=2))]
    )
    assert reasons(found) == ["name-twice"]
    assert len(found.points) == 1
    sent = Message((Metric(alias=1, value=3.0), Metric(alias=2, value=4)), 5, 2)
    found = after(into, [("spBv1.0/mine/DDATA/plc/pump", encode(sent))])
    assert found.batch.value.tolist() == [3.0]
    assert reasons(found) == ["refused-point"]


def test_metrics_that_change_type() -> None:
    """A value of another type than the birth's is rejected; a rebirth with that type makes it fit."""
    into = receiver()
    a = Metric("t", 1, DataType.DOUBLE, 1, 1.0)
    after(into, [node_birth(), device_birth(a)])
    wrong = [
        Metric(alias=1, value=7, timestamp_ms=5),  # a whole number where a broken one was born
        Metric(alias=1, value=7, datatype=DataType.INT32, timestamp_ms=5),
        Metric(alias=1, value=7.5, datatype=DataType.FLOAT, timestamp_ms=5),
        Metric("t", value="hot", datatype=DataType.STRING, timestamp_ms=5),
    ]
    found = after(into, [("spBv1.0/mine/DDATA/plc/pump", encode(Message(tuple(wrong), 5, 2)))])
    assert reasons(found) == ["type"] * 4
    assert len(found.batch) == 0
    text = device_birth(replace(a, datatype=DataType.STRING, value="hot"))
    found = after(into, [node_birth(bd_seq=1), text])
    assert reasons(found) == ["changed-type"]
    assert found.points == {}
    whole = device_birth(replace(a, datatype=DataType.INT32, value=7, timestamp_ms=9))
    found = after(into, [node_birth(bd_seq=2), whole])
    assert (found.batch.point.tolist(), found.batch.value.tolist()) == ([0], [7.0])


def test_long_names_and_texts() -> None:
    """A name or text of kilobytes is refused or left out: 200,000 of them would fill the memory."""
    into = receiver(max_text_chars=64)
    long = Metric("n" * 65, 1, DataType.DOUBLE, 1, 1.0)
    unit = Metric("t", 2, DataType.DOUBLE, 1, 1.0, properties={"engUnit": "u" * 65, "zone": "z"})
    found = after(into, [node_birth(), device_birth(long, unit)])
    assert reasons(found) == ["name-too-long", "property"]
    assert [(p.unit, p.zone) for p in found.points.values()] == [("1", "z")]


def test_a_name_that_is_refused_holds_up_nothing() -> None:
    """A message with a metric of a refused name is delivered with its other readings and its id."""
    r = receiver(max_text_chars=40)
    points = [PointBirth("fan", "rpm", "count", "1"), PointBirth("fan", "x" * 50, "count", "1")]
    session = EdgeSession("mine", "gw", points, spool="s-1", bd_seq=-1)
    session.will(1)
    r.take([(a.topic, a.payload) for a in session.on_subscribed(1) if isinstance(a, Publish)], MS)
    sent = session.data("fan", [("rpm", 5, 1.0, 192), ("x" * 50, 5, 2.0, 192)], 1, 5)
    found = after(r, [(sent.topic, sent.payload)])
    assert found.batch.value.tolist() == [1.0]
    assert found.deliveries.msg_id.tolist() == [1]
    assert reasons(found) == ["name-too-long", "refused-point"]
    r.tick(10_000 * MS)
    assert r.outbox == []


def test_deaths_of_devices_nobody_knows_are_not_kept() -> None:
    """Invented device names take no memory."""
    r = receiver()
    births = [node_birth(), device_birth(Metric("rpm", 1, DataType.DOUBLE, 1, 1.0))]
    deaths = [(f"spBv1.0/mine/DDEATH/plc/d{i}", encode(Message((), 1, 2 + i))) for i in range(50)]
    found = after(r, births + deaths)
    assert reasons(found) == ["not-born"] * 50
    assert r.registry.nodes["mine", "plc"].dead == {}
    last = after(r, [("spBv1.0/mine/DDEATH/plc/pump", encode(Message((), 1, 52)))])
    assert gateway(last).problems == ("device-dead",)


def test_ids_of_doubtful_gateways_are_not_believed() -> None:
    """From the first sign of a second agent on, readings are taken and ids are not, on both ways."""
    into = receiver()
    first, births = ours()
    after(into, births)
    second, others = ours(spool="s-2", bd_seq=200)
    after(into, others)
    sent = second.data("fan", [("rpm", 5, 1.0, 192)], 1, 5)
    named = encode(
        Message((Metric("rpm", value=2.0, timestamp_ms=6), Metric("minewatch/msg_id", value=2)), 6, 3)
    )
    found = after(into, [(sent.topic, sent.payload), ("spBv1.0/mine/DDATA/gw/fan", named)])
    assert found.batch.value.tolist() == [1.0, 2.0]
    assert found.deliveries.msg_id.tolist() == [-1, -1]
    second.data("fan", [("rpm", 5, 1.0, 192)], 1, 5)
    sure = second.data("fan", [("rpm", 7, 3.0, 192)], 3, 7)
    found = after(into, [(sure.topic, sure.payload)], 63_000)
    assert found.deliveries.msg_id.tolist() == [3]
    assert first.bd_seq == 0


def test_two_agents_are_a_problem_of_the_gateway() -> None:
    """Two gateways that take turns under one name are told as such, with a row in the reject table."""
    into = receiver()
    one, births = ours()
    two, others = ours(spool="s-2", bd_seq=100)
    found = after(into, births)
    for turn in range(8):
        taking = (two, one)[turn % 2]
        taking.will(turn)
        sent = [a for a in taking.on_subscribed(turn) if isinstance(a, Publish)]
        found = after(into, [(b.topic, b.payload) for b in sent], 3_000 + turn * 1_000)
    assert gateway(found, "gw").problems == ("two-agents", "clock-off")
    assert "two-agents" in reasons(found)
    into.tick(300_000 * MS)
    into.take([], 300_000 * MS)
    later = into.collect(300_000 * MS)
    assert later is not None
    assert "two-agents" not in gateway(later, "gw").problems
    assert others


def test_session_figures() -> None:
    """Births, bdSeq, points, repeats and a deaf node's problem are told of each gateway."""
    into = receiver(rebirth_interval_s=1)
    session, births = ours(bd_seq=6)
    found = after(into, births)
    assert (gateway(found, "gw").births, gateway(found, "gw").bd_seq, gateway(found, "gw").points) == (
        1,
        7,
        1,
    )
    sent = session.data("fan", [("rpm", 5, 1.0, 192)], 1, 5)
    found = after(into, [(sent.topic, sent.payload)] * 2)
    assert gateway(found, "gw").duplicates == 1
    unknown = encode(Message((Metric(alias=77, value=1.0),), 1, 3))
    for second in range(6):
        into.take([("spBv1.0/mine/DDATA/gw/fan", unknown)], (3_000 + second * 1_100) * MS)
        into.tick((3_000 + second * 1_100) * MS)
    found = after(into, [], 10_000)
    assert "no-rebirth" in gateway(found, "gw").problems
    assert set(gateway(found, "gw").problems) <= set(PROBLEMS)


def bomb(kind: str) -> bytes:
    """A payload of up to four megabytes that would become very large, or very deep, when decoded."""
    if kind == "empty metrics":
        return b"\x12\x00" * 2_000_000
    if kind == "empty properties":
        return b"\x12" + varint(1_000_000 + 4) + b"\x4a" + varint(1_000_000) + b"\x0a\x00" * 500_000
    if kind == "metrics in a template":
        inner = b"\x12\x00" * 1_000_000
        return field(0x12, field(b"\x92\x01", inner))
    if kind == "rows of a data set":
        return field(0x12, field(b"\x8a\x01", b"\x22\x00" * 1_000_000))
    made = b""
    for _ in range(60):
        made = field(0x12, field(b"\x92\x01", made))
    return made


def varint(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(tag: int | bytes, inner: bytes) -> bytes:
    """Return a field of bytes."""
    return (bytes([tag]) if isinstance(tag, int) else tag) + varint(len(inner)) + inner


@pytest.mark.parametrize(
    "verb", ["NBIRTH/plc", "DBIRTH/plc/pump", "NDATA/plc", "DDATA/plc/pump", "NDEATH/plc"]
)
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty metrics", "too-many-metrics"), ("empty properties", "too-many-parts"),
        ("metrics in a template", "too-many-parts"), ("rows of a data set", "too-many-parts"),
        ("nested templates", "too-deep"),
    ],
)  # fmt: skip
def test_payload_bombs(verb: str, kind: str, reason: str) -> None:
    """A small payload that decodes to a huge one is refused before, in little memory, wherever it comes."""
    into = receiver(max_birth_metrics=5_000, max_data_metrics=5_000)
    after(into, [node_birth(), device_birth(Metric("t", 1, DataType.DOUBLE, 1, 1.0))])
    raw = bomb(kind)
    assert len(raw) <= 4_194_304
    into.take([("spBv1.0/mine/DDATA/plc/pump", b"")], 2_000 * MS)  # what is compiled once is compiled
    into.collect(2_000 * MS)
    tracemalloc.start()
    found = after(into, [(f"spBv1.0/mine/{verb}", raw)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reasons(found) == [reason]
    assert peak < 48 << 20  # the walker's columns for a message of four megabytes, no object of it


def test_bounds_let_all_that_is_sound_through() -> None:
    """The largest birth allowed passes; one metric more does not; lies about lengths are protobuf's."""
    bounds = Bounds(IngestSettings(max_birth_metrics=300))
    points = [PointBirth("d", f"m{i}", "q", "u", "z", 0, 1, 1, 1, (1, 2), "2030-01-01") for i in range(298)]
    session = EdgeSession("mine", "gw", points, spool="s")
    session.will(1)
    for birth in session.on_subscribed(1):
        assert isinstance(birth, Publish)
        assert bounds.refuse(birth.topic, birth.payload) is None
    more = encode(Message(tuple(Metric(f"m{i}") for i in range(301)), 1, 1))
    refused = bounds.refuse("spBv1.0/mine/DBIRTH/gw/d", more)
    assert refused is not None
    assert refused.reason == "too-many-metrics"
    assert bounds.refuse("spBv1.0/mine/DBIRTH/gw/d", b"\x12\xff\xff\xff\xff\x0f") is None
    assert [r.reason for r in after(receiver(), [("spBv1.0/m/NBIRTH/g", b"\x12\xff\xff\x7f")]).rejects] == [
        "payload"
    ]
    state = bounds.refuse("spBv1.0/STATE/minewatch", b" " * 5_000)
    assert state is not None
    assert state.reason == "too-large"
    assert message_table().shape == (11, 32)


def test_births_of_five_thousand_metrics() -> None:
    """A birth of 5,000 metrics is taken in time and memory that grow as it does, also when contested."""

    def births(node: str, count: int) -> list[tuple[str, bytes]]:
        points = [PointBirth("d", f"metric-{i}", "value", "1", "zone", 0, 100, 1.0) for i in range(count)]
        session = EdgeSession("mine", node, points, spool=node)
        session.will(1)
        return [(a.topic, a.payload) for a in session.on_subscribed(1) if isinstance(a, Publish)]

    def seconds(count: int) -> float:
        best = 1e9
        for _ in range(3):
            into = receiver()
            sent, again = births("gw", count), births("rival", count)
            began = process_time()
            found = after(into, sent)
            assert len(found.points) == count
            after(into, again)  # every place is taken
            best = min(best, process_time() - began)
        return best

    gc.freeze()  # what other tests left behind is not looked through again and again
    try:
        assert seconds(5_000) < 20 * 5 * seconds(250)  # each looking at all others would be 20 * 20
    finally:
        gc.unfreeze()
    sent = births("gw", 5_000)
    into = receiver()
    tracemalloc.start()
    found = after(into, sent)
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 16 << 20
    assert peak < 64 << 20
    into.tick(10 * MS)
    assert gateway(found, "gw").points == 5_000


def test_texts_that_are_no_utf8() -> None:
    """Names and units in another encoding, as older devices send them, are read with a replacement sign."""
    raw = device_birth(Metric("XY", 1, DataType.DOUBLE, 1, 1.0, properties={"engUnit": "QC"}))[1]
    odd = raw.replace(b"XY", b"\xffY").replace(b"QC", b"\xb0C")
    into = receiver()
    found = after(into, [node_birth(), ("spBv1.0/mine/DBIRTH/plc/pump", odd)])
    assert [(p.metric, p.unit) for p in found.points.values()] == [("\ufffdY", "\ufffdC")]
    named = encode(Message((Metric("XY", value=2.0, timestamp_ms=5),), 5, 2)).replace(b"XY", b"\xffY")
    found = after(into, [("spBv1.0/mine/DDATA/plc/pump", named)])
    assert found.batch.value.tolist() == [2.0]
