"""Instruments: what a sensor makes of the truth, by its response time, noise, steps and range."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from minewatch.contracts import PointInfo

PERIOD_S = 1.0  # every instrument is read once a second
NORMAL_PERIODS = 5.0  # so many periods without a reading are still normal: a loaded gateway is not a fault


@dataclass(frozen=True, slots=True)
class Spec:
    """One point of a simulated mine; ``noise`` is one sigma, ``lag_s`` the time to 63 % of a step."""

    device: str
    metric: str
    quantity: str
    unit: str
    zone: str
    low: float
    high: float
    resolution: float
    noise: float
    lag_s: float = 0.0

    def info(self, site: str, gateway: str, period_s: float = PERIOD_S) -> PointInfo:
        """Return the point as the service will know it."""
        return PointInfo(
            place=f"{site}/{self.device}/{self.metric}",
            site=site,
            gateway=gateway,
            device=self.device,
            metric=self.metric,
            quantity=self.quantity,
            unit=self.unit,
            zone=self.zone,
            low=self.low,
            high=self.high,
            interval_s=NORMAL_PERIODS * period_s,
            resolution=self.resolution,
        )


class Instrument:
    """One sensor; its noise comes from its own seed, so that no other sensor changes it."""

    def __init__(self, spec: Spec, seed: str) -> None:
        self.spec = spec
        self._chance = random.Random(seed)  # noqa: S311 - a simulation wants the same numbers again
        self._shown = math.nan
        self._read_s = 0.0

    def read(self, truth: float, time_s: float) -> float:
        """Return what the sensor shows of the truth at a time of the simulation."""
        spec = self.spec
        if spec.lag_s and not math.isnan(self._shown):
            self._shown += (truth - self._shown) * -math.expm1(-(time_s - self._read_s) / spec.lag_s)
        else:
            self._shown = truth
        self._read_s = time_s
        value = self._shown + self._chance.gauss(0.0, spec.noise)
        return self.show(value)

    def show(self, value: float) -> float:
        """Return a value as the display can show it: within the range, in whole steps."""
        spec = self.spec
        steps = round(min(max(value, spec.low), spec.high) / spec.resolution)
        return round(steps * spec.resolution, 6)
