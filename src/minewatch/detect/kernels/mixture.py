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


@kernel
def walk_mixture(
    rows: NDArray[np.float64], gas: NDArray[np.int64], limit: NDArray[np.float64],
    statistic: NDArray[np.float64], share: NDArray[np.float64], off: NDArray[np.float64],
) -> None:  # fmt: skip
    """Take rows (n, meters), NaN for what was not measured, into the sum of each; the columns add up.

    ``gas`` is the place of a meter's substance in ``limit``; of several meters of one the highest counts.
    ``off`` is C/L of each meter, ``share`` the same of those that count, and 0 of the others.
    """
    value, age = np.empty(limit.shape[0]), np.zeros(limit.shape[0])
    for i in range(rows.shape[0]):
        value[:] = np.nan
        for j in range(rows.shape[1]):
            if np.isfinite(rows[i, j]) and not rows[i, j] <= value[gas[j]]:
                value[gas[j]] = rows[i, j]
        statistic[i], _ = mixture(value, limit, age, 0.0)
        for j in range(rows.shape[1]):
            part = max(rows[i, j], 0.0) / limit[gas[j]] if np.isfinite(rows[i, j]) else 0.0
            off[i, j] = part
            share[i, j] = part if rows[i, j] == value[gas[j]] else 0.0
