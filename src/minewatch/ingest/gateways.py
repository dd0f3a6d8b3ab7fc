"""What this host knows of every gateway's session."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minewatch.contracts import I8, GatewayInfo
from minewatch.ingest.kernels.walker import LAST_MS
from minewatch.ingest.registry import Node
from minewatch_edge.sparkplug import births

SWEEP_NS = 1_000_000_000  # a gateway that was only heard is told of once a second
PROBLEM_NS = 120_000_000_000  # a problem is told for so long after it was last seen
CLOCK_OFF_MS = 2_000
DEAF = 3  # rebirths asked without an answer

# every word that stands in GatewayInfo.problems; the page has a text for each
PROBLEMS = (
    "two-agents",
    "case-twin",
    "place-taken",
    "flood",
    "device-dead",
    "gaps",
    "no-rebirth",
    "clock-off",
    "clock-unknown",
)
_CLOCKS = {0: "synchronised", 1: "holdover", 2: "unknown"}


class Gateways:
    """One GatewayInfo a node, by its slot; cheap to touch from the hot path."""

    def __init__(self) -> None:
        self._infos: list[GatewayInfo] = []
        self._seen_ns: I8 = np.empty(0, np.int64)
        self._stamp_ms: I8 = np.empty(0, np.int64)
        self._changed: set[int] = set()
        self._problems: dict[tuple[int, str], int] = {}  # slot and word -> until when it is told
        self._unanswered: dict[int, int] = {}
        self._silent: set[int] = set()  # gateways with a device that does not answer
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
        self._unanswered.pop(node.slot, None)
        self._stamp_ms[node.slot] = -1 if stamp_ms is None else min(stamp_ms, 1 << 62)
        since = info.since_ns if info.online else now_ns
        bd_seq = node.state.bd_seq if node.state is not None else None
        info = replace(
            info,
            site=node.group,
            gateway=node.name,
            online=True,
            since_ns=since,
            births=info.births + 1,
            bd_seq=-1 if bd_seq is None else bd_seq,
        )
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

    def gap(self, node: Node, now_ns: int) -> None:
        """Count a gap in the sequence."""
        info = self._infos[node.slot]
        self._infos[node.slot] = replace(info, sequence_gaps=info.sequence_gaps + 1)
        self._changed.add(node.slot)
        self.trouble(node, "gaps", now_ns)

    def repeated(self, node: Node) -> None:
        """Count a message whose sequence number had passed."""
        info = self._infos[node.slot]
        self._infos[node.slot] = replace(info, duplicates=info.duplicates + 1)
        self._changed.add(node.slot)

    def trouble(self, node: Node, word: str, now_ns: int) -> None:
        """Tell a problem of a gateway, one of PROBLEMS, for the next two minutes."""
        self._problems[node.slot, word] = now_ns + PROBLEM_NS
        self._changed.add(node.slot)

    def describe(self, node: Node) -> None:
        """Note how many points the present births declare, and whether a device does not answer."""
        self._silent.discard(node.slot)
        if node.dead:
            self._silent.add(node.slot)
        self._infos[node.slot] = replace(self._infos[node.slot], points=len(node.declared))
        self._changed.add(node.slot)

    def rebirth(self, node: Node) -> None:
        """Count a rebirth that this host asked for."""
        info = self._infos[node.slot]
        self._infos[node.slot] = replace(info, rebirths=info.rebirths + 1)
        self._changed.add(node.slot)
        self._unanswered[node.slot] = self._unanswered.get(node.slot, 0) + 1

    def take_news(self, now_ns: int) -> tuple[GatewayInfo, ...]:
        """Return the gateways whose state changed since the last call, and once a second those heard."""
        if abs(now_ns - self._swept_ns) >= SWEEP_NS:
            told = np.array([info.last_seen_ns for info in self._infos], np.int64)
            self._changed.update(np.flatnonzero(self._seen_ns != told).tolist())
            self._swept_ns = now_ns
            self._forget(now_ns)
        news = tuple(self._fresh(slot) for slot in sorted(self._changed))
        self._changed.clear()
        return news

    def everything(self) -> tuple[GatewayInfo, ...]:
        """Return every gateway."""
        return tuple(self._fresh(slot) for slot in range(len(self._infos)))

    def _forget(self, now_ns: int) -> None:
        """Drop the problems that were not seen for long."""
        for key in [k for k, until in self._problems.items() if not 0 <= until - now_ns <= PROBLEM_NS]:
            del self._problems[key]
            self._changed.add(key[0])

    def _troubles(self, slot: int, offset_ms: float) -> tuple[str, ...]:
        words = {word for of, word in self._problems if of == slot}
        if slot in self._silent:
            words.add("device-dead")
        if self._unanswered.get(slot, 0) >= DEAF:
            words.add("no-rebirth")
        if abs(offset_ms) > CLOCK_OFF_MS:
            words.add("clock-off")
        if self._infos[slot].clock == "unknown":
            words.add("clock-unknown")
        return tuple(word for word in PROBLEMS if word in words)

    def _fresh(self, slot: int) -> GatewayInfo:
        seen, stamp = int(self._seen_ns[slot]), int(self._stamp_ms[slot])
        offset = self._infos[slot].clock_offset_ms if stamp < 0 else stamp - seen / 1e6
        self._infos[slot] = replace(
            self._infos[slot],
            last_seen_ns=seen,
            clock_offset_ms=round(offset, 1),
            problems=self._troubles(slot, offset),
        )
        return self._infos[slot]


def _with_values(info: GatewayInfo, node: Node) -> GatewayInfo:
    values = node.values
    rows, first = values.get(births.SPOOL_ROWS), values.get(births.SPOOL_FIRST)
    clock, oldest = values.get(births.CLOCK), values.get(births.SPOOL_OLDEST)
    version, interval = values.get(births.VERSION), values.get(births.INTERVAL)
    return replace(
        info,
        spool_rows=rows if isinstance(rows, int) else 0,
        spool_first=first if isinstance(first, int) else 0,
        version=version if isinstance(version, str) else "",
        interval_s=float(interval) if isinstance(interval, int | float) else 0.0,
        clock=_CLOCKS.get(clock, "") if isinstance(clock, int) else "",
        spool_oldest_ns=min(oldest, LAST_MS) * 1_000_000 if isinstance(oldest, int) and oldest > 0 else 0,
    )
