"""The state machine of one limit at one point: comparison, deadband, on-delay, off-delay, by reading time."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import NONE, Rows


@kernel
def beyond(comparison: int, value: float, threshold: float) -> bool:
    """Return whether a value is on the bad side: 0 above, 1 at or above, 2 below, 3 at or below."""
    if comparison == 0:
        return value > threshold
    if comparison == 1:
        return value >= threshold
    if comparison == 2:
        return value < threshold
    return value <= threshold


@kernel
def judge(limit: Rows, k: int, value: float, t: int) -> int:
    """Judge limit k by a statistic at time t; return NONE, or since when the condition that flipped it held.

    NaN holds everything as it is: no reading may clear an alert that it cannot measure. An active limit
    stays so until the value has come back inside by the deadband for the whole off-delay.
    """
    if np.isnan(value):
        return NONE
    r = limit[k]
    edge = r["threshold"]
    delay = r["on_delay_ns"]
    if r["active"]:
        edge = edge - r["deadband"] if r["comparison"] < 2 else edge + r["deadband"]
        delay = r["off_delay_ns"]
    if beyond(r["comparison"], value, edge) == (r["active"] != 0):
        r["since_ns"] = NONE
        return NONE
    since: int = r["since_ns"]
    if since == NONE:
        since = t
    if t - since < delay:
        r["since_ns"] = since
        return NONE
    r["active"] = 1 - r["active"]
    r["since_ns"] = NONE
    return since
