"""The second pass: historical readings are judged aside, so that live state never sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from minewatch.app.doubts import ahead_doubted
from minewatch.app.points import Points
from minewatch.contracts import B1, ReadingBatch, Transitions
from minewatch.detect.company.settings import CompanySettings
from minewatch.detect.engine import Engine
from minewatch.detect.outside import Outside
from minewatch.detect.settings import DetectSettings

UNKNOWN_INTERVAL_NS = 120 * 1_000_000_000


class History:
    """An engine, and what judges several points together, of their own for readings that come late."""

    def __init__(self, points: Points, detect: DetectSettings, company: CompanySettings) -> None:
        self.engine = Engine(detect)
        self.outside = Outside(company)
        self._points = points

    def take(
        self, batch: ReadingBatch, now_ns: int
    ) -> Iterator[tuple[ReadingBatch, tuple[Transitions, Transitions]]]:
        """Judge historical readings; yield them piece by piece with their quality and what was found.

        Pieces end where a point's history has a hole: what was pending before it cannot go on.
        """
        batch, given = ahead_doubted(batch.take(np.argsort(batch.ts_ns, kind="stable")), now_ns)
        ends = np.flatnonzero(self._after_hole(batch))
        for begin, end in zip([0, *ends.tolist()], [*ends.tolist(), len(batch)], strict=True):
            if begin == end:
                continue
            if begin in ends:
                self.engine.begin_anew(int(batch.point[begin]))
            rows = np.arange(begin, end)
            findings = self.engine.step(given.take(rows))
            part = batch.take(rows)
            part = replace(part, quality=np.maximum(part.quality, findings.quality))
            yield part, (findings.transitions, self.outside.step(part)[1])

    def _after_hole(self, batch: ReadingBatch) -> B1:
        """Return which historical rows, in order of time, come after a hole in their point's history.

        Live readings may lie in it that this engine never saw: what was pending before cannot go on. The
        row before counts whether its clock was doubted or not, for limits were judged by it.
        """
        order = np.argsort(batch.point, kind="stable")
        point, ts = batch.point[order], batch.ts_ns[order]
        before = np.concatenate(([np.iinfo(np.int64).min], ts[:-1]))
        first = np.concatenate(([True], point[1:] != point[:-1]))
        before[first] = self.engine.judged_ns()[point[first]]
        known = np.unique(point)
        widest = np.zeros(int(known[-1]) + 1 if len(known) else 0, np.int64)
        widest[known] = [_widest_ns(self._points.infos[p].interval_s) for p in known.tolist()]
        hole = np.zeros(len(batch), np.bool_)
        hole[order] = (before > 0) & (ts - np.maximum(before, 0) > widest[point])
        return hole


def _widest_ns(interval_s: float) -> int:
    """Return the longest time between two readings of a history that is not yet a hole in it."""
    return int(max(5.0, 3.0 * interval_s) * 1e9) if interval_s > 0 else UNKNOWN_INTERVAL_NS
