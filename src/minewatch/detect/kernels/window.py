"""Rolling time-weighted sums in a ring of sub-buckets: O(1) a reading, exact to the oldest bucket's edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, Rows


@kernel
def cover(
    window: Rows, rings: NDArray[np.float64], p: int, x: float, begin: int, end: int, bucket: int
) -> tuple[float, float]:
    """Let value x cover (begin, end] and return (value x seconds, seconds) of the window that ends there.

    The window is as long as the ring less one bucket. Buckets lie on a fixed grid of ``bucket`` ns; of the
    oldest one, cut by the window's edge, the share of time inside counts. A value that is not finite
    covers nothing; a row before the newest bucket is passed over, (NaN, 0).
    """
    r = window[p]
    ring = rings[p]
    if not np.isfinite(x):
        begin = end
    count = ring.shape[0] - 1
    newest = end // bucket
    before = r["slot"]
    if newest < before:
        return np.nan, 0.0
    if before == NONE or newest - before > count:
        for k in range(count + 1):
            ring[k, 0] = 0.0
            ring[k, 1] = 0.0
    else:
        for slot in range(before + 1, newest + 1):
            ring[slot % (count + 1), 0] = 0.0
            ring[slot % (count + 1), 1] = 0.0
    a = max(begin, (newest - count) * bucket)
    behind = a < newest * bucket
    while a < end:
        slot = a // bucket
        b = min(end, (slot + 1) * bucket)
        seconds = float(b - a) / 1e9
        ring[slot % (count + 1), 0] += x * seconds
        ring[slot % (count + 1), 1] += seconds
        a = b
    if behind or before != newest:
        # summed anew whenever a bucket closes: a running difference would keep rounding errors for ever
        total = 0.0
        weight = 0.0
        for slot in range(newest - count + 1, newest):
            total += ring[slot % (count + 1), 0]
            weight += ring[slot % (count + 1), 1]
        r["slot"] = newest
        r["sum"] = total
        r["weight"] = weight
    now = newest % (count + 1)
    old = (newest - count) % (count + 1)
    share = float((newest + 1) * bucket - end) / float(bucket)
    total = r["sum"] + ring[now, 0] + share * ring[old, 0]
    weight = r["weight"] + ring[now, 1] + share * ring[old, 1]
    return total, weight
