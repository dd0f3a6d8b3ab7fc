"""What the edge node's births must say, and that data keeps to it."""

from __future__ import annotations

from typing import Any

from conformance.sparkplug import edge_mutants as mutant
from conformance.sparkplug.edge_story import GROUP, NODE, Edge, Evidence, Sent
from conformance.sparkplug.frame import change, proves
from minewatch_edge.sparkplug import births, edge_session
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.schema import DataType

REBIRTH = "Node Control/Rebirth"
UNALIASED = {"bdSeq", REBIRTH, "minewatch/ack", "minewatch/spool"}  # nobody ever names these by alias


def nbirths(seen: Evidence) -> list[Sent]:
    """Return every NBIRTH of the story."""
    found = seen.story.edge.of("NBIRTH")
    assert len(found) >= 2
    return found


def declared(edge: Edge, upto: Sent) -> dict[tuple[str, int], Any]:
    """Return the metrics by (device, alias) that the births before a message declare."""
    found: dict[tuple[str, int], Any] = {}
    for sent in edge.sent:
        if sent is upto:
            break
        if sent.verb == "NBIRTH":
            found.clear()
        if sent.verb in ("NBIRTH", "DBIRTH"):
            found.update(((sent.device, m.alias), m) for m in sent.raw.metrics if m.HasField("alias"))
    return found


@proves(
    "edge", "topics-nbirth-seq-num", "payloads-sequence-num-req-nbirth", "payloads-nbirth-seq",
    "message-flow-edge-node-birth-publish-nbirth-payload-seq",
    mutants=(
        mutant.payload("NBIRTH", "NBIRTH without seq", lambda raw: raw.ClearField("seq")),
        mutant.payload("NBIRTH", "NBIRTH with seq 256", lambda raw: setattr(raw, "seq", 256)),
        mutant.payload("NBIRTH", "NBIRTH with seq 7", lambda raw: setattr(raw, "seq", 7)),
    ),
)  # fmt: skip
def nbirth_seq(seen: Evidence) -> None:
    """Every NBIRTH, also that of a rebirth, has seq 0."""
    assert [s.message.seq for s in nbirths(seen)] == [0] * len(nbirths(seen))


@proves(
    "edge", "topics-nbirth-bdseq-included", "payloads-nbirth-bdseq", "topics-nbirth-bdseq-matching",
    "payloads-nbirth-bdseq-repeat", "payloads-ndeath-bdseq",
    "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
    mutants=(
        mutant.without("NBIRTH", "bdSeq"),
        mutant.metrics("NBIRTH", "bdSeq of no will", lambda m: setattr(m, "long_value", 99), name="bdSeq"),
        mutant.metrics("NBIRTH", "bdSeq as Int32", lambda m: setattr(m, "datatype", 3), name="bdSeq"),
    ),
)  # fmt: skip
def nbirth_bdseq(seen: Evidence) -> None:
    """NBIRTH carries the bdSeq of the will of this connection, as Int64."""
    (will,) = seen.story.edge.wills
    wanted = will.message.named("bdSeq")
    assert wanted is not None
    for sent in nbirths(seen):
        found = sent.message.named("bdSeq")
        assert found is not None
        assert (found.value, found.datatype) == (wanted.value, DataType.INT64)


@proves(
    "edge", "topics-nbirth-rebirth-metric", "payloads-nbirth-rebirth-req",
    "operational-behavior-data-commands-rebirth-name",
    "operational-behavior-data-commands-rebirth-name-aliases",
    "operational-behavior-data-commands-rebirth-datatype", "operational-behavior-data-commands-rebirth-value",
    mutants=(
        mutant.without("NBIRTH", REBIRTH),
        mutant.metrics("NBIRTH", "rebirth with alias", lambda m: setattr(m, "alias", 77), name=REBIRTH),
        mutant.metrics("NBIRTH", "rebirth as String", lambda m: setattr(m, "datatype", 12), name=REBIRTH),
        mutant.metrics("NBIRTH", "rebirth true", lambda m: setattr(m, "boolean_value", True), name=REBIRTH),
    ),
)  # fmt: skip
def nbirth_rebirth_metric(seen: Evidence) -> None:
    """NBIRTH has Node Control/Rebirth: Boolean, false, without alias."""
    for sent in nbirths(seen):
        found = sent.message.named(REBIRTH)
        assert found is not None
        assert (found.datatype, found.value, found.alias) == (DataType.BOOLEAN, False, None)


@proves(
    "edge", "topics-nbirth-metrics", "operational-behavior-data-publish-nbirth-values",
    mutants=(
        mutant.metrics("NBIRTH", "NBIRTH without names", lambda m: m.ClearField("name")),
        mutant.metrics("NBIRTH", "NBIRTH without types", lambda m: m.ClearField("datatype")),
        mutant.metrics("NBIRTH", "NBIRTH without values", lambda m: m.ClearField("value")),
        mutant.metrics("NBIRTH", "NBIRTH with null and value", lambda m: setattr(m, "is_null", True)),
    ),
)  # fmt: skip
def nbirth_metrics(seen: Evidence) -> None:
    """Each metric of NBIRTH has name, type, and either a value or is_null."""
    for sent in nbirths(seen):
        _whole(sent)


@proves(
    "edge", "topics-dbirth-metrics", "operational-behavior-data-publish-dbirth-values",
    mutants=(
        mutant.metrics("DBIRTH", "DBIRTH without names", lambda m: m.ClearField("name")),
        mutant.metrics("DBIRTH", "DBIRTH without types", lambda m: m.ClearField("datatype")),
        mutant.metrics("DBIRTH", "DBIRTH without values", lambda m: m.ClearField("value")),
        mutant.metrics("DBIRTH", "DBIRTH with null and value", lambda m: setattr(m, "is_null", True)),
        change(edge_session, "_remember", lambda *_: None, "DBIRTH with values of long ago"),
    ),
)  # fmt: skip
def dbirth_metrics(seen: Evidence) -> None:
    """Each metric of DBIRTH has name, type, and its present value, or is_null where there is none."""
    edge = seen.story.edge
    for sent in edge.of("DBIRTH"):
        _whole(sent)
    reborn = {s.device: s for s in edge.sent[seen.story.marks["rebirth"] : seen.story.marks["reborn"]]}
    values = {m.name: m for m in reborn["wall"].message.metrics}
    assert (values["CH4"].is_null, values["CH4"].value) == (True, None)
    assert values["air"].value == 1.6
    assert {m.name: m.value for m in reborn["fan"].message.metrics}["rpm"] == 901


def _whole(sent: Sent) -> None:
    assert sent.raw.metrics
    for metric in sent.raw.metrics:
        assert metric.name
        assert metric.datatype
        assert (metric.WhichOneof("value") is None) == metric.is_null


@proves(
    "edge", "topics-nbirth-metric-reqs", "operational-behavior-data-publish-nbirth",
    mutants=(mutant.without("NBIRTH", "minewatch/spool_rows"), mutant.without("NBIRTH", "minewatch/msg_id")),
)  # fmt: skip
def ndata_is_declared(seen: Evidence) -> None:
    """NDATA names only metrics that the last NBIRTH declared."""
    edge = seen.story.edge
    found = edge.of("NDATA")
    assert found
    for sent in found:
        known = declared(edge, sent)
        assert all(("", m.alias) in known for m in sent.raw.metrics)


def _find_anything(self: births.Device, metric: str | int) -> int:
    return metric if isinstance(metric, int) and metric < len(self.points) else 0


@proves(
    "edge", "topics-dbirth-metric-reqs", "operational-behavior-data-publish-dbirth",
    mutants=(
        mutant.without("DBIRTH", "air"),
        mutant.without("DBIRTH", "rpm"),
        change(births.Device, "find", _find_anything, "data for a metric that was never born"),
    ),
)  # fmt: skip
def ddata_is_declared(seen: Evidence) -> None:
    """DDATA names only metrics that the device's last DBIRTH declared, and nothing else can be sent."""
    edge = seen.story.edge
    for sent in edge.of("DDATA"):
        known = declared(edge, sent)
        assert all((sent.device, m.alias) in known for m in sent.raw.metrics)
    session = EdgeSession("g", "n", [births.PointBirth("d", "m", "value", "1")])
    session.will(1)
    session.on_subscribed(1)
    refused = False
    try:
        session.data("d", [("never", 1, 1.0, 192)], 1, 1)
    except edge_session.WireError:
        refused = True
    assert refused


def _own_aliases(points: Any) -> dict[str, births.Device]:
    made = _devices_of(points)
    for device in made.values():
        device.msg_id_alias = 50
        device.aliases = [51 + i for i in range(len(device.points))]
    return made


_devices_of = births.devices_of


@proves(
    "edge", "payloads-alias-uniqueness",
    mutants=(
        change(births, "devices_of", _own_aliases, "the same alias on two devices"),
        change(births, "NODE_ALIASES", {**births.NODE_ALIASES, births.VERSION: 1}, "an alias twice"),
    ),
)  # fmt: skip
def aliases_are_unique(seen: Evidence) -> None:
    """No alias stands for two metrics of the node, not even on two devices."""
    edge = seen.story.edge
    first = edge.sent[: 1 + len(edge.drivers)]
    assert [s.verb for s in first] == ["NBIRTH", "DBIRTH", "DBIRTH"]
    aliases = [m.alias for s in first for m in s.raw.metrics if m.HasField("alias")]
    assert aliases
    assert len(set(aliases)) == len(aliases)


@proves(
    "edge", "payloads-alias-birth-requirement", "payloads-name-requirement",
    mutants=(
        mutant.metrics("DBIRTH", "DBIRTH without names", lambda m: m.ClearField("name")),
        mutant.metrics("NBIRTH", "NBIRTH without names", lambda m: m.ClearField("name")),
        mutant.metrics("DBIRTH", "DBIRTH without aliases", lambda m: m.ClearField("alias")),
    ),
)  # fmt: skip
def births_have_names_and_aliases(seen: Evidence) -> None:
    """Births give both name and alias of each metric that data will name by alias."""
    for sent in seen.story.edge.of("NBIRTH", "DBIRTH"):
        for metric in sent.raw.metrics:
            assert metric.name
            assert metric.HasField("alias") or metric.name in UNALIASED


@proves(
    "edge", "payloads-alias-data-cmd-requirement",
    mutants=(
        mutant.metrics("DDATA", "DDATA with names", lambda m: setattr(m, "name", "x")),
        mutant.metrics("NDATA", "NDATA with names", lambda m: setattr(m, "name", "x")),
        mutant.metrics("DDATA", "DDATA without aliases", lambda m: m.ClearField("alias")),
    ),
)  # fmt: skip
def data_has_aliases_only(seen: Evidence) -> None:
    """Data names metrics by alias and by nothing else."""
    for sent in seen.story.edge.of("NDATA", "DDATA"):
        assert all(m.HasField("alias") and not m.HasField("name") for m in sent.raw.metrics)


def _devices_first(self: EdgeSession, now_ms: int) -> Any:
    made = _births(self, now_ms)
    return [*made[1:], made[0]]


def _nbirth_only(self: EdgeSession, now_ms: int) -> Any:
    return _births(self, now_ms)[:1]


_births = EdgeSession._births


@proves(
    "edge", "principles-birth-certificates-order", "message-flow-device-birth-publish-nbirth-wait",
    "payloads-dbirth-order", "payloads-ndata-order", "payloads-ddata-order",
    mutants=(
        change(EdgeSession, "_births", _devices_first, "DBIRTH before NBIRTH"),
        change(EdgeSession, "_births", _nbirth_only, "data before any DBIRTH"),
    ),
)  # fmt: skip
def births_come_first(seen: Evidence) -> None:
    """NBIRTH is the first message of a session, every DBIRTH follows at once, then data."""
    edge = seen.story.edge
    devices = len(edge.drivers)
    assert edge.sent[0].verb == "NBIRTH"
    starts = [i for i, s in enumerate(edge.sent) if s.verb == "NBIRTH"]
    for at in starts:
        assert [s.verb for s in edge.sent[at + 1 : at + 1 + devices]] == ["DBIRTH"] * devices
    assert sum(s.verb == "DBIRTH" for s in edge.sent) == devices * len(starts)


@proves(
    "edge", "message-flow-device-birth-publish-dbirth-match-edge-node-topic",
    mutants=(
        mutant.topic("DBIRTH", "DBIRTH in another group", lambda levels: [levels[0], "x", *levels[2:]]),
        mutant.topic("DBIRTH", "DBIRTH of another node", lambda levels: [*levels[:3], "x", *levels[4:]]),
    ),
)  # fmt: skip
def dbirth_matches_its_node(seen: Evidence) -> None:
    """DBIRTH names the group and node of the NBIRTH before it."""
    node = seen.story.edge.of("NBIRTH")[0].levels
    assert [node[1], node[3]] == [GROUP, NODE]
    for sent in seen.story.edge.of("DBIRTH"):
        assert [sent.levels[1], sent.levels[3]] == [node[1], node[3]]
