"""Substances that act together: the sum of shares of their limits, with its coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel


@kernel
def mixture(
    value: NDArray[np.float64], limit: NDArray[np.float64], age_s: NDArray[np.float64], oldest_s: float
) -> tuple[float, float]:
    """Return (sum of C/L over the members with a value, share of the members that have one).

    A member has a value when it is finite, its limit above zero and it is at most ``oldest_s`` old. Below
    zero counts as zero: a drifted meter must not make room for another substance. The sum is NaN without any;
    with some missing it is what is surely there, never more.
    """
    total = 0.0
    known = 0
    for k in range(value.shape[0]):
        if np.isfinite(value[k]) and limit[k] > 0.0 and age_s[k] <= oldest_s:
            total += max(value[k], 0.0) / limit[k]
            known += 1
    if known == 0:
        return np.nan, 0.0
    return total, float(known) / float(value.shape[0])
