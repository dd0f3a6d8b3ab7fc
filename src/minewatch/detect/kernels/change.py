"""The change chart: an EWMA baseline with z (Roberts 1959, West 1979) and a two-sided CUSUM (Page 1954)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import Rows

WIDEST = 1e6  # z is reported within +-1e6, so that it is always finite


@kernel
def change(
    chart: Rows, p: int, x: float, memory: int, warm_up: int, clip: float, slack: float, cap: float
) -> tuple[float, float]:
    """Return (z, cusum) of a reading against the baseline of point p, then learn it.

    z = (x - mean) / sd, signed. The CUSUM adds z clipped to +-clip, less ``slack``, on either side, and
    is held below ``cap`` so that it comes down again. NaN for both until ``warm_up`` readings are learned.
    A value that is not finite is passed over. What is learned is clipped too: a spike must not widen the
    baseline that judges the next one.
    """
    if not np.isfinite(x):
        return np.nan, np.nan
    r = chart[p]
    seen = r["seen"]
    mean = r["mean"]
    variance = r["variance"]
    if seen == 0:
        mean = x
    d = x - mean
    z = np.nan
    cusum = np.nan
    if seen >= warm_up:
        sd = max(max(np.sqrt(variance), float(r["floor"])), max(1e-9 * abs(mean), 1e-12))
        z = max(-WIDEST, min(WIDEST, d / sd))
        clipped = max(-clip, min(clip, z))
        high = min(cap, max(0.0, float(r["high"]) + clipped - slack))
        low = min(cap, max(0.0, float(r["low"]) - clipped - slack))
        r["high"] = high
        r["low"] = low
        cusum = max(high, low)
        d = clipped * sd
    alpha = 1.0 / memory if seen >= memory else 1.0 / (seen + 1)
    mean += alpha * d
    variance = (1.0 - alpha) * (variance + alpha * d * d)
    if np.isfinite(mean) and np.isfinite(variance):
        r["mean"] = mean
        r["variance"] = variance
    r["seen"] = seen + 1 if seen < memory or seen < warm_up else seen
    return z, cusum


@kernel
def change_rows(
    chart: Rows, point: NDArray[np.int32], value: NDArray[np.float64],
    memory: int, warm_up: int, clip: float, slack: float, cap: float,
    z: NDArray[np.float64], cusum: NDArray[np.float64],
) -> None:  # fmt: skip
    """Run the chart over rows of (point, value) into ``z`` and ``cusum`` of the same length."""
    for i in range(point.shape[0]):
        z[i], cusum[i] = change(chart, point[i], value[i], memory, warm_up, clip, slack, cap)
