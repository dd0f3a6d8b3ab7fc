"""Rolling time-weighted sums in a ring of sub-buckets: O(1) a reading, exact to the oldest bucket's edge."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import NONE, Row


@kernel
def cover(window: Row, x: float, begin: int, end: int, bucket: int, count: int) -> tuple[float, float]:
    """Let value x cover (begin, end] and return (value x seconds, seconds) of the window that ends there.

    The window is ``count`` buckets long, its ring one more. Buckets lie on a fixed grid of ``bucket`` ns; of
    the oldest one, cut by the window's edge, the share of time inside counts. A value that is not finite
    covers nothing; a row before the newest bucket is passed over, (NaN, 0).
    """
    ring = window["ring"]
    if not np.isfinite(x):
        begin = end
    newest = end // bucket
    before = window["slot"]
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
        window["slot"] = newest
        window["sum"] = total
        window["weight"] = weight
    now = newest % (count + 1)
    old = (newest - count) % (count + 1)
    share = float((newest + 1) * bucket - end) / float(bucket)
    total = window["sum"] + ring[now, 0] + share * ring[old, 0]
    weight = window["weight"] + ring[now, 1] + share * ring[old, 1]
    return total, weight
