"""The faults of mine_cooling and mine_dust, listed from the raw files by definitions that know no detector.

Standard library only, whole file in view (a detector has only the past). Rows are counted from 0 at the
first row of data. The definitions were written after looking at the runs of equal values in the raw
columns. After a first run of a prototype over the whole files valves and columns of few values were left out
of "stuck" and twelve hours were added to it; nothing was changed after the bench first printed its figures.

freeze    at least 30 rows in which 60 % of the columns, and at least three, repeat their value at every row
stuck     one column repeats a value for at least 30 rows, and for at least five times the 99.9 % quantile of
          its runs or for twelve hours, away from its end stops (a value within 0.5 % of its span from its
          lowest or highest); not valves (U_*), which are set and not measured, nor columns of < 50 values
saturated a humidity stands at 99.5 % or more, unchanged, for at least 4 hours
drop-out  a column has no value for at least 4 rows
outage    60 % of the columns, and at least three, have no value for at least 4 rows

``python -m tests.bench.known_faults FOLDER`` prints them.
"""

from __future__ import annotations

import csv
import gzip
import math
import sys
from dataclasses import dataclass
from pathlib import Path

CALCULATED = ("t_s", "m_evapSD", "U_MP", "F_outCD", "T_outPT", "T_outRP")  # no instruments, says the README
SHARE = 0.6
FREEZE_ROWS = 30
OUT_ROWS = 4
SATURATED_S = 4 * 3600
STUCK_S = 12 * 3600


@dataclass(frozen=True)
class Fault:
    """A fault: of one column, or "" for most of them; rows ``first`` to ``last``."""

    kind: str
    column: str
    first: int
    last: int
    value: float


@dataclass(frozen=True)
class Recording:
    """Columns by name, rows ``interval_s`` apart."""

    name: str
    interval_s: int
    columns: dict[str, list[float]]


def cooling(folder: Path) -> Recording:
    """Read mine_cooling: 22 measured columns, a row a minute."""
    with gzip.open(folder / "mine_cooling" / "mine_cooling_1min.csv.gz", "rt", newline="") as text:
        header, *rows = csv.reader(text)
    wanted = [(i, name) for i, name in enumerate(header) if name not in CALCULATED]
    return Recording("mine_cooling", 60, {name: [float(row[i]) for row in rows] for i, name in wanted})


def dust(folder: Path) -> Recording:
    """Read mine_dust: ten columns, a row every 15 minutes; the last three rows are a summary."""
    (path,) = (folder / "mine_dust").glob("*.csv")
    with path.open(newline="", encoding="utf-8-sig") as text:
        header, *rows = csv.reader(text)
    rows = [row for row in rows if row[2]]
    columns = {
        name.split("  ")[1].split(" ")[0]: [math.nan if row[i] == "NA" else float(row[i]) for row in rows]
        for i, name in enumerate(header)
        if i >= 3
    }
    return Recording("mine_dust", 900, columns)


def runs(values: list[float]) -> list[tuple[int, int]]:
    """Return (first, last) of every stretch of equal values; missing equals missing."""
    found = []
    begin = 0
    for i in range(1, len(values) + 1):
        if i == len(values) or not (
            values[i] == values[begin] or (math.isnan(values[i]) and math.isnan(values[begin]))
        ):
            found.append((begin, i - 1))
            begin = i
    return found


def _together(lists: dict[str, list[tuple[int, int]]], rows: int, kind: str, least: int) -> list[Fault]:
    count = [0] * (rows + 1)
    for stretches in lists.values():
        for first, last in stretches:
            count[first] += 1
            count[last + 1] -= 1
    needed = max(3, math.ceil(SHARE * len(lists)))
    found, now, begin = [], 0, -1
    for i in range(rows + 1):
        now += count[i]
        if now >= needed and i < rows:
            begin = i if begin < 0 else begin
        elif begin >= 0:
            if i - begin >= least:
                found.append(Fault(kind, "", begin, i - 1, math.nan))
            begin = -1
    return found


def faults(recording: Recording) -> list[Fault]:
    """Return every fault that the definitions name, in order of time."""
    found, rests, holes = [], {}, {}
    rows = len(next(iter(recording.columns.values())))
    for name, values in recording.columns.items():
        all_runs = runs(values)
        there = [(a, b) for a, b in all_runs if not math.isnan(values[a])]
        missing = [(a, b) for a, b in all_runs if math.isnan(values[a]) and b - a + 1 >= OUT_ROWS]
        lengths = sorted(b - a + 1 for a, b in there)
        usual = lengths[min(len(lengths) - 1, int(0.999 * len(lengths)))]
        finite = [x for x in values if not math.isnan(x)]
        low, high = min(finite), max(finite)
        margin = 0.005 * (high - low)
        rests[name] = [(a, b) for a, b in there if b - a + 1 >= FREEZE_ROWS]
        holes[name] = missing
        found += [Fault("drop-out", name, a, b, math.nan) for a, b in missing]
        for a, b in rests[name]:
            length, x = b - a + 1, values[a]
            if name.startswith("H_") and x >= 99.5 and length * recording.interval_s >= SATURATED_S:
                found.append(Fault("saturated", name, a, b, x))
            elif name.startswith("U_") or len(set(finite)) < 50:
                continue
            elif (
                length >= 5 * usual or length * recording.interval_s >= STUCK_S
            ) and low + margin < x < high - margin:
                found.append(Fault("stuck", name, a, b, x))
    found += _together(rests, rows, "freeze", FREEZE_ROWS) + _together(holes, rows, "outage", OUT_ROWS)
    return sorted(found, key=lambda f: (f.first, f.column))


def main() -> None:
    """Print the faults of both recordings."""
    folder = Path(sys.argv[1])
    for recording in (cooling(folder), dust(folder)):
        for f in faults(recording):
            print(
                f"{recording.name} {f.kind} {f.column or '*'} rows {f.first}-{f.last} "
                f"({f.last - f.first + 1}) {f.value:g}"
            )


if __name__ == "__main__":
    main()
