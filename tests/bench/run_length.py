"""Simulated noise under the change detectors: readings between false alarms, how soon a shift is found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minewatch.contracts import B1, F8
from minewatch.detect.kernels.change import change_rows
from minewatch.detect.kernels.layout import RISE, Chart
from minewatch.detect.kernels.level import BLOCKS, LEVEL, level_shift
from minewatch.detect.kernels.level import begin as begin_level
from minewatch.detect.kernels.rate import rate_of_rise
from minewatch.detect.kernels.rate_error import rate_error
from minewatch.detect.kernels.robust import ROBUST, robust_z
from minewatch.detect.kernels.robust import begin as begin_robust

WARM = 3000  # readings: five memories
S = 1_000_000_000
RATE_S = 60  # the window of the rate of rise
READINGS = 60  # of the robust z
MEMORY, WARM_UP, CLIP, SLACK = 600.0, 60.0, 4.0, 0.5  # as the settings have them


@dataclass(frozen=True)
class Bank:
    """Many sensors at once: ``step`` takes a reading of each, ``reset`` begins the sums of some anew."""

    step: Callable[[F8], F8]
    reset: Callable[[B1], None]


def chart(sensors: int, statistic: str) -> Bank:
    """Return the change chart as it is, its CUSUM without a cap."""
    kept = Chart(*(np.zeros(sensors, kind) for kind in ("f8", "f4", "f4", "f4", "f4", "f4", "f4", "f4")))
    kept.floor[:] = 1e-6
    point = np.arange(sensors, dtype=np.int32)
    z, cusum = np.empty((2, sensors), np.float32)

    def step(x: F8) -> F8:
        change_rows(kept, point, x, MEMORY, WARM_UP, CLIP, SLACK, 1e9, z, cusum)
        return np.abs(z) if statistic == "ewma" else cusum

    def reset(which: B1) -> None:
        kept.high[which] = 0.0
        kept.low[which] = 0.0

    return Bank(step, reset)


def page_hinkley(sensors: int) -> Bank:
    """Return the plain test: both sums of the readings less a mean of the same memory, nothing foretold."""
    mean, sums, seen = np.zeros(sensors), np.zeros((2, sensors)), 0

    def step(x: F8) -> F8:
        nonlocal seen
        seen += 1
        off = x - mean
        mean[:] += off / min(seen, MEMORY)
        sums[0] = np.maximum(0.0, sums[0] + off - SLACK)
        sums[1] = np.maximum(0.0, sums[1] - off - SLACK)
        return np.asarray(sums.max(0))

    def reset(which: B1) -> None:
        sums[:, which] = 0.0

    return Bank(step, reset)


def robust(sensors: int) -> Bank:
    """Return the robust z of the readings before."""
    rows = np.zeros(sensors, ROBUST)
    begin_robust(rows, READINGS)

    def step(x: F8) -> F8:
        return np.abs([robust_z(row, value, 1e-6) for row, value in zip(rows, x.tolist(), strict=True)])

    return Bank(step, lambda which: None)


def level(sensors: int) -> Bank:
    """Return the level shift, a reading a block; after an alarm it is silent until its windows are new."""
    rows = np.zeros(sensors, LEVEL)
    begin_level(rows, 1)
    quiet, now = np.zeros(sensors, np.int64), 0

    def step(x: F8) -> F8:
        nonlocal now
        now += 1
        said = [level_shift(row, value, now, 1e-6) for row, value in zip(rows, x.tolist(), strict=True)]
        return np.where(now > quiet, np.abs(said), 0.0)

    def reset(which: B1) -> None:
        quiet[which] = now + 2 * BLOCKS

    return Bank(step, reset)


class Noise:
    """Normal noise of one sigma whose neighbouring readings correlate by ``tie``."""

    def __init__(self, sensors: int, tie: float, seed: int) -> None:
        self.dice = np.random.default_rng(seed)
        self.tie, self.fresh = tie, math.sqrt(1.0 - tie * tie)
        self.x = self.dice.normal(0.0, 1.0, sensors)

    def next(self) -> F8:
        """Return the next reading of each sensor."""
        self.x = self.tie * self.x + self.fresh * self.dice.normal(0.0, 1.0, len(self.x))
        return self.x


def between_alarms(bank: Bank, noise: Noise, threshold: float, steps: int) -> tuple[float, int]:
    """Return (readings for each false alarm, alarms); after an alarm a sensor's sums begin anew."""
    alarms = 0
    for at in range(WARM + steps):
        over = bank.step(noise.next()) >= threshold
        bank.reset(over)
        alarms += int(over.sum()) if at >= WARM else 0
    return len(noise.x) * steps / max(alarms, 1), alarms


def beyond(tie: float, interval_s: int, sigmas: float, windows: int) -> float:
    """Return in which share of windows of a steady level the surer end of its rate of rise lies above 0."""
    noise, found = Noise(windows, tie, 4), 0
    readings = [noise.next().tolist() for _ in range(2 + RATE_S // interval_s)]
    for series in zip(*readings, strict=True):
        rise = np.zeros(1, RISE)[0]
        rate = error = 0.0
        for at, x in enumerate(series):
            rate = rate_of_rise(rise, x, at * interval_s * S, RATE_S * S)
            error = rate_error(rise, rate, 0.0)
        found += rate - sigmas * error > 0
    return found / windows


def delays(bank: Bank, noise: Noise, threshold: float, shift: float, steps: int) -> F8:
    """Return for each sensor the readings until a lasting shift by so many sigmas is found; inf: not."""
    found = np.full(len(noise.x), np.inf)
    for at in range(WARM + steps):
        over = bank.step(noise.next() + (shift if at >= WARM else 0.0)) >= threshold
        if at < WARM:
            bank.reset(over)
        else:
            found[over & np.isinf(found)] = at - WARM + 1
    return found
