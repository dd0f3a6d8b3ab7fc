"""One line of a CSV file to a time and values, or to a reason why not."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from minewatch_edge.drivers.ahead import LATEST_NS
from minewatch_edge.drivers.lines import LONGEST_LINE, Line
from minewatch_edge.errors import DriverError
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"unix_s": 1e9, "unix_ms": 1e6}


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How a time is written: ``iso``, ``unix_s``, ``unix_ms`` or a strptime format.

    ``zone`` is meant where the text has no offset. Of an hour that comes twice, when summer time ends, the
    second is meant as soon as the first would lie before ``after_ns``.
    """

    form: str = "iso"
    zone: tzinfo | None = None

    def read(self, text: str, after_ns: int = -(2**63)) -> int:
        """Return nanoseconds since 1970; raise ValueError with the reason."""
        if self.form in _UNITS:
            number = float(text)
            if not math.isfinite(number):
                raise ValueError("no finite number")
            return _held(round(number * _UNITS[self.form]))
        when = datetime.fromisoformat(text) if self.form == "iso" else datetime.strptime(text, self.form)  # noqa: DTZ007
        if when.tzinfo is None:
            if self.zone is None:
                raise ValueError("it has no offset, and no time_zone is set")
            when = when.replace(tzinfo=self.zone)
            if _nanoseconds(when) < after_ns:
                when = when.replace(fold=1)
        return _held(_nanoseconds(when))


def _held(ts_ns: int) -> int:
    if abs(ts_ns) > LATEST_NS:
        raise ValueError("no clock can hold it")
    return ts_ns


def _nanoseconds(when: datetime) -> int:
    gone = when - _EPOCH
    return ((gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds) * 1_000


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A line that could be read: its time, and (point, value) of the cells that hold one."""

    ts_ns: int
    values: tuple[tuple[int, float], ...]
    faults: tuple[tuple[str, str], ...]


class Layout:
    """The columns of a file, found by the names of its first line.

    Raises DriverError when a named column is not there.
    """

    def __init__(
        self,
        header: str,
        time_column: str,
        time: TimeFormat,
        columns: Sequence[tuple[str, float]],
        *,
        delimiter: str = ",",
        missing: Sequence[str] = ("", "NaN"),
    ) -> None:
        names = [
            name.strip() for name in next(csv.reader([header.lstrip("\ufeff")], delimiter=delimiter), [])
        ]
        self._time = time
        self._delimiter = delimiter
        self._missing = frozenset(missing)
        self._time_at = _find(names, time_column)
        self._cells = [(_find(names, column), column, scale) for column, scale in columns]
        self._least = max([self._time_at, *(at for at, _, _ in self._cells)]) + 1

    def read(self, line: str, after_ns: int = -(2**63)) -> CsvRow | tuple[str, str]:
        """Return the row, or (reason, what is wrong) when nothing of it can be used.

        ``after_ns`` is the time of the line before.
        """
        cells = next(csv.reader([line], delimiter=self._delimiter), [])
        if len(cells) < self._least:
            return "columns", f"{len(cells)} columns, {self._least} are needed"
        try:
            ts_ns = self._time.read(cells[self._time_at].strip(), after_ns)
        except (ValueError, OverflowError) as error:
            return "time", f"{cells[self._time_at]!r}: {error}"
        values, faults = [], []
        for point, (at, column, scale) in enumerate(self._cells):
            text = cells[at].strip()
            if text in self._missing:
                continue
            try:
                value = float(text) * scale
            except ValueError:
                value = math.nan
            if math.isfinite(value):
                values.append((point, value))
            else:
                faults.append(("value", f"{column}: {text!r} is no number"))
        return CsvRow(ts_ns, tuple(values), tuple(faults))


@dataclass(frozen=True, slots=True)
class CsvText:
    """Which file, and how it is written."""

    file: Path
    time_column: str
    time: TimeFormat
    columns: tuple[tuple[str, float], ...]
    delimiter: str = ","
    missing: tuple[str, ...] = ("", "NaN")

    def layout(self, header: str) -> Layout:
        """Find the columns in a first line; raise DriverError when one is not there."""
        return Layout(
            header, self.time_column, self.time, self.columns, delimiter=self.delimiter, missing=self.missing
        )


def decoded(line: Line) -> str | tuple[str, str]:
    """Return the text of a line, or (reason, what is wrong)."""
    if not line.whole:
        return "length", f"a line of more than {LONGEST_LINE} bytes"
    try:
        return line.raw.decode("utf-8").rstrip("\r")
    except UnicodeDecodeError:
        return "encoding", "no UTF-8"


def rejected(now_ns: int, device: str, reason: str, what: str, raw: bytes) -> Reject:
    """Return the reject of a line, its beginning with it."""
    return Reject(now_ns, device, reason, f"{what}: {raw[:300].decode('utf-8', 'replace')}")


def _find(names: list[str], column: str) -> int:
    if column not in names:
        raise DriverError(f"there is no column {column!r}; the first line names: {', '.join(names)}")
    return names.index(column)


def time_format(table: Table) -> TimeFormat:
    """Read ``format`` and ``time_zone`` of a device."""
    zone_name = table.text("time_zone", "")
    form = table.text("format", "iso")
    if form not in ("iso", *_UNITS) and "%" not in form:
        raise table.error(
            "format", f"{form!r} is no format", 'Use iso, unix_s, unix_ms or e.g. "%d.%m.%Y %H:%M:%S"'
        )
    try:
        return TimeFormat(form, ZoneInfo(zone_name) if zone_name else None)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise table.error(
            "time_zone", f"{zone_name!r} is no time zone", 'Use a name as "Asia/Almaty"'
        ) from error
