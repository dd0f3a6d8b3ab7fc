"""Rate of rise per minute, unmoved by a single wild reading."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import RATE_KEPT, RATE_SPACING, Row


@kernel
def median_of_3(a: float, b: float, c: float) -> float:
    """Return the middle one."""
    return max(min(a, b), min(max(a, b), c))


@kernel
def rate_of_rise(rise: Row, x: float, t: int, window: int) -> float:
    """Return the rise per minute over the window; NaN while it holds too little.

    The median of the newest three readings less the median of the oldest three kept in the window, over the
    time between their middle ones, which must be at least half the window. A value that is not
    finite is passed over.
    """
    if not np.isfinite(x):
        return np.nan
    kept_ns = rise["kept_ns"]
    kept_value = rise["kept_value"]
    rise["t0"] = rise["t1"]
    rise["t1"] = rise["t2"]
    rise["t2"] = t
    rise["x0"] = rise["x1"]
    rise["x1"] = rise["x2"]
    rise["x2"] = x
    rise["recent"] = min(rise["recent"] + 1, 3)
    head = rise["head"]
    kept = rise["kept"]
    while kept > 0 and t - kept_ns[head] > window:
        head = (head + 1) % RATE_KEPT
        kept -= 1
    rate = np.nan
    if kept >= 3 and rise["recent"] == 3:
        second = (head + 1) % RATE_KEPT
        third = (head + 2) % RATE_KEPT
        span = rise["t1"] - kept_ns[second]
        if rise["t0"] > kept_ns[third] and 2 * span >= window:
            new = median_of_3(rise["x0"], rise["x1"], rise["x2"])
            old = median_of_3(kept_value[head], kept_value[second], kept_value[third])
            rate = (new - old) / (float(span) / 60e9)
    newest = (head + kept - 1) % RATE_KEPT
    if kept == 0 or t - kept_ns[newest] >= window // RATE_SPACING:
        slot = (head + kept) % RATE_KEPT
        kept_ns[slot] = t
        kept_value[slot] = x
        kept += 1
    rise["head"] = head
    rise["kept"] = kept
    return rate
