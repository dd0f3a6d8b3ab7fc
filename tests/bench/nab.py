"""NAB, the Numenta Anomaly Benchmark 1.1, by its own rules: windows, sigmoid, costs, threshold sweep.

Written from the published rules (Lavin and Ahmad 2015). The first 15 % of a file, of its first 5,000 rows,
are probation and count nothing. An alarm in a labelled window earns the sigmoid of its place in it, the
earliest one counts; an alarm outside costs by its distance from the window before; a window without alarm
costs one.
The sum is put on a scale where no alarm at all is 0 and every window found at its first row is 100.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("MINEWATCH_DATA") or ROOT.parent / "shared" / "data") / "nab"
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
OUTSIDE = -1
PROBATION = -2


@dataclass(frozen=True)
class Profile:
    """What an alarm outside and a missed window cost; a window found earns up to one."""

    name: str
    outside: float
    missed: float


PROFILES = (
    Profile("standard", 0.11, 1.0),
    Profile("low_fp", 0.22, 1.0),
    Profile("low_fn", 0.11, 2.0),
)


@dataclass(frozen=True)
class Series:
    """One file: its rows, the window each lies in (or OUTSIDE, PROBATION), what an alarm there is worth.

    ``worth`` is 0..1 in a window, -1..0 outside (before the profile's costs).
    """

    name: str
    ts_ns: I8
    values: F8
    window: I8
    worth: F8
    windows: int

    @property
    def family(self) -> str:
        """Return the folder of the file."""
        return self.name.partition("/")[0]


def sigmoid(place: float) -> float:
    """Return NAB's scaled sigmoid: 1 far before, 0 at the right edge, -1 far behind (flat from 3 on)."""
    return -1.0 if place > 3.0 else 2.0 / (1.0 + float(np.exp(5.0 * place))) - 1.0


def probation(rows: int) -> int:
    """Return how many rows at the start count nothing."""
    return int(0.15 * min(rows, 5000))


def judged(times: Sequence[str], windows: Sequence[tuple[str, str]]) -> tuple[I8, F8, int]:
    """Return (window, worth) of each row, and how many windows count. Edges are times of rows."""
    rows = len(times)
    window, worth = np.full(rows, OUTSIDE), np.full(rows, -1.0)
    first: dict[str, int] = {}
    for row, time in enumerate(times):
        first.setdefault(time, row)
    edges = [(first[a], first[b]) for a, b in windows]
    for k, (left, right) in enumerate(edges):
        width = right - left + 1
        for row in range(left, right + 1):
            window[row] = k
            worth[row] = sigmoid(-(right - row + 1) / width) / sigmoid(-1.0)
        after = edges[k + 1][0] if k + 1 < len(edges) else rows
        for row in range(right + 1, after):
            worth[row] = sigmoid((row - right) / (width - 1))
    window[: probation(rows)] = PROBATION
    return window, worth, len(set(window[window >= 0].tolist()))


def load(folder: Path = FOLDER) -> list[Series]:
    """Read all files with their windows, sorted by name. Raises FileNotFoundError where they are not."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text())
    found = []
    for name in sorted(labels):
        with (folder / "data" / name).open(newline="") as lines:
            rows = list(csv.reader(lines))[1:]
        times = [row[0] for row in rows]
        edges = [(a.partition(".")[0], b.partition(".")[0]) for a, b in labels[name]]
        window, worth, count = judged(times, edges)
        seconds = [int(datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp()) for t in times]
        values = np.array([float(row[1]) for row in rows])
        found.append(Series(name, np.array(seconds) * 1_000_000_000, values, window, worth, count))
    return found


def scaled(raw: float, windows: int, profile: Profile) -> float:
    """Put a sum of gains and costs on the scale of 0 (no alarm) to 100 (every window at its first row)."""
    nothing = -profile.missed * windows
    return 100.0 * (raw - nothing) / (windows - nothing)


def of_alarms(files: Sequence[Series], alarms: Sequence[NDArray[np.bool_]], profile: Profile) -> float:
    """Return the score of alarms as they are: nothing is chosen."""
    raw = 0.0
    for file, alarm in zip(files, alarms, strict=True):
        best = np.full(file.windows + 64, -profile.missed)
        inside = alarm & (file.window >= 0)
        np.maximum.at(best, file.window[inside], file.worth[inside])
        counted = np.unique(file.window[file.window >= 0])
        raw += best[counted].sum() + profile.outside * file.worth[alarm & (file.window == OUTSIDE)].sum()
    return scaled(raw, sum(file.windows for file in files), profile)


def sweep(files: Sequence[Series], scores: Sequence[F8], profile: Profile) -> tuple[float, float]:
    """Return (score, threshold) at the one threshold for all files that is best, as NAB does."""
    score, change = [], []
    windows = sum(file.windows for file in files)
    for file, values in zip(files, scores, strict=True):
        values = np.asarray(values, np.float64)
        outside = file.window == OUTSIDE
        score.append(values[outside])
        change.append(profile.outside * file.worth[outside])
        for k in np.unique(file.window[file.window >= 0]):
            rows = np.flatnonzero(file.window == k)
            rows = rows[np.argsort(-values[rows], kind="stable")]
            best = np.maximum.accumulate(np.maximum(file.worth[rows], -profile.missed))
            score.append(values[rows])
            change.append(np.diff(best, prepend=-profile.missed))
    flat, delta = np.concatenate(score), np.concatenate(change)
    order = np.argsort(-flat, kind="stable")
    flat, total = flat[order], np.cumsum(delta[order]) - profile.missed * windows
    last = np.append(flat[1:] != flat[:-1], True)  # a threshold takes all rows of equal score
    at = np.flatnonzero(last)
    k = at[np.argmax(total[at])]
    nothing = -profile.missed * windows
    if nothing >= total[k]:
        return 0.0, float("inf")
    return scaled(float(total[k]), windows, profile), float(flat[k])


def outside(files: Sequence[Series], alarms: Sequence[NDArray[np.bool_]]) -> int:
    """Return how many alarms lie in no window (probation aside)."""
    return sum(int((a & (f.window == OUTSIDE)).sum()) for f, a in zip(files, alarms, strict=True))


def found(files: Sequence[Series], alarms: Sequence[NDArray[np.bool_]]) -> int:
    """Return how many windows hold an alarm."""
    return sum(len(np.unique(f.window[a & (f.window >= 0)])) for f, a in zip(files, alarms, strict=True))
