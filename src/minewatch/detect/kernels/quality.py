"""Is a reading a measurement: sentinel, not a number, range, unchanged for too long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import BAD, BAD_NOT_A_NUMBER, BAD_SENTINEL, NONE, UNCERTAIN_RANGE, Rows


@kernel
def classify(x: float, given: int, low: float, high: float, sentinels: NDArray[np.float64]) -> int:
    """Return the quality code of a value; ``given`` is the sender's, a bad one stays.

    A sentinel matches as an 8-byte or as a 4-byte float, because the wire may carry either.
    """
    if given >= BAD:
        return given
    if not np.isfinite(x):
        return BAD_NOT_A_NUMBER
    for k in range(sentinels.shape[0]):
        s = sentinels[k]
        if x == s or (np.isfinite(s) and np.float32(x) == np.float32(s)):
            return BAD_SENTINEL
    if x < low or x > high:
        return UNCERTAIN_RANGE
    return given


@kernel
def unchanged(track: Rows, p: int, x: float, t: int, half_step: float, hold_ns: int, before_ns: int) -> float:
    """Return how many seconds point p has stayed within half a step of the instrument.

    ``before_ns`` is the reading before; a silence longer than ``hold_ns`` proves nothing and starts anew.
    """
    if not np.isfinite(x):
        return np.nan
    r = track[p]
    if r["anchor_ns"] == NONE or abs(x - r["anchor"]) > half_step:
        r["anchor"] = x
        r["anchor_ns"] = t
    elif before_ns != NONE and t - before_ns > hold_ns:
        r["anchor_ns"] = t
    return float(t - r["anchor_ns"]) / 1e9
