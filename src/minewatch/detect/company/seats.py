"""Which points sit in which groups, and where: readings are shared out to all groups in one go."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from minewatch.contracts import B1, F8, I8, ReadingBatch


class Seats:
    """The seats of points in groups; a point may sit in several, at most once in each."""

    def __init__(self, members: Sequence[Sequence[int]], points: int) -> None:
        """Seat the points of each group, given by their indices below ``points``."""
        seats = [
            (point, number, slot) for number, group in enumerate(members) for slot, point in enumerate(group)
        ]
        table = np.array(sorted(seats), np.int64).reshape(-1, 3)
        self._group, self._slot = table[:, 1], table[:, 2]
        seated = np.bincount(table[:, 0], minlength=points)
        self._first = np.concatenate(([0], np.cumsum(seated)))
        self.taken: B1 = seated > 0  # which points belong to a group

    def shared(self, batch: ReadingBatch) -> Iterator[tuple[int, I8, I8, F8]]:
        """Yield (group, slots, times, values) of each group with readings, in order of time.

        Readings of one time keep the order of the batch.
        """
        first = self._first[batch.point]
        seats = self._first[batch.point + 1] - first
        row = np.repeat(np.arange(len(batch)), seats)
        seat = np.arange(len(row)) - np.repeat(np.cumsum(seats) - seats - first, seats)
        order = np.lexsort((batch.ts_ns[row], self._group[seat]))
        row, seat = row[order], seat[order]
        group, slot, ts, value = self._group[seat], self._slot[seat], batch.ts_ns[row], batch.value[row]
        edges = np.flatnonzero(np.diff(group, prepend=-1, append=-1))
        for begin, end in itertools.pairwise(edges.tolist()):
            yield int(group[begin]), slot[begin:end], ts[begin:end], value[begin:end]
