"""Several sensors as one: causal rolling means, distances by quadratic forms, what each adds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel

LARGEST = 1e15  # no instrument reads more: passed over like NaN
WIDEST = 1e6  # a sensor counts for at most so many sigmas, so that a statistic is always finite


@kernel
def standing(
    ring: NDArray[np.float64], at: int, row: NDArray[np.float64], centre: NDArray[np.float64],
    scale: NDArray[np.float64], z: NDArray[np.float64],
) -> int:  # fmt: skip
    """Take row number ``at`` into a ring of rows; write into ``z`` how far each sensor's mean lies off.

    The mean is over the measured values of the last rows, as many as the ring is long; off is in ``scale``
    from ``centre``, times the root of the share measured: a mean of few rows is worth less. NaN where nothing
    was measured. Return how many sensors have a value. Summed anew each time: a running sum would keep
    rounding errors for ever.
    """
    window, sensors = ring.shape
    slot = at % window
    there = 0
    for j in range(sensors):
        x = row[j]
        ring[slot, j] = x if abs(x) <= LARGEST else np.nan
        total = 0.0
        count = 0
        for k in range(window):
            y = ring[k, j]
            if not np.isnan(y):
                total += y
                count += 1
        if count == 0:
            z[j] = np.nan
            continue
        off = (total / count - centre[j]) / scale[j] * np.sqrt(count / window)
        z[j] = min(max(off, -WIDEST), WIDEST)
        there += 1
    return there


@kernel
def complete(z: NDArray[np.float64], form: NDArray[np.float64], work: NDArray[np.float64]) -> None:
    """Fill the NaN of ``z`` with what makes z' form z smallest: what the measured sensors let expect.

    For the inverse of a covariance that is the conditional mean, so a missing sensor adds nothing to the
    distance. Gauss elimination without pivots: a positive definite form needs none. ``work`` is (n, n + 1).
    """
    n = z.shape[0]
    m = 0
    for i in range(n):
        if np.isnan(z[i]):
            right = 0.0
            column = 0
            for j in range(n):
                if np.isnan(z[j]):
                    work[m, column] = form[i, j]
                    column += 1
                else:
                    right -= form[i, j] * z[j]
            work[m, n] = right
            m += 1
    for p in range(m):
        for i in range(p + 1, m):
            f = work[i, p] / work[p, p]
            for j in range(p, m):
                work[i, j] -= f * work[p, j]
            work[i, n] -= f * work[p, n]
    for back in range(m):
        i = m - 1 - back
        x = work[i, n]
        for j in range(i + 1, m):
            x -= work[i, j] * work[j, n]
        work[i, n] = x / work[i, i]
    m = 0
    for i in range(n):
        if np.isnan(z[i]):
            z[i] = work[m, n]
            m += 1


@kernel
def distance(z: NDArray[np.float64], form: NDArray[np.float64], pull: NDArray[np.float64]) -> float:
    """Return z' form z, not below 0, and write form z into ``pull``."""
    n = z.shape[0]
    d2 = 0.0
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += form[i, j] * z[j]
        pull[i] = s
        d2 += s * z[i]
    return max(d2, 0.0)


@kernel
def walk_forms(
    rows: NDArray[np.float64], ring: NDArray[np.float64], begin: int, centre: NDArray[np.float64],
    scale: NDArray[np.float64], fill: NDArray[np.float64], forms: NDArray[np.float64],
    top: NDArray[np.float64], statistic: NDArray[np.float64], share: NDArray[np.float64],
    off: NDArray[np.float64],
) -> None:  # fmt: skip
    """Score rows (n, sensors): ``statistic`` is the largest of root(z' form z) / top over the forms.

    ``fill`` is positive definite and stands for all forms: it says what a missing sensor would read, and in
    ``share`` (n, sensors) what each sensor adds to it, signed by its side: (fill z)_i^2 / fill_ii, how much
    smaller the square would be if sensor i read what the others let expect (reconstruction-based
    contribution, Alcala and Qin 2009). ``off`` is that departure, in ``scale``. NaN and 0 where nothing is
    measured. ``begin`` is the number of the first row, which places it in the ring.
    """
    n, sensors = rows.shape
    z = np.empty(sensors)
    pull = np.empty(sensors)
    work = np.empty((sensors, sensors + 1))
    for r in range(n):
        there = standing(ring, begin + r, rows[r], centre, scale, z)
        statistic[r] = np.nan
        share[r, :] = 0.0
        off[r, :] = 0.0
        if there == 0:
            continue
        if there < sensors:
            complete(z, fill, work)
        most = -1.0
        for f in range(forms.shape[0]):
            s = np.sqrt(distance(z, forms[f], pull)) / top[f]
            if s > most:
                most = s
        statistic[r] = most
        distance(z, fill, pull)
        for i in range(sensors):
            own = fill[i, i]  # of a missing sensor the pull is nothing
            off[r, i] = pull[i] / own
            share[r, i] = pull[i] * abs(pull[i]) / own


@kernel
def standing_rows(
    rows: NDArray[np.float64], ring: NDArray[np.float64], begin: int, centre: NDArray[np.float64],
    scale: NDArray[np.float64], out: NDArray[np.float64],
) -> None:  # fmt: skip
    """Write into ``out`` (n, sensors) what ``standing`` says of each row."""
    for r in range(rows.shape[0]):
        standing(ring, begin + r, rows[r], centre, scale, out[r])
