"""Is a reading a measurement: sentinel, not a number, range, unchanged for too long."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import BAD, BAD_NOT_A_NUMBER, BAD_SENTINEL, NONE, UNCERTAIN_RANGE, Row


@kernel
def is_sentinel(x: float, sentinel: float) -> bool:
    """Return whether a value is the sentinel, as an 8-byte or a 4-byte float: the wire may carry either."""
    return x == sentinel or (np.isfinite(sentinel) and np.float32(x) == np.float32(sentinel))


@kernel
def classify(x: float, given: int, low: float, high: float, sentinel: bool) -> int:
    """Return the quality code of a value; ``given`` is the sender's, a bad one stays."""
    if given >= BAD:
        return given
    if not np.isfinite(x):
        return BAD_NOT_A_NUMBER
    if sentinel:
        return BAD_SENTINEL
    if x < low or x > high:
        return UNCERTAIN_RANGE
    return given


@kernel
def unchanged(track: Row, x: float, t: int, half_step: float, hold_ns: int, before_ns: int) -> float:
    """Return how many seconds a point has stayed within half a step of the instrument.

    ``before_ns`` is the reading before; a silence longer than ``hold_ns`` proves nothing and starts anew.
    """
    if not np.isfinite(x):
        return np.nan
    if track["anchor_ns"] == NONE or abs(x - track["anchor"]) > half_step:
        track["anchor"] = x
        track["anchor_ns"] = t
    elif before_ns != NONE and t - before_ns > hold_ns:
        track["anchor_ns"] = t
    return float(t - track["anchor_ns"]) / 1e9
