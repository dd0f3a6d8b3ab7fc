"""Every shipped scenario through rules, engine, book and stores: what must come comes, nothing else does."""

from __future__ import annotations

from collections import Counter

import pytest

from acceptance.playing import play
from minewatch.contracts import EventKind, Text
from minewatch_sim.scenario import (
    Scenario,
    Step,
    active,
    at,
    between,
    clock_skew,
    dropout,
    expect,
    judge,
    must_not,
    ramp,
    spike,
    uplink_lost,
)
from minewatch_sim.scenario_file import find, folder, load

NAMES = sorted(file.stem for file in folder().glob("*.toml"))
LONG_MIN = 45.0  # what lasts longer is looked at every five seconds, which the scenarios do not notice
FACE_60 = "karaganda-demo/ch4-face-60/ch4"
LONGWALL = "karaganda-demo/gw-longwall"


def story(*timeline: Step, minutes: float = 12.0) -> Scenario:
    """Return a scenario of these steps."""
    return Scenario("story", Text("", "", ""), timeline, minutes=minutes)


def test_there_are_scenarios() -> None:
    """The shipped scenarios are found, so that the tests below test something."""
    assert {"calm", "demo", "methane-buildup", "uplink-lost"} <= set(NAMES)


@pytest.mark.parametrize("seed", [None, 101])
@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_raises_what_it_must_and_nothing_it_must_not(name: str, seed: int | None) -> None:
    """On its own day and on another all expectations hold, and journal and store have everything once.

    Twenty more days are in `make bench ONLY=accuracy.scenarios`.
    """
    scenario = load(find(name))
    run = play(scenario, seed=seed, period_s=5.0 if scenario.minutes > LONG_MIN else 1.0)
    assert judge(scenario, run.activations()) == []
    assert run.pipeline.records.verify() == len(run.events)
    counts = run.pipeline.telemetry.counts()
    assert (counts.stored, counts.distinct) == (run.sent, run.sent)
    again = Counter((event.key, event.event) for event in run.events)
    assert not [key for key, times in again.items() if times > 1]


@pytest.mark.parametrize("seed", [11])
def test_a_calm_mine_calls_nobody_all_day(seed: int) -> None:
    """Ten hours in which nothing happens raise no alert at all, nor do the averages of a shift."""
    run = play(load(find("calm")), seed=seed, minutes=600.0, period_s=10.0)
    assert run.events == []


def test_methane_that_rises_is_told_while_it_is_too_high() -> None:
    """The limit is crossed at 7.7 min: told within the minute and not before, cleared when it is gone."""
    told = story(
        at(5, ramp(FACE_60, 0.2, 1.4, over_min=4, hold_min=2)),
        must_not(between(0, 7.6), active("methane-high")),
        expect(between(7.6, 8.5), active("methane-high", FACE_60)),
        expect(between(9, 11), active("methane-high")),
        must_not(between(12.5, 14), active("methane-high")),
        must_not(between(0, 14), active("signal-*")),
        minutes=14,
    )
    run = play(told)
    assert judge(told, run.activations()) == []
    raised = [e for e in run.events if e.event is EventKind.RAISED and e.alert.rule == "methane-high"]
    assert [event.alert.place for event in raised] == [FACE_60]
    assert raised[0].alert.paged


def test_a_silent_sensor_and_a_silent_gateway_are_told_apart() -> None:
    """A sensor that falls silent is its own alert; a gateway that does is one alert for all its sensors."""
    told = story(
        at(2, dropout(FACE_60, for_min=2)),
        at(6, uplink_lost(LONGWALL, for_min=2)),
        expect(between(2, 3), active("signal-lost-methane", FACE_60)),
        must_not(between(0, 12), active("signal-*", "*/air-*")),
        must_not(between(5, 12), active("signal-*")),
        expect(between(6, 7), active("gateway-offline", LONGWALL)),
        must_not(between(9, 12), active("gateway-offline")),
    )
    run = play(told)
    assert judge(told, run.activations()) == []


def test_a_clock_that_is_put_back_does_not_blind_the_mine() -> None:
    """Methane that rises right after the gateway's clock went back an hour is told as if nothing had been."""
    told = story(
        at(2, clock_skew(LONGWALL, -3600.0)),
        at(3, spike(FACE_60, 1.6, for_min=2)),
        expect(between(2.9, 3.5), active("methane-high", FACE_60)),
        must_not(between(0, 12), active("signal-*")),
        must_not(between(6, 12), active("methane-high")),
    )
    assert judge(told, play(told).activations()) == []


def test_what_happened_without_a_link_is_found_afterwards_and_pages_nobody() -> None:
    """Methane while the gateway was cut off becomes an alert in retrospect: shown, not paged."""
    told = story(
        at(2, uplink_lost(LONGWALL, for_min=3)),
        at(3, spike(FACE_60, 1.6, for_min=1)),
    )
    run = play(told)
    late = [event.alert for event in run.events if event.alert.rule == "methane-high"]
    assert {(alert.place, alert.retrospective, alert.paged) for alert in late} == {(FACE_60, True, False)}
    assert run.pages() == [f"gateway-offline at {LONGWALL}"]


def test_the_judge_is_awake() -> None:
    """An expectation that is not met, and one that must not be, are both said."""
    wrong = story(
        at(1, spike(FACE_60, 1.6, for_min=1)),
        expect(between(0, 4), active("methane-high", "karaganda-demo/ch4-face-10/ch4")),
        must_not(between(0, 4), active("methane-high", FACE_60)),
        minutes=4,
    )
    faults = judge(wrong, play(wrong).activations())
    assert ["did not come" in fault for fault in faults] == [True, False]
