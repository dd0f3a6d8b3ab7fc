"""A device that is not there: each point follows a waveform, for trying out a gateway and for tests."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.drivers.grid import Grid
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

if TYPE_CHECKING:
    from minewatch_edge.config import DeviceConfig

DEVICE_KEYS = ("seed",)
POINT_KEYS = ("wave", "mean", "amplitude", "period_s", "noise")
WAVES = ("constant", "sine", "ramp")


@dataclass(frozen=True, slots=True)
class Wave:
    """Mean, plus an amplitude that goes round in ``period_s``, plus Gaussian noise of deviation ``noise``."""

    shape: str = "constant"
    mean: float = 0.0
    amplitude: float = 0.0
    period_s: float = 60.0
    noise: float = 0.0

    def at(self, time_s: float, chance: random.Random) -> float:
        """Return the value at a time; a ramp goes from mean - amplitude to mean + amplitude and falls."""
        turn = (time_s / self.period_s) % 1.0
        value = self.mean
        if self.shape == "sine":
            value += self.amplitude * math.sin(2.0 * math.pi * turn)
        elif self.shape == "ramp":
            value += self.amplitude * (2.0 * turn - 1.0)
        return value + (chance.gauss(0.0, self.noise) if self.noise else 0.0)


class Simulated:
    """A driver of waveforms; each point has its own interval, and its noise comes from the seed."""

    def __init__(self, points: Sequence[PointBirth], waves: Sequence[Wave], seed: int) -> None:
        self._points = tuple(points)
        self._waves = tuple(waves)
        self._chance = random.Random(seed)  # noqa: S311 (a simulation wants the same numbers again)
        self._grid = Grid([p.interval_s for p in points])

    def points(self) -> Sequence[PointBirth]:
        """Return what it simulates."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return the earliest due time of a point; at once for the first time."""
        return self._grid.due_ns(now_ns)

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return a reading of each point that is due; what was missed is not made up for."""
        return [
            Reading(index, now_ns, self._waves[index].at(now_ns / 1e9, self._chance))
            for index in self._grid.take(now_ns)
        ]

    @property
    def missed(self) -> int:
        """Slots that nobody came for."""
        return self._grid.missed

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Say the value of each point now."""
        return [
            CheckResult(
                f"{p.device}/{p.metric}", True, f"{w.at(now_ns / 1e9, self._chance):g} {p.unit} (simulated)"
            )
            for p, w in zip(self._points, self._waves, strict=True)
        ]

    def close(self) -> None:
        """Let go of nothing."""


def make(device: DeviceConfig, _folder: Path, _refuse: Callable[[Reject], None]) -> Simulated:
    """Make the driver of a device from its tables."""
    seed = device.options.whole("seed", 1, least=0, most=2**31)
    return Simulated([p.birth for p in device.points], [_wave(p.options) for p in device.points], seed)


def _wave(table: Table) -> Wave:
    usual = Wave()
    return Wave(
        shape=table.text("wave", usual.shape, choices=WAVES),
        mean=table.number("mean", usual.mean),
        amplitude=table.number("amplitude", usual.amplitude),
        period_s=table.number("period_s", usual.period_s, least=0.001),
        noise=table.number("noise", usual.noise, least=0),
    )
