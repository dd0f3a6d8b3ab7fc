"""Rows that are not on the disk yet: for a moment between two commits, or because the disk refuses."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from minewatch_edge import gaps
from minewatch_edge.gaps import Gap
from minewatch_edge.rows import NOTE_PRIORITY, NewRow

_ROOM = 0.02  # made beyond what is needed when rows in the middle go


class Waiting:
    """A queue of rows; the first ``shown`` of them went out live already, without an id."""

    def __init__(self) -> None:
        self.readings = 0
        self.shown = 0
        self._rows: deque[NewRow] = deque()
        self._weight = [0] * (NOTE_PRIORITY + 1)  # of each priority: readings, and 1 for a note

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: NewRow) -> None:
        """Put a row at the end."""
        self._rows.append(row)
        self._weigh(row, 1)

    def first(self, limit: int) -> list[NewRow]:
        """Return the oldest rows; they stay."""
        return list(islice(self._rows, limit))

    def remove(self, rows: int) -> int:
        """Remove the oldest rows and return how many of them were shown."""
        for _ in range(rows):
            self._weigh(self._rows.popleft(), -1)
        shown = min(self.shown, rows)
        self.shown -= shown
        return shown

    def trim(self, most: int) -> Gap | None:
        """Drop rows until at most so many readings (and notes) wait, the oldest of the lowest priority first.

        Returns what that cost, None when nothing.
        """
        lost: list[NewRow] = []
        while (over := sum(self._weight) - most) > 0:
            lowest = next(p for p, weight in enumerate(self._weight) if weight)
            if self._rows[0].priority == lowest:
                lost.append(self._rows[0])
                self.remove(1)
            else:
                lost += self._drop(lowest, over + int(most * _ROOM))
        return _gap(lost) if lost else None

    def _drop(self, priority: int, weight: int) -> list[NewRow]:
        """Take the oldest rows of a priority out of the middle."""
        kept: deque[NewRow] = deque()
        lost: list[NewRow] = []
        shown = self.shown
        for at, row in enumerate(self._rows):
            if weight > 0 and row.priority == priority:
                weight -= _weight(row)
                self._weigh(row, -1)
                lost.append(row)
                shown -= at < self.shown
            else:
                kept.append(row)
        self._rows, self.shown = kept, shown
        return lost

    def unseen(self) -> Iterator[NewRow]:
        """Go through the rows not shown yet; the caller raises ``shown`` for each that went out."""
        yield from list(islice(self._rows, self.shown, None))

    def _weigh(self, row: NewRow, sign: int) -> None:
        self.readings += sign * len(row.columns.points)
        self._weight[row.priority] += sign * _weight(row)


def _weight(row: NewRow) -> int:
    return len(row.columns.points) or 1


def _gap(lost: list[NewRow]) -> Gap:
    times = [(min(row.columns.times), max(row.columns.times)) for row in lost if row.columns.times]
    return Gap(
        gaps.MEMORY,
        (),
        sum(len(row.columns.points) for row in lost),
        sum(bool(row.note) for row in lost),
        min((low for low, _ in times), default=0),
        max((high for _, high in times), default=0),
        tuple(sorted({row.device for row in lost if row.device})),
    )
