"""How the edge node's sessions go: names, will, primary host, commands, devices, the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.sparkplug import edge_mutants as mutant
from conformance.sparkplug.edge_story import GROUP, HOST, NODE, Edge, Evidence
from conformance.sparkplug.frame import change, proves
from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug import edge_session
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.codec import Metric
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.sparkplug.schema import DataType
from minewatch_edge.sparkplug.state import HostState, decode_state

# --- will and bdSeq ----------------------------------------------------------------------------------------


@proves(
    "edge", "topics-ndeath-payload",
    mutants=(
        mutant.without("NDEATH", "bdSeq"),
        mutant.payload("NDEATH", "NDEATH with more", lambda raw: raw.metrics.add(name="why")),
    ),
)  # fmt: skip
def ndeath_has_bdseq_only(seen: Evidence) -> None:
    """NDEATH, as a will and as a message, holds the bdSeq and nothing else."""
    for sent in (*seen.story.edge.wills, *seen.story.edge.of("NDEATH")):
        assert [m.name for m in sent.message.metrics] == ["bdSeq"]


@proves(
    "edge", "topics-ndeath-seq", "payloads-ndeath-seq",
    mutants=mutant.payload("NDEATH", "NDEATH with seq", lambda raw: setattr(raw, "seq", 0)),
)  # fmt: skip
def ndeath_has_no_seq(seen: Evidence) -> None:
    """NDEATH, as a will and as a message, has no sequence number."""
    assert seen.story.edge.of("NDEATH")
    assert all(s.message.seq is None for s in (*seen.story.edge.wills, *seen.story.edge.of("NDEATH")))


def _stays(self: EdgeSession, now_ms: int) -> Publish:
    self.on_disconnected()
    self._bd_seq = max(self._bd_seq, 0)
    return self._death(now_ms, qos=1)


def _never_wraps(self: EdgeSession, now_ms: int) -> Publish:
    self.on_disconnected()
    self._bd_seq += 1
    return self._death(now_ms, qos=1)


def _starts_at_one(self: EdgeSession, now_ms: int) -> Publish:
    self.on_disconnected()
    self._bd_seq = (max(self._bd_seq, 0) + 1) % 256
    return self._death(now_ms, qos=1)


@proves(
    "edge", "topics-nbirth-bdseq-increment",
    "message-flow-edge-node-birth-publish-will-message-payload-bdSeq",
    mutants=(
        change(EdgeSession, "will", _stays, "bdSeq that stays"),
        change(EdgeSession, "will", _never_wraps, "bdSeq beyond 255"),
        change(EdgeSession, "will", _starts_at_one, "bdSeq that starts at one"),
        mutant.metrics("NDEATH", "bdSeq as Int32", lambda m: setattr(m, "datatype", 3)),
    ),
)  # fmt: skip
def bdseq_counts_connects(seen: Evidence) -> None:
    """The will's bdSeq starts at 0, goes up by one with each CONNECT, and after 255 comes 0; it is Int64."""
    found = []
    for start in (None, 254):
        edge = seen.edge(bd_seq=start)
        for _ in range(3):
            edge.connect()
            edge.lose()
        found.append([s.message.metrics[0].value for s in edge.wills])
        assert all(s.message.metrics[0].datatype == DataType.INT64 for s in edge.wills)
    assert found == [[0, 1, 2], [255, 0, 1]]


# --- primary host ------------------------------------------------------------------------------------------


def _is_online(self: EdgeSession) -> bool:
    return True


@proves(
    "edge", "message-flow-edge-node-birth-publish-phid-wait",
    "operational-behavior-edge-node-birth-sequence-wait",
    mutants=change(EdgeSession, "host_online", property(_is_online), "births without the host"),
)  # fmt: skip
def births_wait_for_the_host(seen: Evidence) -> None:
    """With a primary host nothing is published until its STATE says online."""
    edge = seen.edge()
    edge.connect()
    edge.sample("wall", 0.2)
    edge.pass_(3)
    assert edge.sent == []
    edge.state(online=True)
    assert edge.of("NBIRTH")


_receive = EdgeSession.receive


def _any_host(self: EdgeSession, topic: str, payload: bytes, now_ms: int) -> Any:
    return _receive(self, self._state if "/STATE/" in topic else topic, payload, now_ms)


@proves(
    "edge", "message-flow-edge-node-birth-publish-phid-wait-id",
    mutants=change(EdgeSession, "receive", _any_host, "any host will do"),
)  # fmt: skip
def another_host_does_not_count(seen: Evidence) -> None:
    """The STATE of another host application is not that of ours."""
    edge = seen.edge()
    edge.connect()
    edge.state(online=True, host=HOST + "2")
    assert edge.sent == []


def _always_online(raw: bytes) -> HostState:
    return HostState(True, decode_state(raw).timestamp_ms)


@proves(
    "edge", "message-flow-edge-node-birth-publish-phid-wait-online",
    mutants=change(edge_session, "decode_state", _always_online, "any STATE is online"),
)  # fmt: skip
def offline_is_not_online(seen: Evidence) -> None:
    """A STATE that says online false lets nothing be born."""
    edge = seen.edge()
    edge.connect()
    edge.state(online=False)
    assert edge.sent == []


class _Ageless:
    """Reads STATE as if each one were the newest."""

    def __init__(self) -> None:
        self.count = 10**15

    def __call__(self, raw: bytes) -> HostState:
        self.count += 1
        return HostState(decode_state(raw).online, self.count)


def _only_newer(raw: bytes) -> HostState:
    state = decode_state(raw)
    return HostState(state.online, state.timestamp_ms if not state.online else state.timestamp_ms - 1)


@proves(
    "edge", "message-flow-edge-node-birth-publish-phid-wait-timestamp",
    mutants=(
        change(edge_session, "decode_state", _Ageless(), "STATE times are ignored"),
        change(edge_session, "decode_state", _only_newer, "an equal STATE time is refused"),
    ),
)  # fmt: skip
def an_older_online_does_not_count(seen: Evidence) -> None:
    """An online STATE counts only when it is not older than the one before; an equal time counts."""
    edge = seen.edge()
    edge.connect()
    edge.state(online=False, at_ms=1_000)
    edge.state(online=True, at_ms=999)
    assert edge.sent == []
    edge.state(online=True, at_ms=1_000)
    assert edge.of("NBIRTH")


@proves(
    "edge", "operational-behavior-edge-node-termination-host-offline-timestamp",
    mutants=change(edge_session, "decode_state", _Ageless(), "STATE times are ignored"),
)  # fmt: skip
def an_older_offline_does_not_count(seen: Evidence) -> None:
    """An offline STATE older than the online one ends nothing."""
    edge = seen.edge()
    edge.born()
    edge.state(online=False, at_ms=edge.now_ms - 1)
    edge.sample("wall", 0.2)
    assert edge.of("NDEATH") == []
    assert edge.of("DDATA")
    assert edge.broker.dropped == 0


def _deaf(raw: bytes) -> HostState:
    state = decode_state(raw)
    if not state.online:
        raise WireError("not heard")
    return state


def _no_death(self: EdgeSession, payload: bytes, now_ms: int) -> Any:
    return [
        a for a in _on_state(self, payload, now_ms) if not isinstance(a, Publish) or "/NDEATH/" not in a.topic
    ]


_on_state = EdgeSession._on_state


@proves(
    "edge", "message-flow-edge-node-birth-publish-phid-offline",
    "operational-behavior-edge-node-termination-host-offline",
    "operational-behavior-edge-node-termination-host-offline-reconnect",
    mutants=(
        change(edge_session, "decode_state", _deaf, "STATE offline is ignored"),
        change(EdgeSession, "_on_state", _no_death, "it leaves without NDEATH"),
    ),
)  # fmt: skip
def it_leaves_when_the_host_goes(seen: Evidence) -> None:
    """When the host goes offline, NDEATH goes out, the connection ends, and a new one waits for the host."""
    edge = seen.edge()
    edge.born()
    edge.pass_(0.1)
    edge.state(online=False)
    assert edge.sent[-1].verb == "NDEATH"
    assert edge.broker.dropped == 1
    before = len(edge.sent)
    edge.sample("wall", 0.2)
    edge.connect()
    edge.sample("wall", 0.3)
    assert len(edge.sent) == before
    edge.state(online=True)
    assert edge.sent[before].verb == "NBIRTH"
    values = [s.message.metrics[0].value for s in (edge.wills[-1],)]
    assert edge.sent[before].message.named("bdSeq").value == values[0]  # type: ignore[union-attr]  # checked


# --- commands ----------------------------------------------------------------------------------------------


def _on_command_then(spoil: Callable[[EdgeSession, list[Any], int], list[Any]]) -> Any:
    def handle(self: EdgeSession, payload: bytes, now_ms: int) -> Any:
        return spoil(self, _on_command(self, payload, now_ms), now_ms)

    return handle


_on_command = EdgeSession._on_command


def _data_first(self: EdgeSession, actions: list[Any], now_ms: int) -> list[Any]:
    return [self.data("wall", [(0, now_ms, 1.0, 192)], None, now_ms), *actions]


def _half(self: EdgeSession, actions: list[Any], _now_ms: int) -> list[Any]:
    return actions[:-1]


def _new_bd_seq(self: EdgeSession, _actions: list[Any], now_ms: int) -> list[Any]:
    self._bd_seq += 1
    return list(self._births(now_ms))


def _at_rebirth(seen: Evidence) -> list[Any]:
    marks = seen.story.marks
    return seen.story.edge.sent[marks["rebirth"] : marks["reborn"]]


@proves(
    "edge", "operational-behavior-data-commands-rebirth-action-1",
    mutants=change(EdgeSession, "_on_command", _on_command_then(_data_first), "data goes on"),
)  # fmt: skip
def rebirth_stops_data(seen: Evidence) -> None:
    """After a rebirth command nothing goes out before NBIRTH."""
    assert _at_rebirth(seen)[0].verb == "NBIRTH"


@proves(
    "edge", "operational-behavior-data-commands-rebirth-action-2",
    mutants=(
        change(EdgeSession, "_on_command", _on_command_then(_half), "a device is left out"),
        change(EdgeSession, "_on_command", _on_command_then(lambda *_: []), "rebirth is ignored"),
    ),
)  # fmt: skip
def rebirth_is_whole(seen: Evidence) -> None:
    """A rebirth is NBIRTH and every DBIRTH, and nothing between them."""
    assert [(s.verb, s.device) for s in _at_rebirth(seen)] == [
        ("NBIRTH", ""),
        ("DBIRTH", "wall"),
        ("DBIRTH", "fan"),
    ]


@proves(
    "edge", "operational-behavior-data-commands-rebirth-action-3",
    mutants=change(EdgeSession, "_on_command", _on_command_then(_new_bd_seq), "bdSeq goes up"),
)  # fmt: skip
def rebirth_keeps_bdseq(seen: Evidence) -> None:
    """The NBIRTH of a rebirth has the bdSeq of the will."""
    found = _at_rebirth(seen)[0].message.named("bdSeq")
    assert found is not None
    assert found.value == seen.story.edge.wills[-1].message.metrics[0].value


# --- devices -----------------------------------------------------------------------------------------------


def _nothing(*_: Any) -> list[Any]:
    return []


def _late_birth(self: EdgeSession, device: str, now_ms: int) -> list[Any]:
    self._devices[device].online = True
    return [self._device_birth(device, now_ms)]


@proves(
    "edge", "operational-behavior-device-ddeath",
    mutants=(
        change(EdgeSession, "device_death", _nothing, "no DDEATH"),
        change(EdgeSession, "device_birth", _late_birth, "a DBIRTH amid data"),
    ),
)  # fmt: skip
def a_dead_device_is_told(seen: Evidence) -> None:
    """A device that does not answer gets DDEATH and no data; when it is back, all births come first."""
    edge, marks = seen.story.edge, seen.story.marks
    dying = [s for s in edge.sent[marks["before death"] : marks["dead"]] if s.device == "fan"]
    assert [s.verb for s in dying] == ["DDATA", "DDEATH"]
    assert all(m.is_null for m in dying[0].message.metrics[:-1])
    back = [s for s in edge.sent[marks["dead"] : marks["rebirth"]] if s.verb != "NDATA"]
    assert [s.verb for s in back] == ["NBIRTH", "DBIRTH", "DBIRTH", "DDATA"]


# --- subscriptions and the end ---------------------------------------------------------------------------


def _wanted(edge: Edge) -> dict[str, int]:
    return dict(edge.subscriptions)


def _subscribe_at(qos: int, *leave_out: str) -> Any:
    def subscriptions(self: EdgeSession) -> Any:
        return tuple((t, qos) for t, _ in _subscriptions(self) if not any(part in t for part in leave_out))

    return subscriptions


_subscriptions = EdgeSession.subscriptions


@proves(
    "edge", "topics-ncmd-topic",
    mutants=change(EdgeSession, "subscriptions", _subscribe_at(1, "NCMD"), "no subscription to NCMD"),
)  # fmt: skip
def commands_are_heard(seen: Evidence) -> None:
    """Commands to the node are taken from spBv1.0/group/NCMD/node."""
    assert f"spBv1.0/{GROUP}/NCMD/{NODE}" in _wanted(seen.story.edge)


@proves(
    "edge", "topics-dcmd-topic", "message-flow-device-dcmd-subscribe",
    mutants=(
        change(EdgeSession, "subscriptions", _subscribe_at(1, "DCMD"), "no subscription to DCMD"),
        change(EdgeSession, "subscriptions", _subscribe_at(0), "subscriptions at QoS 0"),
    ),
)  # fmt: skip
def device_commands_are_heard(seen: Evidence) -> None:
    """Commands to every device are subscribed to at QoS 1, though no device here takes any."""
    edge = seen.edge()
    edge.born()
    assert _wanted(edge).get(f"spBv1.0/{GROUP}/DCMD/{NODE}/+") == 1
    before = len(edge.sent)
    edge.command(Metric("rpm", datatype=DataType.INT32, value=1), verb="DCMD", device="fan")
    assert len(edge.sent) == before
