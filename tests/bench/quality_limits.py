"""Print what the tiers of quality and of limits cost a reading: kernels in a compiled loop, best of some."""

from __future__ import annotations

import time

import numpy as np
from numba import njit

from minewatch.detect.kernels.frozen import frozen, leap
from minewatch.detect.kernels.layout import LIMIT, NONE, RUNS, STEL_BUCKET_NS, STEL_BUCKETS, window_of
from minewatch.detect.kernels.limits import judge
from minewatch.detect.kernels.quality import classify, is_sentinel
from minewatch.detect.kernels.window import cover

S = 1_000_000_000
START = 1_700_000_000 * S
POINTS, EACH = 1000, 1000


@njit
def quality(runs, value):
    """Classify, look for frozen values and leaps, ``EACH`` readings a point."""
    total = 0.0
    for p in range(runs.shape[0]):
        r = runs[p]
        for i in range(value.shape[0]):
            t = START + i * S
            x = value[i]
            total += classify(x, 0, 0.0, 40.0, is_sentinel(x, -2.0))
            total += leap(r["latest"], r["last_ns"], x, t, 5.0, 0.01)
            total += frozen(
                r, x, t, 0.005, np.inf, 5 * S, 3.0, 3600.0, 60.0, 86400.0, 200.0, 2.6e6, 1.2, 14400.0
            )
    return total


@njit
def limits(limit, window, value):
    """Judge an instant limit, two of three, and a 15-minute mean, ``EACH`` readings a point."""
    found = 0
    for p in range(window.shape[0]):
        for i in range(value.shape[0]):
            t = START + i * S
            total, weight = cover(window[p], value[i], t - S, t, STEL_BUCKET_NS, STEL_BUCKETS)
            for k, x in enumerate((value[i], value[i], total / weight)):
                found += judge(limit[3 * p + k], x, t) != NONE
    return found


def best(run, times=5):
    """Return the shortest of several runs in ns a reading, the first one (the compiler) left out."""
    run()
    spans = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        spans.append(time.perf_counter() - began)
    return min(spans) / (POINTS * EACH) * 1e9


def main():
    """Print both figures."""
    value = np.round(np.random.default_rng(1).normal(1.0, 0.1, EACH), 2)

    def run_quality():
        runs = np.zeros(POINTS, RUNS)
        runs["since_ns"] = NONE
        runs["last_ns"] = NONE
        quality(runs, value)

    def run_limits():
        limit = np.zeros(3 * POINTS, LIMIT)
        limit["threshold"], limit["since_ns"], limit["need"], limit["of"] = 5.0, NONE, 1, 1
        limit["need"][1::3], limit["of"][1::3] = 2, 3
        window = np.zeros(POINTS, window_of(STEL_BUCKETS))
        window["slot"] = NONE
        limits(limit, window, value)

    print(f"detect.quality {best(run_quality):.1f} ns/reading")
    print(f"detect.limits {best(run_limits):.1f} ns/reading")


if __name__ == "__main__":
    main()
