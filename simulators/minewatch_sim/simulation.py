"""A scenario as readings, in process: the same seed gives the same readings, and no clock is asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minewatch.contracts import PointInfo, Quality, ReadingBatch
from minewatch_sim.instruments import PERIOD_S, Instrument, Spec
from minewatch_sim.mines import PHYSICS, SITES
from minewatch_sim.physics import SiteSpec
from minewatch_sim.scenario import Scenario
from minewatch_sim.timeline import Timeline

STEP_S = 1.0  # the physics goes on in steps of so much, however seldom it is asked, unless it is told


class Shown(NamedTuple):
    """What one point sends at one time; ``point`` counts within the gateway."""

    point: int
    value: float
    quality: Quality


class Site:
    """A site that runs: truth, instruments, and what the scenario does to both."""

    def __init__(self, spec: SiteSpec, scenario: Scenario, seed: int, step_s: float = STEP_S) -> None:
        self.spec = spec
        self._step_s = step_s
        self._timeline = Timeline(scenario)
        self._physics = PHYSICS[spec.name](seed)
        self._time_s = 0.0
        self._instruments = {
            gateway: [_instrument(spec.name, s, seed) for s in specs]
            for gateway, specs in spec.gateways.items()
        }
        self._held: dict[str, float] = {}
        self._covered: dict[str, float] = {}

    def advance(self, time_s: float) -> None:
        """Bring the truth to a time of the simulation; a time that is past changes nothing."""
        while self._time_s + 1e-9 < time_s:
            step = min(self._step_s, time_s - self._time_s)
            self._time_s += step
            self._physics.step(step, self._timeline.causes(self.spec.causes, self._time_s))

    def read(self, gateway: str, time_s: float) -> Sequence[Shown]:
        """Return what the points of a gateway send at that time."""
        self.advance(time_s)
        found = []
        for i, (name, place, instrument) in enumerate(self._instruments[gateway]):
            truth = self._physics.truth[name]
            if not self._timeline.touches(place):
                found.append(Shown(i, instrument.read(truth, time_s), Quality.GOOD))
                continue
            if self._timeline.is_covered(place, time_s):
                truth = self._covered.setdefault(place, truth)
            else:
                self._covered.pop(place, None)
            value = instrument.read(truth, time_s)
            value = instrument.show(self._timeline.shown(place, value, time_s))
            if self._timeline.is_stuck(place, time_s):
                value = self._held.setdefault(place, value)
            else:
                self._held[place] = value
            missing = self._timeline.dropout(place, time_s)
            if missing is None:
                found.append(Shown(i, value, Quality.GOOD))
            elif missing.bad:
                found.append(Shown(i, math.nan, Quality.BAD_NO_SIGNAL))
        return found


@dataclass(frozen=True, slots=True)
class Frame:
    """What reaches the service at one moment of true time.

    ``online`` says of each gateway, ``site/gateway``, whether it reaches the broker.
    """

    time_ns: int
    batch: ReadingBatch
    online: Mapping[str, bool]


def points(scenario: Scenario, period_s: float = PERIOD_S) -> list[PointInfo]:
    """Return the points of a scenario; their place in the list is the ``point`` of the frames."""
    return [
        spec.info(site, gateway, period_s)
        for site in scenario.sites
        for gateway, specs in SITES[site].gateways.items()
        for spec in specs
    ]


def simulate(
    scenario: Scenario,
    *,
    start_ns: int,
    seed: int | None = None,
    period_s: float = PERIOD_S,
    minutes: float | None = None,
    step_s: float = STEP_S,
) -> Iterator[Frame]:
    """Yield a frame every ``period_s`` of simulated time, as the real agents would deliver them.

    A gateway that is cut off keeps its readings and delivers them as historical in the frame it comes back
    in, after the live ones. Where a gateway's clock was put back, the agent goes on with rising times and
    marks the readings uncertain; one that runs ahead gives times ahead. ``step_s`` is how finely the physics
    goes on: weeks take less time in longer steps.
    """
    mines = _Mines(scenario, scenario.seed if seed is None else seed, step_s)
    steps = round((scenario.minutes if minutes is None else minutes) * 60.0 / period_s)
    for i in range(steps + 1):
        yield mines.frame(i * period_s, start_ns)


class _Mines:
    """The sites of a scenario and what their gateways hold back."""

    def __init__(self, scenario: Scenario, seed: int, step_s: float) -> None:
        self._timeline = Timeline(scenario)
        self._sites = [Site(SITES[name], scenario, seed, step_s) for name in scenario.sites]
        self._kept: dict[str, list[ReadingBatch]] = {}

    def frame(self, time_s: float, start_ns: int) -> Frame:
        """Return what arrives at one moment."""
        now_ns = start_ns + round(time_s * 1e9)
        live: list[ReadingBatch] = []
        late: list[ReadingBatch] = []
        online: dict[str, bool] = {}
        first = 0
        for site in self._sites:
            for gateway, specs in site.spec.gateways.items():
                name = f"{site.spec.name}/{gateway}"
                batch = self._batch(name, first, site.read(gateway, time_s), time_s, now_ns)
                online[name] = not self._timeline.is_cut_off(name, time_s)
                if online[name]:
                    live.append(batch)
                    late += self._kept.pop(name, [])
                else:
                    self._kept.setdefault(name, []).append(_as_history(batch))
                first += len(specs)
        return Frame(now_ns, ReadingBatch.join([*live, *late]), online)

    def _batch(
        self, gateway: str, first: int, shown: Sequence[Shown], time_s: float, now_ns: int
    ) -> ReadingBatch:
        skew_s = self._timeline.skew_s(gateway, time_s)
        quality = np.array([s.quality for s in shown], np.uint8)
        if skew_s < 0:
            quality[quality == Quality.GOOD] = Quality.UNCERTAIN
        n = len(shown)
        return ReadingBatch(
            np.array([first + s.point for s in shown], np.int32),
            np.full(n, now_ns + round(max(skew_s, 0.0) * 1e9), np.int64),
            np.array([s.value for s in shown], np.float64),
            quality,
            np.zeros(n, np.bool_),
        )


def _instrument(site: str, spec: Spec, seed: int) -> tuple[str, str, Instrument]:
    """Return what the truth and the scenario call a point, and its instrument."""
    name = f"{spec.device}/{spec.metric}"
    return name, f"{site}/{name}", Instrument(spec, f"{seed}/{site}/{name}")


def _as_history(batch: ReadingBatch) -> ReadingBatch:
    return ReadingBatch(batch.point, batch.ts_ns, batch.value, batch.quality, np.ones(len(batch), np.bool_))
