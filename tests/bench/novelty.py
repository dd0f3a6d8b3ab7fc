"""Print what novelty costs: ``NAME VALUE UNIT`` a line. One thread, sensors in order, a reading each."""

from __future__ import annotations

import sys
import time

import numpy as np
from numba import njit

from minewatch.detect.kernels.layout import NOVEL, NOVEL_BLOCKS, POINT
from minewatch.detect.kernels.novelty import novelty
from minewatch.detect.kernels.shape import left_profile

STEP_NS = 300_000_000_000


@njit(error_model="numpy", nogil=True)
def rounds_of(novel: np.ndarray, readings: np.ndarray, t: int, rounds: int, block: int) -> int:
    """Let each sensor take so many readings in turn; return how many were alarms."""
    alarms = 0
    for k in range(rounds):
        t += STEP_NS
        for p in range(readings.shape[1]):
            said = novelty(
                novel[p], readings[k % readings.shape[0], p], t, 0.0, 0.5, 2_700_000_000_000, 0.1, block, 0,
                50, 0, 0.17, 2.0, 100, 0,
            )  # fmt: skip
            alarms += said >= 1.0
    return alarms


def ns(sensors: int) -> float:
    """Return ns a reading, once the memory is under way: the best of three parts."""
    novel = np.zeros(sensors, NOVEL)
    rounds = max(24, 400_000 // sensors)
    readings = np.random.default_rng(1).normal(10, 1, (min(rounds, 4000), sensors))
    t = 1_700_000_000_000_000_000
    spans = []
    for _ in range(4):
        began = time.perf_counter()
        rounds_of(novel, readings, t, rounds, 4000 // NOVEL_BLOCKS)
        spans.append(time.perf_counter() - began)
        t += rounds * STEP_NS
    return min(spans[1:]) / (rounds * sensors) * 1e9


def profile_us(most: int) -> float:
    """Return microseconds a row of the left matrix profile, m = 16, over so many earlier windows."""
    values = np.random.default_rng(2).normal(0, 1, 3 * most)
    out, nearest = np.zeros(len(values)), np.zeros(len(values), np.int64)
    spans = []
    for _ in range(3):
        began = time.perf_counter()
        left_profile(values, 16, most, 256, out, nearest)
        spans.append(time.perf_counter() - began)
    return min(spans) / len(values) * 1e6


def main() -> None:
    """Print every figure."""
    rounds_of(np.zeros(1, NOVEL), np.ones((1, 1)), 0, 1, 80)
    for sensors in (1, 1_000, 10_000, 100_000):
        print(f"detect.novelty.{sensors} {ns(sensors):.0f} ns/reading")
    print(f"detect.novelty.state {NOVEL.itemsize} B")
    print(f"detect.novelty.state_all {POINT.itemsize + 48} B")
    for most in (1_000, 4_000):
        print(f"detect.novelty.profile_{most} {profile_us(most):.2f} us/row")


if __name__ == "__main__":
    sys.exit(main())
