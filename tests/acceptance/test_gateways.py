"""What befalls a gateway as a whole is one alert of the gateway, and hides nothing."""

from __future__ import annotations

from acceptance.playing import Run, play
from minewatch.contracts import Text
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
    spike,
    stuck,
)

SITE = "karaganda-demo"
LONGWALL = f"{SITE}/gw-longwall"
RACK = f"{SITE}/*-7*/*"  # 26 of the 29 points of the gateway
FACE_60 = f"{SITE}/ch4-face-60/ch4"
AIR = f"{SITE}/air-return-7/velocity"


def told(*timeline: Step, minutes: float, period_s: float = 1.0) -> Run:
    """Play a story at one mine; its expectations must hold."""
    story = Scenario("story", Text("", "", ""), timeline, minutes=minutes, sites=(SITE,))
    run = play(story, period_s=period_s)
    assert judge(story, run.activations()) == []
    return run


def test_a_rack_that_loses_its_power_is_one_alert_and_hides_no_limit() -> None:
    """Most points fall silent: one alert, within 20 s; gas is judged; what does not come back is told."""
    run = told(
        at(1, dropout(RACK, for_min=2)),
        at(1.5, dropout(AIR)),
        at(1.6, spike(FACE_60, 2.5, for_min=0.5)),
        expect(between(1.2, 1.4), active("gateway-silent", LONGWALL)),
        must_not(between(0, 1.2), active("gateway-silent")),
        must_not(between(3.8, 9), active("gateway-silent")),
        expect(between(1.6, 2.2), active("methane-high", FACE_60)),
        must_not(between(0, 3.5), active("signal-lost*")),
        expect(between(3.9, 4.6), active("signal-lost-air-velocity", AIR)),
        minutes=5,
    )
    assert {a.place for a in run.activations() if a.rule.startswith("signal-lost")} == {AIR}
    (raised,) = [e.alert for e in run.events if e.alert.rule == "gateway-silent" and e.event == "raised"]
    assert raised.paged
    assert raised.why.en.startswith(
        "26 of 29 points fell silent together; share of points 0.8966 (limit ≥ 0.4)"
    )
    assert raised.why.ru.startswith("26 из 29 точек шлюза замолчали вместе; доля точек 0,8966")
    assert raised.why.kk.startswith("29 нүктенің 26-і бірге үндемей қалды")


def test_a_controller_that_repeats_old_values_is_one_alert() -> None:
    """Most points freeze at one moment: one alert within half an hour, which ends with the freeze."""
    run = told(
        at(20, stuck(RACK, for_min=25)),
        expect(between(34.5, 40), active("gateway-frozen", LONGWALL)),
        must_not(between(0, 34.5), active("gateway-frozen")),
        must_not(between(47, 50), active("gateway-frozen")),
        must_not(between(0, 50), active("gateway-silent")),
        minutes=50,
        period_s=5.0,
    )
    (raised,) = [e.alert for e in run.events if e.alert.rule == "gateway-frozen" and e.event == "raised"]
    assert "froze at one moment: their values are old" in raised.why.en


def test_a_clock_ahead_is_told_with_how_much_until_it_is_right() -> None:
    """Readings from the future are one alert, with words, and no sensor is lost; it ends with the fault."""
    run = told(
        at(1, clock_skew(LONGWALL, 300.0, for_min=1.5)),
        expect(between(1.4, 2), active("gateway-clock", LONGWALL)),
        must_not(between(0, 1.4), active("gateway-clock")),
        must_not(between(3.8, 5), active("gateway-clock")),
        must_not(between(0, 5), active("signal-lost*")),
        must_not(between(0, 5), active("gateway-silent")),
        minutes=5,
    )
    raised = next(e.alert for e in run.events if e.alert.rule == "gateway-clock")
    assert raised.why.en.startswith("readings come from the future: the clock is ahead; clock off by 5 min")
