"""Readings from a CSV file: play a recording at its own pace, or follow a file that grows."""

from __future__ import annotations

import gzip
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING

from minewatch_edge.drivers.csv_rows import CsvRow, Layout, TimeFormat, time_format
from minewatch_edge.drivers.driver import CheckResult, Reading
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
_LONGEST_LINE = 65_536
_NEVER_NS = 2**62
_MEND = "Look whether the program that writes it runs, and whether the agent may read it"
_FUTURE_NS = 86_400 * 1_000_000_000
_CLOCK_SET_NS = 1_767_225_600 * 1_000_000_000  # 2026: a clock before that was never set, and judges nothing


@dataclass(frozen=True, slots=True)
class CsvSource:
    """Which file, how it is written, and how it is played."""

    file: Path
    time_column: str
    time: TimeFormat
    columns: tuple[tuple[str, float], ...]
    delimiter: str = ","
    missing: tuple[str, ...] = ("", "NaN")
    follow: bool = False
    from_start: bool = True
    speed: float = 1.0
    stamp_now: bool = True
    repeat: bool = False
    interval_s: float = 1.0


class CsvDriver:
    """One CSV file. A line that cannot be used is refused with its reason, and the rest goes on."""

    def __init__(
        self, points: Sequence[PointBirth], source: CsvSource, refuse: Callable[[Reject], None]
    ) -> None:
        self._points = tuple(points)
        self._source = source
        self._refuse = refuse
        self._stream: BufferedIOBase | None = None
        self._layout: Layout | None = None
        self._rest = b""
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
        if self._source.follow or not self._rows:
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
            if not self._source.follow:
                if self._began is None:
                    self._began = (now_ns, row.ts_ns)
                if self._when(row) > now_ns:
                    break
            self._rows.popleft()
            ts = max(self._when(row), 0) if self._source.stamp_now and not self._source.follow else row.ts_ns
            found += [Reading(point, ts, value) for point, value in row.values]
        self._due_ns = now_ns if self._rows else now_ns + int(self._source.interval_s * 1e9)
        return found

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Read the first lines of the file and say what each column holds."""
        probe = CsvDriver(self._points, replace(self._source, follow=False), lambda _reject: None)
        try:
            probe._fill(now_ns)
        except DriverError as error:
            return [CheckResult(f"{p.device}/{p.metric}", False, str(error)) for p in self._points]
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
            for i, p in enumerate(self._points)
        ]

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
        return now_ns + int((row.ts_ns - first_ns) / self._source.speed)

    def _fill(self, now_ns: int) -> None:
        """Read ahead; after a fault the file is begun anew."""
        try:
            self._read(now_ns)
        except DriverError:
            self._begin_anew()
            raise

    def _begin_anew(self) -> None:
        self.close()
        self._layout, self._rest = None, b""

    def _read(self, now_ns: int) -> None:
        stream = self._stream or self._open()
        if self._source.follow and self._replaced(stream):
            self._begin_anew()
            stream = self._open(from_start=True)
        block = stream.read(_BYTES_A_READ)
        *lines, self._rest = (self._rest + block).split(b"\n")
        if not block and not self._source.follow and self._rest:
            lines, self._rest = [self._rest], b""
        if len(self._rest) > _LONGEST_LINE:
            self._reject(now_ns, "length", f"a line of more than {_LONGEST_LINE} bytes", b"")
            self._rest = b""
        for line in lines:
            self._take(line, now_ns)
        if not block and not self._source.follow and not self._rows:
            self._at_end()

    def _take(self, raw: bytes, now_ns: int) -> None:
        source = self._source
        try:
            line = raw.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError:
            self._reject(now_ns, "encoding", "no UTF-8", raw)
            return
        if not line.strip():
            return
        if self._layout is None:
            self._layout = Layout(
                line, source.time_column, source.time, source.columns,
                delimiter=source.delimiter, missing=source.missing,
            )  # fmt: skip
            return
        row = self._layout.read(line)
        if isinstance(row, tuple):
            self._reject(now_ns, row[0], row[1], raw)
            return
        for reason, what in row.faults:
            self._reject(now_ns, reason, what, raw)
        if source.follow and row.ts_ns > now_ns + _FUTURE_NS and now_ns > _CLOCK_SET_NS:
            # Taken, it would put every later line out of order and draw the device's times after it.
            self._reject(now_ns, "future", "its time is more than a day ahead of the clock", raw)
            return
        if row.ts_ns < self._last_ns:
            self._reject(now_ns, "order", "its time is before that of the line above", raw)
            return
        self._last_ns = row.ts_ns
        self._rows.append(row)

    def _reject(self, now_ns: int, reason: str, what: str, raw: bytes) -> None:
        text = f"{what}: {raw[:300].decode('utf-8', 'replace')}"
        self._refuse(Reject(now_ns, self._points[0].device, reason, text))

    def _open(self, *, from_start: bool | None = None) -> BufferedIOBase:
        path = self._source.file
        try:
            stream = self._stream = _opened(path)
            if self._source.follow and not (self._source.from_start if from_start is None else from_start):
                self._take(stream.readline(), 0)
                stream.seek(0, 2)
        except OSError as error:
            raise DriverError(f"{path}: {error.strerror or error}", mend=_MEND) from error
        return stream

    def _replaced(self, stream: BufferedIOBase) -> bool:
        """Tell whether the file was rotated or cut since it was opened."""
        try:
            there, mine = self._source.file.stat(), os.fstat(stream.fileno())
        except OSError as error:
            raise DriverError(f"{self._source.file}: {error.strerror}", mend=_MEND) from error
        return there.st_ino != mine.st_ino or there.st_size < stream.tell()

    def _at_end(self) -> None:
        self._begin_anew()
        if self._source.repeat and self._began is not None:
            self._began, self._last_ns = None, -1
        else:
            self._ended = True


def _opened(path: Path) -> BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def make(device: DeviceConfig, folder: Path, refuse: Callable[[Reject], None]) -> CsvDriver:
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
    source = CsvSource(
        file=folder / table.text("file"),
        time_column=table.text("time"),
        time=time_format(table),
        columns=tuple((p.options.text("column"), p.options.number("scale", 1.0)) for p in device.points),
        delimiter=delimiter,
        missing=table.texts("missing", ("", "NaN")),
        follow=follow,
        from_start=table.text("start", "end", choices=("start", "end")) == "start",
        speed=table.number("speed", 1.0, least=1e-6),
        stamp_now=stamp == "now",
        repeat=repeat,
        interval_s=device.interval_s,
    )
    return CsvDriver([p.birth for p in device.points], source, refuse)
