"""What goes wrong around a host: storms, two agents with one name, floods of messages out of order."""

from random import Random

import pytest

from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import Message, encode
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.events import (
    Data,
    Doubted,
    HostEvent,
    NodeBirth,
    RebirthAsked,
    Rejected,
    Repeated,
    SequenceGap,
)
from minewatch_edge.sparkplug.host_session import HostSession
from minewatch_edge.sparkplug.reorder import ReorderBounds

POINTS = [PointBirth("fan", "rpm", "count", "1")]


def gateway(node: str = "gw", bd_seq: int = -1, spool: str = "s-1") -> EdgeSession:
    """An edge session before its first connection."""
    return EdgeSession("mine", node, POINTS, bd_seq=bd_seq, spool=spool)


def connect(session: EdgeSession, now_ms: int) -> tuple[Publish, list[Publish]]:
    """Return the will and the births of a new connection."""
    will = session.will(now_ms)
    return will, [a for a in session.on_subscribed(now_ms) if isinstance(a, Publish)]


def give(to: HostSession, sent: list[Publish], now_ms: int) -> list[HostEvent]:
    """Deliver messages."""
    return [e for m in sent for e in to.receive(m.topic, m.payload, now_ms)]


def data(session: EdgeSession, now_ms: int) -> Publish:
    """The next DDATA."""
    return session.data("fan", [("rpm", now_ms, 1.0, 192)], 1, now_ms)


def test_storm_after_a_restart() -> None:
    """After a restart 200 gateways that send are asked once each, never more than 20 within any second."""
    made = HostSession("centre", Random(4), rebirths_per_second=20)
    sessions = {f"gw-{i}": gateway(f"gw-{i}") for i in range(200)}
    for session in sessions.values():
        connect(session, 0)
    asked: list[tuple[int, str]] = []
    for now in range(0, 30_000, 50):
        for name, session in sessions.items():
            if now % 1_000 == 0:
                give(made, [data(session, now)], now)
            assert made.nodes.get(("mine", name)) is None or made.nodes["mine", name].online
        for event in made.tick(now):
            if isinstance(event, RebirthAsked):
                asked.append((now, event.node))
                births = [a for a in sessions[event.node].rebirth(now) if isinstance(a, Publish)]
                give(made, births, now + 40)
    assert sorted(name for _, name in asked) == sorted(sessions)
    times = [when for when, _ in asked]
    assert max(sum(t <= other < t + 1_000 for other in times) for t in times) <= 20
    assert times[-1] <= 12_000
    assert made.next_tick_ms(30_000) is None


def test_a_deaf_node_keeps_nobody_waiting() -> None:
    """Nodes that never answer are asked at most once in the interval; others have their turn."""
    made = HostSession("centre", Random(4), rebirths_per_second=10, rebirth_jitter_ms=0)
    asked: list[str] = []
    for now in range(0, 20_000, 100):
        for i in range(100):
            made.receive(f"spBv1.0/mine/NDATA/deaf-{i}", encode(Message((), 1, 4)), now)
        if now == 5_000:
            made.receive("spBv1.0/mine/NDATA/late", encode(Message((), 1, 4)), now)
        asked += [e.node for e in made.tick(now) if isinstance(e, RebirthAsked)]
    assert len(asked) <= 10 * 21
    assert "late" in asked
    assert max(asked.count(f"deaf-{i}") for i in range(100)) <= 4


@pytest.mark.parametrize("same_image", [True, False])
def test_one_client_id_twice(same_image: bool) -> None:
    """Two gateways that throw each other off the broker are said as such; no loop of rebirths follows."""
    made = HostSession("centre", Random(1), rebirth_jitter_ms=0)
    one, two = gateway(), gateway(bd_seq=-1 if same_image else 90, spool="s-1" if same_image else "s-2")
    events: list[HostEvent] = []
    will, births = connect(one, 0)
    events += give(made, births, 0)
    for turn in range(12):
        now = 3_000 * (turn + 1)
        taking = two if turn % 2 == 0 else one
        old, (will, births) = will, connect(taking, now)
        events += give(made, [old, *births, data(taking, now)], now) + made.tick(now)
    doubts = [e for e in events if isinstance(e, Doubted)]
    assert doubts[-1].several
    assert doubts[-1].until_ms > 30_000
    assert not [e for e in events if isinstance(e, RebirthAsked)]


def test_two_agents_with_one_name() -> None:
    """Two agents connected at once as one node: said within seconds, readings used, no rebirth loop."""
    made = HostSession("centre", Random(1), rebirth_jitter_ms=0)
    one, two = gateway(bd_seq=3), gateway(bd_seq=70, spool="s-2")
    for session in (one, two):
        give(made, connect(session, 0)[1], 0)
    asked: list[int] = []
    said: list[int] = []
    used = sent = 0
    for now in range(0, 300_000, 250):
        events = give(made, [data(one, now), data(two, now + 100)], now) + made.tick(now)
        sent += 2
        for event in events:
            if isinstance(event, RebirthAsked):
                asked.append(now)
                for session in (one, two):  # both hear the command
                    births = [a for a in session.rebirth(now) if isinstance(a, Publish)]
                    events += give(made, births, now)
        said += [now for e in events if isinstance(e, Doubted) and e.several]
        used += sum(isinstance(e, Data) for e in events)
    assert said[0] <= 30_000
    assert len([when for when in asked if when > 60_000]) <= 5
    assert used == sent


def test_healthy_nodes_are_not_doubted() -> None:
    """Restarts, rebirths, lost deaths, a kept and a fresh bdSeq: none of these is two agents."""
    made = HostSession("centre", Random(1))
    events: list[HostEvent] = []
    session = gateway()
    for turn in range(300):  # beyond the wrap of bdSeq
        will, births = connect(session, turn)
        events += give(made, [*births, data(session, turn)], turn)
        events += give(made, [a for a in session.rebirth(turn) if isinstance(a, Publish)], turn)
        if turn % 3:
            events += give(made, [will], turn)
    for turn in range(5):  # another maker's, that counts from 0 after each start
        fresh = EdgeSession("mine", "plc", POINTS)
        will, births = connect(fresh, turn)
        events += give(made, [*births, will], turn)
    assert not [e for e in events if isinstance(e, Doubted)]


def test_one_sign_is_a_doubt_and_passes() -> None:
    """One odd birth makes ids doubtful for a minute, and does not say that two agents speak."""
    made = HostSession("centre", Random(1))
    give(made, connect(gateway(), 0)[1], 0)
    events = give(made, connect(gateway(bd_seq=200, spool="s-9"), 10)[1], 10)
    (doubt,) = [e for e in events if isinstance(e, Doubted)]
    assert (doubt.several, doubt.until_ms) == (False, 60_010)
    speaker = made.nodes["mine", "gw"].speaker
    assert (speaker.is_doubted(60_009), speaker.is_doubted(60_010)) == (True, False)


def test_a_flood_is_followed_by_births() -> None:
    """A node of which data was dropped is asked for its births once, and only when the flood is over."""
    made = HostSession("centre", Random(3), rebirth_jitter_ms=0)
    give(made, connect(gateway(), 1_000)[1], 1_000)
    for now_ms in range(2_000, 8_000, 1_000):
        made.dropped("mine", "gw", now_ms, births_after=True)
    asked = [t for t in range(8_000, 40_000, 500) if any(isinstance(e, RebirthAsked) for e in made.tick(t))]
    assert asked == [17_000]


def test_late_messages_are_used() -> None:
    """What comes after it was given up on is used and counted; the sequence goes on without a second gap."""
    made = HostSession("centre", Random(1), reorder_ms=100)
    session = gateway()
    give(made, connect(session, 0)[1], 0)
    first, second, third = (data(session, i) for i in range(3))
    give(made, [second], 0)
    made.tick(100)
    events = give(made, [first, third], 150)
    assert [type(e) for e in events] == [Repeated, Data, Data]
    assert not [e for e in made.tick(5_000) if isinstance(e, SequenceGap)]


def test_a_jump_of_240_is_still_a_gap() -> None:
    """A loss that looks like lateness is found as soon as a few messages came and none in order."""
    made = HostSession("centre", Random(1), reorder_ms=100)
    session = gateway()
    give(made, connect(session, 0)[1], 0)
    for _ in range(245):
        data(session, 0)
    events: list[HostEvent] = []
    for now in range(0, 4_000, 50):
        events += give(made, [data(session, now)], now) + made.tick(now)
    assert sum(isinstance(e, SequenceGap) for e in events) == 1
    assert sum(isinstance(e, Data) for e in events) == 80


def test_late_device_birth_is_rejected() -> None:
    """A DBIRTH that comes after its turn may describe an older device: it is rejected, births were asked."""
    made = HostSession("centre", Random(1), reorder_ms=0)
    session = gateway()
    births = connect(session, 0)[1]
    give(made, [births[0], data(session, 0)], 0)
    (_, late) = give(made, [births[1]], 1)
    assert isinstance(late, Rejected)
    assert late.reason == "late"


def test_reorder_buffer_is_bounded() -> None:
    """Messages, bytes of a node, bytes of all: whichever is full ends the wait, and no message is lost."""
    bounds = ReorderBounds(node_messages=10, node_bytes=5_000, all_bytes=8_000)
    made = HostSession("centre", Random(1), reorder_ms=60_000, reorder_bounds=bounds)
    sessions = [gateway(f"gw-{i}") for i in range(40)]
    used = 0
    for session in sessions:
        give(made, connect(session, 0)[1], 0)
        data(session, 0)  # this one is lost
    for session in sessions:
        for _ in range(50):
            used += sum(isinstance(e, Data) for e in give(made, [data(session, 0)], 1))
            held = [node.held for node in made.nodes.values()]
            assert sum(h.size for h in held) <= 8_000
            assert max(len(h.messages) for h in held) <= 10
    used += sum(isinstance(e, Data) for e in made.on_disconnected(2))
    assert used == 40 * 50


def test_a_new_birth_begins_anew() -> None:
    """A birth after a gap clears what waited, and the next data is in order."""
    made = HostSession("centre", Random(1))
    session = gateway()
    give(made, connect(session, 0)[1], 0)
    data(session, 1)
    give(made, [data(session, 1)], 1)
    events = give(made, [*connect(session, 2)[1], data(session, 3)], 3)
    assert [type(e) for e in events if isinstance(e, NodeBirth | Data)] == [Data, NodeBirth, Data]
