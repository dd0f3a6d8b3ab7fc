"""Most points of a gateway at once are one finding."""

import math

import pytest

from minewatch.detect.engine import Engine
from minewatch.detect.outage import Outages
from unit.detect.mine import SETTINGS, START, S, batch, point

POINTS = 8


def _play(change, minutes=600, step=60):
    """Return the outages told over some hours at a reading a minute; ``change`` may alter or drop a value."""
    engine, outages, found = Engine(SETTINGS), Outages(), []
    engine.add_points([point(f"p{k}", interval_s=90.0) for k in range(POINTS)])
    for i in range(minutes):
        t = START + i * step * S
        rows = []
        for k in range(POINTS):
            x = change(i, k, 1.0 + 0.1 * ((i * (k + 3)) % 7))
            if x is not None:
                rows.append((k, t, x))
        engine.step(batch(rows))
        found += outages.judge(engine, t)
    return found


def test_a_freeze_of_all_is_one_finding_with_a_reason():
    """Eight points that freeze at one minute are told once, with their number, and once when back."""
    found = _play(lambda i, k, x: 2.0 + k if 300 <= i < 400 else x)
    assert [(o.kind, o.active, o.count) for o in found] == [("frozen", True, 8), ("frozen", False, 0)]
    assert abs(found[0].since_ns - (START + 300 * 60 * S)) <= 120 * S
    assert found[0].ts_ns - found[0].since_ns <= 3600 * S
    for text in (found[0].why.kk, found[0].why.ru, found[0].why.en):
        assert "8" in text


def test_a_silence_of_most_is_one_finding():
    """Six of eight points that fall silent are one finding; two are none."""
    found = _play(lambda i, k, x: None if 300 <= i < 400 and k < 6 else x)
    assert [(o.kind, o.active, o.count) for o in found] == [("silent", True, 6), ("silent", False, 0)]
    assert _play(lambda i, k, x: None if 300 <= i < 400 and k < 2 else x) == []


@pytest.mark.parametrize("junk", [math.nan, math.inf, -2.0])
def test_everything_bad_at_once_is_not_a_freeze(junk):
    """When all points send junk nothing is frozen and nothing is silent: the points themselves tell."""
    assert _play(lambda i, k, x: junk if 300 <= i < 400 else x) == []


def test_a_constant_point_a_few_points_and_none_are_no_outage():
    """A constant from birth, fewer than three points and no points at all say nothing."""
    assert _play(lambda i, k, x: 1.0 if k == 0 else x) == []
    engine = Engine(SETTINGS)
    assert Outages().judge(engine, START) == ()
    engine.add_points([point("a"), point("b")])
    engine.step(batch([(0, START, 1.0), (1, START, 1.0)]))
    assert Outages().judge(engine, START + 10**6 * S) == ()
