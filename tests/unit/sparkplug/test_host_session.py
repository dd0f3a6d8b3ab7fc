"""The host's half of the sessions, as timelines of messages."""

import json
from random import Random

from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import Message, decode, encode
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.events import (
    Data,
    DeviceBirth,
    DeviceDeath,
    HostEvent,
    NodeBirth,
    NodeDeath,
    RebirthAsked,
    Reconnect,
    Rejected,
    SequenceGap,
)
from minewatch_edge.sparkplug.host_session import HostSession
from minewatch_edge.sparkplug.state import HostState, encode_state

STATE = "spBv1.0/STATE/centre"


def host(**options: object) -> HostSession:
    """A host that spreads nothing, so that times can be told."""
    options.setdefault("rebirth_jitter_ms", 0)
    return HostSession("centre", Random(1), **options)  # type: ignore[arg-type]  # test brevity


class Gateway:
    """A real edge session whose messages are held until the test delivers them."""

    def __init__(self) -> None:
        self.session = EdgeSession("mine", "gw", [PointBirth("fan", "rpm", "count", "1")], spool="s")
        self.will = self.session.will(0)
        self.births = [a for a in self.session.on_subscribed(1) if isinstance(a, Publish)]

    def data(self, value: float = 1.0) -> Publish:
        """The next DDATA."""
        return self.session.data("fan", [("rpm", 5, value, 192)], 1, 5)


def give(to: HostSession, message: Publish, now_ms: int = 10) -> list[HostEvent]:
    """Deliver a message."""
    return to.receive(message.topic, message.payload, now_ms)


def ready(**options: object) -> tuple[HostSession, Gateway]:
    """A host that has seen a gateway's births."""
    made, gateway = host(**options), Gateway()
    for birth in gateway.births:
        give(made, birth)
    return made, gateway


def kinds(events: list[HostEvent]) -> list[str]:
    """The names of the events."""
    return [type(e).__name__ for e in events]


def test_state_and_will_have_the_same_time() -> None:
    """STATE online is retained, QoS 1, after both subscriptions, with the time of this CONNECT's will."""
    made = host()
    will = made.will(500)
    assert made.subscriptions() == ((STATE, 1), ("spBv1.0/#", 0), ("spBv1.0/+/NDEATH/+", 1))
    online = made.on_subscribed()
    assert [(p.topic, p.qos, p.retain) for p in (will, online)] == [(STATE, 1, True)] * 2
    assert json.loads(will.payload) == {"online": False, "timestamp": 500}
    assert json.loads(online.payload) == {"online": True, "timestamp": 500}
    assert json.loads(made.death(900).payload) == {"online": False, "timestamp": 900}


def test_false_offline_is_answered() -> None:
    """An offline STATE under its own name, of an older session, makes the host say online again."""
    made = host()
    made.will(500)
    made.on_subscribed()
    (again,) = made.receive(STATE, encode_state(HostState(False, 400)), 600)
    assert again == Publish(STATE, encode_state(HostState(True, 500)), 1, True)
    assert made.receive(STATE, encode_state(HostState(True, 500)), 601) == []


def test_clock_set_back() -> None:
    """A STATE in the broker newer than this one makes the host connect anew with a time above it."""
    made = host()
    made.will(500)
    made.on_subscribed()
    (event,) = made.receive(STATE, encode_state(HostState(False, 9_000)), 600)
    assert isinstance(event, Reconnect)
    assert json.loads(made.will(700).payload)["timestamp"] == 9_001


def test_births_and_data() -> None:
    """Births and data in sequence come out as events; data stays encoded."""
    made, gateway = host(), Gateway()
    assert kinds([e for b in gateway.births for e in give(made, b)]) == ["NodeBirth", "DeviceBirth"]
    sent = gateway.data()
    (data,) = give(made, sent, 11)
    assert data == Data("mine", "gw", "fan", sent.payload, 11)


def test_the_wrap() -> None:
    """From 255 the sequence goes on with 0, without a gap."""
    made, gateway = ready()
    events = [e for _ in range(600) for e in give(made, gateway.data())]
    assert kinds(events) == ["Data"] * 600


def test_fast_path_is_the_same_sequence() -> None:
    """`in_order` takes exactly what `receive` would have taken in order."""
    made, gateway = ready()
    node = made.nodes["mine", "gw"]
    assert not made.in_order(node, 7)
    assert made.in_order(node, decode(gateway.data().payload).seq or 0)
    assert kinds(give(made, gateway.data())) == ["Data"]


def test_reordering() -> None:
    """Messages that overtook each other are put in order, without a gap or a rebirth."""
    made, gateway = ready()
    first, second, third = gateway.data(1), gateway.data(2), gateway.data(3)
    assert give(made, third) == []
    assert give(made, second) == []
    assert not made.in_order(made.nodes["mine", "gw"], decode(first.payload).seq or 0)
    events = give(made, first)
    assert [e.payload for e in events if isinstance(e, Data)] == [m.payload for m in (first, second, third)]
    assert made.next_tick_ms(20) is None
    assert made.tick(10_000) == []


def test_gap() -> None:
    """A message that does not come in time is a gap: the rest is handed on, births are asked for once."""
    made, gateway = ready(reorder_ms=1000)
    gateway.data()
    later = gateway.data()
    assert give(made, later, 100) == []
    assert made.next_tick_ms(100) == 1100
    assert made.tick(1099) == []
    events = made.tick(1100)
    assert kinds(events) == ["SequenceGap", "Data", "RebirthAsked", "Publish"]
    assert events[0] == SequenceGap("mine", "gw", 2, 3)
    command = events[3]
    assert isinstance(command, Publish)
    assert (command.topic, command.qos) == ("spBv1.0/mine/NCMD/gw", 0)
    assert decode(command.payload).seq is None
    assert kinds(give(made, gateway.data(), 1200)) == ["Data"]


def test_rebirth_requests_are_limited() -> None:
    """However much goes missing, a gateway is asked at most once in the interval."""
    made, gateway = ready(reorder_ms=0, rebirth_interval_ms=5000)
    asked = []
    for now in range(0, 20_000, 100):
        gateway.data()
        events = give(made, gateway.data(), now) + made.tick(now)
        asked += [now for e in events if isinstance(e, RebirthAsked)]
    assert asked == [0, 5000, 10_000, 15_000]


def test_rebirth_requests_are_spread() -> None:
    """Requests to many gateways at once are spread over the jitter."""
    made = host(rebirth_jitter_ms=1000, rebirths_per_second=1000)
    for i in range(200):
        made.receive(f"spBv1.0/mine/NDATA/gw-{i}", encode(Message((), 1, 4)), 0)
    counts = [sum(isinstance(e, RebirthAsked) for e in made.tick(now)) for now in range(0, 1001, 100)]
    assert sum(counts) == 200
    assert max(counts) < 50


def test_clock_back_an_hour_does_not_silence_requests() -> None:
    """A wall clock set back does not put off what was due soon."""
    made, gateway = ready(reorder_ms=1000)
    gateway.data()
    give(made, gateway.data(), 3_600_000)
    assert kinds(made.tick(0))[:2] == ["SequenceGap", "Data"]


def test_a_birth_ends_the_wait() -> None:
    """Births that come by themselves cancel the request, and held rows are handed on before them."""
    made, gateway = ready()
    gateway.data()
    give(made, gateway.data(), 100)
    births = [a for a in gateway.session.rebirth(101) if isinstance(a, Publish)]
    events = give(made, births[0], 102)
    assert kinds(events) == ["Data", "NodeBirth"]
    assert isinstance(events[1], NodeBirth)
    assert events[1].again
    assert made.tick(99_999) == []


def test_unknown_node_is_asked() -> None:
    """Data of a node that was never born is not taken; the node is asked for its births."""
    made, gateway = host(), Gateway()
    assert kinds(give(made, gateway.data(), 50)) == ["Rejected"]
    assert kinds(made.tick(50)) == ["RebirthAsked", "Publish"]


def test_death_by_bd_seq() -> None:
    """Only the NDEATH of the living birth kills: a stale will and the second copy change nothing."""
    made, gateway = ready()
    old_will = gateway.will
    gateway.session.will(20)
    for birth in [a for a in gateway.session.on_subscribed(21) if isinstance(a, Publish)]:
        give(made, birth)
    (stale,) = give(made, old_will)
    assert isinstance(stale, Rejected)
    assert stale.reason == "stale-death"
    last = gateway.session.death(30)
    assert give(made, last, 31) == [NodeDeath("mine", "gw", 31)]
    assert give(made, last, 32) == []
    assert kinds(give(made, Publish("spBv1.0/mine/DDATA/gw/fan", encode(Message((), 1, 9))), 33)) == [
        "Rejected"
    ]


def test_device_death() -> None:
    """A DDEATH counts in the sequence and carries the node's own time."""
    made, gateway = ready()
    (message,) = [a for a in gateway.session.device_death("fan", 77) if isinstance(a, Publish)]
    assert give(made, message, 99) == [DeviceDeath("mine", "gw", "fan", 77)]


def test_broker_lost() -> None:
    """Without the broker no node is known to live; all must be born again."""
    made, gateway = ready()
    assert made.on_disconnected(40) == [NodeDeath("mine", "gw", 40)]
    assert kinds(give(made, gateway.data(), 41)) == ["Rejected"]


def test_rejected() -> None:
    """Foreign topics, broken payloads and missing sequence numbers are named, and nothing else happens."""
    made, _ = ready()
    cases = [
        ("spBv1.0/mine/XDATA/gw", b"", "topic"),
        ("spBv1.0/mine/NBIRTH/gw", b"\xff", "payload"),
        ("spBv1.0/mine/DDATA/gw/fan", b"\xff", "payload"),
        ("spBv1.0/mine/DDATA/gw/fan", encode(Message((), 1)), "no-seq"),
        ("spBv1.0/mine/DDATA/gw/fan", encode(Message((), 1, 256)), "no-seq"),
    ]
    for topic, payload, reason in cases:
        (event,) = made.receive(topic, payload, 5)
        assert isinstance(event, Rejected)
        assert event.reason == reason
    assert made.receive("spBv1.0/mine/NCMD/gw", b"\xff", 5) == []


def test_nodes_are_bounded() -> None:
    """Invented gateways can fill neither the memory nor the places of those that are born."""
    made = host(max_nodes=2)
    for i in range(5_000):
        made.receive(f"spBv1.0/mine/NDATA/gw-{i}", encode(Message((), 1, 4)), 0)
    assert len(made.nodes) == 0
    assert len(made._strangers) == 1_000
    for i in range(3):
        events = made.receive(f"spBv1.0/mine/NBIRTH/real-{i}", encode(Message((), 1, 0)), 0)
    assert [e.reason for e in events if isinstance(e, Rejected)] == ["too-many-nodes"]
    assert len(made.nodes) == 2


def test_acknowledgement_round_trip() -> None:
    """What the host acknowledges is what the gateway's session understands."""
    made, gateway = ready()
    command = made.acknowledge("mine", "gw", "s", 12, 60)
    assert decode(command.payload).seq is None
    (action,) = gateway.session.receive(command.topic, command.payload, 61)
    assert (type(action).__name__, action) == ("Acknowledged", type(action)("s", 12))  # type: ignore[call-arg]


def test_birth_of_device_is_in_sequence() -> None:
    """A DBIRTH that is ahead waits like data does."""
    made, gateway = host(), Gateway()
    give(made, gateway.births[0])
    early = gateway.data()
    assert give(made, early) == []
    assert kinds(give(made, gateway.births[1])) == ["DeviceBirth", "Data"]
    assert DeviceBirth.__slots__
