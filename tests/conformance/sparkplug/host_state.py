"""What the host's own STATE must be: will, birth, death, and the answer to a false one."""

from __future__ import annotations

from typing import Any

from conformance.sparkplug import host_mutants as mutant
from conformance.sparkplug.frame import not_applicable, proves
from conformance.sparkplug.host_story import STATE, HostEvidence, state_of
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.mqtt import Connection
from minewatch_edge.sparkplug.state import HostState, encode_state


def _elsewhere(message: Publish) -> Publish:
    return Publish("spBv1.0/OTHER/centre/STATE", message.payload, message.qos, message.retain)


OTHER_TOPIC = mutant.sent("STATE", "STATE on another topic", _elsewhere)
QOS_0 = mutant.sent("STATE", "STATE with QoS 0", lambda m: Publish(m.topic, m.payload, 0, m.retain))
FORGOTTEN = mutant.sent("STATE", "STATE not retained", lambda m: Publish(m.topic, m.payload, m.qos, False))
TEXT = mutant.state("online as a text", lambda body: body.update(online=str(body["online"])))
EXTRA = mutant.state("a key too many", lambda body: body.update(more=1))
AHEAD = mutant.state(
    "online with a time of its own", lambda b: b.update(timestamp=b["timestamp"] + b["online"])
)


@proves(
    "host",
    "intro-sparkplug-host-state", "components-ph-state", "host-topic-phid-birth-message",
    "host-topic-phid-birth-required", "message-flow-phid-sparkplug-state-publish",
    "operational-behavior-host-application-connect-birth", "payloads-state-birth", "conformance-primary-host",
    mutants=mutant.source("subscribed", "nothing said when subscribed", lambda _: lambda self: None),
)  # fmt: skip
def says_that_it_is_online(seen: HostEvidence) -> None:
    """Once its subscriptions are confirmed, the host publishes that it is online."""
    published = seen.online().published("STATE")
    assert [state_of(m)["online"] for m in published] == [True]


@proves(
    "host",
    "host-topic-phid-birth-topic", "operational-behavior-host-application-connect-birth-topic",
    "host-topic-phid-death-topic", "operational-behavior-host-application-connect-will-topic",
    "operational-behavior-host-application-death-topic", "operational-behavior-host-application-host-id",
    mutants=OTHER_TOPIC,
)  # fmt: skip
def state_topic(seen: HostEvidence) -> None:
    """Birth, will and death go to spBv1.0/STATE/<host id>, and each host id is one such topic."""
    host = seen.online()
    host.source.close()
    said = [*host.wills(), *(m for m in host.published() if "NCMD" not in m.topic)]
    assert len(said) == 3
    assert {m.topic for m in said} == {STATE}


@proves(
    "host",
    "host-topic-phid-birth-qos", "operational-behavior-host-application-connect-birth-qos",
    "host-topic-phid-death-qos", "operational-behavior-host-application-connect-will-qos",
    "operational-behavior-host-application-death-qos", "payloads-state-will-message-qos",
    mutants=QOS_0,
)  # fmt: skip
def state_qos(seen: HostEvidence) -> None:
    """Birth, will and death have QoS 1."""
    host = seen.online()
    host.source.close()
    assert [m.qos for m in [*host.wills(), *host.published()]] == [1, 1, 1]


@proves(
    "host",
    "host-topic-phid-birth-retain", "operational-behavior-host-application-connect-birth-retained",
    "host-topic-phid-death-retain", "operational-behavior-host-application-connect-will-retained",
    "operational-behavior-host-application-death-retained", "payloads-state-will-message-retain",
    mutants=FORGOTTEN,
)  # fmt: skip
def state_retain(seen: HostEvidence) -> None:
    """Birth, will and death are retained."""
    host = seen.online()
    host.source.close()
    assert all(m.retain for m in [*host.wills(), *host.published()])


@proves(
    "host",
    "host-topic-phid-birth-payload", "message-flow-phid-sparkplug-state-publish-payload",
    "operational-behavior-host-application-connect-birth-payload", "payloads-state-birth-payload",
    "host-topic-phid-death-payload", "operational-behavior-host-application-connect-will-payload",
    "operational-behavior-host-application-death-payload", "payloads-state-will-message-payload",
    mutants=(TEXT, EXTRA),
)  # fmt: skip
def state_payload(seen: HostEvidence) -> None:
    """Each STATE is JSON with exactly online (a boolean) and timestamp (whole milliseconds)."""
    host = seen.online()
    host.source.close()
    said = [state_of(m) for m in [*host.wills(), *host.published()]]
    assert [set(body) for body in said] == [{"online", "timestamp"}] * 3
    assert [body["online"] for body in said] == [False, True, False]
    assert all(type(body["timestamp"]) is int for body in said)


@proves(
    "host",
    "host-topic-phid-birth-payload-timestamp", "message-flow-phid-sparkplug-state-publish-payload-timestamp",
    "host-topic-phid-death-payload-timestamp-connect",
    mutants=AHEAD,
)  # fmt: skip
def birth_has_the_wills_time(seen: HostEvidence) -> None:
    """The birth has the time that the will of this very CONNECT has, also after a new connection."""
    host = seen.online()
    host.clock.ms += 5_000
    host.wire.lose()
    host.turn()
    wills, births = host.wills(), host.published("STATE")
    assert len(wills) == len(births) == 2
    times = [(state_of(w)["timestamp"], state_of(b)["timestamp"]) for w, b in zip(wills, births, strict=True)]
    assert all(will == birth for will, birth in times)
    assert times[0] < times[1]


def _no_will(_: Any) -> Any:
    return lambda self: Publish("", b"")


@proves(
    "host",
    "host-topic-phid-death-required", "operational-behavior-host-application-connect-will",
    "payloads-state-will-message",
    mutants=mutant.source("will", "CONNECT without the will", _no_will),
)  # fmt: skip
def connect_carries_the_will(seen: HostEvidence) -> None:
    """Each CONNECT carries the offline STATE as its will."""
    host = seen.online()
    host.wire.lose()
    host.turn()
    assert len(host.wills()) == 2
    assert all(m.topic == STATE and not state_of(m)["online"] for m in host.wills())


def _late(_: Any) -> Any:
    return lambda self: (("spBv1.0/#", 0),)


@proves(
    "host",
    "host-topic-phid-birth-sub-required", "payloads-state-subscribe",
    "message-flow-phid-sparkplug-subscription",
    mutants=mutant.method("subscriptions", "own STATE not subscribed to", _late),
)  # fmt: skip
def subscribes_before_it_speaks(seen: HostEvidence) -> None:
    """Own STATE and the whole namespace are subscribed to before the first STATE goes out."""
    host = seen.online()
    kinds = [what for what, _, _ in host.log]
    assert kinds == ["CONNECT", "SUBSCRIBE", "PUBLISH"]
    topics = {topic for topic, _ in host.log[1][1]}
    assert {STATE, "spBv1.0/#"} <= topics


def _silent(_: Any) -> Any:
    return lambda self: self._connection.stop()


@proves(
    "host",
    "operational-behavior-host-application-termination",
    "operational-behavior-host-application-disconnect-intentional",
    mutants=mutant.source("close", "no STATE before DISCONNECT", _silent),
)  # fmt: skip
def says_that_it_leaves(seen: HostEvidence) -> None:
    """Before an intended DISCONNECT the host publishes that it is offline."""
    host = seen.online()
    host.source.close()
    assert [what for what, _, _ in host.log][-2:] == ["PUBLISH", "DISCONNECT"]
    assert state_of(host.published("STATE")[-1])["online"] is False


def _old_time(_: Any) -> Any:
    return lambda self, now_ms: self._state(online=False, timestamp_ms=self._state_ms)


@proves(
    "host",
    "host-topic-phid-death-payload-timestamp-disconnect-clean",
    "host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet",
    mutants=mutant.method("death", "death with the time of the birth", _old_time),
)  # fmt: skip
def death_has_its_own_time(seen: HostEvidence) -> None:
    """The STATE of an intended end, with DISCONNECT or without, has the time of that moment."""
    host = seen.online()
    host.clock.ms += 7_000
    host.source.close()
    assert state_of(host.published("STATE")[-1])["timestamp"] == host.clock.ms


def _deaf(_: Any) -> Any:
    return lambda self, payload: []


@proves(
    "host", "message-flow-hid-sparkplug-state-message-delivered",
    mutants=mutant.method("_on_own_state", "a false offline is not answered", _deaf),
)  # fmt: skip
def answers_a_false_offline(seen: HostEvidence) -> None:
    """An offline STATE under its own id, as a stale will makes it, is answered with online."""
    host = seen.online()
    birth = host.published("STATE")[-1]
    stale = HostState(False, state_of(birth)["timestamp"] - 60_000)
    host.give(Publish(STATE, encode_state(stale), 1, True))
    assert host.published("STATE") == [birth, birth]
    host.give(birth)  # its own answer comes back, and ends it
    assert host.published("STATE") == [birth, birth]


def _kept(made: Any) -> Any:
    def connect(self: Connection) -> None:
        made(self)
        self._client._clean_session = False
        self._client._clean_start = 3  # type: ignore[assignment]  # paho's "first only"
        self._client._connect_properties = None

    return connect


KEPT_SESSION = mutant.Mutant(
    "a session that the broker keeps",
    lambda patch: patch.setattr(Connection, "_connect_async", _kept(Connection._connect_async)),
)


@proves("host", "message-flow-phid-sparkplug-clean-session-311", mutants=KEPT_SESSION)
def clean_session_311(seen: HostEvidence) -> None:
    """An MQTT 3.1.1 CONNECT asks for a clean session."""
    assert seen.connects(4)._clean_session is True


@proves("host", "message-flow-phid-sparkplug-clean-session-50", mutants=KEPT_SESSION)
def clean_session_50(seen: HostEvidence) -> None:
    """An MQTT 5 CONNECT asks for a clean start and a session that expires at once."""
    client = seen.connects(5)
    assert client._clean_start is True
    assert client._connect_properties.SessionExpiryInterval == 0


def _first_time(made: Any) -> Any:
    def will(self: Any, now_ms: int) -> Publish:
        return made(self, self._state_ms or now_ms)  # type: ignore[no-any-return]  # the original's answer

    return will


@proves(
    "host", "operational-behavior-host-application-multi-server-timestamp",
    mutants=mutant.method("will", "one time for all brokers", _first_time),
)  # fmt: skip
def a_time_for_each_broker(seen: HostEvidence) -> None:
    """With several brokers, STATE at each has the time of the connection to that broker."""
    host = seen.online(brokers=2)
    first = host.wire
    host.clock.ms += 9_000
    first.refuse = True
    first.lose()
    for _ in range(3):
        host.turn(1_000)
    host.turn()
    assert host.wire.broker.host == "broker-1"
    wills, births = host.wills(), host.published("STATE")
    assert [state_of(m)["timestamp"] for m in births] == [state_of(m)["timestamp"] for m in wills]
    assert state_of(births[1])["timestamp"] >= state_of(births[0])["timestamp"] + 9_000


@proves(
    "host",
    "operational-behavior-primary-application-state-with-multiple-servers-state",
    mutants=mutant.source("subscribed", "nothing said at the second broker", lambda made: lambda self: (
        made(self) if self._turn == 0 else None
    )),
)  # fmt: skip
def state_at_whichever_broker(seen: HostEvidence) -> None:
    """The host says that it is online at the broker it is connected to, whichever of its list that is."""
    host = seen.online(brokers=2)
    host.wire.refuse = True
    host.wire.lose()
    for _ in range(4):
        host.turn(1_000)
    assert [state_of(m)["online"] for m in host.published("STATE")] == [True, True]


not_applicable(
    "host",
    "it asks edge nodes to subscribe to STATE on every server; the agent's table has it",
    "operational-behavior-primary-application-state-with-multiple-servers-state-subs",
)
