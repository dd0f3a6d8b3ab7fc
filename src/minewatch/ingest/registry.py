"""Births in, points out: what each gateway measures, and which alias stands for which point.

Places are unique: a device that moves to another gateway takes its points along once the old gateway is gone
or no longer declares them. A property that contradicts itself is left out and reported, its point is kept:
a methane reading without a range is worth more than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from minewatch.contracts import I4, I8, U1, PointInfo
from minewatch.ingest.intake import Reject
from minewatch.ingest.kernels.walker import MSG_ID, NODE_VALUE, REFUSED, SENDER_CLOCK, UNKNOWN
from minewatch.ingest.properties import describe
from minewatch_edge.sparkplug import births
from minewatch_edge.sparkplug.codec import Message, Metric
from minewatch_edge.sparkplug.host_session import NodeState
from minewatch_edge.sparkplug.schema import NUMERIC, DataType

NODE_VALUES = frozenset(
    {births.MSG_ID, births.ACK, births.SPOOL, births.SPOOL_ROWS, births.SPOOL_FIRST, births.VERSION}
    | {births.INTERVAL, births.CLOCK, births.SPOOL_OLDEST}
)  # what is kept of the node's own metrics
_WITHOUT_NUMBER = {
    DataType.DATASET: "data-set",
    DataType.TEMPLATE: "template",
    DataType.BYTES: "bytes",
    DataType.FILE: "file",
    DataType.STRING: "not-numeric",
    DataType.TEXT: "not-numeric",
    DataType.UUID: "not-numeric",
    DataType.DATETIME: "not-numeric",
}
_OWN = 1_000  # entries for the nodes' own metrics, beside those of points
_ARRAYS = range(22, 35)  # Int8Array .. DateTimeArray
DENSE = 1 << 20  # aliases above it are never in the walker's table


@dataclass(frozen=True, slots=True)
class Entry:
    """What an alias or a name stands for: a point (code >= 0) or one of the walker's codes."""

    code: int
    datatype: int
    name: str
    device: str


@dataclass(slots=True)
class Node:
    """One gateway as its births describe it; ``slot`` indexes the columns of the registry."""

    group: str
    name: str
    slot: int
    state: NodeState | None = None
    extension: bool = False
    spool: str = ""
    aliases: dict[int, Entry] = field(default_factory=dict)
    names: dict[tuple[str, str], Entry] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    dead: dict[str, int] = field(
        default_factory=dict
    )  # devices that do not answer -> since when, by the node
    declared: set[int] = field(default_factory=set)  # points of its present births
    dirty: bool = True

    @property
    def key(self) -> str:
        """The gateway's key, ``site/gateway``."""
        return f"{self.group}/{self.name}"


class Registry:
    """Every node, point, spool and alias that this source knows."""

    def __init__(self, max_points: int, max_text: int = 512) -> None:
        self.nodes: dict[tuple[str, str], Node] = {}
        self.points: list[PointInfo] = []
        self.spools: list[tuple[str, str]] = []
        self.table_point: I4 = np.empty(0, np.int32)
        self.table_type: U1 = np.empty(0, np.uint8)
        self.base: I8 = np.empty(0, np.int64)
        self.size: I8 = np.empty(0, np.int64)
        self.spool: I4 = np.empty(0, np.int32)
        self.foreign = False
        self.doubted_ms: I8 = np.empty(0, np.int64)  # until when a node's message ids are not believed
        self.claimants: set[tuple[str, str]] = set()  # nodes that declare a place another one holds
        self._max_points = max_points
        self._max_text = max_text
        self._entries = 0
        self._folded: dict[str, str] = {}  # names by their case-folded form
        self._places: dict[str, int] = {}
        self._owners: dict[int, Node] = {}
        self._spool_index: dict[tuple[str, str], int] = {}
        self._used = 0
        self._news: set[int] = set()
        self._new_spools: set[int] = set()

    def take_news(self) -> tuple[dict[int, PointInfo], dict[int, tuple[str, str]]]:
        """Return the points and spools that are new or changed since the last call."""
        points = {i: self.points[i] for i in sorted(self._news)}
        spools = {i: self.spools[i] for i in sorted(self._new_spools)}
        self._news.clear()
        self._new_spools.clear()
        return points, spools

    def everything(self) -> tuple[dict[int, PointInfo], dict[int, tuple[str, str]]]:
        """Return all points and spools."""
        return dict(enumerate(self.points)), dict(enumerate(self.spools))

    def node(self, group: str, name: str) -> Node:
        """Return a node, new if need be."""
        found = self.nodes.get((group, name))
        if found is None:
            found = self.nodes[group, name] = Node(group, name, len(self.nodes))
            self.base = np.append(self.base, 0)
            self.size = np.append(self.size, 0)
            self.spool = np.append(self.spool, np.int32(-1))
            self.doubted_ms = np.append(self.doubted_ms, np.int64(0))
        return found

    def node_birth(self, node: Node, message: Message) -> list[Reject]:
        """Take an NBIRTH: forget the node's aliases, read its own metrics."""
        self._entries -= len(node.names)
        node.aliases.clear()
        node.names.clear()
        node.declared.clear()
        node.dead.clear()
        node.values = {m.name: m.value for m in message.metrics if m.name in NODE_VALUES}
        spool = node.values.get(births.SPOOL)
        node.extension = births.MSG_ID in node.values and isinstance(spool, str) and bool(spool)
        node.spool = str(spool) if node.extension else ""
        self.foreign = self.foreign or not node.extension
        self.spool[node.slot] = self._spool_of(node) if node.extension else -1
        metrics = [m for m in message.metrics if not _is_control(m.name)]
        rejects = [*self._twin(node.group, node.key), *self._twin(node.key, node.key)]
        return rejects + self._declare(node, "", metrics, message.timestamp_ms)

    def _twin(self, name: str, topic: str) -> list[Reject]:
        """Say that a name differs from another one by case only; both are kept, no reading is lost for it."""
        other = self._folded.setdefault(name.casefold(), name)
        if other == name:
            return []
        return [Reject(topic, "case-twin", f"{name!r} differs from {other!r} by upper and lower case only")]

    def device_birth(self, node: Node, device: str, message: Message) -> list[Reject]:
        """Take a DBIRTH: its metrics replace those that the device had before."""
        node.dead.pop(device, None)
        for alias in [a for a, e in node.aliases.items() if e.device == device]:
            del node.aliases[alias]
        gone = [k for k in node.names if k[0] == device]
        self._entries -= len(gone)
        for key in gone:
            node.declared.discard(node.names.pop(key).code)
        return self._declare(node, device, message.metrics, message.timestamp_ms)

    def refresh(self, nodes: Sequence[Node]) -> None:
        """Bring the walker's table up to date for nodes that were born since."""
        for node in nodes:
            if node.dirty:
                self._lay_out(node)

    def _declare(
        self, node: Node, device: str, metrics: Sequence[Metric], stamp_ms: int | None
    ) -> list[Reject]:
        node.dirty = True
        rejects: list[Reject] = []
        topic = f"{node.key}/{device}" if device else node.key
        for metric in metrics:
            entry = self._entry(node, device, metric, stamp_ms or 0, topic, rejects)
            if entry is None:
                continue
            self._entries += 1
            node.names[device, metric.name] = entry
            if entry.code >= 0:
                node.declared.add(entry.code)
            if metric.alias is None:
                continue
            other = node.aliases.get(metric.alias)
            if other is not None and (other.name, other.device) != (metric.name, device):
                detail = f"alias {metric.alias} stands for {other.name!r} already, not for {metric.name!r}"
                rejects.append(Reject(topic, "alias-twice", detail))
                # which of the two a reading would mean cannot be known
                node.aliases[metric.alias] = replace(other, code=REFUSED)
                continue
            node.aliases[metric.alias] = entry
        return rejects

    def _entry(
        self, node: Node, device: str, metric: Metric, stamp_ms: int, topic: str, rejects: list[Reject]
    ) -> Entry | None:
        fault = self._misnamed(node, device, metric)
        if fault is not None:
            rejects.append(Reject(topic, *fault))
            if metric.alias is not None and metric.alias not in node.aliases:
                # refused and not unknown: the rest of its messages is taken, and nobody is asked for births
                node.aliases[metric.alias] = Entry(REFUSED, metric.datatype, metric.name[:40], device)
            return None
        if self._entries >= 2 * self._max_points + _OWN:
            detail = f"{self._entries} metrics are known, most of them refused"
            rejects.append(Reject(topic, "too-many-points", detail))
            return None
        if metric.name == births.MSG_ID and node.extension:
            return Entry(MSG_ID, metric.datatype, metric.name, device)
        if metric.name == births.CLOCK and device:
            return Entry(SENDER_CLOCK, metric.datatype, metric.name, device)
        if metric.name.startswith("minewatch/"):
            return Entry(NODE_VALUE, metric.datatype, metric.name, device)
        code = self._point(node, device, metric, stamp_ms, topic, rejects)
        return Entry(code, metric.datatype, metric.name, device)

    def _misnamed(self, node: Node, device: str, metric: Metric) -> tuple[str, str] | None:
        """Return what is wrong with a metric's name: a word, and a sentence."""
        if not metric.name:
            return "unnamed", f"alias {metric.alias} has no name in its birth"
        if max(len(metric.name), len(device)) > self._max_text:
            return "name-too-long", f"{metric.name[:40]!r}... has more than {self._max_text} characters"
        if (device, metric.name) in node.names:
            return "name-twice", f"{metric.name!r} stands twice in its birth"
        return None

    def _point(
        self, node: Node, device: str, metric: Metric, stamp_ms: int, topic: str, rejects: list[Reject]
    ) -> int:
        """Return the index of a metric's point, REFUSED when it cannot be one."""
        place = f"{node.group}/{device or node.name}/{metric.name}"
        index = self._places.get(place, -1)
        if metric.datatype not in NUMERIC:
            reason = "changed-type" if index >= 0 else _reason_of(metric.datatype)
            rejects.append(
                Reject(topic, reason, f"{metric.name!r} has data type {metric.datatype}, no number")
            )
            return REFUSED
        owner = self._owners.get(index)
        if owner is not None and owner is not node and _declares(owner, index):
            self.claimants.add((node.group, node.name))
            detail = f"{place!r} belongs to gateway {owner.key!r}, which is online"
            rejects.append(Reject(topic, "place-taken", detail))
            return REFUSED
        info, faults = describe(
            metric, place, node.group, node.name, device or node.name, stamp_ms, self._max_text
        )
        rejects += [Reject(topic, "property", f"{metric.name!r}: {fault}") for fault in faults]
        rejects += [Reject(topic, "property-set", f"{metric.name!r}: {key[:40]!r}") for key in metric.nested]
        if index < 0:
            if len(self.points) >= self._max_points:
                rejects.append(Reject(topic, "too-many-points", f"{self._max_points} points are known"))
                return REFUSED
            index = self._places[place] = len(self.points)
            self.points.append(info)
            self._news.add(index)
        elif info != replace(self.points[index], valid_from_ns=info.valid_from_ns):
            self.points[index] = info
            self._news.add(index)
        self._owners[index] = node
        rejects += self._twin(place, topic)
        return index

    def _spool_of(self, node: Node) -> int:
        key = (node.key, node.spool)
        index = self._spool_index.get(key)
        if index is None:
            index = self._spool_index[key] = len(self.spools)
            self.spools.append(key)
            self._new_spools.add(index)
        return index

    def _lay_out(self, node: Node) -> None:
        """Write a node's aliases into a fresh piece of the table; the old piece is left behind."""
        node.dirty = False
        dense = [a for a in node.aliases if a < max(DENSE >> 8, min(DENSE, 8 * len(node.aliases)))]
        size = max(dense, default=-1) + 1
        old = int(self.size[node.slot])
        base = int(self.base[node.slot]) if size <= old else self._reserve(size)
        piece = slice(base, base + size)
        self.table_point[piece] = UNKNOWN
        for alias in dense:
            entry = node.aliases[alias]
            # whatever is no plain reading is protobuf's business
            self.table_point[base + alias] = entry.code
            self.table_type[base + alias] = min(entry.datatype, 255)
        self.base[node.slot] = base
        self.size[node.slot] = size

    def _reserve(self, size: int) -> int:
        base = self._used
        self._used += size
        if self._used > len(self.table_point):
            room = max(1024, 2 * self._used)
            self.table_point = np.concatenate(
                [self.table_point, np.full(room - len(self.table_point), UNKNOWN, np.int32)]
            )
            self.table_type = np.concatenate(
                [self.table_type, np.zeros(room - len(self.table_type), np.uint8)]
            )
        return base


def _declares(node: Node, point: int) -> bool:
    """Return whether a node is alive and its present births declare the point."""
    return node.state is not None and node.state.online and point in node.declared


def _is_control(name: str) -> bool:
    return name == births.BD_SEQ or name.startswith(("Node Control/", "Device Control/"))


def _reason_of(datatype: int) -> str:
    """Return why a metric of this data type is no point."""
    if datatype in _ARRAYS:
        return "array"
    found = _WITHOUT_NUMBER.get(DataType(datatype)) if datatype <= DataType.TEMPLATE else None
    return found or "unknown-type"
