"""What every simulated site is, and the few laws that both use."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from minewatch_sim.instruments import Spec


class Physics(Protocol):
    """The truth of a site. ``causes`` are its inputs at rest; ``truth`` maps device/metric to a value."""

    causes: Mapping[str, float]
    truth: dict[str, float]

    def step(self, dt_s: float, causes: Mapping[str, float]) -> None:
        """Go on by some seconds under these causes; ``truth`` is the state afterwards."""


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """A site: its gateways with their points, and the causes that a scenario may change."""

    name: str
    gateways: Mapping[str, tuple[Spec, ...]]
    causes: Mapping[str, float]


def towards(value: float, goal: float, dt_s: float, tau_s: float) -> float:
    """Return a value that goes to its goal with a time constant (first-order lag, exact for any step)."""
    return goal + (value - goal) * math.exp(-dt_s / tau_s)


def dilute(
    concentration: float, source: float, inflow: float, flow: float, volume: float, dt_s: float
) -> float:
    """Return the concentration of a well-mixed air space after ``dt_s``.

    V dC/dt = 100 G + Q (C_in - C), in %, with G and Q in m3/s and V in m3: the dilution equation of mine
    ventilation (McPherson, Subsurface Ventilation Engineering, 2nd ed., ch. 12), solved exactly for the step.
    """
    q = max(flow, 1e-3)  # still air is never quite still: diffusion (engineering assumption, unverified)
    return min(towards(concentration, inflow + 100.0 * source / q, dt_s, volume / q), 100.0)


class Wander:
    """A slow random walk around 0 that comes back (Ornstein-Uhlenbeck), for what nobody models."""

    def __init__(self, seed: str, sigma: float, tau_s: float) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a simulation wants the same numbers again
        self._sigma = sigma
        self._tau_s = tau_s
        self.value = 0.0

    def step(self, dt_s: float) -> float:
        """Go on and return the new value."""
        keep = math.exp(-dt_s / self._tau_s)
        kick = self._sigma * math.sqrt(1.0 - keep * keep)
        self.value = self.value * keep + self._chance.gauss(0.0, kick)
        return self.value


def trapezoid(phase: float, rise: float, top: float, fall: float) -> float:
    """Return 0..1 over a cycle of phase 0..1: up to ``rise``, level to ``top``, down to ``fall``, then 0."""
    if phase < rise:
        return phase / rise
    if phase < top:
        return 1.0
    if phase < fall:
        return (fall - phase) / (fall - top)
    return 0.0
