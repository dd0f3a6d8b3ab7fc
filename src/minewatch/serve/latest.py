"""The newest live reading of every point, and which of them changed since the last frame."""

from __future__ import annotations

import numpy as np

from minewatch.contracts import B1, F8, I8, U1, Quality, ReadingBatch
from minewatch.serve import present
from minewatch.serve.times import iso

DOUBTED = int(Quality.UNCERTAIN_CLOCK)
ROOM = 1_000_000  # a dense index beyond this is a fault of the sender, not a mine


class Latest:
    """Columns indexed by point, grown as points appear; time 0 means that there is none yet."""

    def __init__(self) -> None:
        self._ts: I8 = np.zeros(0, np.int64)
        self._value: F8 = np.zeros(0, np.float64)
        self._quality: U1 = np.zeros(0, np.uint8)
        self._changed: B1 = np.zeros(0, np.bool_)

    def merge(self, batch: ReadingBatch) -> int:
        """Take what is newer than what is held; return how many points changed.

        Only one row per point may be in the batch. Where a clock is doubted, of the row or of the one held,
        what came last counts: a screen must not stand still until a clock has caught up.
        """
        known = (batch.point >= 0) & (batch.point < ROOM) & ~batch.historical
        rows = batch if bool(known.all()) else batch.take(known)
        if not len(rows):
            return 0
        self._grow(int(rows.point.max()) + 1)
        held = self._ts[rows.point]
        doubted = (rows.quality == DOUBTED) | (self._quality[rows.point] == DOUBTED)
        newer = (rows.ts_ns > held) | (doubted & (rows.ts_ns != held))
        fresh = rows.take(newer)
        self._ts[fresh.point] = fresh.ts_ns
        self._value[fresh.point] = fresh.value
        self._quality[fresh.point] = fresh.quality
        self._changed[fresh.point] = True
        return len(fresh)

    def changes(self, now_ns: int) -> bytes:
        """Return the data of a reading frame with what changed, and begin anew; empty when nothing did."""
        points = np.flatnonzero(self._changed)
        self._changed[:] = False
        return self._data(points, now_ns) if len(points) else b""

    def everything(self, now_ns: int) -> bytes:
        """Return the data of a reading frame with every point."""
        return self._data(np.flatnonzero(self._ts), now_ns)

    def _data(self, points: I8, now_ns: int) -> bytes:
        return present.dump(
            {
                "time": iso(now_ns),
                "point": points.tolist(),
                "ts_ms": (self._ts[points] // 1_000_000).tolist(),
                "value": present.numbers(self._value[points]),
                "quality": self._quality[points].tolist(),
            }
        )

    def _grow(self, room: int) -> None:
        if room <= len(self._ts):
            return
        more = max(room, 2 * len(self._ts)) - len(self._ts)
        self._ts = np.concatenate([self._ts, np.zeros(more, np.int64)])
        self._value = np.concatenate([self._value, np.zeros(more, np.float64)])
        self._quality = np.concatenate([self._quality, np.zeros(more, np.uint8)])
        self._changed = np.concatenate([self._changed, np.zeros(more, np.bool_)])
