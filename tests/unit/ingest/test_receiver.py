"""Messages in, columns and news out: timelines of real edge sessions against the receiver."""

from dataclasses import replace
from random import Random

import numpy as np

from minewatch.contracts import Quality
from minewatch.ingest.intake import Intake
from minewatch.ingest.receiver import Receiver
from minewatch.ingest.settings import IngestSettings
from minewatch_edge.sparkplug.actions import EdgeAction, Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import Message, Metric, decode, encode
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.schema import DataType

MS = 1_000_000
POINTS = [
    PointBirth(
        "wall", "ch4", "methane", "% CH4", "longwall-7/face", 0, 40, 1.0, 0.01, (-2.0, 99.9), "2027-03-01"
    ),
    PointBirth("fan", "rpm", "count", "1", datatype=DataType.INT32),
]


def receiver(**options: object) -> Receiver:
    """A receiver that spreads nothing."""
    options.setdefault("rebirth_jitter_s", 0)
    return Receiver(IngestSettings(**options), Random(1))  # type: ignore[arg-type]  # test brevity


def gateway(
    name: str = "gw", points: list[PointBirth] | None = None, spool: str = "s-1", now_ms: int = 1_000
) -> tuple[EdgeSession, list[tuple[str, bytes]]]:
    """A gateway's session and its births."""
    made = EdgeSession("mine", name, points or POINTS, spool=spool, version="1.2", interval_s=10)
    made.will(now_ms)
    return made, messages(made.on_subscribed(now_ms))


def messages(actions: list[EdgeAction]) -> list[tuple[str, bytes]]:
    """What is published, as it arrives."""
    return [(a.topic, a.payload) for a in actions if isinstance(a, Publish)]


def data(
    session: EdgeSession, device: str, metric: str, ts: int, value: float, msg_id: int, **o: bool
) -> tuple[str, bytes]:
    """One DDATA of one reading."""
    sent = session.data(device, [(metric, ts, value, 192)], msg_id, ts, **o)
    return sent.topic, sent.payload


def after(into: Receiver, sent: list[tuple[str, bytes]], now_ms: int = 2_000) -> Intake:
    """Deliver and collect; there must be news."""
    into.take(sent, now_ms * MS)
    found = into.collect(now_ms * MS)
    assert found is not None
    return found


def values(intake: Intake) -> list[tuple[str, int, float]]:
    """Readings as (place, time ms, value), by the points this intake or an earlier one told."""
    batch = intake.batch
    return list(zip(batch.point.tolist(), (batch.ts_ns // MS).tolist(), batch.value.tolist(), strict=True))


def test_births_become_points() -> None:
    """A birth says where and what a point is, and who its gateway is."""
    into = receiver()
    _, births = gateway()
    found = after(into, births)
    ch4, rpm = found.points[0], found.points[1]
    assert (ch4.place, ch4.zone, ch4.unit, ch4.quantity) == (
        "mine/wall/ch4",
        "longwall-7/face",
        "% CH4",
        "methane",
    )
    assert (ch4.low, ch4.high, ch4.sentinels, ch4.interval_s, ch4.resolution) == (
        0,
        40,
        (-2.0, 99.9),
        1.0,
        0.01,
    )
    assert ch4.calibration_due_ns == 1_803_859_200 * 1_000_000_000
    assert (rpm.place, rpm.low, rpm.gateway) == ("mine/fan/rpm", float("-inf"), "gw")
    assert dict(found.spools) == {0: ("mine/gw", "s-1")}
    (info,) = found.gateways
    assert (info.site, info.gateway, info.online, info.spool, info.version) == (
        "mine",
        "gw",
        True,
        "s-1",
        "1.2",
    )
    assert (info.interval_s, info.last_seen_ns, info.clock_offset_ms) == (10.0, 2_000 * MS, -1000.0)
    assert len(found.batch) == 0
    assert found.rejects == ()


def test_readings_and_deliveries() -> None:
    """Rows stand in the order of the messages, and each message says how many it brought."""
    into = receiver()
    session, births = gateway()
    one = session.data("wall", [("ch4", 10, 0.5, 192), ("ch4", 11, 0.6, 64)], 7, 12)
    two = data(session, "fan", "rpm", 13, -5, 8)
    old = data(session, "wall", "ch4", 3, 0.1, 2, historical=True)
    found = after(into, [*births, (one.topic, one.payload), two, old])
    assert values(found) == [(0, 10, 0.5), (0, 11, 0.6), (1, 13, -5.0), (0, 3, 0.1)]
    assert found.batch.quality.tolist() == [0, Quality.UNCERTAIN, 0, 0]
    assert found.batch.historical.tolist() == [False, False, False, True]
    assert found.deliveries.rows.tolist() == [2, 1, 1]
    assert found.deliveries.msg_id.tolist() == [7, 8, 2]
    assert found.deliveries.spool.tolist() == [0, 0, 0]


def test_dtypes() -> None:
    """The columns have the types of the contract, also when they are empty."""
    into = receiver()
    session, births = gateway()
    for found in (after(into, births), after(into, [data(session, "fan", "rpm", 1, 1, 1)])):
        assert [c.dtype for c in (found.batch.point, found.batch.ts_ns, found.batch.value)] == [
            "i4",
            "i8",
            "f8",
        ]
        assert [c.dtype for c in (found.deliveries.spool, found.deliveries.msg_id)] == ["i4", "i8"]


def test_rebirth_within_a_drain() -> None:
    """A birth in the midst of data changes what aliases mean for what follows, and nothing before it."""
    into = receiver()
    first, births = gateway()
    before = data(first, "wall", "ch4", 10, 0.5, 1)
    swapped, again = gateway(points=POINTS[::-1])
    later = data(swapped, "wall", "ch4", 20, 0.7, 2)
    assert decode(before[1]).metrics[0].alias != decode(later[1]).metrics[0].alias
    found = after(into, [*births, before, *again, later])
    assert values(found) == [(0, 10, 0.5), (0, 20, 0.7)]
    assert list(found.points) == [0, 1]


def test_only_news() -> None:
    """A point that did not change is not told again by a rebirth; one that did is, with its index."""
    into = receiver()
    session, births = gateway()
    after(into, births)
    assert after(into, messages(session.rebirth(5))).points == {}
    wider = [PointBirth("wall", "ch4", "methane", "% CH4", high=100), POINTS[1]]
    changed = after(into, gateway(points=wider)[1]).points
    assert [(i, p.high) for i, p in changed.items()] == [(0, 100)]
    assert into.collect(2_000 * MS) is None
    assert set(into.known().points) == {0, 1}


def test_gap_keeps_rows() -> None:
    """Rows behind a gap are handed on once the wait is over; the gap is counted and births are asked for."""
    into = receiver(reorder_s=1)
    session, births = gateway()
    after(into, births)
    data(session, "fan", "rpm", 1, 1, 1)
    into.take([data(session, "fan", "rpm", 2, 2, 2), data(session, "fan", "rpm", 3, 3, 3)], 2_000 * MS)
    into.tick(3_000 * MS)
    found = into.collect(3_000 * MS)
    assert found is not None
    assert found.deliveries.msg_id.tolist() == [2, 3]
    assert [(g.sequence_gaps, g.rebirths) for g in found.gateways] == [(1, 1)]
    assert [p.topic for p in into.outbox] == ["spBv1.0/mine/NCMD/gw"]


def test_overtaking_within_a_run() -> None:
    """Messages that overtook each other come out in order, between the ones around them."""
    into = receiver()
    session, births = gateway()
    sent = [data(session, "fan", "rpm", i, i, i) for i in range(6)]
    sent[2], sent[3] = sent[3], sent[2]
    found = after(into, births + sent)
    assert found.deliveries.msg_id.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.batch.value.tolist() == [0, 1, 2, 3, 4, 5]


def test_long_runs_and_wraps() -> None:
    """Thousands of messages, many runs and wraps, come through whole and in order."""
    into = receiver()
    session, births = gateway()
    sent = [data(session, "fan", "rpm", i, i, i) for i in range(5_000)]
    found = after(into, births + sent)
    assert np.array_equal(found.deliveries.msg_id, np.arange(5_000))
    assert np.array_equal(found.batch.value, np.arange(5_000))
    assert found.gateways[0].sequence_gaps == 0


def test_death() -> None:
    """A dead gateway is offline from then on; its later data is refused and it is asked to be born."""
    into = receiver()
    session, births = gateway()
    after(into, births)
    last = session.death(3_000)
    found = after(into, [(last.topic, last.payload)], 3_000)
    assert [(g.online, g.since_ns) for g in found.gateways] == [(False, 3_000 * MS)]
    late = ("spBv1.0/mine/DDATA/gw/fan", encode(Message((), 1, 5)))
    assert [r.reason for r in after(into, [late], 3_001).rejects] == ["not-born"]


def test_broker_lost() -> None:
    """Without the broker every gateway is offline."""
    into = receiver()
    after(into, gateway()[1])
    into.lost(4_000 * MS)
    found = into.collect(4_000 * MS)
    assert found is not None
    assert [g.online for g in found.gateways] == [False]


def test_note() -> None:
    """A note comes out with its gateway's spool and id, apart from deliveries; its figures are no ids."""
    into = receiver()
    session, sent = gateway()
    after(into, sent)
    found = after(into, messages([session.note('{"kind":"x"}', 41, 5)]), 7_000)
    ((_, spool),) = into.registry.everything()[1].items()
    assert [(n.msg_id, n.received_ns, n.text) for n in found.notes] == [(41, 7_000 * MS, '{"kind":"x"}')]
    assert into.registry.spools[found.notes[0].spool] == spool
    assert found.deliveries.msg_id.tolist() == [-1]
    found = after(into, messages(session.set_node_values(9, spool_rows=3, spool_first=2)))
    assert found.deliveries.msg_id.tolist() == [-1]


def test_note_without_id_is_rejected() -> None:
    """A note that no id could acknowledge, or that is no text, is rejected with a reason."""
    into = receiver()
    after(into, gateway()[1])
    for seq, metric in enumerate((Metric(alias=6, value="{}"), Metric(alias=6, value=7)), 3):
        found = after(into, [("spBv1.0/mine/NDATA/gw", encode(Message((metric,), 1, seq)))])
        assert [r.reason for r in found.rejects] == ["note"]
        assert found.notes == ()


def test_unknown_alias_is_not_delivered() -> None:
    """A message of ours with an alias of no birth is not delivered at all, so that it comes again."""
    into = receiver()
    after(into, gateway()[1])
    metrics = Metric(alias=12, value=1), Metric(alias=77, value=1.0), Metric(alias=11, value=5)
    raw = encode(Message(metrics, 1, 3))
    found = after(into, [("spBv1.0/mine/DDATA/gw/fan", raw)])
    assert [r.reason for r in found.rejects] == ["unknown-metric"]
    assert len(found.deliveries.rows) == 0
    into.tick(9_000 * MS)
    assert into.outbox


FOREIGN = [
    Metric("Temp", None, DataType.FLOAT, 500, 21.5, properties={"engUnit": "°C"}),
    Metric("Running", None, DataType.BOOLEAN, 500, True),
    Metric("Label", None, DataType.STRING, 500, "pump"),
]


def foreign(aliases: bool = False) -> list[tuple[str, bytes]]:
    """Births of another maker's node, by names or with aliases."""
    metrics = [replace(m, alias=i + 1 if aliases else None) for i, m in enumerate(FOREIGN)]
    node = Message(
        (Metric("bdSeq", None, DataType.INT64, 1, 0), Metric("Load", None, DataType.DOUBLE, 400, 0.5)), 1, 0
    )
    return [
        ("spBv1.0/mine/NBIRTH/plc", encode(node)),
        ("spBv1.0/mine/DBIRTH/plc/pump", encode(Message(tuple(metrics), 1, 1))),
    ]


def test_another_makers_node() -> None:
    """Names for aliases, no extension: births give points and first values, rows have no message id."""
    into = receiver()
    found = after(into, foreign())
    assert [(p.place, p.unit, p.quantity) for p in found.points.values()] == [
        ("mine/plc/Load", "1", "value"),
        ("mine/pump/Temp", "°C", "value"),
        ("mine/pump/Running", "1", "value"),
    ]
    assert values(found) == [(0, 400, 0.5), (1, 500, 21.5), (2, 500, 1.0)]
    assert [r.reason for r in found.rejects] == ["not-numeric"]
    sent = Message(
        (
            Metric("Temp", timestamp_ms=600, value=22.0, datatype=DataType.FLOAT),
            Metric("Running", value=False),
        ),
        610,
        2,
    )
    found = after(into, [("spBv1.0/mine/DDATA/plc/pump", encode(sent))])
    assert values(found) == [(1, 600, 22.0), (2, 610, 0.0)]
    assert found.deliveries.msg_id.tolist() == [-1]
    assert found.deliveries.spool.tolist() == [-1]


def test_another_makers_rebirth_repeats_nothing() -> None:
    """Values that a rebirth says again are not readings again, also when aliases took the fast way."""
    into = receiver()
    after(into, foreign(aliases=True))
    sent = encode(Message((Metric(alias=1, timestamp_ms=900, value=23.0, datatype=DataType.FLOAT),), 900, 2))
    assert values(after(into, [("spBv1.0/mine/DDATA/plc/pump", sent)])) == [(1, 900, 23.0)]
    assert values(after(into, foreign(aliases=True))) == []


def test_an_id_without_a_spool_is_no_id() -> None:
    """A node that numbers its messages and names no spool counts as another maker's, without ids."""
    into = receiver()
    session, births = gateway(spool="")
    found = after(into, [*births, data(session, "wall", "ch4", 10, 0.5, 7)])
    assert (0, 10, 0.5) in values(found)
    assert set(found.deliveries.msg_id.tolist()) == {-1}
    assert set(found.deliveries.spool.tolist()) == {-1}


def test_device_moves() -> None:
    """A device at a second gateway is refused while the first is alive, and taken when that one is gone."""
    into = receiver()
    first, births = gateway("old")
    after(into, births)
    second, others = gateway("new", spool="s-2")
    found = after(into, others)
    assert {r.reason for r in found.rejects} == {"place-taken"}
    assert [r.reason for r in after(into, [data(second, "fan", "rpm", 5, 5, 5)]).rejects] == ["refused-point"]
    last = first.death(3_000)
    after(into, [(last.topic, last.payload)], 3_000)
    into.tick(3_000 * MS)
    assert [p.topic for p in into.outbox] == ["spBv1.0/mine/NCMD/new"]
    moved = after(into, messages(second.rebirth(3_001)), 3_001)
    assert [(i, p.gateway) for i, p in moved.points.items()] == [(0, "new"), (1, "new")]
    assert values(after(into, [data(second, "fan", "rpm", 6, 6, 6)], 3_002)) == [(1, 6, 6.0)]


def test_contradictions_are_named() -> None:
    """What contradicts itself in a birth is reported; a point with a wrong property is kept without it."""
    into = receiver()
    metrics = (
        Metric(
            "a", 1, DataType.DOUBLE, 1, 1.0, properties={"engLow": 5.0, "engHigh": 1.0, "sentinels": "x,3"}
        ),
        Metric("b", 1, DataType.DOUBLE, 1, 1.0),
        Metric("", 2, DataType.DOUBLE, 1, 1.0),
    )
    birth = ("spBv1.0/mine/DBIRTH/plc/odd", encode(Message(metrics, 1, 1)))
    found = after(into, [foreign()[0], birth])
    assert sorted(r.reason for r in found.rejects) == ["alias-twice", "property", "property", "unnamed"]
    odd = next(p for p in found.points.values() if p.metric == "a")
    assert (odd.low, odd.sentinels) == (float("-inf"), (3.0,))


def test_changed_type() -> None:
    """A metric that was a number and is born a text is refused; as another number it goes on."""
    into = receiver()
    after(into, foreign())
    text = Message((Metric("Temp", None, DataType.STRING, 1, "hot"),), 1, 1)
    found = after(into, [foreign()[0], ("spBv1.0/mine/DBIRTH/plc/pump", encode(text))])
    assert [r.reason for r in found.rejects] == ["changed-type"]
    number = Message((Metric("Temp", 9, DataType.INT16, 901, -4),), 901, 1)
    found = after(into, [foreign()[0], ("spBv1.0/mine/DBIRTH/plc/pump", encode(number))])
    assert values(found) == [(1, 901, -4.0)]


def test_too_large() -> None:
    """A payload beyond the bound is rejected before it is decoded, wherever it stands."""
    into = receiver(max_payload_bytes=1024)
    session, births = gateway()
    small = data(session, "fan", "rpm", 1, 1, 1)
    huge = ("spBv1.0/mine/DDATA/gw/fan", b"\xff" * 1025)
    found = after(into, [*births, small, huge, data(session, "fan", "rpm", 2, 2, 2)])
    assert [r.reason for r in found.rejects] == ["too-large"]
    assert found.deliveries.msg_id.tolist() == [1, 2]


def test_rejects_are_bounded() -> None:
    """A flood of rubbish is counted, not gathered."""
    into = receiver()
    found = after(into, [("spBv1.0/x", b"")] * 5_000)
    assert len(found.rejects) == 200


def test_spool_figures() -> None:
    """What a gateway says of its spool is in its state."""
    into = receiver()
    session, births = gateway()
    after(into, births)
    told = session.set_node_values(9, spool_rows=120, spool_first=40, spool_oldest=1_790_000_000_000)
    (found,) = after(into, messages(told)).gateways
    assert (found.spool_rows, found.spool_first) == (120, 40)
    assert found.spool_oldest_ns == 1_790_000_000_000 * 1_000_000


def test_heard_once_a_second() -> None:
    """A gateway that only sends data is told of once a second, not with every message."""
    into = receiver()
    session, births = gateway()
    after(into, births, 10_000)
    told = 0
    for tenth in range(50):
        now_ms = 10_000 + tenth * 100
        told += len(after(into, [data(session, "fan", "rpm", now_ms, 1, tenth)], now_ms).gateways)
    assert 4 <= told <= 6


def test_points_are_bounded() -> None:
    """Points beyond the bound are rejected, the rest goes on."""
    into = receiver(max_points=1)
    found = after(into, gateway()[1])
    assert list(found.points) == [0]
    assert [r.reason for r in found.rejects] == ["too-many-points"]
