"""Wear of a machine from a quantity that grows with it (vibration, temperature, current): severity and trend.

The words are those of ISO 13374: the level against its baseline detects the state, the severity assesses the
health, the trend tells how long until a limit (prognosis). All spans are measured time: a silence counts for
an hour at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, Row, Rows
from .median import NORMAL, median_of

HOUR_NS = 3_600_000_000_000
PARTS = 24  # of the baseline: its level is the median of their means
FAST_S = 43_200.0  # memory of the level
SLOW_S = 172_800.0  # memory of what the level is compared with for the trend
CHANGE = (
    0.25  # of the baseline: a change that ISO 20816 calls significant (there of the border B/C; unverified)
)
NOISE = 3.0  # and not less than so many sigmas of the parts of the baseline
IDLE = 0.3  # of the baseline: below it the machine stands still
RUN_IN = 0.8  # changes by which running-in may lower the baseline
ZONE_B, ZONE_C, ZONE_D = 1.0, 2.4, 6.0  # in changes: 1.25, 1.6 and 2.5 times the baseline
LARGEST = 1e15  # no instrument reads more: passed over like NaN

WEAR = np.dtype(
    [
        ("point", "i8"),
        ("baseline_ns", "i8"),
        ("last_ns", "i8"),
        ("readings", "i8"),
        ("newer", "f8"),  # the reading before
        ("older", "f8"),  # and the one before that
        ("sum", "f8"),
        ("weight", "f8"),
        ("parts", "i8"),
        ("part", "f8", (PARTS,)),
        ("ready", "i8"),
        ("base", "f8"),
        ("least", "f8"),
        ("unit", "f8"),
        ("fast", "f8"),
        ("slow", "f8"),
    ]
)


def begin(rows: Rows, baseline_ns: int) -> None:
    """Make rows that know nothing yet."""
    rows[:] = np.zeros(1, WEAR)[0]
    rows["baseline_ns"], rows["last_ns"] = baseline_ns, NONE


@kernel
def learn_baseline(row: Row, x: float, elapsed: float) -> None:
    """Let x cover so many ns of the baseline; when it is whole, take median and spread of its parts.

    A machine that stood still all the time (no level, no spread) is learned anew.
    """
    row["sum"] += x * elapsed
    row["weight"] += elapsed
    if row["weight"] < row["baseline_ns"] / PARTS:
        return
    row["part"][row["parts"]] = row["sum"] / row["weight"]
    row["parts"] += 1
    row["sum"] = 0.0
    row["weight"] = 0.0
    if row["parts"] < PARTS:
        return
    row["parts"] = 0
    base = median_of(row["part"], PARTS)
    for k in range(PARTS):
        row["part"][k] = abs(row["part"][k] - base)
    unit = max(CHANGE * abs(base), NOISE * NORMAL * median_of(row["part"], PARTS))
    if unit <= 0.0:
        return
    row["ready"] = 1
    row["base"] = base
    row["unit"] = unit
    row["least"] = base - RUN_IN * unit
    row["fast"] = base
    row["slow"] = base


@kernel
def assess(row: Row, x: float, t: int) -> tuple[float, float]:
    """Take a reading; return (severity, trend a day), NaN until the baseline is learned and for no number.

    severity = (level - baseline) / change, at least 0: 1 is a significant change. A level is the forgetting
    mean of medians of three readings. The trend is that of a ramp that two means of different memory lag
    behind, in severities a day. A machine that stands still neither wears nor heals.
    """
    if not abs(x) <= LARGEST or (row["last_ns"] != NONE and t <= row["last_ns"]):
        return np.nan, np.nan
    elapsed = float(min(t - row["last_ns"], HOUR_NS)) if row["last_ns"] != NONE else 0.0
    newer = row["newer"]
    older = row["older"]
    middle = max(min(x, newer), min(max(x, newer), older)) if row["readings"] >= 2 else x
    row["last_ns"] = t
    row["readings"] += 1
    row["older"] = newer
    row["newer"] = x
    if row["ready"] == 0:
        learn_baseline(row, middle, elapsed)
        return np.nan, np.nan
    if row["base"] <= 0.0 or middle >= IDLE * row["base"]:
        seconds = elapsed / 1e9
        row["fast"] += (1.0 - np.exp(-seconds / FAST_S)) * (middle - row["fast"])
        row["slow"] += (1.0 - np.exp(-seconds / SLOW_S)) * (middle - row["slow"])
        row["base"] = max(min(row["base"], row["fast"]), row["least"])
    severity = max((row["fast"] - row["base"]) / row["unit"], 0.0)
    trend = (row["fast"] - row["slow"]) / (SLOW_S - FAST_S) / row["unit"] * 86_400.0
    return severity, trend


@kernel
def days_to(limit: float, severity: float, trend: float) -> float:
    """Return the days until the severity reaches a limit by its trend; NaN in zone A or without a rise."""
    if np.isnan(severity) or severity >= limit:
        return 0.0 if severity >= limit else np.nan
    if severity < ZONE_B or trend <= 0.0:
        return np.nan
    return max((limit - severity) / trend - FAST_S / 86_400.0, 0.0)


@kernel
def assess_series(
    row: Row, ts_ns: NDArray[np.int64], value: NDArray[np.float64], limit: float, out: NDArray[np.float64]
) -> None:
    """Assess a series into (rows, 3): severity, trend, days; without a reading the row before again."""
    for i in range(value.shape[0]):
        severity, trend = assess(row, value[i], ts_ns[i])
        if np.isnan(severity):
            for k in range(3):
                out[i, k] = out[i - 1, k] if i > 0 else np.nan
        else:
            out[i, 0] = severity
            out[i, 1] = trend
            out[i, 2] = days_to(limit, severity, trend)
