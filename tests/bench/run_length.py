"""Simulated noise under the change chart: readings between false alarms, and how soon a shift is found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minewatch.contracts import B1, F8
from minewatch.detect.kernels.change import change_rows
from minewatch.detect.kernels.layout import Chart

WARM = 3000  # readings: five memories
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
