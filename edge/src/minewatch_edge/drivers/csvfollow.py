"""A CSV file that another program writes to: each whole line once, over rotations and restarts."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence

from minewatch_edge.drivers.ahead import ahead
from minewatch_edge.drivers.csv_rows import CsvRow, CsvText, Layout, decoded, rejected
from minewatch_edge.drivers.driver import Batch, CheckResult, Reading
from minewatch_edge.drivers.lines import Line
from minewatch_edge.drivers.tail import Place, Tail, TailLine, place_of
from minewatch_edge.errors import DriverError
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.spool import Reject

_READINGS_A_POLL = 500  # one row of the spool, so that the mark is committed with all of them


class CsvFollow:
    """Readings carry the file's own times. A line that cannot be used is refused with its reason."""

    def __init__(
        self,
        points: Sequence[PointBirth],
        text: CsvText,
        refuse: Callable[[Reject], None],
        *,
        from_start: bool,
        interval_s: float,
    ) -> None:
        self._points = tuple(points)
        self._text = text
        self._refuse = refuse
        self._interval_ns = int(interval_s * 1e9)
        self._layout: Layout | None = None
        self._rows: deque[tuple[CsvRow, Place]] = deque()
        self._last_ns = -1
        self._due_ns = 0
        self._now_ns = 0
        self._tail = Tail(text.file, from_start=from_start, lost=self._lost)

    def points(self) -> Sequence[PointBirth]:
        """Return the points of the columns."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return when to look again."""
        return self._due_ns

    def resume(self, mark: str) -> None:
        """Go on after the line of a mark, in whatever file it is now; a mark that is none changes nothing."""
        place = place_of(mark)
        if place is not None:
            self._tail.resume(place)
            self._last_ns = int(json.loads(mark).get("last_ns", -1))

    def poll(self, now_ns: int) -> Batch:
        """Return the readings of new lines.

        Raises DriverError when the file is not there or lacks a column.
        """
        self._now_ns = now_ns
        if not self._rows:
            self._due_ns = now_ns + self._interval_ns
            self._fill(now_ns)
        found: list[Reading] = []
        last: tuple[CsvRow, Place] | None = None
        while self._rows and (not found or len(found) + len(self._rows[0][0].values) <= _READINGS_A_POLL):
            last = row, _ = self._rows.popleft()
            found += [Reading(point, row.ts_ns, value) for point, value in row.values]
        if self._rows:
            self._due_ns = now_ns
        return Batch(found, _mark(*last) if found and last else "")

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Read the first lines of the file and say what each column holds."""
        from minewatch_edge.drivers.csvfile import check_file  # here, because that module makes this driver

        return check_file(self._points, self._text, now_ns)

    def close(self) -> None:
        """Close the file."""
        self._tail.close()

    def _fill(self, now_ns: int) -> None:
        for line in self._tail.read():
            try:
                self._take(line, now_ns)
            except DriverError:
                self._layout = None
                self._tail.again(self._rows[-1][1] if self._rows else None)
                raise

    def _take(self, line: TailLine, now_ns: int) -> None:
        text = decoded(Line(line.raw, line.place.at, line.whole))
        if line.first:
            self._layout = self._text.layout(text if isinstance(text, str) else "")
            return
        if isinstance(text, tuple):
            self._reject(now_ns, *text, line.raw)
        elif text.strip() and self._layout is not None:
            self._use(self._layout.read(text, self._last_ns), line, now_ns)

    def _use(self, row: CsvRow | tuple[str, str], line: TailLine, now_ns: int) -> None:
        if isinstance(row, tuple):
            self._reject(now_ns, *row, line.raw)
            return
        for reason, what in row.faults:
            self._reject(now_ns, reason, what, line.raw)
        if ahead(row.ts_ns, now_ns):  # taken, it would put every later line out of order too
            self._reject(now_ns, "future", "its time is more than a day ahead of the clock", line.raw)
        elif row.ts_ns < self._last_ns:
            self._reject(now_ns, "order", "its time is before that of the line above", line.raw)
        else:
            self._last_ns = row.ts_ns
            self._rows.append((row, line.place))

    def _reject(self, now_ns: int, reason: str, what: str, raw: bytes) -> None:
        self._refuse(rejected(now_ns, self._points[0].device, reason, what, raw))

    def _lost(self, reason: str, what: str) -> None:
        self._refuse(Reject(self._now_ns, self._points[0].device, reason, what))


def _mark(row: CsvRow, place: Place) -> str:
    return json.dumps({**json.loads(place.text()), "last_ns": row.ts_ns})
