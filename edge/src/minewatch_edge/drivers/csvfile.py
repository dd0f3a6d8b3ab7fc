"""Readings from a CSV file: play a recording at its own pace; a file that grows is followed by csvfollow."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING

from minewatch_edge.drivers.csv_rows import CsvRow, CsvText, Layout, decoded, rejected, time_format
from minewatch_edge.drivers.csvfollow import CsvFollow
from minewatch_edge.drivers.driver import CheckResult, Driver, Reading
from minewatch_edge.drivers.lines import Line, LineBuffer
from minewatch_edge.errors import DriverError
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.spool import Reject

if TYPE_CHECKING:
    from minewatch_edge.config import DeviceConfig

DEVICE_KEYS = (
    "file", "time", "format", "time_zone", "delimiter", "missing",
    "mode", "start", "speed", "stamp", "repeat",
)  # fmt: skip
POINT_KEYS = ("column", "scale")

_ROWS_A_POLL = 500
_BYTES_A_READ = 262_144
_NEVER_NS = 2**62
_MEND = "Look whether the program that writes it runs, and whether the agent may read it"


@dataclass(frozen=True, slots=True)
class CsvPlay:
    """How a recording is played."""

    speed: float = 1.0
    stamp_now: bool = True
    repeat: bool = False
    interval_s: float = 1.0


class CsvDriver:
    """One CSV file. A line that cannot be used is refused with its reason, and the rest goes on."""

    def __init__(
        self,
        points: Sequence[PointBirth],
        text: CsvText,
        refuse: Callable[[Reject], None],
        play: CsvPlay | None = None,
    ) -> None:
        self._points = tuple(points)
        self._text = text
        self._play = play or CsvPlay()
        self._refuse = refuse
        self._stream: BufferedIOBase | None = None
        self._layout: Layout | None = None
        self._lines = LineBuffer()
        self._rows: deque[CsvRow] = deque()
        self._ended = False
        self._began: tuple[int, int] | None = None  # (now, recorded time) when the first row was due
        self._last_ns = -1
        self._due_ns = 0

    def points(self) -> Sequence[PointBirth]:
        """Return the points of the columns."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return when the next row is due, or when to look again."""
        if not self._rows:
            return _NEVER_NS if self._ended else self._due_ns
        return self._when(self._rows[0])

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return the readings of the rows that are due.

        Raises DriverError when the file is not there or lacks a column.
        """
        if len(self._rows) < _ROWS_A_POLL and not self._ended:
            self._fill(now_ns)
        found: list[Reading] = []
        for _ in range(_ROWS_A_POLL):
            if not self._rows:
                break
            row = self._rows[0]
            if self._began is None:
                self._began = (now_ns, row.ts_ns)
            due_ns = self._when(row)
            if due_ns > now_ns:
                break
            self._rows.popleft()
            ts = max(due_ns, 0) if self._play.stamp_now else row.ts_ns
            found += [Reading(point, ts, value) for point, value in row.values]
        self._due_ns = now_ns if self._rows else now_ns + int(self._play.interval_s * 1e9)
        return found

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Read the first lines of the file and say what each column holds."""
        return check_file(self._points, self._text, now_ns)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _when(self, row: CsvRow) -> int:
        """Return when a row is due by the agent's clock."""
        if self._began is None:
            return 0
        now_ns, first_ns = self._began
        return now_ns + int((row.ts_ns - first_ns) / self._play.speed)

    def _fill(self, now_ns: int) -> None:
        """Read ahead; after a fault the file is begun anew."""
        try:
            self._read(now_ns)
        except DriverError:
            self._begin_anew()
            raise

    def _begin_anew(self) -> None:
        self.close()
        self._layout, self._lines = None, LineBuffer()

    def _read(self, now_ns: int) -> None:
        stream = self._stream or self._open()
        block = stream.read(_BYTES_A_READ)
        lines = self._lines.feed(block)
        if not block and self._lines.rest:
            lines = self._lines.feed(b"\n")
        for line in lines:
            self._take(line, now_ns)
        if not block and not self._rows:
            self._at_end()

    def _take(self, line: Line, now_ns: int) -> None:
        text = decoded(line)
        if isinstance(text, tuple):
            self._reject(now_ns, *text, line.raw)
            return
        if not text.strip():
            return
        if self._layout is None:
            self._layout = self._text.layout(text)
            return
        row = self._layout.read(text, self._last_ns)
        if isinstance(row, tuple):
            self._reject(now_ns, *row, line.raw)
            return
        for reason, what in row.faults:
            self._reject(now_ns, reason, what, line.raw)
        if row.ts_ns < self._last_ns:
            self._reject(now_ns, "order", "its time is before that of the line above", line.raw)
            return
        self._last_ns = row.ts_ns
        self._rows.append(row)

    def _reject(self, now_ns: int, reason: str, what: str, raw: bytes) -> None:
        self._refuse(rejected(now_ns, self._points[0].device, reason, what, raw))

    def _open(self) -> BufferedIOBase:
        path = self._text.file
        try:
            stream = self._stream = gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")
        except OSError as error:
            raise DriverError(f"{path}: {error.strerror or error}", mend=_MEND) from error
        return stream

    def _at_end(self) -> None:
        self._begin_anew()
        if self._play.repeat and self._began is not None:
            self._began, self._last_ns = None, -1
        else:
            self._ended = True


def check_file(points: Sequence[PointBirth], text: CsvText, now_ns: int) -> Sequence[CheckResult]:
    """Read the first lines of a file and say what each column holds."""
    probe = CsvDriver(points, text, lambda _reject: None)
    try:
        probe._fill(now_ns)
    except DriverError as error:
        return [CheckResult(f"{p.device}/{p.metric}", False, str(error)) for p in points]
    finally:
        probe.close()
    seen: dict[int, float] = {}
    for row in probe._rows:
        for point, value in row.values:
            seen.setdefault(point, value)
    return [
        CheckResult(
            f"{p.device}/{p.metric}",
            i in seen,
            f"{seen[i]:g} {p.unit}" if i in seen else "no value in the first lines of its column",
        )
        for i, p in enumerate(points)
    ]


def make(device: DeviceConfig, folder: Path, refuse: Callable[[Reject], None]) -> Driver:
    """Make the driver of a device from its tables."""
    table = device.options
    follow = table.text("mode", "play", choices=("play", "follow")) == "follow"
    stamp = table.text("stamp", "recorded" if follow else "now", choices=("now", "recorded"))
    repeat = table.flag("repeat", False)
    if repeat and (follow or stamp == "recorded"):
        raise table.error("repeat", "times would go back", 'Use it with mode = "play" and stamp = "now"')
    delimiter = table.text("delimiter", ",")
    if len(delimiter) != 1:
        raise table.error("delimiter", f"{delimiter!r} is not one character", 'Use "," or ";"')
    text = CsvText(
        file=folder / table.text("file"),
        time_column=table.text("time"),
        time=time_format(table),
        columns=tuple((p.options.text("column"), p.options.number("scale", 1.0)) for p in device.points),
        delimiter=delimiter,
        missing=table.texts("missing", ("", "NaN")),
    )
    from_start = table.text("start", "end", choices=("start", "end")) == "start"
    speed = table.number("speed", 1.0, least=1e-6)
    births = [p.birth for p in device.points]
    if not follow:
        return CsvDriver(births, text, refuse, CsvPlay(speed, stamp == "now", repeat, device.interval_s))
    if text.file.suffix == ".gz":
        raise table.error("file", f"{text.file.name!r} is packed", "Follow the file before it is packed")
    return CsvFollow(births, text, refuse, from_start=from_start, interval_s=device.interval_s)
