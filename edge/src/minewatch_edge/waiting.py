"""Rows that are not on the disk yet: for a moment between two commits, or because the disk refuses."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from minewatch_edge.rows import NewRow


class Waiting:
    """A queue of rows; the first ``shown`` of them went out live already, without an id."""

    def __init__(self) -> None:
        self.readings = 0
        self.shown = 0
        self._rows: deque[NewRow] = deque()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: NewRow) -> None:
        """Put a row at the end."""
        self._rows.append(row)
        self.readings += len(row.columns.points)

    def first(self, limit: int) -> list[NewRow]:
        """Return the oldest rows; they stay."""
        return list(islice(self._rows, limit))

    def remove(self, rows: int) -> int:
        """Remove the oldest rows and return how many of them were shown."""
        for _ in range(rows):
            self.readings -= len(self._rows.popleft().columns.points)
        shown = min(self.shown, rows)
        self.shown -= shown
        return shown

    def trim(self, readings: int) -> int:
        """Drop the oldest rows until at most that many readings wait; return how many readings that cost."""
        before = self.readings
        while self.readings > readings:
            self.remove(1)
        return before - self.readings

    def unseen(self) -> Iterator[NewRow]:
        """Go through the rows not shown yet; the caller raises ``shown`` for each that went out."""
        yield from list(islice(self._rows, self.shown, None))
