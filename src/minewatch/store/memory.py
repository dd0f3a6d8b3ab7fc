"""A TelemetryStore in memory: the fake of the house, which passes the same suite as the real ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from minewatch.contracts import (
    AlertEvent,
    Buckets,
    Counts,
    PointInfo,
    ReadingBatch,
    ScoreBatch,
    Watermark,
    Written,
)
from minewatch.errors import StoreError
from minewatch.store import telemetry_metrics as metrics
from minewatch.store.telemetry_columns import bucket_width, known_mask, known_table, spread, usable

_NAME = "memory"
_CHUNK = 100_000  # rows of one chunk of since()


class MemoryTelemetry:
    """Keeps everything in lists; ``refusal`` is raised by every call as long as it is set."""

    def __init__(self) -> None:
        self.refusal: StoreError | None = None
        self.points: dict[int, PointInfo] = {}
        self.scores: list[tuple[ScoreBatch, tuple[str, ...]]] = []
        self.events: dict[str, AlertEvent] = {}
        self._joining = threading.Lock()
        self._parts: list[ReadingBatch] = []  # joined when somebody asks, not with every write
        self._marks: dict[str, Watermark] = {}
        self._known = known_table(())
        self._closed = False

    def _check(self) -> None:
        if self._closed:
            raise StoreError("memory: the store is closed.")
        if self.refusal is not None:
            raise self.refusal

    def add_points(self, points: Mapping[int, PointInfo]) -> None:
        """Make points known, or replace what is known of them."""
        self._check()
        self.points |= points
        self._known = known_table(self.points)

    def write(self, batch: ReadingBatch, watermarks: Sequence[Watermark] = ()) -> Written:
        """Keep readings and watermarks; rows of unknown points are rejected."""
        self._check()
        known = batch.take(known_mask(self._known, batch.point))
        self._parts.append(known)
        self._marks |= {mark.spool: mark for mark in watermarks}
        return metrics.written(_NAME, "reading", len(known), len(batch) - len(known))

    def write_scores(self, scores: ScoreBatch, names: Sequence[str]) -> Written:
        """Keep scores; ``names[d]`` is the name of detector d."""
        self._check()
        accepted = int(known_mask(self._known, scores.point).sum())
        self.scores.append((scores, tuple(names)))
        return metrics.written(_NAME, "score", accepted, len(scores.point) - accepted)

    def write_events(self, events: Sequence[AlertEvent]) -> Written:
        """Keep alert events by their keys."""
        self._check()
        self.events |= {event.key: event for event in events}
        return metrics.written(_NAME, "alert_event", len(events), 0)

    def watermarks(self) -> Sequence[Watermark]:
        """Return what is held of each spool."""
        self._check()
        return sorted(self._marks.values(), key=lambda mark: (mark.gateway, mark.spool))

    def readings(self, point: int, from_ns: int, to_ns: int, limit: int) -> ReadingBatch:
        """Return the first ``limit`` readings of a point with from_ns <= t < to_ns, in time order."""
        self._check()
        rows = self._of(point, from_ns, to_ns)
        return rows.take(np.argsort(rows.ts_ns, kind="stable")[:limit])

    def buckets(self, point: int, from_ns: int, to_ns: int, buckets: int) -> Buckets:
        """Return min, max, mean, count of the usable readings in equal buckets of from_ns <= t < to_ns."""
        self._check()
        width = bucket_width(from_ns, to_ns, buckets)
        rows = self._of(point, from_ns, to_ns)
        rows = rows.take(usable(rows))
        places = (rows.ts_ns - from_ns) // width
        index = np.unique(places)
        groups = [rows.value[places == i] for i in index]
        return spread(
            from_ns,
            to_ns,
            buckets,
            index=index,
            low=np.array([group.min() for group in groups], np.float64),
            high=np.array([group.max() for group in groups], np.float64),
            mean=np.array([group.mean() for group in groups], np.float64),
            count=np.array([len(group) for group in groups], np.int64),
            interval_s=self.points[point].interval_s if point in self.points else 0.0,
        )

    def since(self, ts_ns: int) -> Iterator[ReadingBatch]:
        """Yield the live readings with t >= ts_ns in time order."""
        self._check()
        rows = self._rows
        rows = rows.take((rows.ts_ns >= ts_ns) & ~rows.historical)
        order = np.lexsort((rows.point, rows.ts_ns))
        for start in range(0, len(rows), _CHUNK):
            yield rows.take(order[start : start + _CHUNK])

    def counts(self) -> Counts:
        """Count the rows, and the distinct (point, time) among them."""
        self._check()
        rows = self._rows
        order = np.lexsort((rows.ts_ns, rows.point))
        other = (np.diff(rows.point[order]) != 0) | (np.diff(rows.ts_ns[order]) != 0)
        return Counts(len(rows), int(np.count_nonzero(other)) + min(1, len(rows)))

    def close(self) -> None:
        """Refuse every later call."""
        self._closed = True

    @property
    def _rows(self) -> ReadingBatch:
        with self._joining:
            parts = len(self._parts)
            joined = ReadingBatch.join(self._parts[:parts])
            self._parts[:parts] = [joined]
        return joined

    def _of(self, point: int, from_ns: int, to_ns: int) -> ReadingBatch:
        rows = self._rows
        return rows.take((rows.point == point) & (rows.ts_ns >= from_ns) & (rows.ts_ns < to_ns))
