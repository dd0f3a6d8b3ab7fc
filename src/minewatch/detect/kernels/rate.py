"""Rate of rise per minute, unmoved by a single wild reading."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import RATE_KEPT, RATE_SPACING, Rows


@kernel
def median_of_3(a: float, b: float, c: float) -> float:
    """Return the middle one."""
    return max(min(a, b), min(max(a, b), c))


@kernel
def rate_of_rise(
    rise: Rows,
    kept_ns: NDArray[np.int64],
    kept_value: NDArray[np.float64],
    p: int,
    x: float,
    t: int,
    window: int,
) -> float:
    """Return the rise per minute over the window of point p; NaN while it holds too little.

    The median of the newest three readings less the median of the oldest three kept in the window, over the
    time between their middle ones, which must be at least half the window. A value that is not
    finite is passed over.
    """
    if not np.isfinite(x):
        return np.nan
    r = rise[p]
    r["t0"] = r["t1"]
    r["t1"] = r["t2"]
    r["t2"] = t
    r["x0"] = r["x1"]
    r["x1"] = r["x2"]
    r["x2"] = x
    r["recent"] = min(r["recent"] + 1, 3)
    head = r["head"]
    kept = r["kept"]
    while kept > 0 and t - kept_ns[p, head] > window:
        head = (head + 1) % RATE_KEPT
        kept -= 1
    rate = np.nan
    if kept >= 3 and r["recent"] == 3:
        second = (head + 1) % RATE_KEPT
        third = (head + 2) % RATE_KEPT
        span = r["t1"] - kept_ns[p, second]
        if r["t0"] > kept_ns[p, third] and 2 * span >= window:
            new = median_of_3(r["x0"], r["x1"], r["x2"])
            old = median_of_3(kept_value[p, head], kept_value[p, second], kept_value[p, third])
            rate = (new - old) / (float(span) / 60e9)
    newest = (head + kept - 1) % RATE_KEPT
    if kept == 0 or t - kept_ns[p, newest] >= window // RATE_SPACING:
        slot = (head + kept) % RATE_KEPT
        kept_ns[p, slot] = t
        kept_value[p, slot] = x
        kept += 1
    r["head"] = head
    r["kept"] = kept
    return rate
