"""`minewatch score`: one detector over a CSV, for benchmarks and engineers."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from minewatch.contracts import B1, F8, I8
from minewatch.detect.catalogue import NAMES
from minewatch.detect.company.catalogue import IDS as COMPANY
from minewatch.detect.company.catalogue import OUTAGES, TRUST
from minewatch.detect.engine import Engine
from minewatch.detect.forecast import forecast_series
from minewatch.detect.score import score_series
from minewatch.detect.shape import SHAPE, score_shape
from minewatch.detect.wear import Wear, wear_series
from minewatch.errors import ConfigError

if TYPE_CHECKING:
    from minewatch.detect.company.series import Rowwise

TOGETHER = (*COMPANY, *OUTAGES)  # detectors that score a row once
SCORED = (*NAMES, *TOGETHER, SHAPE.name)


def score_file(
    file: Path,
    detector: str,
    *,
    parameters: Sequence[str],
    time_column: str,
    interval_s: float,
    columns: Sequence[str],
    train_rows: int,
    out: Path | None,
) -> str:
    """Write time,point,score,alarm and what a detector adds for every row; return the summary line."""
    if detector not in SCORED:
        raise ConfigError(
            f"there is no detector {detector!r} for a file",
            where="--detector",
            mend=f"Known detectors: {', '.join(SCORED)}.",
        )
    settings = dict(_parameter(text) for text in parameters)
    if not 0 <= interval_s < 1e9 or (interval_s and time_column):
        raise ConfigError(
            f"{interval_s:g} does not fit",
            where="--interval-s",
            mend="Give the seconds from row to row of a file without times, and no --time.",
        )
    header, rows = _read(file)
    when = "" if interval_s else time_column or header[0]
    wanted = list(columns) or [name for name in header if name != when]
    for name in [*wanted, *([when] if when else [])]:
        if name not in header:
            raise ConfigError(
                f"has no column {name!r}", where=str(file), mend=f"Its columns: {', '.join(header)}."
            )
    labels = [row[header.index(when)] for row in rows] if when else [str(i) for i in range(len(rows))]
    ts_ns = _times(file, labels) if when else (np.arange(len(rows)) * interval_s * 1e9).astype(np.int64)
    if detector in TOGETHER:
        matrix = np.column_stack([_values(rows, header.index(name)) for name in wanted])
        return _score_together(detector, wanted, ts_ns, matrix, settings, train_rows, labels, out)
    if detector != SHAPE.name:
        Engine.warm_up()
    began = time.perf_counter()
    series = {name: _values(rows, header.index(name)) for name in wanted}
    scored = _scored(detector, ts_ns, series, settings, train_rows)
    seconds = max(time.perf_counter() - began, 1e-9)
    with _open(out) as sink:
        write = csv.writer(sink, lineterminator="\n").writerow
        write(("time", "point", "score", "alarm", *scored[0].more))
        for row, label in enumerate(labels):
            for each in scored:
                more = (column[row] for column in each.more.values())
                write((label, each.point, f"{float(each.score[row]):.6g}", int(each.alarm[row]), *more))
    readings = len(rows) * len(wanted)
    return f"{len(rows)} rows, {readings} readings, {seconds:.3f} s, {readings / seconds:.0f} readings/s"


def _score_together(
    detector: str,
    columns: Sequence[str],
    ts_ns: I8,
    matrix: F8,
    settings: dict[str, str],
    train_rows: int,
    labels: Sequence[str],
    out: Path | None,
) -> str:
    """Write a row each, point ``*``; with ``--set reasons=1`` also what each column adds, and why."""
    reasons = settings.pop("reasons", "0") == "1"
    began = time.perf_counter()
    found = _together(detector, columns, ts_ns, matrix, settings, train_rows)
    found.scored.score[:train_rows] = 0.0
    found.alarm[:train_rows] = False
    seconds = max(time.perf_counter() - began, 1e-9)
    with _open(out) as sink:
        write = csv.writer(sink, lineterminator="\n").writerow
        more = [*(f"share.{name}" for name in columns), "why"] if reasons else []
        write(("time", "point", "score", "alarm", *more))
        for row, label in enumerate(labels):
            fields = [label, "*", f"{float(found.scored.score[row]):.6g}", int(found.alarm[row])]
            if reasons:
                fields += [f"{share:.4g}" for share in found.scored.share[row].tolist()]
                fields.append(found.why(row))
            write(fields)
    note = "".join(f"; left out: {name} ({why})" for name, why in found.left_out.items())
    readings = matrix.size
    return (
        f"{len(matrix)} rows, {readings} readings, {seconds:.3f} s,"
        f" {readings / seconds:.0f} readings/s (fitting and compiling in it){note}"
    )


def _together(
    detector: str,
    columns: Sequence[str],
    ts_ns: I8,
    matrix: F8,
    settings: dict[str, str],
    train_rows: int,
) -> Rowwise:
    from minewatch.detect.company.series import score_rows
    from minewatch.detect.company.trust_series import score_trust
    from minewatch.detect.outage_series import score_outage

    if detector in OUTAGES:
        return score_outage(detector, columns, ts_ns, matrix, settings)
    if detector in {each.name for each in TRUST}:
        return score_trust(detector, columns, ts_ns, matrix, settings)
    return score_rows(detector, columns, matrix, settings, train_rows)


@dataclass(frozen=True, slots=True)
class _Scored:
    point: str
    score: F8
    alarm: B1
    more: dict[str, list[str]] = field(default_factory=dict)  # further columns


def _scored(
    detector: str, ts_ns: I8, columns: dict[str, F8], settings: dict[str, str], train_rows: int
) -> list[_Scored]:
    """Return the scores of each column; a forecast is of the first one, the others help."""
    if detector == "forecast":
        target, *names = columns
        helpers = np.column_stack([np.zeros((len(ts_ns), 0)), *(columns[name] for name in names)])
        told = forecast_series(ts_ns, columns[target], helpers, settings, train_rows)
        more = {"forecast": told.forecast, "forecast_low": told.low, "forecast_high": told.high}
        more["minutes_to_limit"] = told.minutes
        return [_Scored(target, told.score, told.alarm, {k: _shown(v) for k, v in more.items()})]
    if detector == SHAPE.name:
        return [_Scored(name, *score_shape(v, settings, train_rows)) for name, v in columns.items()]
    if detector == "wear":
        return [_worn(name, wear_series(ts_ns, v, settings, train_rows)) for name, v in columns.items()]
    return [
        _Scored(name, *score_series(detector, ts_ns, values, settings, train_rows))
        for name, values in columns.items()
    ]


def _worn(name: str, found: Wear) -> _Scored:
    more = {"severity": _shown(found.severity), "zone": found.zone, "trend_per_day": _shown(found.trend)}
    return _Scored(name, found.score, found.alarm, {**more, "days_to_limit": _shown(found.days)})


def _shown(column: F8) -> list[str]:
    """Return numbers as text, NaN as an empty field."""
    return ["" if math.isnan(number) else f"{number:.6g}" for number in column.tolist()]


def _parameter(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (equals and key.strip() and value.strip()):
        raise ConfigError(f"{text!r} is no parameter", where="--set", mend="Write KEY=VALUE.")
    return key.strip(), value.strip()


def _read(file: Path) -> tuple[list[str], list[list[str]]]:
    rows: list[list[str]] = []
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            first = lines.readline()
            lines.seek(0)
            reader = csv.reader(lines, delimiter=";" if ";" in first and "," not in first else ",")
            for row in reader:
                if rows and row and len(row) != len(rows[0]):
                    raise ConfigError(
                        f"has {len(row)} fields where the header has {len(rows[0])}",
                        where=f"{file}, line {reader.line_num}",
                        mend="Mend that line.",
                    )
                if row:
                    rows.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"cannot be read ({why})", where=str(file), mend="Give a CSV file in UTF-8."
        ) from None
    if len(rows) < 2:
        raise ConfigError("holds no rows", where=str(file), mend="It needs a header line and rows.")
    return rows[0], rows[1:]


def _values(rows: Sequence[Sequence[str]], column: int) -> F8:
    return np.array([_number(row[column]) for row in rows])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # detectors treat it as a missing reading


def _times(file: Path, labels: Sequence[str]) -> I8:
    times = np.empty(len(labels), np.int64)
    for row, label in enumerate(labels):
        try:
            times[row] = int(float(label) * 1e9)
            continue
        except (ValueError, OverflowError):
            pass
        try:
            moment = datetime.fromisoformat(label)
        except ValueError:
            raise ConfigError(
                f"{label!r} is no time",
                where=f"{file}, row {row + 1}",
                mend="Use ISO 8601 or seconds, name the column with --time, or count rows with --interval-s.",
            ) from None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        times[row] = int(aware.timestamp() * 1e9)
    return times


@contextmanager
def _open(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        sink = out.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})",
            where=f"--out {out}",
            mend="Name a file in a folder that is there.",
        ) from None
    with sink:
        yield sink
