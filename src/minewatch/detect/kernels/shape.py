"""The left matrix profile: how unlike the most similar earlier window is, exact and z-normalised.

For every row the window of the last m readings is compared with every one that ended more than a quarter of
m earlier, ``most`` of them. The products of two windows so many rows apart are carried from row to row (one
product added, one taken off), and worked out anew now and then, because rounding adds up. Yeh et al., Matrix
Profile I (2016); Zhu et al., Matrix Profile II (2016).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel

LARGEST = 1e15  # no instrument reads more: passed over like NaN
FLAT = 1e-13  # a window whose deviation is less than this share of its level is constant: floats see no shape


@kernel
def spread(x: NDArray[np.float64], row: int, m: int) -> float:
    """Return the deviation of the m values that end at row; NaN where one is no number."""
    mean = 0.0
    size = 0.0
    for k in range(row - m + 1, row + 1):
        if not abs(x[k]) <= LARGEST:
            return np.nan
        mean += x[k]
        size = max(size, abs(x[k]))
    mean /= m
    total = 0.0
    for k in range(row - m + 1, row + 1):
        total += (x[k] - mean) * (x[k] - mean)
    deviation = np.sqrt(total / m)
    return float(deviation) if deviation > FLAT * size else 0.0


@kernel
def dot(x: NDArray[np.float64], a: int, b: int, m: int) -> float:
    """Return the sum of products of the windows of m values that end at rows a and b."""
    total = 0.0
    for k in range(m):
        total += x[a - k] * x[b - k]
    return total


@kernel
def between(
    x: NDArray[np.float64], a: int, b: int, m: int, mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> float:
    """Return the distance of the windows that end at rows a and b, each brought to mean 0 and deviation 1."""
    total = 0.0
    for k in range(m):
        d = (x[a - k] - mean[a]) / deviation[a] - (x[b - k] - mean[b]) / deviation[b]
        total += d * d
    return float(np.sqrt(total))


@kernel
def centre(
    values: NDArray[np.float64], x: NDArray[np.float64], mean: NDArray[np.float64], first: int, row: int,
    m: int,
) -> float:  # fmt: skip
    """Put values[first..row] less their mean into x, 0 where there is no number, and return that mean.

    Products of numbers far from 0 would lose their last digits. The means of windows are shifted too.
    """
    level = 0.0
    count = 0
    for k in range(first, row + 1):
        if abs(values[k]) <= LARGEST:
            level += (values[k] - level) / (count + 1.0)
            count += 1
    for k in range(first, row + 1):
        x[k] = values[k] - level if abs(values[k]) <= LARGEST else 0.0
    for k in range(first + m - 1, row + 1):
        total = 0.0
        for j in range(k - m + 1, k + 1):
            total += x[j]
        mean[k] = total / m if not np.isnan(mean[k]) else np.nan
    return level


@kernel
def step(
    product: NDArray[np.float64], ahead: NDArray[np.float64], behind: NDArray[np.float64], new: float,
    old: float,
) -> None:  # fmt: skip
    """Carry the products of windows on by a row: one product more, one less."""
    for i in range(product.shape[0]):
        product[i] += new * ahead[i] - old * behind[i]


@kernel
def compare(
    likeness: NDArray[np.float64], product: NDArray[np.float64], mean: NDArray[np.float64],
    weight: NDArray[np.float64], own: float,
) -> None:  # fmt: skip
    """Fill ``likeness`` with what grows with the correlation of the newest window with each."""
    for i in range(product.shape[0]):
        likeness[i] = (product[i] - own * mean[i]) * weight[i]


@kernel
def highest(likeness: NDArray[np.float64], weight: NDArray[np.float64], n: int) -> int:
    """Return where the highest likeness is among windows that have a shape, -1 where none has."""
    at = -1
    best = -np.inf
    for i in range(n):
        if likeness[i] > best and weight[i] > 0.0:
            best = likeness[i]
            at = i
    return at


@kernel
def left_profile(
    values: NDArray[np.float64], m: int, most: int, refresh: int, out: NDArray[np.float64],
    nearest: NDArray[np.int64],
) -> None:  # fmt: skip
    """Fill ``out`` with the distance of each row's window to the most similar earlier one, and its row.

    NaN and -1 where a window holds no number, or has nothing before it. A constant window is 0 from another
    constant one, and sqrt(m) from any other.
    """
    n = values.shape[0]
    apart = (m + 3) // 4 + 1  # the least rows between two windows
    x = np.zeros(n)
    mean = np.full(n, np.nan)
    deviation = np.full(n, np.nan)
    weight = np.zeros(n)  # 1 / deviation, 0 where there is no shape to compare
    end = apart + most - 1  # the most rows between two windows
    product = np.zeros(end + 1)  # of windows d rows apart, at end - d: so that all loops run upwards
    likeness = np.zeros(end + 1)
    level = 0.0
    flat = -1  # the last constant window that may be compared with
    known = 0  # rows apart up to which ``product`` is kept
    for row in range(n):
        out[row] = np.nan
        nearest[row] = -1
        x[row] = values[row] - level if abs(values[row]) <= LARGEST else 0.0
        if row < m - 1:
            continue
        first = max(0, row - most - apart - m)
        if (row - m + 1) % refresh == 0:
            level = centre(values, x, mean, first, row, m)
            known = 0
        deviation[row] = spread(values, row, m)
        if not np.isnan(deviation[row]):
            total = 0.0
            for k in range(row - m + 1, row + 1):
                total += x[k]
            mean[row] = total / m
            weight[row] = 1.0 / deviation[row] if deviation[row] > 0.0 else 0.0
        last = min(row - m + 1, end)
        if known > 0:
            step(
                product[end - known : end - apart + 1],
                x[row - known :],
                x[row - m - known :],
                x[row],
                x[row - m],
            )
        for d in range(max(apart, known + 1), last + 1):
            product[end - d] = dot(x, row, row - d, m)
        known = last
        if row - apart >= m - 1 and deviation[row - apart] == 0.0:
            flat = row - apart
        if np.isnan(deviation[row]) or last < apart:
            continue
        near = flat >= 0 and row - flat <= last
        if deviation[row] == 0.0:
            if near:
                out[row] = 0.0
                nearest[row] = flat
                continue
            for d in range(apart, last + 1):
                if not np.isnan(deviation[row - d]):
                    out[row] = np.sqrt(float(m))
                    nearest[row] = row - d
                    break
            continue
        compare(
            likeness,
            product[end - last : end - apart + 1],
            mean[row - last :],
            weight[row - last :],
            m * mean[row],
        )
        at = highest(likeness, weight[row - last :], last - apart + 1)
        at = row - last + at if at >= 0 else -1
        if at >= 0:
            out[row] = between(x, row, at, m, mean, deviation)
            nearest[row] = at
        if near and not out[row] <= np.sqrt(float(m)):
            out[row] = np.sqrt(float(m))
            nearest[row] = flat
