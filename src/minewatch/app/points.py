"""The points the core knows: their dense index and their latest reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from minewatch.contracts import I4, PointInfo, ReadingBatch


class Points:
    """Dense indices by place; the latest reading of each as columns that grow in doubling steps."""

    def __init__(self, known: Mapping[int, PointInfo]) -> None:
        self.infos: list[PointInfo] = [known[index] for index in range(len(known))]
        self._index = {info.place: index for index, info in enumerate(self.infos)}
        size = max(64, len(self.infos))
        self._ts = np.zeros(size, np.int64)
        self._value = np.full(size, np.nan)
        self._quality = np.zeros(size, np.uint8)
        self._changed = np.zeros(size, np.bool_)

    def __len__(self) -> int:
        return len(self.infos)

    def register(self, info: PointInfo) -> tuple[int, bool]:
        """Return the index of a point and whether it is new or described differently than before."""
        index = self._index.get(info.place)
        if index is None:
            index = len(self.infos)
            self._index[info.place] = index
            self.infos.append(info)
            self._grow()
            return index, True
        changed = self.infos[index] != info
        self.infos[index] = info
        return index, changed

    def _grow(self) -> None:
        if len(self.infos) <= len(self._ts):
            return
        more = len(self._ts)
        self._ts = np.concatenate((self._ts, np.zeros(more, np.int64)))
        self._value = np.concatenate((self._value, np.full(more, np.nan)))
        self._quality = np.concatenate((self._quality, np.zeros(more, np.uint8)))
        self._changed = np.concatenate((self._changed, np.zeros(more, np.bool_)))

    def heard(self, batch: ReadingBatch) -> None:
        """Take note of live readings: the last row of a point in the batch is its latest."""
        point = batch.point
        self._ts[point] = batch.ts_ns
        self._value[point] = batch.value
        self._quality[point] = batch.quality
        self._changed[point] = True

    def of_gateway(self, site: str, gateway: str) -> I4:
        """Return the points that come through a gateway."""
        rows = [i for i, info in enumerate(self.infos) if info.gateway == gateway and info.site == site]
        return np.asarray(rows, np.int32)

    def at(self, places: Iterable[str]) -> I4:
        """Return the points at these places; a place without one is left out."""
        known = (self._index.get(place, -1) for place in places)
        return np.asarray([index for index in known if index >= 0], np.int32)

    def latest(self, *, changed_only: bool = False) -> ReadingBatch:
        """Return one row per point heard of; with ``changed_only`` those since the last such call."""
        n = len(self.infos)
        rows = np.flatnonzero(self._changed[:n] if changed_only else self._ts[:n] > 0)
        if changed_only:
            self._changed[rows] = False
        return ReadingBatch(
            rows.astype(np.int32),
            self._ts[rows],
            self._value[rows],
            self._quality[rows],
            np.zeros(len(rows), np.bool_),
        )
