"""What this host knows of every gateway's session."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minewatch.contracts import I8, GatewayInfo
from minewatch.ingest.registry import Node
from minewatch_edge.sparkplug import births

SWEEP_NS = 1_000_000_000  # a gateway that was only heard is told of once a second


class Gateways:
    """One GatewayInfo a node, by its slot; cheap to touch from the hot path."""

    def __init__(self) -> None:
        self._infos: list[GatewayInfo] = []
        self._seen_ns: I8 = np.empty(0, np.int64)
        self._stamp_ms: I8 = np.empty(0, np.int64)
        self._changed: set[int] = set()
        self._swept_ns = 0

    def heard(self, slots: I8, stamps_ms: I8, now_ns: int) -> None:
        """Note that messages came in, stamped by their senders (-1 = not stamped)."""
        self._seen_ns[slots] = now_ns
        stamped = stamps_ms >= 0
        self._stamp_ms[slots[stamped]] = stamps_ms[stamped]

    def born(self, node: Node, stamp_ms: int | None, now_ns: int) -> None:
        """Note a birth."""
        while len(self._infos) <= node.slot:
            self._infos.append(GatewayInfo(node.group, node.name, False, now_ns, 0))
            self._seen_ns = np.append(self._seen_ns, np.int64(0))
            self._stamp_ms = np.append(self._stamp_ms, np.int64(-1))
        info = self._infos[node.slot]
        self._seen_ns[node.slot] = now_ns
        self._stamp_ms[node.slot] = -1 if stamp_ms is None else min(stamp_ms, 1 << 62)
        since = info.since_ns if info.online else now_ns
        info = replace(info, site=node.group, gateway=node.name, online=True, since_ns=since)
        self._infos[node.slot] = _with_values(replace(info, spool=node.spool), node)
        self._changed.add(node.slot)

    def died(self, node: Node, now_ns: int) -> None:
        """Note that a gateway is gone."""
        self._infos[node.slot] = replace(self._infos[node.slot], online=False, since_ns=now_ns)
        self._changed.add(node.slot)

    def said(self, node: Node) -> None:
        """Note new values of the node's own metrics."""
        self._infos[node.slot] = _with_values(self._infos[node.slot], node)
        self._changed.add(node.slot)

    def gap(self, node: Node) -> None:
        """Count a gap in the sequence."""
        info = self._infos[node.slot]
        self._infos[node.slot] = replace(info, sequence_gaps=info.sequence_gaps + 1)
        self._changed.add(node.slot)

    def rebirth(self, node: Node) -> None:
        """Count a rebirth that this host asked for."""
        info = self._infos[node.slot]
        self._infos[node.slot] = replace(info, rebirths=info.rebirths + 1)
        self._changed.add(node.slot)

    def take_news(self, now_ns: int) -> tuple[GatewayInfo, ...]:
        """Return the gateways whose state changed since the last call, and once a second those heard."""
        if abs(now_ns - self._swept_ns) >= SWEEP_NS:
            told = np.array([info.last_seen_ns for info in self._infos], np.int64)
            self._changed.update(np.flatnonzero(self._seen_ns != told).tolist())
            self._swept_ns = now_ns
        news = tuple(self._fresh(slot) for slot in sorted(self._changed))
        self._changed.clear()
        return news

    def everything(self) -> tuple[GatewayInfo, ...]:
        """Return every gateway."""
        return tuple(self._fresh(slot) for slot in range(len(self._infos)))

    def _fresh(self, slot: int) -> GatewayInfo:
        seen, stamp = int(self._seen_ns[slot]), int(self._stamp_ms[slot])
        offset = self._infos[slot].clock_offset_ms if stamp < 0 else stamp - seen / 1e6
        self._infos[slot] = replace(self._infos[slot], last_seen_ns=seen, clock_offset_ms=round(offset, 1))
        return self._infos[slot]


def _with_values(info: GatewayInfo, node: Node) -> GatewayInfo:
    values = node.values
    rows, first = values.get(births.SPOOL_ROWS), values.get(births.SPOOL_FIRST)
    version, interval = values.get(births.VERSION), values.get(births.INTERVAL)
    return replace(
        info,
        spool_rows=rows if isinstance(rows, int) else 0,
        spool_first=first if isinstance(first, int) else 0,
        version=version if isinstance(version, str) else "",
        interval_s=float(interval) if isinstance(interval, int | float) else 0.0,
    )
