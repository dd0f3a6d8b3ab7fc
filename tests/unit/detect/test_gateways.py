"""What befalls a gateway as a whole is said once: silence, a freeze, a clock."""

import math

import numpy as np
import pytest

from minewatch.detect.engine import Engine
from minewatch.detect.gateways import CLOCK, FROZEN, SILENT, Gateways
from minewatch.detect.kernels.outage import frozen_share, silent_share
from unit.detect.mine import SETTINGS, START, S, batch, point

POINTS = 8
MINUTE = 60 * S
SHARE = 0.4


def _play(change, minutes=600):
    """Return (detector, minute, words) wherever a share passes 0.4, at a reading a minute of eight points."""
    engine, gateways = Engine(SETTINGS), Gateways()
    engine.add_points([point(f"p{k}", interval_s=90.0) for k in range(POINTS)])
    gateways.set_points(engine.points)
    out, found = {SILENT: False, FROZEN: False}, []
    for i in range(minutes):
        t = START + i * MINUTE
        rows = []
        for k in range(POINTS):
            x = change(i, k, 1.0 + 0.1 * ((i * (k + 3)) % 7))
            if x is not None:
                rows.append((k, t, x))
        engine.step(batch(rows))
        for said in gateways.look(engine.state.point, t):
            if (said.value[0] >= SHARE) != out[said.detector]:
                out[said.detector] = not out[said.detector]
                found.append((said.detector, i, said.say(0)))
    return found


def test_a_freeze_of_all_is_said_once_with_a_reason():
    """Eight points that freeze at one minute are said with their number, and over when back."""
    (first, began, why), (second, ended, _) = _play(lambda i, k, x: 2.0 + k if 300 <= i < 400 else x)
    assert (first, second, ended) == (FROZEN, FROZEN, 400)
    assert 315 <= began <= 360
    for text in (why.kk, why.ru, why.en):
        assert "8" in text


def test_a_silence_of_most_is_said_once():
    """Six of eight points that fall silent are one finding; two are none."""
    (first, began, why), (second, ended, _) = _play(lambda i, k, x: None if 300 <= i < 400 and k < 6 else x)
    assert (first, second, began, ended) == (SILENT, SILENT, 302, 400)
    assert why.en == "6 of 8 points fell silent together"
    assert _play(lambda i, k, x: None if 300 <= i < 400 and k < 2 else x) == []


@pytest.mark.parametrize("junk", [math.nan, math.inf, -2.0])
def test_everything_bad_at_once_is_not_a_freeze(junk):
    """When all points send junk nothing is frozen and nothing is silent: the points themselves tell."""
    assert _play(lambda i, k, x: junk if 300 <= i < 400 else x) == []


def test_a_constant_point_a_few_points_and_none_are_no_outage():
    """A constant from birth, fewer than three points and no points at all say nothing."""
    assert _play(lambda i, k, x: 1.0 if k == 0 else x) == []
    engine, gateways = Engine(SETTINGS), Gateways()
    assert gateways.look(engine.state.point, START) == []
    engine.add_points([point("a"), point("b")])
    gateways.set_points(engine.points)
    engine.step(batch([(0, START, 1.0), (1, START, 1.0)]))
    assert gateways.look(engine.state.point, START + 10**6 * S) == []
    assert [subject.detector for subject in gateways.subjects] == [CLOCK]


def _clock(stamp, seconds=60):
    """Return (value, words) of every look; the reading of second i bears the time ``stamp(i)``."""
    gateways, found = Gateways(), []
    gateways.set_points([point("a"), point("b")])
    rows = Engine(SETTINGS).state.point
    for i in range(seconds):
        now = START + i * S
        gateways.arrive(batch([(0, START + round(stamp(i) * S), 1.0)]), now)
        found += [(float(said.value[0]), said.say(0).en) for said in gateways.look(rows, now)]
    return found


def test_a_clock_is_compared_at_the_arrival():
    """A right clock, one ahead, one behind, one that runs away and one that stands are told apart."""
    assert max(value for value, _ in _clock(lambda i: i - 0.2)) == pytest.approx(0.2)
    ahead, behind = _clock(lambda i: i + 300), _clock(lambda i: i - 300)
    assert {value for value, _ in ahead} == {value for value, _ in behind} == {300.0}
    assert "from the future" in ahead[-1][1]
    assert "an old time" in behind[-1][1]
    away = [value for value, _ in _clock(lambda i: 3 * i)]
    assert away == sorted(away)
    assert away[-1] >= 100
    value, words = _clock(lambda i: 0)[-1]
    assert (value, words) == (pytest.approx(51, abs=5), "readings arrive, but their time stands still")


def test_a_gateway_of_which_nothing_arrives_has_no_clock():
    """Silence says nothing of a clock."""
    gateways = Gateways()
    gateways.set_points([point("a")])
    assert gateways.look(Engine(SETTINGS).state.point, START) == []
    gateways.arrive(batch([(0, START, 1.0)]), START)
    assert len(gateways.look(Engine(SETTINGS).state.point, START + 10 * S)) == 1
    assert gateways.look(Engine(SETTINGS).state.point, START + 20 * S) == []


def test_a_look_is_compiled_before_readings_come():
    """After the warm-up a look at real points compiles nothing more."""
    Gateways.warm_up()
    before = _versions()
    engine, gateways = Engine(SETTINGS), Gateways()
    engine.add_points([point(name) for name in "abc"])
    gateways.set_points(engine.points)
    engine.step(batch([(k, START, 1.0) for k in range(3)]))
    assert len(gateways.look(engine.state.point, START + 60 * S)) == 2
    assert _versions() == before


def _versions():
    """Return for how many kinds of arguments the kernels of a look are compiled; 0 without the compiler."""
    return [len(getattr(kernel, "signatures", ())) for kernel in (silent_share, frozen_share)]


def test_a_point_that_moves_to_another_gateway_is_looked_at_there():
    """Members follow the description of their points."""
    gateways = Gateways()
    gateways.set_points([point(name) for name in "abc"])
    assert [subject.detector for subject in gateways.subjects] == [SILENT, FROZEN, CLOCK]
    moved = point("c")
    object.__setattr__(moved, "gateway", "other")
    gateways.set_points([point("a"), point("b"), moved])
    assert [(s.detector, s.about.place) for s in gateways.subjects] == [(CLOCK, "s/g"), (CLOCK, "s/other")]
    assert np.array_equal(gateways._of, [0, 0, 1])
