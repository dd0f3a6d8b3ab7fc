"""Trials and places in the engine: groups by zone, announcements, changed points, snapshots at any cut."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kernels.series import examples
from kernels.test_place import wild
from kernels.test_trial import AIR, BAROMETER, METER, bottle, story
from minewatch.contracts import Announcement, PointInfo, TrialStage
from minewatch.detect.engine import Engine
from minewatch.detect.settings import DetectSettings
from minewatch.detect.trial_settings import TestGasSettings, signs
from oracles import trial as oracle
from unit.detect.mine import START, S, batch

KINDS = {
    METER: ("methane", "% CH4"),
    AIR: ("air_velocity", "m/s"),
    BAROMETER: ("barometric_pressure", "hPa"),
}


def info(name, kind, zone="longwall-7/face", **more):
    """Return a point of a kind."""
    quantity, unit = KINDS[kind]
    return PointInfo(f"s/{name}", "s", "g", name, "v", quantity, unit, zone, **more)


FACE = (METER, METER, AIR, BAROMETER)


def mine(zones=("longwall-7/face",) * 4, **test_gas):
    """Return an engine with a face."""
    engine = Engine(DetectSettings(test_gas=test_gas))
    engine.add_points(
        [info(f"p{i}", kind, zone) for i, (kind, zone) in enumerate(zip(FACE, zones, strict=True))]
    )
    return engine


def run(engine, readings, size=7):
    """Step through readings in batches; return what was found."""
    trials, places = [], []
    for i in range(0, len(readings), size):
        found = engine.step(batch([(p, t, x) for p, t, x, _ in readings[i : i + size]]))
        trials += found.trials
        places += found.places
    return trials, places


def test_a_bottle_is_found_whatever_the_batches():
    """The same changes come out of batches of any size."""
    readings = story(200, (0, bottle(until=100)))
    whole, _ = run(mine(), readings, 10_000)
    assert [change.stage for change in whole] == [TrialStage.SUSPECTED, TrialStage.TESTED, TrialStage.OVER]
    for size in (1, 3, 50):
        assert repr(run(mine(), readings, size)[0]) == repr(whole)  # by its words: NaN equals NaN


@pytest.mark.parametrize("seconds", [64, 70, 120])
def test_how_a_trial_stands_is_told_as_it_was(seconds):
    """A trial that runs is told as its last change was, after a start too; without one, nothing."""
    engine, after = mine(), mine()
    assert engine.standing_trials(START) == ()
    changes, _ = run(engine, story(seconds, (0, bottle(until=150))))
    after.restore(engine.snapshot())
    for (stands,) in (engine.standing_trials(START), after.standing_trials(START)):
        for name in ("point", "stage", "announced", "since_ns", "until_ns", "base"):
            assert getattr(stands, name) == getattr(changes[-1], name)


@pytest.mark.parametrize(
    ("zones", "tested"),
    [
        (("longwall-7/face", "longwall-7/return", "longwall-7/intake", "longwall-7"), True),
        (("longwall-7/face", "heading-12/face", "longwall-7/face", "longwall-7/face"), False),
        (("longwall-7/face", "longwall-7/face", "heading-12/face", "longwall-7/face"), False),
        (("", "", "", ""), False),
    ],
)
def test_witnesses_are_those_of_the_place(zones, tested):
    """Only points whose zones begin with the same step say anything; without a zone there is no test."""
    changes, _ = run(mine(zones), story(120, (0, bottle())))
    assert (TrialStage.TESTED in [change.stage for change in changes]) == tested


def test_a_place_of_too_many_points_is_none():
    """Where one zone holds more than 512 meters nothing is a test, and nothing is slow."""
    readings = story(120, (0, bottle()))
    for others, tested in ((400, True), (600, False)):
        engine = mine()
        engine.add_points([info(f"q{i}", METER) for i in range(others)])
        changes, _ = run(engine, readings)
        assert (TrialStage.TESTED in [change.stage for change in changes]) == tested


def test_it_can_be_switched_off():
    """Without it nothing is found, and nothing waits."""
    assert run(mine(enabled=False), story(120, (0, bottle()))) == ([], [])


def test_an_announced_test_by_configuration():
    """A window and a gas at one meter of a heading: its test is announced; in another window it is none."""
    moment = datetime.fromtimestamp(START / 1e9, UTC)
    for begin, expected in ((moment, [True, True]), (moment - timedelta(hours=2), [])):
        test = {
            "place": "s/p0",
            "begin": begin,
            "end": begin + timedelta(hours=1),
            "by": "order 1",
            "gas_pct": 2.2,
        }
        engine = Engine(DetectSettings(test_gas={"announced": [test]}))
        engine.add_points([info("p0", METER), info("p1", AIR)])
        changes, _ = run(engine, story(120, (0, bottle()), kinds=(METER, AIR)))
        assert [change.announced for change in changes] == expected
    with pytest.raises(ValidationError):
        DetectSettings(test_gas={"announced": [test | {"end": test["begin"]}]})


def test_time_alone_ends_a_trial():
    """A meter that falls silent in its step, and a neighbour that rises then: the clock says so."""
    for seconds, now, stage in ((63, 75, TrialStage.REFUTED), (80, 85, None), (80, 111, TrialStage.REFUTED)):
        engine = mine()
        run(engine, story(seconds, (0, bottle())))
        found = engine.tick_trials(START + now * S)
        assert [change.stage for change in found] == ([stage] if stage else [])
        assert engine.tick_trials(START + now * S) == ()
    engine = mine()
    run(engine, story(80, (0, bottle())))
    run(engine, [(1, START + 81 * S, 0.9, True)])
    assert [change.reason for change in engine.tick_trials(START + 82 * S)] == ["neighbour"]


def test_a_point_that_measures_something_else_is_no_witness_any_more():
    """The neighbour becomes a thermometer: the meter has none, so its rise is no test."""
    engine = mine()
    engine.replace_point(1, PointInfo("s/p1", "s", "g", "p1", "v", "temperature", "°C", "longwall-7/face"))
    assert run(engine, story(120, (0, bottle())))[0] == []


@examples
@given(st.integers(0, 2**32), st.data())
def test_any_cut_makes_no_difference(seed, draw):
    """Snapshot and restore at any reading: the same trials and the same evidence."""
    readings = wild(seed, FACE, 60)
    cut = draw.draw(st.integers(0, len(readings)))
    expected = run(mine(), readings, 1)
    first, second = mine(), mine()
    before = run(first, readings[:cut], 1)
    second.restore(first.snapshot())
    after = run(second, readings[cut:], 1)
    assert repr((before[0] + after[0], before[1] + after[1])) == repr(expected)


def said(begin, end, gas=float("nan"), by="a"):
    """Return an announcement for the first meter, in seconds from the start."""
    return Announcement("s/p0", START + begin * S, START + end * S, by, gas)


LATER = {
    "as well": said(90, 4000),
    "more gas": said(90, 4000, 4.9, "b"),
    "no gas": said(90, 4000, by="b"),
    "tomorrow": said(86_400, 90_000, 1.0, "b"),
    "tomorrow, no gas": said(86_400, 90_000, by="b"),
}


def heading():
    """Return an engine with one meter and its air."""
    engine = Engine(DetectSettings())
    engine.add_points([info("p0", METER), info("p1", AIR)])
    return engine


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(("end", "until", "top"), [(100, 1e9, 2.2), (4000, 160, 2.2), (4000, 1e9, 2.9)])
@pytest.mark.parametrize(("kinds", "build"), [(FACE, mine), ((METER, AIR), heading)])
def test_a_later_announcement_changes_no_trial_that_runs(kinds, build, end, until, top, cut, later):
    """Told 30 s after the rise, also before a restart: the same changes as without, by the same person."""
    readings = story(1100, (0, bottle(until=until, gas=top)), kinds=kinds)
    cut_at = 90 * len(kinds)
    alone, engine = build(), build()
    for one in (alone, engine):
        one.trials.announce(said(0, end, 2.2), 0)
    wanted, _ = run(alone, readings)
    found, _ = run(engine, readings[:cut_at])
    engine.trials.announce(LATER[later], 0)
    if cut:
        after = build()
        after.trials.announce(LATER[later], 0)
        after.restore(engine.snapshot())
        engine = after
    found += run(engine, readings[cut_at:])[0]
    assert repr(found) == repr(wanted)
    assert {change.announcement.actor for change in found} == {"a"}


def test_a_bottle_told_in_mid_trial_does_not_bound_or_widen_it_in_the_oracle_either():
    """The oracle, told of more gas 30 s after the rise, finds what it finds without."""
    found = []
    for later in (None, LATER["more gas"]):
        meter = oracle.Point(METER, 0, 2.2, START, START + 100 * S)
        judge = oracle.Trials([meter, oracle.Point(AIR, 0)], signs(TestGasSettings()))
        for reading in story(1100, (0, bottle()), kinds=(METER, AIR)):
            if later and reading[:2] == (0, START + 90 * S):
                judge.announce(0, later.from_ns, later.to_ns, later.gas_pct)
            judge.read(*reading)
        found.append(repr(judge.changes))
    assert found[0] == found[1]


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("tomorrow", [False, True])
def test_an_end_ends_the_trial_that_runs(tomorrow, cut):
    """Ended at 90 s, whichever window stands, though the snapshot is older: refuted at the next reading."""
    readings = story(200, (0, bottle()))
    engine = mine()
    engine.trials.announce(said(0, 4000, 2.2), 0)
    run(engine, readings[:320])
    ended = said(86_400 if tomorrow else 0, 80)
    if cut:
        after = mine()
        after.trials.announce(ended, 0)
        after.restore(engine.snapshot())
        engine = after
    else:
        engine.trials.announce(ended, 0)
    (change,), _ = run(engine, readings[320:])
    assert (change.reason, change.ts_ns) == ("bound", START + 81 * S)
    assert change.announcement == said(0, 4000, 2.2)


@pytest.mark.parametrize("later", [None, LATER["tomorrow"]])
def test_looking_at_a_trial_that_is_only_suspected_forgets_nobody(later):
    """After a restart within the first seconds, with another window or none: who announced it stays so."""
    engine = mine()
    engine.trials.announce(said(0, 4000, 2.2), 0)
    found, _ = run(engine, story(64, (0, bottle())))
    assert [change.stage for change in found] == [TrialStage.SUSPECTED]
    after = mine()
    if later is not None:
        after.trials.announce(later, 0)
    after.restore(engine.snapshot())
    for _ in range(2):
        (standing,) = after.standing_trials(START + 64 * S)
        assert (standing.stage, standing.announcement) == (TrialStage.SUSPECTED, said(0, 4000, 2.2))
