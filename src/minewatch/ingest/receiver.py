"""MQTT messages in, columns and news out, without input or output of its own: the heart of the ingest room.

Runs of DATA go through the walker at once; then each message is held against its node's sequence, one
comparison when all is well. Everything else (births, deaths, gaps, names, faults) takes the slow way through
`HostSession` and protobuf. A birth ends a run, since it changes what aliases mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from random import Random

import numpy as np

from minewatch.contracts import I4, Note, ReadingBatch
from minewatch.ingest import counters
from minewatch.ingest.bounds import Bounds
from minewatch.ingest.columns import Gathered, Walked, Walker
from minewatch.ingest.gateways import Gateways
from minewatch.ingest.intake import Intake, Reject, no_deliveries
from minewatch.ingest.kernels.walker import TAKEN
from minewatch.ingest.plain import Decoded, decode_data, quality_from_code
from minewatch.ingest.registry import NODE_VALUES, Node, Registry
from minewatch.ingest.settings import IngestSettings
from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug import codec, topics
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
from minewatch_edge.sparkplug.host_session import HostSession
from minewatch_edge.sparkplug.reorder import ReorderBounds

RUN = 1_024  # messages of one call of the walker
KEPT = 200  # rejects that one intake carries; all are counted
_ROUTES = 100_000
_DATA = ("DDATA", "NDATA")


class Receiver:
    """Everything between the MQTT connection and the hand-over; `outbox` holds what is to be published.

    ``reconnect`` is set, with a reason, when the connection must be made anew.
    """

    def __init__(self, settings: IngestSettings, rng: Random) -> None:
        self.session = HostSession(
            settings.host_id,
            rng,
            reorder_ms=round(settings.reorder_s * 1000),
            rebirth_interval_ms=round(settings.rebirth_interval_s * 1000),
            rebirth_jitter_ms=round(settings.rebirth_jitter_s * 1000),
            rebirths_per_second=settings.rebirths_per_s,
            reorder_bounds=ReorderBounds(
                settings.reorder_messages, settings.reorder_bytes // 8, settings.reorder_bytes
            ),
            max_nodes=settings.max_gateways,
        )
        self.registry = Registry(settings.max_points, settings.max_text_chars)
        self.gateways = Gateways()
        self.outbox: list[Publish] = []
        self.reconnect = ""
        self._max_bytes = settings.max_payload_bytes
        self._bounds = Bounds(settings)
        self._doubted_ms = 0  # until when the ids of some node are not believed
        self._walker = Walker(self.registry)
        self._gathered = Gathered()
        self._routes: dict[str, tuple[Node, str]] = {}
        self._born: list[Node] = []
        self._rejects: list[Reject] = []
        self._notes: list[Note] = []
        self._last_ns = np.zeros(
            0, np.int64
        )  # newest live time of each point, kept when a foreign node is known

    def take(self, messages: Sequence[tuple[str, bytes]], now_ns: int) -> None:
        """Handle messages in order of arrival."""
        counters.MESSAGES.inc(len(messages))
        counters.BYTES.inc(sum(len(payload) for _, payload in messages))
        at = 0
        while at < len(messages):
            run = self._run(messages, at)
            if run:
                at += self._take_run(messages[at : at + len(run)], run, now_ns)
            else:
                self._take_one(*messages[at], now_ns)
                at += 1

    def tick(self, now_ns: int) -> None:
        """Do what has come due."""
        self._follow(self.session.tick(now_ns // 1_000_000), now_ns)

    def lost(self, now_ns: int) -> None:
        """Give every gateway up: the connection to the broker is gone."""
        self._follow(self.session.on_disconnected(now_ns // 1_000_000), now_ns)

    @property
    def has_one_gateway(self) -> bool:
        """Whether no more than one gateway is online: its flood keeps nobody waiting."""
        online = (node for node in self.session.nodes.values() if node.online)
        return len(list(islice(online, 2))) < 2

    def shed(self, gateway: str, count: int, now_ns: int) -> None:
        """Count messages of a gateway that were not taken because it floods while others send."""
        counters.REJECTED.labels("flood").inc(count - 1)  # the row counts as one
        self._reject(Reject(gateway, "flood", f"{count} data messages above the gateway's share"))
        site, _, name = gateway.partition("/")
        node = self.registry.nodes.get((site, name))
        # another maker's node sends a value once: its births say the present ones when the flood is over
        again = node is not None and not node.extension
        self.session.dropped(site, name, now_ns // 1_000_000, births_after=again)
        if node is not None:
            self.gateways.trouble(node, "flood", now_ns)

    def collect(self, now_ns: int) -> Intake | None:
        """Return the news since the last call, None when there are none."""
        points, spools = self.registry.take_news()
        gateways = self.gateways.take_news(now_ns)
        if not (points or spools or gateways or self._gathered or self._rejects or self._notes):
            return None
        batch, deliveries = self._gathered.take()
        counters.READINGS.inc(len(batch))
        rejects, self._rejects = tuple(self._rejects), []
        notes, self._notes = tuple(self._notes), []
        counters.NOTES.inc(len(notes))
        return Intake(points, spools, gateways, batch, deliveries, rejects, notes)

    def known(self) -> Intake:
        """Return every point, spool and gateway, for a core that starts anew."""
        points, spools = self.registry.everything()
        everyone = self.gateways.everything()
        return Intake(points, spools, everyone, ReadingBatch.empty(), no_deliveries())

    def _run(self, messages: Sequence[tuple[str, bytes]], at: int) -> list[tuple[Node, str]]:
        """Return the routes of the DATA messages of known nodes that stand together from ``at`` on."""
        routes, most = self._routes, self._max_bytes
        run: list[tuple[Node, str]] = []
        for topic, payload in messages[at : at + RUN]:
            route = routes.get(topic) or self._route(topic)
            if route is None or len(payload) > most:
                break
            run.append(route)
        return run

    def _route(self, topic: str) -> tuple[Node, str] | None:
        try:
            parsed = topics.parse(topic)
        except WireError:
            return None
        node = self.registry.nodes.get((parsed.group, parsed.node))
        if parsed.verb not in _DATA or node is None:
            return None
        if len(self._routes) >= _ROUTES:
            self._routes.clear()
        self._routes[topic] = node, parsed.device
        return self._routes[topic]

    def _take_run(
        self, messages: Sequence[tuple[str, bytes]], run: list[tuple[Node, str]], now_ns: int
    ) -> int:
        """Handle a run of DATA; return how many messages were handled, fewer when a birth came up."""
        self._refresh()
        n = len(run)
        slots = np.fromiter((node.slot for node, _ in run), np.int64, n)
        walked = self._walker.walk([payload for _, payload in messages], slots)
        self.gateways.heard(slots, walked.stamp_ms, now_ns)
        spools = self.registry.spool[slots]
        if now_ns // 1_000_000 < self._doubted_ms:
            walked.msg_id[self.registry.doubted_ms[slots] > now_ns // 1_000_000] = -1
        in_order, status, seq = self.session.in_order, walked.status, walked.seq
        start = 0
        for i in range(n):
            node = run[i][0]
            if status[i] == TAKEN and node.state is not None and in_order(node.state, seq[i]):
                continue
            self._keep(walked, start, i, spools)
            start = i + 1
            self._take_one(*messages[i], now_ns)
            if self._born:  # aliases may mean something else now
                return i + 1
        self._keep(walked, start, n, spools)
        return n

    def _keep(self, walked: Walked, start: int, stop: int, spools: I4) -> None:
        if stop > start:
            self._remember(self._gathered.add_walked(walked, start, stop, spools))

    def _take_one(self, topic: str, payload: bytes, now_ns: int) -> None:
        refused = self._bounds.refuse(topic, payload)
        if refused is not None:
            self._reject(refused)
            return
        self._follow(self.session.receive(topic, payload, now_ns // 1_000_000), now_ns)

    def _follow(self, events: Sequence[HostEvent], now_ns: int) -> None:
        for event in events:
            if isinstance(event, Data):
                self._on_data(event, now_ns)
            elif isinstance(event, NodeBirth | DeviceBirth):
                self._on_birth(event, now_ns)
            elif isinstance(event, Publish):
                self.outbox.append(event)
            elif isinstance(event, Rejected):
                self._reject(Reject(event.topic, event.reason, event.detail))
            elif isinstance(event, Reconnect):
                self.reconnect = event.why
            elif isinstance(event, DeviceDeath):
                self._on_device_death(event)
            else:
                self._on_node_event(event, now_ns)

    def _on_device_death(self, event: DeviceDeath) -> None:
        """Hold a device for offline since the time that its node says."""
        node = self.registry.nodes[event.group, event.node]
        if not any(device == event.device for device, _ in node.names):
            topic = f"{node.key}/{event.device}"
            self._reject(Reject(topic, "not-born", "death of a device whose birth was not seen"))
            return
        node.dead[event.device] = event.timestamp_ms
        self.gateways.describe(node)

    def _on_node_event(
        self, event: NodeDeath | SequenceGap | RebirthAsked | Repeated | Doubted, now_ns: int
    ) -> None:
        node = self.registry.nodes.get((event.group, event.node))
        if isinstance(event, SequenceGap):
            counters.GAPS.inc()
        elif isinstance(event, RebirthAsked):
            counters.REBIRTHS.inc()
        elif isinstance(event, Repeated):
            counters.REPEATED.inc()
        if node is None:  # asked to be born, never was
            return
        if isinstance(event, SequenceGap):
            self.gateways.gap(node, now_ns)
        elif isinstance(event, RebirthAsked):
            self.gateways.rebirth(node)
        elif isinstance(event, Repeated):
            self.gateways.repeated(node)
        elif isinstance(event, Doubted):
            self._doubt(node, event, now_ns)
        else:
            self.gateways.died(node, now_ns)
            self._call_claimants(node, now_ns)

    def _doubt(self, node: Node, event: Doubted, now_ns: int) -> None:
        """Believe no message id of a node that two agents may speak as: an id of one could hide the other's.

        Live readings are taken as they are; all come again with their ids once the doubt is over.
        """
        self.registry.doubted_ms[node.slot] = event.until_ms
        self._doubted_ms = max(self._doubted_ms, event.until_ms)
        if event.several:
            self.gateways.trouble(node, "two-agents", now_ns)
            self._reject(Reject(node.key, "two-agents", event.why))

    def _on_birth(self, event: NodeBirth | DeviceBirth, now_ns: int) -> None:
        node = self.registry.node(event.group, event.node)
        node.state = self.session.nodes[event.group, event.node]
        self._born.append(node)
        if isinstance(event, NodeBirth):
            rejects = self.registry.node_birth(node, event.message)
            self.gateways.born(node, event.message.timestamp_ms, now_ns)
            device = ""
            self._call_claimants(node, now_ns)
        else:
            device = event.device
            rejects = self.registry.device_birth(node, device, event.message)
        self.gateways.describe(node)
        for reject in rejects:
            self._reject(reject)
            if reject.reason in ("case-twin", "place-taken"):
                self.gateways.trouble(node, reject.reason, now_ns)
        if not node.extension:
            self._take_birth_values(node, device, event.message, event.received_ms)

    def _call_claimants(self, node: Node, now_ns: int) -> None:
        """Ask nodes again that declared a place which this one may have given up."""
        for group, name in self.registry.claimants - {(node.group, node.name)}:
            self.session.request_rebirth(group, name, now_ns // 1_000_000)
        self.registry.claimants &= {(node.group, node.name)}

    def _take_birth_values(self, node: Node, device: str, message: codec.Message, received_ms: int) -> None:
        """Take the values in another maker's birth as readings: by exception, it may not say them again."""
        self._grow()
        done = Decoded(stamp_ms=-1 if message.timestamp_ms is None else message.timestamp_ms)
        default = received_ms if done.stamp_ms < 0 else done.stamp_ms
        for metric in message.metrics:
            entry = node.names.get((device, metric.name))
            if entry is None or entry.code < 0 or metric.value is None:
                continue
            ts_ns = (default if metric.timestamp_ms is None else metric.timestamp_ms) * 1_000_000
            value = _number_of(metric)
            if value is None or not self._last_ns[entry.code] < ts_ns < 1 << 63:
                continue
            grade = 0 if metric.quality is None else quality_from_code(metric.quality)
            done.add(entry.code, ts_ns, value, grade, metric.is_historical)
        if done.point:
            self._remember(self._gathered.add_decoded(done, -1))

    def _on_data(self, event: Data, now_ns: int) -> None:
        node = self.registry.nodes[event.group, event.node]
        topic = f"{node.key}/{event.device}" if event.device else node.key
        counters.FALLBACKS.inc()
        try:
            decoded = decode_data(event.payload, node, event.device, event.received_ms)
        except WireError as error:
            self._reject(Reject(topic, "payload", str(error)))
            return
        for reason, detail in decoded.rejects:
            self._reject(Reject(topic, reason, detail))
        if decoded.unknown:
            self.session.request_rebirth(event.group, event.node, event.received_ms)
            if node.extension:
                return  # not delivered, so it comes again, read by the births that were asked for
        if decoded.node_values:
            node.values.update((k, v) for k, v in decoded.node_values.items() if k in NODE_VALUES)
            self.gateways.said(node)
        if event.received_ms < self.registry.doubted_ms[node.slot]:
            decoded.msg_id = -1
        self.gateways.heard(np.array([node.slot]), np.array([decoded.stamp_ms]), now_ns)
        spool = int(self.registry.spool[node.slot])
        if decoded.note is not None:
            decoded.msg_id = self._take_note(topic, spool, decoded, now_ns)
        self._remember(self._gathered.add_decoded(decoded, spool))

    def _take_note(self, topic: str, spool: int, decoded: Decoded, now_ns: int) -> int:
        """Take a note and return -1, since the core admits its id; without an id it is not taken."""
        if decoded.msg_id < 0 or spool < 0:
            self._reject(Reject(topic, "note", "a note without an id of a spool"))
        else:
            self._notes.append(Note(spool, decoded.msg_id, now_ns, decoded.note or ""))
        return -1

    def _remember(self, batch: ReadingBatch) -> None:
        if self.registry.foreign and len(batch):
            self._grow()
            live = ~batch.historical
            self._last_ns[batch.point[live]] = batch.ts_ns[live]

    def _grow(self) -> None:
        lacking = len(self.registry.points) - len(self._last_ns)
        if lacking > 0:
            self._last_ns = np.concatenate([self._last_ns, np.full(lacking, -1, np.int64)])

    def _refresh(self) -> None:
        if self._born:
            self.registry.refresh(self._born)
            self._born = []

    def _reject(self, reject: Reject) -> None:
        counters.REJECTED.labels(reject.reason).inc()
        if len(self._rejects) < KEPT:
            self._rejects.append(reject)


def _number_of(metric: codec.Metric) -> float | None:
    value = metric.value
    return float(value) if isinstance(value, bool | int | float) else None
