"""Every shipped scenario on many days: is each danger to life called in time, and nobody for nothing?

``MINEWATCH_BENCH_SEEDS`` days of each (20), ``MINEWATCH_BENCH_SCENARIOS`` names some of them, with commas.
"""

from __future__ import annotations

import os
import statistics
import sys
from fnmatch import fnmatchcase
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


def main() -> None:
    """Play them all and print the figures."""
    wanted = missed = false = tagged = untagged = called = 0
    leads: list[float] = []
    delays: list[float] = []
    point_days = 0.0
    for file in sorted(folder().glob("*.toml")):
        if ONLY and file.stem not in ONLY:
            continue
        scenario = load(file)
        begin = min((step.minute for step in scenario.timeline if isinstance(step, At)), default=1e9)
        period = 5.0 if scenario.minutes > LONG_MIN else 1.0
        for seed in range(1, SEEDS + 1):
            run = play(scenario, seed=seed, period_s=period)
            made = pages(run.events)
            point_days += len(points(scenario)) * scenario.minutes / 1440
            if file.stem in TESTS:
                known = sum(event.event is EventKind.TAGGED for event in run.events)
                tagged, untagged, called = tagged + known, untagged + (known == 0), called + len(made)
                false += len(made)
                continue
            for step in dangers(scenario):
                wanted += 1
                window = step.window
                hits = [
                    at
                    for at, rule, place in made
                    if fnmatchcase(rule, step.alert.rule)
                    and fnmatchcase(place, step.alert.place)
                    and window.start <= at <= window.end
                ]
                if hits:
                    leads.append((window.end - min(hits)) * 60)
                    delays.append((min(hits) - begin) * 60)
                else:
                    missed += 1
                    print("missed", file.stem, seed, step, made, file=sys.stderr)
            for at, rule, place in made:
                wrong = at < begin or any(
                    isinstance(step, MustNot)
                    and fnmatchcase(rule, step.alert.rule)
                    and fnmatchcase(place, step.alert.place)
                    and step.window.start <= at <= step.window.end
                    for step in scenario.timeline
                )
                if wrong:
                    false += 1
                    print("false", file.stem, seed, f"{at:.2f}", rule, place, file=sys.stderr)
    print(f"accuracy.scenarios.incidents {wanted} incidents")
    print(f"accuracy.scenarios.paged_in_time {100 * (wanted - missed) / max(wanted, 1):.2f} %")
    print(f"accuracy.scenarios.false_pages {false / max(point_days / 100, 1e-9):.3f} pages/100-points-day")
    print(f"accuracy.scenarios.point_days {point_days:.0f} point-days")
    if leads:
        print(f"accuracy.scenarios.lead_median {statistics.median(leads):.0f} s")
        print(f"accuracy.scenarios.lead_least {min(leads):.0f} s")
        print(f"accuracy.scenarios.delay_median {statistics.median(delays):.0f} s")
    print(f"accuracy.scenarios.tests_tagged {tagged} tests")
    print(f"accuracy.scenarios.tests_untagged {untagged} tests")
    print(f"accuracy.scenarios.tests_paged {called} pages")


if __name__ == "__main__":
    main()
