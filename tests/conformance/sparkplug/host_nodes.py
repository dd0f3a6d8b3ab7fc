"""What the host makes of nodes, their order of messages and their deaths, and what it commands."""

from __future__ import annotations

from typing import Any

from conformance.sparkplug import host_mutants as mutant
from conformance.sparkplug.frame import not_applicable, proves
from conformance.sparkplug.host_story import Gateway, HostEvidence, message_of
from minewatch.ingest.gateways import Gateways
from minewatch_edge.sparkplug import births, topics
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.codec import Message, Metric, encode
from minewatch_edge.sparkplug.host_session import HostSession
from minewatch_edge.sparkplug.schema import DataType


def _ignored(_: Any) -> Any:
    return lambda self, *rest: []


DEAF_TO_DEATHS = mutant.method("_on_death", "NDEATH is ignored", _ignored)


@proves(
    "host",
    "operational-behavior-edge-node-termination-host-action-ndeath-node-offline",
    "operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale",
    "operational-behavior-edge-node-termination-host-action-ndeath-devices-offline",
    "operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale",
    mutants=(
        DEAF_TO_DEATHS,
        mutant.Mutant(
            "offline since a time of the sender's",
            lambda patch: patch.setattr(
                Gateways, "died", lambda self, node, now_ns, made=Gateways.died: made(self, node, 1)
            ),
        ),
    ),
)  # fmt: skip
def ndeath_takes_all_offline(seen: HostEvidence) -> None:
    """After an NDEATH node and devices are offline since the host's time; no data counts until a birth."""
    host, gateway = seen.with_gateway()
    late = gateway.data(7.0), gateway.data(8.0, "wall")
    host.give(gateway.session.death(1))
    assert (host.info().online, host.info().since_ns) == (False, host.clock.now_ns())
    before = len(host.rows)
    host.give(*late)
    assert len(host.rows) == before


def _any_death(made: Any) -> Any:
    def died(self: HostSession, node: Any, topic: Any, payload: bytes, now_ms: int) -> Any:
        return self._die(node, now_ms) if node is not None and node.online else []

    return died


@proves(
    "host", "principles-birth-certificates-order",
    mutants=(
        mutant.method("_on_death", "a stale NDEATH kills", _any_death),
        mutant.method("_on_birth", "births are ignored", _ignored),
    ),
)  # fmt: skip
def births_come_first_and_old_deaths_do_nothing(seen: HostEvidence) -> None:
    """Nothing counts before the NBIRTH; an NDEATH with the bdSeq of an earlier connection kills nobody."""
    host, gateway = seen.online(), Gateway()
    host.give(gateway.data(1.0))
    assert host.rows == []
    host.give(*gateway.births)
    stale = gateway.will
    host.give(*gateway.connect(host.clock.ms)[1])
    host.give(stale, gateway.data(2.0))
    assert host.rows == [2.0]
    assert host.info().online


@proves(
    "host",
    "operational-behavior-edge-node-termination-host-action-ddeath-devices-offline",
    "operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale",
    mutants=mutant.method("_apply", "DDEATH is ignored", lambda made: lambda s, t, p, now: (
        [] if t.verb == "DDEATH" else made(s, t, p, now)
    )),
)  # fmt: skip
def ddeath_takes_the_device_offline(seen: HostEvidence) -> None:
    """After a DDEATH the device is dead since the time of its payload, others go on; its birth revives it."""
    host, gateway = seen.with_gateway()
    died_ms = host.clock.ms - 3_000
    (death,) = gateway.session.device_death("wall", died_ms)
    host.give(death)
    node = host.registry.nodes["mine", "gw"]
    assert node.dead == {"wall": died_ms}
    assert "device-dead" in host.info().problems
    assert host.info().online
    host.give(gateway.data(3.0))
    assert host.rows == [3.0]
    host.give(*gateway.session.device_birth("wall", host.clock.ms))
    assert node.dead == {}


@proves(
    "host", "operational-behavior-host-reordering-param",
    mutants=mutant.Mutant(
        "one fixed time to wait",
        lambda patch: patch.setattr(
            HostSession, "__init__",
            lambda self, *a, made=HostSession.__init__, **o: made(self, *a, **{**o, "reorder_ms": 1_000}),
        ),
    ),
)  # fmt: skip
def the_wait_is_a_setting(seen: HostEvidence) -> None:
    """How long the host waits for a missing message is a setting, `ingest.reorder_s`."""
    for wait_s in (0.5, 4.0):
        host, gateway = seen.with_gateway(reorder_s=wait_s)
        gateway.data(1.0)
        host.give(gateway.data(2.0))
        host.turn(round(wait_s * 1_000) - 50)
        assert not host.published("NCMD")
        host.turn(100)
        assert len(host.published("NCMD")) == 1


@proves(
    "host", "operational-behavior-host-reordering-start", "operational-behavior-host-reordering-rebirth",
    mutants=mutant.method("_give_up", "never given up on", lambda _: lambda self, node, now: []),
)  # fmt: skip
def a_missing_message_ends_in_a_rebirth(seen: HostEvidence) -> None:
    """A message ahead starts the wait; when the one missing does not come in it, births are asked for."""
    host, gateway = seen.with_gateway(reorder_s=2)
    gateway.data(1.0)
    host.give(gateway.data(2.0))
    host.turn(1_500)
    assert not host.published("NCMD")
    host.turn(1_000)
    asked = host.published("NCMD")
    assert len(asked) == 1
    assert message_of(asked[0]).named(births.REBIRTH)


@proves(
    "host", "operational-behavior-host-reordering-success",
    mutants=mutant.method("_drain", "the wait goes on although all came", lambda _: lambda self, *rest: []),
)  # fmt: skip
def what_comes_in_time_asks_for_nothing(seen: HostEvidence) -> None:
    """When the missing message comes in time, all are used in order and no rebirth is asked for."""
    host, gateway = seen.with_gateway(reorder_s=2)
    first, second, third = (gateway.data(float(n)) for n in (1, 2, 3))
    host.give(third, second)
    host.give(first, ms=500)
    host.turn(5_000)
    assert host.rows == [1.0, 2.0, 3.0]
    assert not host.published("NCMD")


@proves(
    "host",
    "topic-structure", "topic-structure-namespace-a", "topics-ncmd-topic",
    "operational-behavior-data-commands-ncmd-rebirth-verb", "operational-behavior-data-commands-ncmd-verb",
    "topic-structure-namespace-device-id-non-associated-message-types",
    mutants=(
        mutant.sent("NCMD", "a command with a device", lambda m: Publish(m.topic + "/fan", m.payload)),
        mutant.sent("NCMD", "another namespace", lambda m: Publish(m.topic.replace("spB", "spX"), m.payload)),
    ),
)  # fmt: skip
def command_topic(seen: HostEvidence) -> None:
    """Commands go to spBv1.0/<group>/NCMD/<node>, and to nothing below it."""
    assert seen.asked.topic == seen.acknowledged.topic == "spBv1.0/mine/NCMD/gw"


@proves(
    "host", "topic-structure-namespace-device-id-associated-message-types",
    mutants=mutant.Mutant(
        "device messages without a device",
        lambda patch: patch.setattr(topics, "NODE_VERBS", topics.NODE_VERBS | {"DDATA", "DBIRTH", "DDEATH"}),
    ),
)  # fmt: skip
def device_messages_name_a_device(seen: HostEvidence) -> None:
    """A device message without a device in its topic is not taken."""
    host, gateway = seen.with_gateway()
    host.give(Publish("spBv1.0/mine/DDATA/gw", gateway.data(1.0).payload))
    host.give(Publish("spBv1.0/mine/DBIRTH/gw", encode(Message((), 1, 4))))
    assert host.rows == []
    assert sorted(topics.NODE_VERBS) == ["NBIRTH", "NCMD", "NDATA", "NDEATH"]


@proves(
    "host", "topics-ncmd-mqtt", "payloads-ncmd-qos", "payloads-ncmd-retain",
    mutants=(
        mutant.sent("NCMD", "commands with QoS 1", lambda m: Publish(m.topic, m.payload, 1)),
        mutant.sent("NCMD", "commands retained", lambda m: Publish(m.topic, m.payload, 0, True)),
    ),
)  # fmt: skip
def command_flags(seen: HostEvidence) -> None:
    """Commands have QoS 0 and are not retained."""
    assert [(m.qos, m.retain) for m in (seen.asked, seen.acknowledged)] == [(0, False)] * 2


@proves(
    "host", "topics-ncmd-timestamp", "payloads-ncmd-timestamp",
    mutants=mutant.command("commands without a time", lambda raw: raw.ClearField("timestamp")),
)  # fmt: skip
def command_time(seen: HostEvidence) -> None:
    """Commands carry the time at which they were sent."""
    assert all(
        (message_of(m).timestamp_ms or 0) > 1_800_000_000_000 - 1 for m in (seen.asked, seen.acknowledged)
    )


@proves(
    "host", "payloads-ncmd-seq",
    mutants=mutant.command("commands with a sequence number", lambda raw: setattr(raw, "seq", 3)),
)  # fmt: skip
def command_seq(seen: HostEvidence) -> None:
    """Commands carry no sequence number."""
    assert [message_of(m).seq for m in (seen.asked, seen.acknowledged)] == [None, None]


def _nameless(raw: Any) -> None:
    for metric in raw.metrics:
        metric.ClearField("name")


@proves(
    "host",
    "topics-ncmd-payload", "payloads-name-cmd-requirement",
    "operational-behavior-data-commands-ncmd-metric-name",
    "operational-behavior-data-commands-ncmd-metric-value",
    mutants=(
        mutant.command("metrics without a name", _nameless),
        mutant.command("metrics without a value", lambda raw: [m.ClearField("value") for m in raw.metrics]),
    ),
)  # fmt: skip
def command_metrics(seen: HostEvidence) -> None:
    """Each metric of a command has the name of the node's birth, and a value."""
    for sent in (seen.asked, seen.acknowledged):
        metrics = message_of(sent).metrics
        assert metrics
        assert all(
            m.name in (births.REBIRTH, births.ACK, births.SPOOL) and m.value is not None for m in metrics
        )


@proves(
    "host",
    "operational-behavior-data-commands-ncmd-rebirth-name",
    "operational-behavior-data-commands-ncmd-rebirth-value",
    mutants=mutant.command("a rebirth of false", lambda raw: setattr(raw.metrics[0], "boolean_value", False)),
)  # fmt: skip
def rebirth_command(seen: HostEvidence) -> None:
    """A rebirth is asked with `Node Control/Rebirth` = true."""
    (metric,) = message_of(seen.asked).metrics
    assert (metric.name, metric.value) == ("Node Control/Rebirth", True)
    assert metric == Metric("Node Control/Rebirth", None, DataType.BOOLEAN, metric.timestamp_ms, True)


not_applicable(
    "host",
    "the service commands nodes only (rebirth and acknowledgement), never devices: it observes and warns",
    "topics-dcmd-topic", "topics-dcmd-mqtt", "topics-dcmd-timestamp", "topics-dcmd-payload",
    "operational-behavior-data-commands-dcmd-verb", "operational-behavior-data-commands-dcmd-metric-name",
    "operational-behavior-data-commands-dcmd-metric-value", "payloads-dcmd-timestamp", "payloads-dcmd-seq",
    "payloads-dcmd-qos", "payloads-dcmd-retain",
)  # fmt: skip
