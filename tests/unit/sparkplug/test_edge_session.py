"""The edge node's half of a session, as timelines of messages."""

import pytest

from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug.actions import (
    Acknowledged,
    EdgeAction,
    HostOffline,
    HostOnline,
    Publish,
    RebirthRequested,
    Refused,
)
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import Message, Metric, decode, encode
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.schema import DataType
from minewatch_edge.sparkplug.state import HostState, encode_state

POINTS = [
    PointBirth("wall", "ch4", "methane", "% CH4", "face", 0, 40),
    PointBirth("wall", "air", "air_velocity", "m/s", "face", 0, 10),
    PointBirth("fan", "rpm", "count", "1", datatype=DataType.INT32),
]
NCMD = "spBv1.0/mine/NCMD/gw"
STATE = "spBv1.0/STATE/centre"


def session(**options: object) -> EdgeSession:
    """A session of a gateway with two devices."""
    return EdgeSession("mine", "gw", POINTS, spool="s-1", **options)  # type: ignore[arg-type]  # test brevity


def born(**options: object) -> EdgeSession:
    """The same after its births."""
    made = session(**options)
    made.will(1)
    made.on_subscribed(2)
    return made


def published(actions: list[EdgeAction]) -> list[tuple[str, Message]]:
    """The verb and payload of what is to be published."""
    return [(a.topic.split("/")[2], decode(a.payload)) for a in actions if isinstance(a, Publish)]


def state(online: bool, at: int) -> bytes:
    """A STATE payload."""
    return encode_state(HostState(online, at))


def command(*metrics: Metric) -> bytes:
    """An NCMD payload."""
    return encode(Message(metrics, 5))


REBIRTH = command(Metric("Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True))


def test_will() -> None:
    """The will is an NDEATH of QoS 1, not retained, with only the bdSeq and no seq."""
    will = session().will(7)
    assert (will.topic, will.qos, will.retain) == ("spBv1.0/mine/NDEATH/gw", 1, False)
    message = decode(will.payload)
    assert message.seq is None
    assert [(m.name, m.value) for m in message.metrics] == [("bdSeq", 0)]


def test_bd_seq_counts_every_connect_and_wraps() -> None:
    """BdSeq goes up by one for each CONNECT, from the last one persisted, and from 255 to 0."""
    made = session(bd_seq=254)
    seen = []
    for now in (1, 2, 3):
        made.will(now)
        seen.append(made.bd_seq)
    assert seen == [255, 0, 1]


def test_subscribe_before_birth() -> None:
    """Commands are subscribed to at QoS 1, and nothing is sent before the broker confirmed that."""
    made = session()
    made.will(1)
    assert made.subscriptions() == ((NCMD, 1), ("spBv1.0/mine/DCMD/gw/+", 1))
    with pytest.raises(WireError, match="not born"):
        made.data("wall", [("ch4", 1, 0.5, 192)], 1, 2)


def test_births() -> None:
    """NBIRTH with seq 0 and the will's bdSeq comes first, then each device; QoS 0, not retained."""
    made = session(bd_seq=8)
    made.will(1)
    actions = made.on_subscribed(2)
    assert all(isinstance(a, Publish) and a.qos == 0 and not a.retain for a in actions)
    messages = published(actions)
    assert [(verb, m.seq) for verb, m in messages] == [("NBIRTH", 0), ("DBIRTH", 1), ("DBIRTH", 2)]
    node = messages[0][1]
    assert node.named("bdSeq") == Metric("bdSeq", None, DataType.INT64, 2, 9)
    rebirth = node.named("Node Control/Rebirth")
    assert rebirth is not None
    assert (rebirth.alias, rebirth.value, rebirth.datatype) == (None, False, DataType.BOOLEAN)
    assert all(m.timestamp_ms is not None and m.datatype for _, b in messages for m in b.metrics)


def test_aliases_are_unique_across_the_node() -> None:
    """No alias stands for two metrics, not even on two devices."""
    made = session()
    made.will(1)
    aliases = [m.alias for _, b in published(made.on_subscribed(2)) for m in b.metrics if m.alias is not None]
    assert len(aliases) == len(set(aliases)) == 8 + 3 + 1 + 3
    assert min(aliases) == 1
    assert max(aliases) == len(aliases)


def test_data() -> None:
    """DDATA holds aliases only, a time for each metric, the message id, and the next seq."""
    made = born()
    sent = made.data("wall", [("air", 12, 1.5, 192), (0, 10, 0.5, 192)], 77, 13)
    message = decode(sent.payload)
    assert sent.topic == "spBv1.0/mine/DDATA/gw/wall"
    assert (message.seq, message.timestamp_ms) == (3, 13)
    assert [(m.name, m.datatype) for m in message.metrics] == [("", 0)] * 3
    assert [(m.alias, m.timestamp_ms, m.value) for m in message.metrics] == [
        (10, 10, 0.5),
        (11, 12, 1.5),
        (9, 13, 77),
    ]


def test_note() -> None:
    """A note is NDATA with its text and its id; before the births it is refused."""
    made = session()
    with pytest.raises(WireError, match="not born"):
        made.note("{}", 5, 1)
    made = born()
    sent = made.note('{"kind":"x"}', 78, 14, historical=True)
    message = decode(sent.payload)
    assert sent.topic == "spBv1.0/mine/NDATA/gw"
    assert [(m.alias, m.value, m.is_historical) for m in message.metrics] == [
        (6, '{"kind":"x"}', True),
        (1, 78, True),
    ]


def test_sequence_wraps() -> None:
    """After 255 comes 0."""
    made = born()
    seen = [decode(made.data("fan", [(0, i, i, 192)], i, i).payload).seq for i in range(260)]
    assert seen[:3] == [3, 4, 5]
    assert seen[250:256] == [253, 254, 255, 0, 1, 2]


@pytest.mark.parametrize(
    ("device", "reading", "says"),
    [("pump", (0, 1, 1.0, 192), "no device 'pump'"), ("wall", ("co", 1, 1.0, 192), "no metric 'co'"),
     ("wall", (9, 1, 1.0, 192), "no metric 9"), ("fan", (0, 1, float("nan"), 192), "is no integer"),
     ("fan", (0, 1, 2**31, 192), "outside INT32")],
)  # fmt: skip
def test_data_refused(device: str, reading: tuple[str | int, int, float, int], says: str) -> None:
    """A reading that no birth announced is refused, and the sequence goes on as if nothing had been."""
    made = born()
    with pytest.raises(WireError, match=says):
        made.data(device, [reading], 1, 2)
    assert decode(made.data("fan", [(0, 1, -5, 192)], 1, 2).payload).seq == 3


def test_historical_touches_no_current_value() -> None:
    """Rows from the spool are marked, and a rebirth says the live value, not theirs."""
    made = born()
    made.data("wall", [("ch4", 100, 0.7, 192)], 5, 100)
    old = decode(made.data("wall", [("ch4", 50, 0.1, 192)], 2, 101, historical=True).payload)
    assert all(m.is_historical for m in old.metrics)
    wall = published(made.rebirth(102))[1][1]
    ch4, ids = wall.named("ch4"), wall.named("minewatch/msg_id")
    assert ch4 is not None
    assert ids is not None
    assert (ch4.value, ch4.timestamp_ms, ids.value) == (0.7, 100, 5)


def test_null_and_quality() -> None:
    """A missing value is null, a doubtful one carries Quality, a good one carries nothing."""
    made = born()
    sent = made.data("wall", [("ch4", 1, None, 0), ("air", 1, 3.0, 64)], 1, 2)
    first, second, _ = decode(sent.payload).metrics
    assert (first.is_null, first.quality) == (True, 0)
    assert (second.value, second.quality) == (3.0, 64)
    assert decode(made.data("wall", [("ch4", 2, 1.0, 192)], 2, 2).payload).metrics[0].quality is None


def test_rebirth_command() -> None:
    """A rebirth keeps bdSeq, starts the sequence at 0, and births everything."""
    made = born(bd_seq=3)
    made.data("fan", [(0, 1, 1, 192)], 1, 2)
    actions = made.receive(NCMD, REBIRTH, 9)
    assert actions[0] == RebirthRequested()
    messages = published(actions)
    assert [(verb, m.seq) for verb, m in messages] == [("NBIRTH", 0), ("DBIRTH", 1), ("DBIRTH", 2)]
    assert messages[0][1].named("bdSeq").value == 4  # type: ignore[union-attr]  # it is there


def test_acknowledgement() -> None:
    """An acknowledgement of this spool frees its rows; one of another spool frees nothing."""
    made = born()
    for spool, wanted in (("s-1", Acknowledged), ("s-0", Refused)):
        raw = command(Metric("minewatch/ack", value=41), Metric("minewatch/spool", value=spool))
        (action,) = made.receive(NCMD, raw, 5)
        assert isinstance(action, wanted)
    (nameless,) = made.receive(NCMD, command(Metric("minewatch/ack", value=41)), 5)
    assert isinstance(nameless, Refused)


def test_command_without_time_is_obeyed() -> None:
    """A command whose payload has no time is obeyed: some tools send such."""
    raw = encode(Message((Metric("Node Control/Rebirth", value=True),)))
    assert RebirthRequested() in born().receive(NCMD, raw, 9)


def test_rubbish_is_refused() -> None:
    """Bytes that are no payload, and commands to devices, change nothing."""
    made = born()
    (bad,) = made.receive(NCMD, b"\xff\xff", 9)
    (device,) = made.receive("spBv1.0/mine/DCMD/gw/fan", REBIRTH, 9)
    assert isinstance(bad, Refused)
    assert isinstance(device, Refused)
    assert (bad.reason, device.reason) == ("unreadable", "not-a-command")


def test_waits_for_its_host() -> None:
    """With a primary host, births wait for both the subscriptions and the host's online STATE."""
    made = session(primary_host="centre")
    made.will(1)
    assert (STATE, 1) in made.subscriptions()
    assert made.on_subscribed(2) == []
    assert not made.host_online
    actions = made.receive(STATE, state(True, 50), 3)
    assert actions[0] == HostOnline(50)
    assert [verb for verb, _ in published(actions)] == ["NBIRTH", "DBIRTH", "DBIRTH"]


def test_host_known_before_suback() -> None:
    """A retained STATE that overtakes the confirmation lets births go with the confirmation."""
    made = session(primary_host="centre")
    made.will(1)
    assert made.receive(STATE, state(True, 50), 2) == [HostOnline(50)]
    assert [verb for verb, _ in published(made.on_subscribed(3))] == ["NBIRTH", "DBIRTH", "DBIRTH"]


def test_host_goes_offline() -> None:
    """When its host goes, the node sends NDEATH, asks to disconnect, and sends no more data."""
    made = session(primary_host="centre")
    made.will(1)
    made.on_subscribed(2)
    made.receive(STATE, state(True, 50), 3)
    actions = made.receive(STATE, state(False, 50), 4)
    assert [verb for verb, _ in published(actions)] == ["NDEATH"]
    assert actions[-1] == HostOffline(50)
    with pytest.raises(WireError):
        made.data("fan", [(0, 1, 1, 192)], 1, 5)


def test_stale_state_is_ignored() -> None:
    """A STATE older than the last one on this connection is ignored; a new connection begins anew."""
    made = session(primary_host="centre")
    made.will(1)
    made.on_subscribed(2)
    made.receive(STATE, state(True, 50), 3)
    (refused,) = made.receive(STATE, state(False, 49), 4)
    assert isinstance(refused, Refused)
    assert made.born
    made.will(5)
    made.on_subscribed(6)
    assert made.receive(STATE, state(True, 20), 7)[0] == HostOnline(20)


def test_device_death_and_return() -> None:
    """A device that dies says so in sequence; births name it, and when it is back all are born again."""
    made = born()
    ((verb, message),) = published(made.device_death("fan", 5))
    assert (verb, message.seq) == ("DDEATH", 3)
    with pytest.raises(WireError):
        made.data("fan", [(0, 1, 1, 192)], 1, 5)
    assert not made.online("fan")
    assert [v for v, _ in published(made.device_birth("fan", 7))] == ["NBIRTH", "DBIRTH", "DBIRTH"]
    assert made.online("fan")
    made.device_death("fan", 8)
    assert [v for v, _ in published(made.rebirth(9))] == ["NBIRTH", "DBIRTH", "DBIRTH"]
    assert [v for v, _ in published(made.device_death("fan", 9))] == ["DDEATH"]


def test_node_values() -> None:
    """The spool's figures go out when they change, and stand in the next birth."""
    made = born()
    ((verb, message),) = published(made.set_node_values(5, spool_rows=9, spool_first=3, spool_oldest=4))
    assert (verb, [(m.alias, m.value, m.datatype) for m in message.metrics]) == (
        "NDATA",
        [(2, 9, 0), (5, 3, 0), (8, 4, 0)],
    )
    assert made.set_node_values(6, spool_rows=9, spool_first=3, spool_oldest=4) == []
    node = published(made.rebirth(7))[0][1]
    assert node.named("minewatch/spool_rows").value == 9  # type: ignore[union-attr]  # it is there


def test_intended_death() -> None:
    """Before it leaves, a node says its own NDEATH with the present bdSeq."""
    made = born(bd_seq=5)
    last = made.death(9)
    assert decode(last.payload).metrics[0].value == 6
    assert not made.born


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([PointBirth("a", "x", "value", "1"), PointBirth("A", "X", "value", "1")], "twice"),
        ([PointBirth("a/b", "x", "value", "1")], "reserve"),
        ([PointBirth("a", "", "value", "1")], "must not be called"),
        ([PointBirth("a", "x", "value", "1", datatype=DataType.STRING)], "no type of a reading"),
    ],
)
def test_contradictory_declarations(points: list[PointBirth], says: str) -> None:
    """A declaration that Sparkplug does not allow is refused before anything is sent."""
    with pytest.raises(WireError, match=says):
        EdgeSession("mine", "gw", points)
