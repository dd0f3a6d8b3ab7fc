"""The standard error of the rate of rise, from how the kept readings scatter about its line."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import RATE_KEPT, Row
from .median import NORMAL, median_of
from .rate import median_of_3

MEDIAN_OF_3 = 0.4487  # variance of the median of three normal readings, in variances of one
WILD = 4.0  # sigmas: a reading further off counts as if it lay there


@kernel
def rate_error(rise: Row, rate: float, half_step: float) -> float:
    """Return one standard error, per minute, of the rate that ``rate_of_rise`` has just returned.

    The kept readings lie off the line of the rate; the root of their squares over n - 4, with the
    instrument's own rounding (step / sqrt(12)) added, is the sigma of a reading: the scatter has n - 2
    degrees of freedom, and that it is itself known from few readings widens it by (n - 2) / (n - 4), the
    variance of Student's t. The rate is the difference of two medians of three over the time between them.
    NaN where the rate is, and from four readings or fewer. It holds for readings that do not depend on each
    other: a slow process leaves its line by more than that.
    """
    if np.isnan(rate):
        return np.nan
    kept = rise["kept"]
    if kept <= 4:
        return np.nan
    kept_ns = rise["kept_ns"]
    kept_value = rise["kept_value"]
    head = rise["head"]
    second = (head + 1) % RATE_KEPT
    third = (head + 2) % RATE_KEPT
    level = median_of_3(kept_value[head], kept_value[second], kept_value[third])
    off = np.empty(RATE_KEPT)
    ordered = np.empty(RATE_KEPT)
    for k in range(kept):
        slot = (head + k) % RATE_KEPT
        line = level + rate * (float(kept_ns[slot] - kept_ns[second]) / 60e9)
        off[k] = abs(kept_value[slot] - line)
        ordered[k] = off[k]
    step = 2.0 * half_step
    most = WILD * max(NORMAL * median_of(ordered, kept), step)
    squares = 0.0
    for k in range(kept):
        squares += min(off[k], most) ** 2
    sigma = np.sqrt(squares / (kept - 4) + step * step / 12.0)
    minutes = float(rise["t1"] - kept_ns[second]) / 60e9
    return float(np.sqrt(2.0 * MEDIAN_OF_3) * sigma / minutes)
