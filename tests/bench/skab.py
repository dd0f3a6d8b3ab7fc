"""Print how well the sensors of SKAB's pump loop are judged together: ``NAME VALUE UNIT`` a line.

As its authors ask: the first 400 rows of each file to fit, the rest judged, all files pooled, one threshold
for all of them: the detector's own. A plain count of F1 flatters here, so what an alarm that never ends would
get stands beside it. ``held_out``: window and threshold chosen on every other file, judged on the rest;
``two_windows``: among the choices is also the mean of the scores of two windows, which is not in the service.
"""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from minewatch.detect.company.series import score_rows

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("MINEWATCH_DATA", ROOT.parent / "shared/data")) / "skab"
TRAIN = 400
LABELS = ("anomaly", "changepoint")
WINDOWS = (10, 20, 30, 60)


@dataclass(frozen=True)
class Run:
    """One file: its sensors, its rows, which rows are faults."""

    name: str
    sensors: tuple[str, ...]
    rows: np.ndarray
    fault: np.ndarray


def runs(folder: Path = FOLDER) -> list[Run]:
    """Read the files with labels, in the order of folder and number."""
    found = []
    for path in sorted(folder.glob("*/*.csv"), key=lambda p: (p.parent.name, len(p.stem), p.stem)):
        with path.open(newline="", encoding="utf-8") as lines:
            header, *rows = csv.reader(lines, delimiter=";")
        if LABELS[0] not in header:
            continue
        values = np.array([[float(x) for x in row[1:]] for row in rows])
        names = header[1:]
        sensors = tuple(name for name in names if name not in LABELS)
        columns = [names.index(name) for name in sensors]
        fault = values[TRAIN:, names.index(LABELS[0])] > 0.5
        found.append(Run(f"{path.parent.name}/{path.stem}", sensors, values[:, columns], fault))
    return found


def scores(run: Run, detector: str, **parameters: float) -> np.ndarray:
    """Return the scores of the rows after the fit."""
    given: dict[str, str | float] = dict(parameters)
    return score_rows(detector, run.sensors, run.rows, given, TRAIN).scored.score[TRAIN:]


def verdict(alarm: np.ndarray, fault: np.ndarray) -> tuple[float, float, float]:
    """Return F1, false alarm rate and missed alarm rate in percent."""
    hit, false = int((alarm & fault).sum()), int((alarm & ~fault).sum())
    missed, quiet = int((~alarm & fault).sum()), int((~alarm & ~fault).sum())
    return (
        2 * hit / max(1, 2 * hit + false + missed),
        100 * false / max(1, false + quiet),
        100 * missed / max(1, hit + missed),
    )


def say(name: str, found: tuple[float, float, float]) -> None:
    """Print the three figures."""
    for part, value, unit in zip(("f1", "far", "mar"), found, ("1", "%", "%"), strict=True):
        print(f"accuracy.skab.{name}{part} {value:.4f} {unit}")


def held_out(files: list[Run], table: dict[str, list[np.ndarray]]) -> tuple[float, float, float]:
    """Choose a column of the table and a threshold on every other file by F1, judge the others; both ways."""
    alarms = []
    for mine in (0, 1):
        theirs = range(1 - mine, len(files), 2)
        fault = np.concatenate([files[i].fault for i in theirs])
        best = (0.0, "", 0.5)
        for name, found in table.items():
            score = np.concatenate([found[i] for i in theirs])
            for threshold in np.quantile(score, np.linspace(0.01, 0.99, 300)):
                best = max(best, (verdict(score >= threshold, fault)[0], name, float(threshold)))
        print(f"chosen on half {1 - mine}: windows {best[1]}, score {best[2]:.3f}", file=sys.stderr)
        alarms += [(files[i].fault, table[best[1]][i] >= best[2]) for i in range(mine, len(files), 2)]
    return verdict(np.concatenate([a for _, a in alarms]), np.concatenate([f for f, _ in alarms]))


def main() -> None:
    """Print every figure."""
    files = runs()
    if not files:
        print(f"accuracy.skab.f1 skipped: no SKAB files in {FOLDER} (set MINEWATCH_DATA)")
        return
    fault = np.concatenate([run.fault for run in files])
    print(f"accuracy.skab.files {len(files)} files")
    print(f"accuracy.skab.rows {len(fault)} rows")
    say("", verdict(np.concatenate([scores(run, "mahalanobis") for run in files]) >= 0.5, fault))
    print(f"accuracy.skab.always_f1 {verdict(np.ones_like(fault), fault)[0]:.4f} 1")
    table = {str(w): [scores(run, "mahalanobis", window=w) for run in files] for w in WINDOWS}
    say("held_out_", held_out(files, table))
    for one, two in combinations(tuple(table), 2):
        table[f"{one}+{two}"] = [(a + b) / 2 for a, b in zip(table[one], table[two], strict=True)]
    say("two_windows_held_out_", held_out(files, table))
    for name in ("pca", "isolation-forest"):
        found = np.concatenate([scores(run, name) for run in files]) >= 0.5
        say(f"{name.replace('-', '_')}_", verdict(found, fault))


if __name__ == "__main__":
    sys.exit(main())
