"""Simulated sensors that stick, drift, fall silent or lose their signal: what is told, and what falsely.

Independent of every choice: no parameter of quality was ever set on simulated mines, and these seeds are used
nowhere else. Five hours at one reading in twenty seconds; the single faults begin after two hours. A fault
is found when an alert about the signal or a reading marked stuck is at its point, or an alert at its gateway
or zone, while it lasts or within five minutes after. What is at no fault's point, gateway or zone is false.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from acceptance.playing import START, Run, pipeline
from minewatch.contracts import Quality, Text
from minewatch_sim.scenario import At, Scenario, at, drift, dropout, stuck
from minewatch_sim.simulation import points, simulate

SITE = "karaganda-demo"
SEEDS = range(9001, 9006)
PERIOD_S = 20.0
HOURS = 5
BEGIN_MIN = 120.0
AFTER_MIN = 5.0
MONTH_MIN = 365.25 / 12 * 1440
EACH = 3  # points of each kind of fault
RULES = ("signal-", "gateway-", "sensor-", "neighbours-disagree")
RACK_MIN = 60.0  # before the single faults
RACK = f"{SITE}/*-7*/*"
KINDS = ("stuck", "drift", "silent", "no-signal")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: its kind, the places at which it may be told, and when it lasts, in minutes."""

    kind: str
    places: tuple[str, ...]
    begin: float
    end: float
    beside: bool = False  # two more of its quantity are in its zone

    def told(self, place: str, begin: float, end: float) -> bool:
        """Say whether something at a place is about this fault."""
        return place in self.places and begin <= self.end + AFTER_MIN and end >= self.begin


def story(seed: int) -> tuple[Scenario, list[Fault]]:
    """Return a day with faults at points that the seed draws, and what they are."""
    blank = Scenario("faults", Text("", "", ""), (), minutes=HOURS * 60.0, sites=(SITE,), seed=seed)
    infos = points(blank, PERIOD_S)
    drawn = random.Random(seed).sample(infos, EACH * len(KINDS))
    steps: list[At] = [at(RACK_MIN, dropout(RACK, for_min=10))]
    rack = [i.place for i in infos if "-7" in i.device]
    faults = [Fault("rack", (f"{SITE}/gw-longwall", *rack), RACK_MIN, RACK_MIN + 10)]
    for n, info in enumerate(drawn):
        kind = KINDS[n // EACH]
        lasts = {"stuck": 170.0, "drift": 170.0, "silent": 10.0, "no-signal": 10.0}[kind]
        span = info.high - info.low
        steps.append(
            at(
                BEGIN_MIN,
                {
                    "stuck": stuck(info.place, for_min=lasts),
                    "drift": drift(info.place, span / 4 / lasts, for_min=lasts),
                    "silent": dropout(info.place, for_min=lasts),
                    "no-signal": dropout(info.place, for_min=lasts, bad=True),
                }[kind],
            )
        )
        zone = f"{info.site}/{info.zone}/{info.quantity}/{info.unit}"
        like = sum((i.zone, i.quantity, i.unit) == (info.zone, info.quantity, info.unit) for i in infos)
        faults.append(Fault(kind, (info.place, zone), BEGIN_MIN, BEGIN_MIN + lasts, like > 2))
    day = Scenario("faults", Text("", "", ""), tuple(steps), minutes=HOURS * 60.0, sites=(SITE,), seed=seed)
    return day, faults


def said(scenario: Scenario) -> list[tuple[str, str, float, float]]:
    """Return (what, place, begin, end) of every alert about the signal and every stretch marked stuck."""
    run = Run(pipeline())
    infos = points(scenario, PERIOD_S)
    rows = run.pipeline.register(infos)
    marked: dict[int, float] = {}
    found: list[tuple[str, str, float, float]] = []
    for frame in simulate(scenario, start_ns=START, period_s=PERIOD_S, minutes=scenario.minutes):
        run.take(frame, rows)
        minute = (frame.time_ns - START) / 60e9
        latest = run.pipeline.points.latest(changed_only=True)
        for point, quality in zip(latest.point.tolist(), latest.quality.tolist(), strict=True):
            if quality == Quality.UNCERTAIN_STUCK:
                marked.setdefault(point, minute)
            elif point in marked:
                found.append(("stuck", infos[point].place, marked.pop(point), minute))
    found += [("stuck", infos[p].place, begin, scenario.minutes) for p, begin in marked.items()]
    found += [
        (a.rule, a.place, a.raised, min(a.cleared, scenario.minutes))
        for a in run.activations()
        if a.rule.startswith(RULES)
    ]
    return found


def main() -> None:
    """Print how many faults of each kind are found, and what is told falsely."""
    known = dict.fromkeys(("rack", *KINDS), 0)
    missed: list[str] = []
    beside: list[bool] = []  # of each drift beside neighbours, whether it is found
    false: dict[str, int] = {}
    alerts = members = 0
    for seed in SEEDS:
        scenario, faults = story(seed)
        found = said(scenario)
        for fault in faults:
            known[fault.kind] += 1
            is_found = any(fault.told(*what[1:]) for what in found)
            if fault.kind == "drift" and fault.beside:
                beside.append(is_found)
            if not is_found:
                missed.append(f"{fault.kind} {fault.places[0]} (seed {seed})")
        rack = faults[0]
        alerts += sum(rack.told(*what[1:]) and what[0].startswith(("signal-", "gateway-")) for what in found)
        members += len(rack.places) - 1
        for rule, place, begin, end in found:
            if not any(fault.told(place, begin, end) for fault in faults):
                false[place] = false.get(place, 0) + 1
                print(f"  false {rule} {place} {begin:.1f}-{end:.1f} (seed {seed})")
    months = len(SEEDS) * HOURS * 60 / MONTH_MIN
    count = len(points(story(SEEDS[0])[0], PERIOD_S))
    for kind, number in known.items():
        lost = [m for m in missed if m.startswith(f"{kind} ")]
        print(f"accuracy.faults.{kind} {number - len(lost)} of {number} found")
    print(f"accuracy.faults.drift_beside_neighbours {sum(beside)} of {len(beside)} found")
    for line in missed:
        print(f"  missed {line}")
    print(f"accuracy.faults.rack_alerts {alerts} alerts for {members} silent points")
    print(f"accuracy.faults.false {sum(false.values())} alerts")
    print(f"accuracy.faults.false_mean {sum(false.values()) / count / months:.2f} 1/point/month")


if __name__ == "__main__":
    main()
