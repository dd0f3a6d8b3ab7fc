"""Every shipped scenario on many days: is each danger to life called in time, and nobody for nothing?

``MINEWATCH_BENCH_SEEDS`` days of each (20) from seed ``MINEWATCH_BENCH_FIRST_SEED`` (1) on,
``MINEWATCH_BENCH_SCENARIOS`` names some of them, with commas. Seeds 1 to 20 judge: choose on others.
"""

from __future__ import annotations

import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from acceptance.playing import minute, play, shipped_rules
from minewatch.alerts import link
from minewatch.alerts.settings import AlertSettings
from minewatch.contracts import AlertEvent, EventKind
from minewatch_sim.scenario import At, Expect, MustNot, Scenario
from minewatch_sim.scenario_file import folder, load
from minewatch_sim.simulation import points

SEEDS = int(os.environ.get("MINEWATCH_BENCH_SEEDS", "20"))
FIRST = int(os.environ.get("MINEWATCH_BENCH_FIRST_SEED", "1"))
ONLY = [name for name in os.environ.get("MINEWATCH_BENCH_SCENARIOS", "").split(",") if name]
TESTS = {"test-gas"}  # what comes there is a test of a meter: it must be tagged, and call nobody
LONG_MIN = 45.0
URGENT = 1


def pages(events: list[AlertEvent]) -> list[tuple[float, str, str]]:
    """Return minute, rule and place of every call."""
    calls = (EventKind.RAISED, EventKind.ESCALATED)
    return [
        (minute(event.time_ns), event.alert.rule, event.alert.place)
        for event in events
        if event.event in calls and event.alert.paged
    ]


def dangers(scenario: Scenario) -> list[Expect]:
    """Return what a scenario expects of rules that call for life: priority 1, or a lost gateway or meter."""
    urgent = {rule.id for rule in shipped_rules().rules if rule.page and rule.priority == URGENT}
    lost = {link.rule(AlertSettings()).id} | {
        rule.id for rule in shipped_rules().rules if rule.page and rule.detector == "gap"
    }
    steps = [step for step in scenario.timeline if isinstance(step, Expect)]
    return [step for step in steps if any(fnmatchcase(rule, step.alert.rule) for rule in urgent | lost)]


@dataclass(slots=True)
class Day:
    """What one day of one scenario came to."""

    point_days: float
    wanted: int = 0
    leads: list[float] = field(default_factory=list)  # seconds left in the window when it was called
    delays: list[float] = field(default_factory=list)  # seconds from the first step to the call
    tagged: int = -1  # tests tagged; -1 where the scenario is none
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)


def begin_of(scenario: Scenario) -> float:
    """Return the minute of the first thing that happens; a scenario in which nothing does never begins."""
    return min((step.minute for step in scenario.timeline if isinstance(step, At)), default=1e9)


def judge(file: Path, seed: int) -> Day:
    """Play one day and hold its calls against what the scenario expects."""
    scenario = load(file)
    run = play(scenario, seed=seed, period_s=5.0 if scenario.minutes > LONG_MIN else 1.0)
    made, begin = pages(run.events), begin_of(scenario)
    day = Day(len(points(scenario)) * scenario.minutes / 1440)
    test = file.stem in TESTS
    if test:
        day.tagged = sum(event.event is EventKind.TAGGED for event in run.events)
    for step in [] if test else dangers(scenario):
        day.wanted += 1
        window = step.window
        hits = [
            at
            for at, rule, place in made
            if fnmatchcase(rule, step.alert.rule)
            and fnmatchcase(place, step.alert.place)
            and window.start <= at <= window.end
        ]
        if hits:
            day.leads.append((window.end - min(hits)) * 60)
            day.delays.append((min(hits) - begin) * 60)
        else:
            day.missed.append(f"missed {file.stem} {seed} {step} {made}")
    for at, rule, place in made:
        wrong = test or at < begin or is_forbidden(scenario, at, rule, place)
        if wrong:
            day.false.append(f"false {file.stem} {seed} {at:.2f} {rule} {place}")
    return day


def is_forbidden(scenario: Scenario, at: float, rule: str, place: str) -> bool:
    """Return whether the scenario says that this call must not be."""
    return any(
        isinstance(step, MustNot)
        and fnmatchcase(rule, step.alert.rule)
        and fnmatchcase(place, step.alert.place)
        and step.window.start <= at <= step.window.end
        for step in scenario.timeline
    )


def days() -> list[Day]:
    """Play every scenario on every seed, on all cores; tell what went wrong as it is found."""
    files = [file for file in sorted(folder().glob("*.toml")) if not ONLY or file.stem in ONLY]
    wanted = [(file, seed) for file in files for seed in range(FIRST, FIRST + SEEDS)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        played = []
        for day in pool.map(judge, *zip(*wanted, strict=True)):
            played.append(day)
            for line in day.missed + day.false:
                print(line, file=sys.stderr, flush=True)
    return played


def main() -> None:
    """Play them all and print the figures."""
    played = days()
    wanted = sum(day.wanted for day in played)
    missed = sum(len(day.missed) for day in played)
    false = sum(len(day.false) for day in played)
    point_days = sum(day.point_days for day in played)
    leads = [lead for day in played for lead in day.leads]
    delays = [delay for day in played for delay in day.delays]
    tests = [day for day in played if day.tagged >= 0]
    print(f"accuracy.scenarios.incidents {wanted} incidents")
    print(f"accuracy.scenarios.paged_in_time {100 * (wanted - missed) / max(wanted, 1):.2f} %")
    print(f"accuracy.scenarios.false_pages {false / max(point_days / 100, 1e-9):.3f} pages/100-points-day")
    print(f"accuracy.scenarios.point_days {point_days:.0f} point-days")
    if leads:
        print(f"accuracy.scenarios.lead_median {statistics.median(leads):.0f} s")
        print(f"accuracy.scenarios.lead_least {min(leads):.0f} s")
        print(f"accuracy.scenarios.delay_median {statistics.median(delays):.0f} s")
    print(f"accuracy.scenarios.tests_tagged {sum(day.tagged for day in tests)} tests")
    print(f"accuracy.scenarios.tests_untagged {sum(day.tagged == 0 for day in tests)} tests")
    print(f"accuracy.scenarios.tests_paged {sum(len(day.false) for day in tests)} pages")


if __name__ == "__main__":
    main()
