"""The host application's half of Sparkplug sessions, without input or output: time in, events out.

Births, deaths, data in sequence, a reorder buffer, rebirth requests (rate-limited and spread), own STATE.
DATA is handed on undecoded; only its sequence number is read here, through a function the caller may replace
by a faster one. A caller with a fast path of its own asks `in_order` first and `receive` when that says no.
Source: Eclipse Sparkplug 3.0, chapters 5 and 6.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug import births, codec, topics
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.events import (
    Data,
    DeviceBirth,
    DeviceDeath,
    Doubted,
    HostEvent,
    NodeBirth,
    NodeDeath,
    RebirthAsked,
    Reconnect,
    Rejected,
    Repeated,
    SequenceGap,
)
from minewatch_edge.sparkplug.rebirths import Rebirths
from minewatch_edge.sparkplug.reorder import Held, Reorder, ReorderBounds
from minewatch_edge.sparkplug.schema import DataType
from minewatch_edge.sparkplug.speaker import Speaker
from minewatch_edge.sparkplug.state import HostState, decode_state, encode_state

_NEVER = -(1 << 62)
_LATE = 16  # a sequence number this far behind may be a repeated message instead of a gap of 240
_RUN = 2  # so many of those without one in order between them, then it is held to be a gap
_SLOWER = 12  # times longer between two requests where two agents speak: births do not mend it
_LOSSY_MS = 10_000
_STRANGERS = 1_000  # nodes without a birth that are remembered, so that each is asked for it


@dataclass(slots=True)
class NodeState:
    """One node as the host follows it; ``expected`` is the next sequence number, -1 while it is not born."""

    group: str
    node: str
    expected: int = -1
    bd_seq: int | None = None
    held: Held = field(default_factory=Held)
    speaker: Speaker = field(default_factory=Speaker)
    requested_ms: int = _NEVER
    lossy_ms: int = _NEVER  # until when messages are missing because the caller dropped them
    missed: set[int] = field(default_factory=set)  # numbers that were given up on
    late_at: int = -1  # the number expected when repeated messages began to come
    late: int = 0  # how many came since, without one in order

    @property
    def online(self) -> bool:
        """Whether the node is born and not dead."""
        return self.expected >= 0


class HostSession:
    """Every node a host hears, and the host's own STATE."""

    def __init__(
        self,
        host_id: str,
        rng: Random,
        *,
        reorder_ms: int = 1_000,
        rebirth_interval_ms: int = 5_000,
        rebirth_jitter_ms: int = 1_000,
        rebirths_per_second: int = 20,
        reorder_bounds: ReorderBounds | None = None,
        max_nodes: int = 10_000,
        sequence: Callable[[bytes], int | None] = codec.sequence,
    ) -> None:
        """``rng`` spreads rebirth requests; ``sequence`` reads a payload's seq or raises WireError."""
        self.host_id = topics.check_id("host", host_id)
        self.nodes: dict[tuple[str, str], NodeState] = {}
        self._topic = topics.state_topic(host_id)
        self._reorder_ms = reorder_ms
        self._interval_ms = rebirth_interval_ms
        self._jitter_ms = rebirth_jitter_ms
        self._max_nodes = max_nodes
        self._sequence = sequence
        self._state_ms = 0
        self._floor_ms = 0
        self._announced = False
        self._reorder = Reorder(reorder_bounds or ReorderBounds())
        self._waiting: dict[tuple[str, str], int] = {}  # node -> when its held messages are given up on
        self._rebirths = Rebirths(rng, jitter_ms=rebirth_jitter_ms, per_second=rebirths_per_second)
        self._strangers: OrderedDict[tuple[str, str], NodeState] = OrderedDict()  # data, but no birth yet

    def will(self, now_ms: int) -> Publish:
        """Begin a new connection and return the offline STATE that CONNECT must carry as its will."""
        self._announced = False
        self._state_ms = max(now_ms, self._floor_ms)
        return self._state(online=False, timestamp_ms=self._state_ms)

    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """Return (topic, QoS) to subscribe to before STATE goes out.

        Data is sent at QoS 0, and a broker that lifts it to the QoS of the subscription (rumqttd does) would
        make each message cost twice; deaths, sent at QoS 1, are asked for as such.
        """
        deaths = topics.node_topic("+", "NDEATH", "+")
        return (self._topic, 1), (f"{topics.NAMESPACE}/#", 0), (deaths, 1)

    def on_subscribed(self) -> Publish:
        """Return the online STATE, with the same time as the will of this connection."""
        self._announced = True
        return self._state(online=True, timestamp_ms=self._state_ms)

    def on_disconnected(self, now_ms: int) -> list[HostEvent]:
        """Give every node up: without the broker nothing is known of any."""
        self._announced = False
        return [e for node in self.nodes.values() if node.online for e in self._die(node, now_ms)]

    def death(self, now_ms: int) -> Publish:
        """Return the offline STATE to send before an intended disconnect."""
        self._announced = False
        return self._state(online=False, timestamp_ms=max(now_ms, self._state_ms))

    def in_order(self, node: NodeState, seq: int) -> bool:
        """Take a DATA message by its sequence number alone; False when `receive` has to look at it."""
        if seq != node.expected or node.held:
            return False
        node.expected = (seq + 1) & 255
        return True

    def receive(self, topic: str, payload: bytes, now_ms: int) -> list[HostEvent]:
        """Handle one message from the broker."""
        try:
            parsed = topics.parse(topic)
        except WireError as error:
            return [Rejected(topic, "topic", str(error))]
        try:
            return self._handle(parsed, payload, now_ms)
        except WireError as error:
            return [Rejected(topic, "payload", str(error))]

    def tick(self, now_ms: int) -> list[HostEvent]:
        """Do what has come due: give up on missing messages, send rebirth requests."""
        events: list[HostEvent] = []
        for key in _due(self._waiting, now_ms, self._reorder_ms):
            events += self._give_up(self.nodes[key], now_ms)
        for key in self._rebirths.take(now_ms, _SLOWER * self._interval_ms + self._jitter_ms):
            node = self.nodes.get(key) or self._strangers.get(key)
            if node is not None:
                events += self._ask(node, now_ms)
        return events

    def next_tick_ms(self, now_ms: int) -> int | None:
        """Return when `tick` next has something to do, None when nothing waits."""
        due = list(self._waiting.values())
        asking = self._rebirths.next_ms(now_ms)
        if asking is not None:
            due.append(asking)
        return min(due) if due else None

    def request_rebirth(self, group: str, node: str, now_ms: int) -> None:
        """Ask a node for its births at the next fitting moment (alias unknown, births contradictory)."""
        found = self.nodes.get((group, node))
        if found is not None:
            self._schedule(found, now_ms)

    def dropped(self, group: str, node: str, now_ms: int, *, births_after: bool = False) -> None:
        """Know that the caller drops data of a node: for seconds a gap is no reason to wait or to ask.

        With ``births_after`` it is asked for births once nothing was dropped for so long.
        """
        found = self.nodes.get((group, node))
        if found is not None:
            found.lossy_ms = now_ms + _LOSSY_MS
            if births_after:
                self._rebirths.put_off((group, node), found.lossy_ms)

    def acknowledge(self, group: str, node: str, spool: str, upto: int, now_ms: int) -> Publish:
        """Return the command that tells a node which spool ids the store holds."""
        metrics = (
            codec.Metric(births.ACK, datatype=DataType.UINT64, timestamp_ms=now_ms, value=upto),
            codec.Metric(births.SPOOL, datatype=DataType.STRING, timestamp_ms=now_ms, value=spool),
        )
        return _command(group, node, metrics, now_ms)

    def _handle(self, topic: topics.Topic, payload: bytes, now_ms: int) -> list[HostEvent]:
        if topic.verb == topics.STATE:
            return self._on_own_state(payload) if topic.host == self.host_id else []
        if topic.verb in ("NCMD", "DCMD"):
            return []
        key = topic.group, topic.node
        node = self.nodes.get(key)
        if topic.verb == "NBIRTH":
            return self._on_birth(key, node, topic, payload, now_ms)
        if topic.verb == "NDEATH":
            return self._on_death(node, topic, payload, now_ms)
        return self._on_sequenced(node or self._stranger(key), topic, payload, now_ms)

    def _stranger(self, key: tuple[str, str]) -> NodeState:
        """Return a node that was not born yet; whoever invents names pushes out only other such."""
        node = self._strangers.get(key)
        if node is None:
            if len(self._strangers) >= _STRANGERS:
                oldest, _ = self._strangers.popitem(last=False)
                self._rebirths.settle(oldest)
            node = self._strangers[key] = NodeState(*key)
        return node

    def _on_own_state(self, payload: bytes) -> list[HostEvent]:
        """Answer a STATE under our own name that is not what we said on this connection."""
        state = decode_state(payload)
        if not self._announced:
            return []
        if state.timestamp_ms > self._state_ms:
            self._floor_ms = state.timestamp_ms + 1
            return [Reconnect(f"the broker keeps a STATE of {self.host_id!r} that is newer than this one")]
        return [] if state.online else [self._state(online=True, timestamp_ms=self._state_ms)]

    def _on_birth(
        self, key: tuple[str, str], node: NodeState | None, topic: topics.Topic, payload: bytes, now_ms: int
    ) -> list[HostEvent]:
        message = codec.decode(payload)
        if node is None:
            if len(self.nodes) >= self._max_nodes:
                return [Rejected(str(topic), "too-many-nodes", f"{self._max_nodes} nodes are known")]
            node = self._strangers.pop(key) if key in self._strangers else NodeState(*key)
            self.nodes[key] = node
        again = node.online
        events = self._release(node, now_ms) if again else []
        bd_seq, spool = message.named(births.BD_SEQ), message.named(births.SPOOL)
        node.bd_seq = bd_seq.value if bd_seq is not None and isinstance(bd_seq.value, int) else None
        said = spool.value if spool is not None and isinstance(spool.value, str) else ""
        events += self._doubt(node, node.speaker.born(node.bd_seq, said, again, now_ms), now_ms)
        node.expected = ((message.seq or 0) + 1) & 255
        node.missed.clear()
        self._rebirths.settle(key)
        return [*events, NodeBirth(node.group, node.node, message, now_ms, again)]

    def _doubt(self, node: NodeState, why: str, now_ms: int) -> list[HostEvent]:
        several = node.speaker.are_several(now_ms)
        return [Doubted(node.group, node.node, why, several, node.speaker.doubted_ms)] if why else []

    def _on_death(
        self, node: NodeState | None, topic: topics.Topic, payload: bytes, now_ms: int
    ) -> list[HostEvent]:
        bd_seq = codec.decode(payload).named(births.BD_SEQ)
        said = bd_seq.value if bd_seq is not None else None
        if node is None or not node.online:
            return []  # the will that follows an NDEATH, or a node this host never heard
        if said != node.bd_seq:
            return [Rejected(str(topic), "stale-death", f"bdSeq {said!r} died, {node.bd_seq!r} is alive")]
        return self._die(node, now_ms)

    def _die(self, node: NodeState, now_ms: int) -> list[HostEvent]:
        events = self._release(node, now_ms)
        node.expected = -1
        self._rebirths.settle((node.group, node.node))
        return [*events, NodeDeath(node.group, node.node, now_ms)]

    def _on_sequenced(
        self, node: NodeState, topic: topics.Topic, payload: bytes, now_ms: int
    ) -> list[HostEvent]:
        seq = self._sequence(payload)
        if seq is None or seq > 255:
            return [Rejected(str(topic), "no-seq", f"sequence number is {seq}, not 0..255")]
        if not node.online:
            self._schedule(node, now_ms)
            return [Rejected(str(topic), "not-born", "data of a node whose birth was not seen")]
        events: list[HostEvent] = []
        if seq in node.held:  # a whole round of 256 without the missing one
            events = self._give_up(node, now_ms)
        if seq == node.expected:
            events += self._apply(topic, payload, now_ms)
            node.expected = (seq + 1) & 255
            return events + self._drain(node, now_ms)
        if self._is_late(node, seq):
            return events + self._take_late(node, topic, payload, now_ms)
        if not node.held:
            self._waiting[node.group, node.node] = now_ms + self._reorder_ms
        fits = self._reorder.put(node.held, seq, topic, payload)
        at_once = self._reorder_ms <= 0 or not fits or now_ms < node.lossy_ms
        return events + (self._give_up(node, now_ms) if at_once else [])

    def _is_late(self, node: NodeState, seq: int) -> bool:
        """Return whether a message comes after its turn: given up on before, or repeated."""
        behind = (node.expected - seq) & 255
        if seq in node.missed and behind < 128:
            node.missed.discard(seq)
            return True
        if not 0 < behind <= _LATE:
            return False
        if node.late_at != node.expected:
            node.late_at, node.late = node.expected, 0
        node.late += 1
        return node.late <= _RUN

    def _take_late(
        self, node: NodeState, topic: topics.Topic, payload: bytes, now_ms: int
    ) -> list[HostEvent]:
        """Use a message that was given up on, or that a second agent sent: its readings are readings."""
        doubt = self._doubt(node, node.speaker.repeated(now_ms), now_ms)
        repeated = Repeated(node.group, node.node)
        if topic.verb in ("DDATA", "NDATA"):
            return [repeated, *doubt, *self._apply(topic, payload, now_ms)]
        return [repeated, *doubt, Rejected(str(topic), "late", "births were asked for when it was missing")]

    def _drain(self, node: NodeState, now_ms: int) -> list[HostEvent]:
        """Apply held messages that are in order now."""
        events: list[HostEvent] = []
        while node.held and (found := self._reorder.pop(node.held, node.expected)) is not None:
            events += self._apply(*found, now_ms)
            node.expected = (node.expected + 1) & 255
        if not node.held:
            self._waiting.pop((node.group, node.node), None)
        return events

    def _give_up(self, node: NodeState, now_ms: int) -> list[HostEvent]:
        """Say that messages are missing, go on with those that came, and ask for births."""
        first = self._reorder.first(node.held, node.expected)
        gap = SequenceGap(node.group, node.node, node.expected, first)
        node.missed = {(node.expected + i) & 255 for i in range((first - node.expected) & 255)}
        events = self._release(node, now_ms)
        if now_ms >= node.lossy_ms:
            self._schedule(node, now_ms)
        return [gap, *events]

    def _release(self, node: NodeState, now_ms: int) -> list[HostEvent]:
        """Apply every held message in order of sequence: each is read by the aliases of the present birth."""
        events: list[HostEvent] = []
        while node.held:
            seq = self._reorder.first(node.held, node.expected)
            found = self._reorder.pop(node.held, seq)
            events += self._apply(*found, now_ms) if found is not None else []
            node.expected = (seq + 1) & 255
        self._waiting.pop((node.group, node.node), None)
        return events

    def _apply(self, topic: topics.Topic, payload: bytes, now_ms: int) -> list[HostEvent]:
        if topic.verb in ("DDATA", "NDATA"):
            return [Data(topic.group, topic.node, topic.device, payload, now_ms)]
        try:
            message = codec.decode(payload)
        except WireError as error:
            return [Rejected(str(topic), "payload", str(error))]
        if topic.verb == "DBIRTH":
            return [DeviceBirth(topic.group, topic.node, topic.device, message, now_ms)]
        when = now_ms if message.timestamp_ms is None else message.timestamp_ms
        return [DeviceDeath(topic.group, topic.node, topic.device, when)]

    def _schedule(self, node: NodeState, now_ms: int) -> None:
        slower = _SLOWER if node.speaker.are_several(now_ms) else 1
        key = (node.group, node.node)
        self._rebirths.want(key, node.requested_ms, slower * self._interval_ms, now_ms)

    def _ask(self, node: NodeState, now_ms: int) -> list[HostEvent]:
        node.requested_ms = now_ms
        metric = codec.Metric(births.REBIRTH, datatype=DataType.BOOLEAN, timestamp_ms=now_ms, value=True)
        return [RebirthAsked(node.group, node.node), _command(node.group, node.node, (metric,), now_ms)]

    def _state(self, *, online: bool, timestamp_ms: int) -> Publish:
        return Publish(self._topic, encode_state(HostState(online, timestamp_ms)), qos=1, retain=True)


def _due(times: dict[tuple[str, str], int], now_ms: int, furthest_ms: int) -> list[tuple[str, str]]:
    """Return the nodes whose time has come, or lies further ahead than it can since a clock was set back."""
    return [key for key, due in times.items() if due <= now_ms or due > now_ms + furthest_ms]


def _command(group: str, node: str, metrics: tuple[codec.Metric, ...], now_ms: int) -> Publish:
    raw = codec.encode(codec.Message(metrics, now_ms))
    return Publish(topics.node_topic(group, "NCMD", node), raw)
