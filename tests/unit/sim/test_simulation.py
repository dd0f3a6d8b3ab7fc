"""Scenarios as readings in process, and as drivers of the edge agent."""

from dataclasses import replace

import numpy as np
import pytest

from minewatch.contracts import Quality, ReadingBatch, Text
from minewatch_edge.sparkplug.codec import BAD, GOOD
from minewatch_sim.driver import Pace, gateways
from minewatch_sim.instruments import Instrument, Spec
from minewatch_sim.scenario import (
    Scenario,
    Step,
    at,
    clock_skew,
    cover,
    dropout,
    poison,
    ramp,
    spike,
    stuck,
    uplink_lost,
)
from minewatch_sim.simulation import Frame, points, simulate

CH4 = "karaganda-demo/ch4-face-60/ch4"
GATEWAY = "karaganda-demo/gw-longwall"
SECOND = 10**9
START = 1_772_420_400 * SECOND


def story(*timeline: Step, minutes: float = 2.0) -> Scenario:
    """Return a scenario of these steps."""
    return Scenario("story", Text("", "", ""), timeline, minutes=minutes)


def frames(scenario: Scenario, **more: float) -> list[Frame]:
    """Return all frames of a scenario."""
    return list(simulate(scenario, start_ns=START, **more))  # type: ignore[arg-type]


def series(scenario: Scenario, place: str = CH4) -> ReadingBatch:
    """Return what one point sends."""
    index = [p.place for p in points(scenario)].index(place)
    batch = ReadingBatch.join([f.batch for f in frames(scenario)])
    return batch.take(batch.point == index)


def test_the_same_seed_gives_the_same_readings() -> None:
    """A scenario can be played again to the last digit; another seed is another day."""
    one, two = series(story()), series(story())
    assert one.value.tolist() == two.value.tolist()
    assert one.value.tolist() != series(replace(story(), seed=2)).value.tolist()


def test_every_point_is_read_every_second() -> None:
    """A frame a second, with one reading of each point, stamped with the frame's time."""
    got = frames(story(minutes=0.5))
    assert [f.time_ns for f in got] == [START + i * SECOND for i in range(31)]
    for frame in got:
        assert sorted(frame.batch.point) == list(range(104))
        assert set(frame.batch.ts_ns) == {frame.time_ns}
        assert not frame.batch.historical.any()


def test_a_slower_round_sees_the_same_truth() -> None:
    """Asked every ten seconds the mine has gone the same way; intervals are declared to match."""
    slow = frames(story(), period_s=10.0)
    assert len(slow) == 13
    assert points(story(), 10.0)[0].interval_s == 10 * points(story())[0].interval_s
    index = [p.place for p in points(story())].index("karaganda-demo/climate-intake-7/pressure")
    fast_last, slow_last = frames(story())[-1].batch.value[index], slow[-1].batch.value[index]
    assert slow_last == pytest.approx(fast_last, abs=0.5)


def test_a_spike_of_a_point_is_what_it_shows() -> None:
    """An action on a point changes what is shown, not the truth around it."""
    scenario = story(at(0.5, spike(CH4, 2.2, for_min=0.5)))
    value = series(scenario).value
    assert value[29] < 1.0
    assert set(value[30:60]) == {2.2}
    assert value[60] < 1.0
    neighbour = "karaganda-demo/ch4-face-120/ch4"
    assert series(scenario, neighbour).value.tolist() == series(story(), neighbour).value.tolist()


def test_a_poisoned_point_shows_a_share_and_a_covered_one_the_air_of_before() -> None:
    """Later gas is shown in part by the one, by the other not at all, while both go on with noise."""
    gas = at(0.5, ramp("longwall-7.inflow", 1.0, 60.0, over_min=0.5))
    whole = series(story(gas)).value
    poisoned = series(story(gas, at(0.2, poison(CH4, 0.3, over_min=0.2)))).value
    covered = series(story(gas, at(0.2, cover(CH4)))).value
    assert whole[-1] > 2 * whole[12]
    assert poisoned[-1] == pytest.approx(0.3 * whole[-1], abs=0.02)
    assert covered[-1] == pytest.approx(whole[12], abs=0.1)
    assert len(set(covered[30:])) > 2


def test_stuck_repeats_and_dropout_is_silent_or_bad() -> None:
    """The three faults of a sensor look as they do on a real one."""
    assert len(set(series(story(at(0.5, stuck(CH4)))).value[30:])) == 1
    assert len(series(story(at(0.5, dropout(CH4, for_min=1))))) == 121 - 60
    bad = series(story(at(0.5, dropout(CH4, for_min=1, bad=True))))
    assert len(bad) == 121
    assert set(bad.quality[30:90]) == {Quality.BAD_NO_SIGNAL}
    assert np.isnan(bad.value[30:90]).all()


def test_a_lost_uplink_delivers_afterwards_as_history() -> None:
    """No reading is lost: the gateway's come late, marked historical, after the live ones."""
    got = frames(story(at(0.5, uplink_lost(GATEWAY, for_min=0.5))))
    assert [f.online[GATEWAY] for f in got[29:61]] == [True] + [False] * 30 + [True]
    index = [p.place for p in points(story())].index(CH4)
    assert not any((f.batch.point == index).any() for f in got[30:60])
    back = got[60].batch
    assert back.historical.sum() == 30 * sum(p.gateway == "gw-longwall" for p in points(story()))
    assert not back.historical[:104].any()
    everything = ReadingBatch.join([f.batch for f in got])
    assert sorted(everything.ts_ns[everything.point == index]) == [START + i * SECOND for i in range(121)]


def test_a_clock_put_back_is_uncertain_and_one_ahead_is_ahead() -> None:
    """As the agent does: times never fall; a wrong clock is marked, not believed."""
    back = series(story(at(1, clock_skew(GATEWAY, -3600))))
    assert (np.diff(back.ts_ns) == SECOND).all()
    assert set(back.quality[60:]) == {Quality.UNCERTAIN}
    ahead = series(story(at(1, clock_skew(GATEWAY, 90))))
    assert ahead.ts_ns[60] - ahead.ts_ns[59] == 91 * SECOND


def test_an_instrument_lags_and_shows_whole_steps() -> None:
    """A step of the truth shows 63 % after the lag, rounded to the resolution, within the range."""
    spec = Spec("d", "m", "q", "u", "z", 0.0, 10.0, 0.5, 0.0, lag_s=10.0)
    instrument = Instrument(spec, "seed")
    assert instrument.read(0.0, 0.0) == 0.0
    assert instrument.read(8.0, 10.0) == 5.0
    assert instrument.show(99.0) == 10.0
    assert instrument.show(-1.0) == 0.0


def test_the_driver_declares_what_the_points_say() -> None:
    """Births and PointInfo describe the same points in the same order."""
    found = gateways(story(), Pace(1.0))
    births = [
        (site, gw, b.device, b.metric, b.unit, b.zone) for (site, gw), d in found.items() for b in d.points()
    ]
    infos = [(p.site, p.gateway, p.device, p.metric, p.unit, p.zone) for p in points(story())]
    assert births == infos


def test_the_driver_is_due_once_a_second_of_simulated_time() -> None:
    """Ten times as fast it is due ten times a second, on a grid that missed rounds do not shift."""
    pace = Pace(10.0)
    driver = gateways(story(), pace)["karaganda-demo", "gw-plant"]
    assert driver.due_ns(START) <= START
    first = driver.poll(START)
    assert len(first) == len(driver.points())
    assert {r.ts_ns for r in first} == {START}
    assert driver.due_ns(START) == START + SECOND // 10
    driver.poll(START + 950_000_000)
    assert driver.due_ns(START + 950_000_000) == START + SECOND


def test_the_driver_plays_the_scenario() -> None:
    """Through the driver a story is the same: values, qualities, clock, uplink, at any speed."""
    cut: list[tuple[str, bool]] = []
    scenario = story(
        at(1, spike(CH4, 1.7, for_min=1)),
        at(1, dropout("karaganda-demo/co-return-7/co", bad=True)),
        at(1, clock_skew(GATEWAY, -3600)),
        at(1, uplink_lost(GATEWAY, for_min=1)),
    )
    pace = Pace(60.0)
    found = gateways(scenario, pace, uplink=lambda name: lambda is_cut: cut.append((name, is_cut)))
    driver = found["karaganda-demo", "gw-longwall"]
    names = [f"{b.device}/{b.metric}" for b in driver.points()]
    driver.poll(START)
    now = START + 3 * SECOND // 2
    got = {names[r.point]: r for r in driver.poll(now)}
    assert got["ch4-face-60/ch4"].value == 1.7
    assert got["ch4-face-60/ch4"].quality == GOOD
    assert got["co-return-7/co"].quality == BAD
    assert {r.ts_ns for r in got.values()} == {now - 3600 * SECOND}
    assert cut == [(GATEWAY, False), (GATEWAY, True)]
    assert driver.taken == 2 * len(names)


def test_a_driver_that_was_ended_samples_no_more() -> None:
    """At the end no reading is taken, so that the spools can run empty."""
    pace = Pace(1.0)
    driver = gateways(story(), pace)["ekibastuz-demo", "gw-pit"]
    pace.end()
    assert driver.poll(START) == ()
    assert driver.due_ns(START) > START
    assert driver.taken == 0


def test_check_names_every_point() -> None:
    """The installer's check says a value with its unit for each point."""
    driver = gateways(story(), Pace(1.0))["ekibastuz-demo", "gw-fleet"]
    results = driver.check(START)
    assert len(results) == len(driver.points())
    assert all(r.ok for r in results)
    assert "°C" in results[0].text
