"""NAB with every parameter chosen on one half of the files and scored on the other.

The halves: files sorted by name, within each family every second one. The grid is below, whole. A setting is
judged by the mean of its own score and of its neighbours' (one step in one parameter), so that a lucky peak
does not win. The sizes of the memory (bins, kept values, blocks) and what decides between them are no
settings: they were looked at on all files.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from minewatch.detect.kernels.layout import NOVEL, NOVEL_BLOCKS
from minewatch.detect.kernels.novelty import gate, views
from tests.bench.nab import F8, I8, PROFILES, Series, scaled

GRID: dict[str, tuple[float, ...]] = {
    "novelty_memory_readings": (2000, 4000, 8000),
    "novelty_hour_share": (0.05, 0.1, 0.2),
    "novelty_hour_weight": (0.3, 0.5, 0.7),
    "novelty_threshold": tuple(round(0.12 + 0.01 * k, 2) for k in range(11)),
    "novelty_again": (1.5, 2.0, 3.0),
    "novelty_gate_readings": (50, 75, 100, 150),
}
WARM = 50
HOUR_NS = 2_700_000_000_000


@njit(error_model="numpy")
def newness(ts_ns: I8, values: F8, novel: np.ndarray, share: float, block: int, out: F8) -> None:
    """Fill ``out`` (2, rows) with the roots of both views' newness; NaN where a row is late."""
    last = -(2**63)
    for i in range(values.shape[0]):
        out[:, i] = np.nan
        if ts_ns[i] > last:
            last = ts_ns[i]
            first, second = views(novel[0], values[i], ts_ns[i], 0.0, HOUR_NS, share, block, 0)
            out[0, i] = np.sqrt(first)
            out[1, i] = np.sqrt(second)


@njit(error_model="numpy")
def gain(
    roots: F8, window: I8, worth: F8, novel: np.ndarray, weight: float, threshold: float, again: float,
    readings: int,
) -> tuple[float, float, int, int]:  # fmt: skip
    """Return (earned in windows, lost outside, windows found, alarms outside) of a file, before costs."""
    best = np.zeros(64)
    lost = 0.0
    count = 0
    row = novel[0]
    row["count"] = 0
    row["alarm_size"] = 0.0
    for i in range(worth.shape[0]):
        if np.isnan(roots[0, i]):
            continue
        row["count"] += 1
        if row["count"] <= WARM:
            continue
        if gate(row, roots[0, i] + weight * roots[1, i], 0, threshold, again, readings, -1) >= 1.0:
            if window[i] >= 0:
                best[window[i]] = max(best[window[i]], worth[i])
            elif window[i] == -1:
                lost += worth[i]
                count += 1
    return best.sum(), lost, (best > 0.0).sum(), count


def halves(files: Sequence[Series]) -> tuple[list[int], list[int]]:
    """Return the numbers of the files of either half."""
    families: dict[str, list[int]] = {}
    for k, file in enumerate(files):
        families.setdefault(file.family, []).append(k)
    return (
        sorted(k for group in families.values() for k in group[::2]),
        sorted(k for group in families.values() for k in group[1::2]),
    )


def gains(files: Sequence[Series]) -> F8:
    """Return (every setting of the grid, files, 4): earned, lost, windows found, alarms outside."""
    table = np.zeros((*(len(v) for v in GRID.values()), len(files), 4))
    memory, share, *rest = GRID.values()
    for (a, m), (b, s) in itertools.product(enumerate(memory), enumerate(share)):
        for k, file in enumerate(files):
            novel, roots = np.zeros(1, NOVEL), np.zeros((2, len(file.values)))
            newness(file.ts_ns, file.values, novel, s, int(m) // NOVEL_BLOCKS, roots)
            for at in itertools.product(*(range(len(v)) for v in rest)):
                weight, threshold, again, gate_readings = (v[i] for v, i in zip(rest, at, strict=True))
                table[(a, b, *at, k)] = gain(
                    roots, file.window, file.worth, novel, weight, threshold, again, int(gate_readings)
                )
    return table


def scores(table: F8, files: Sequence[Series], chosen: Sequence[int]) -> F8:
    """Return the standard score of every setting on some of the files."""
    profile = PROFILES[0]
    earned, lost, hit = (table[..., chosen, k].sum(axis=-1) for k in range(3))
    windows = sum(files[k].windows for k in chosen)
    raw = earned + profile.outside * lost - profile.missed * (windows - hit)
    return np.asarray(scaled(raw, windows, profile))


def smoothed(grid: F8) -> F8:
    """Return the mean of each setting's score and its neighbours'."""
    total, count = grid.copy(), np.ones(grid.shape)
    for axis, size in enumerate(grid.shape):
        for here, there in ((slice(1, size), slice(0, size - 1)), (slice(0, size - 1), slice(1, size))):
            to = tuple(here if k == axis else slice(None) for k in range(grid.ndim))
            by = tuple(there if k == axis else slice(None) for k in range(grid.ndim))
            total[to] += grid[by]
            count[to] += 1
    return total / count


@dataclass(frozen=True)
class Half:
    """What was chosen on one half, its score there and on the other, the alarms outside windows on that."""

    name: str
    setting: dict[str, float]
    here: float
    there: float
    outside: int


_TABLE: dict[int, F8] = {}


def table_of(files: Sequence[Series]) -> F8:
    """Return the gains of all settings, worked out once."""
    if id(files) not in _TABLE:
        _TABLE[id(files)] = gains(files)
    return _TABLE[id(files)]


def chosen(table: F8, files: Sequence[Series], here: Sequence[int]) -> tuple[int, ...]:
    """Return where in the grid the setting lies that is chosen on these files."""
    fit = smoothed(scores(table, files, here))
    return tuple(int(k) for k in np.unravel_index(int(np.argmax(fit)), fit.shape))


def held_out(files: Sequence[Series]) -> list[Half]:
    """Choose on either half, score on the other."""
    table = table_of(files)
    first, second = halves(files)
    found = []
    for name, here, there in (("a_to_b", first, second), ("b_to_a", second, first)):
        at = chosen(table, files, here)
        setting = {key: v[i] for (key, v), i in zip(GRID.items(), at, strict=True)}
        fit, test = (float(scores(table, files, some)[at]) for some in (here, there))
        found.append(Half(name, setting, fit, test, int(table[at][there, 3].sum())))
    return found


def random_halves(files: Sequence[Series], times: int = 100) -> tuple[float, float]:
    """Return mean and deviation of the score on the other half, over random halves of each family."""
    table = table_of(files)
    dice = np.random.default_rng(0)
    families: dict[str, list[int]] = {}
    for k, file in enumerate(files):
        families.setdefault(file.family, []).append(k)
    out = []
    for _ in range(times):
        here: list[int] = []
        for group in families.values():
            here += dice.permutation(group)[: (len(group) + 1) // 2].tolist()
        there = sorted(set(range(len(files))) - set(here))
        out.append(float(scores(table, files, there)[chosen(table, files, here)]))
    return float(np.mean(out)), float(np.std(out))
