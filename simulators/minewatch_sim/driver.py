"""Simulated sites as drivers of the real edge agent."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

from minewatch.contracts import Quality
from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD, GOOD
from minewatch_sim.instruments import NORMAL_PERIODS, PERIOD_S, Spec
from minewatch_sim.mines import SITES
from minewatch_sim.scenario import Scenario
from minewatch_sim.simulation import Site
from minewatch_sim.timeline import Timeline

SHORTEST_PERIOD_S = 0.02  # at most 50 rounds a second, however fast the simulation goes
_STANDING_NS = 200_000_000  # how soon a driver that stands is asked again


class Pace:
    """Where the simulation is: it starts when the first gateway asks, and goes ``speed`` times as fast."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._lock = threading.Lock()
        self._start_ns: int | None = None
        self._ended = threading.Event()
        self.period_ns = round(max(PERIOD_S / speed, SHORTEST_PERIOD_S) * 1e9)

    def time_s(self, now_ns: int) -> float:
        """Return the time of the simulation at a time of the wall clock."""
        with self._lock:
            if self._start_ns is None:
                self._start_ns = now_ns
            return max(0.0, (now_ns - self._start_ns) / 1e9 * self._speed)

    def next_ns(self, now_ns: int) -> int:
        """Return the next time of the round after now."""
        with self._lock:
            start_ns = self._start_ns if self._start_ns is not None else now_ns
        return start_ns + ((now_ns - start_ns) // self.period_ns + 1) * self.period_ns

    @property
    def ended(self) -> bool:
        """Return whether sampling is over."""
        return self._ended.is_set()

    def end(self) -> None:
        """Stop sampling; what was sampled is still delivered."""
        self._ended.set()


class LockedSite:
    """A site that several gateways, each in a thread of its own, may read."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.lock = threading.Lock()


class SimulatedGateway:
    """All instruments of one gateway as one driver."""

    def __init__(
        self,
        site: LockedSite,
        gateway: str,
        pace: Pace,
        timeline: Timeline,
        is_cut_off: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._site = site
        self._gateway = gateway
        self._name = f"{site.site.spec.name}/{gateway}"
        self._pace = pace
        self._timeline = timeline
        self._tell_uplink = is_cut_off
        self._births = tuple(_birth(spec, pace) for spec in site.site.spec.gateways[gateway])
        self._due_ns = 0
        self.taken = 0

    def points(self) -> Sequence[PointBirth]:
        """Return the points of the gateway."""
        return self._births

    def due_ns(self, now_ns: int) -> int:
        """Return the next round."""
        return now_ns + _STANDING_NS if self._pace.ended else self._due_ns

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return one reading of each point that sends; rounds that were missed are not made up for."""
        if self._pace.ended:
            return ()
        time_s = self._pace.time_s(now_ns)
        self._due_ns = self._pace.next_ns(now_ns)
        self._tell_uplink(self._timeline.is_cut_off(self._name, time_s))
        with self._site.lock:
            shown = self._site.site.read(self._gateway, time_s)
        stamp_ns = now_ns + round(self._timeline.skew_s(self._name, time_s) * 1e9)
        self.taken += len(shown)
        return [
            Reading(s.point, stamp_ns, s.value, GOOD if s.quality == Quality.GOOD else BAD) for s in shown
        ]

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Say of each point what it shows at rest."""
        with self._site.lock:
            shown = {s.point: s.value for s in self._site.site.read(self._gateway, self._pace.time_s(now_ns))}
        return [
            CheckResult(
                f"{birth.device}/{birth.metric}",
                not math.isnan(shown.get(i, math.nan)),
                f"{shown.get(i, math.nan):g} {birth.unit} (simulated)",
            )
            for i, birth in enumerate(self._births)
        ]

    def close(self) -> None:
        """Let go of nothing."""


def gateways(
    scenario: Scenario,
    pace: Pace,
    *,
    seed: int | None = None,
    uplink: Callable[[str], Callable[[bool], None]] = lambda _: lambda _: None,
) -> dict[tuple[str, str], SimulatedGateway]:
    """Return a driver for each gateway of a scenario, by (site, gateway).

    ``uplink`` is asked, for ``site/gateway``, for the one that cuts it off from the broker.
    """
    timeline = Timeline(scenario)
    found = {}
    for name in scenario.sites:
        site = LockedSite(Site(SITES[name], scenario, scenario.seed if seed is None else seed))
        for gateway in SITES[name].gateways:
            cut = uplink(f"{name}/{gateway}")
            found[name, gateway] = SimulatedGateway(site, gateway, pace, timeline, cut)
    return found


def _birth(spec: Spec, pace: Pace) -> PointBirth:
    return PointBirth(
        device=spec.device,
        metric=spec.metric,
        quantity=spec.quantity,
        unit=spec.unit,
        zone=spec.zone,
        low=spec.low,
        high=spec.high,
        # Seconds of the wall clock, never few: a loaded machine is no fault of a sensor.
        interval_s=max(NORMAL_PERIODS * pace.period_ns / 1e9, NORMAL_PERIODS),
        resolution=spec.resolution,
    )
