"""Print when the wear detector ranks the failing bearings first, and whether it ever ranks a good one first.

The day-by-day ranking goes to stderr. Which bearing failed is known of the runs (NASA/IMS). No parameter was
fitted to them, but its author had seen the daily medians: baseline of a day, change of 25 % (ISO 20816),
memory of half a day are round figures that were not varied.
"""

from __future__ import annotations

import csv
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from minewatch.detect.wear import wear_series

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MINEWATCH_DATA", ROOT.parent / "shared" / "data")) / "bearings_ims"
RUNS = {"1st": {"3", "4"}, "2nd": {"1"}, "3rd": {"3"}}  # the bearings that failed
DAY = 86_400.0


def read(run: str) -> tuple[np.ndarray, dict[str, list[np.ndarray]]]:
    """Return times in seconds and, for each bearing, its channels."""
    path = DATA / f"{run}_test_resmaple_10minutes.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    form = "%Y.%m.%d.%H.%M.%S"
    times = np.array([datetime.strptime(r[1], form).replace(tzinfo=UTC).timestamp() for r in rows])
    bearings: dict[str, list[np.ndarray]] = {}
    for k, name in enumerate(header[2:], 2):
        bearings.setdefault(name.split()[1].split("-")[0], []).append(np.array([float(r[k]) for r in rows]))
    return times, bearings


def severities(times: np.ndarray, bearings: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the severity of each bearing: of the worse of its channels; 0 while the baseline is learned."""
    ts = (times * 1e9).astype(np.int64)
    return {
        name: np.max([np.nan_to_num(wear_series(ts, channel, {}).severity) for channel in channels], 0)
        for name, channels in bearings.items()
    }


def first_for_good(table: dict[str, np.ndarray], failing: set[str]) -> int:
    """Return the row from which the failing ones are worn and rank above all others; the length if none."""
    worst = np.min([table[name] for name in failing], 0)
    best = np.max([values for name, values in table.items() if name not in failing], 0)
    wrong = np.flatnonzero((worst < 1.0) | (worst <= best))
    return int(wrong[-1]) + 1 if len(wrong) else 0


def told(run: str, times: np.ndarray, table: dict[str, np.ndarray]) -> None:
    """Print the ranking at the end of each day to stderr: worn bearings with their severity, worst first."""
    days = ((times - times[0]) // DAY).astype(int)
    print(f"run {run}: bearings in zone B or worse at the end of each day", file=sys.stderr)
    for day in np.unique(days):
        row = int(np.flatnonzero(days == day)[-1])
        worn = sorted((n for n in table if table[n][row] >= 1.0), key=lambda n: -table[n][row])
        ranked = ", ".join(f"{n} ({table[n][row]:.1f})" for n in worn) or "none"
        left = (times[-1] - times[row]) / DAY
        print(f"  day {day:2} ({left:4.1f} days before the end): {ranked}", file=sys.stderr)


def main() -> None:
    """Print every figure."""
    if not DATA.is_dir():
        print("accuracy.bearings skipped: no recordings; name their folder in MINEWATCH_DATA")
        return
    good_first = 0
    leads = []
    for run, failing in RUNS.items():
        times, bearings = read(run)
        table = severities(times, bearings)
        told(run, times, table)
        names = list(table)
        worst = np.array([table[n] for n in names])
        first = np.array(names)[worst.argmax(0)]
        good_first += int(np.sum((worst.max(0) >= 1.0) & ~np.isin(first, list(failing))))
        start = first_for_good(table, failing)
        leads.append((times[-1] - times[start]) / DAY if start < len(times) else 0.0)
        print(f"accuracy.bearings.{run}.first_before_end {leads[-1]:.2f} days")
        for name in names:
            worn = np.flatnonzero(table[name] >= 1.0)
            lead = (times[-1] - times[worn[0]]) / DAY if len(worn) else 0.0
            kind = "failing" if name in failing else "good"
            print(f"accuracy.bearings.{run}.{kind}_{name}_worn_before_end {lead:.2f} days")
    print(f"accuracy.bearings.least_first_before_end {min(leads):.2f} days")
    print(f"accuracy.bearings.good_first {good_first} readings")


if __name__ == "__main__":
    sys.exit(main())
