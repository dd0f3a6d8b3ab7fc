"""The ambient of a gas at its meter: the level of the air course without a fire, hour by hour."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import NONE, Row

HOUR_NS = 3_600_000_000_000


@kernel
def ambient(
    row: Row, x: float, begin: int, end: int, memory_h: float, free_h: float, rise: float, least_s: float
) -> float:
    """Let x cover (begin, end] and return the ambient that whole hours before this one say; NaN before.

    Each hour's time-weighted mean, if at least ``least_s`` of it were measured, moves the ambient by its n-th
    part, n growing to ``memory_h``; after ``free_h`` hours never up by more than ``rise`` an hour, so a slow
    fire does not become the ambient it is measured from. A reading belongs to the hour that holds its end.
    """
    hour = end // HOUR_NS
    if row["hour"] != NONE and hour < row["hour"]:
        return np.nan
    if hour != row["hour"]:
        if row["weight"] >= least_s:
            row["hours"] = min(row["hours"] + 1.0, memory_h)
            step = (row["sum"] / row["weight"] - row["level"]) / row["hours"]
            row["level"] += min(step, rise) if row["hours"] > free_h else step
        row["hour"] = hour
        row["sum"] = 0.0
        row["weight"] = 0.0
    if np.isfinite(x):
        seconds = float(end - max(begin, hour * HOUR_NS)) / 1e9
        row["sum"] += x * seconds
        row["weight"] += seconds
    return row["level"] if row["hours"] > 0.0 else np.nan
