"""When all goes wrong at once, or one sensor does: what is found and learned, and what others notice."""

import math

import numpy as np
import pytest

from minewatch.detect.engine import Engine
from unit.detect.mine import SETTINGS, START, S, batch, limits, point, told

TABLE = limits((1, 0, 0, 1.0), (2, 1, 0, 1.0), (3, 1, 6, 3.0), (4, 2, 0, 1.0), (5, 2, 12, 1.5))
USUAL = [(p, START + i * S, 0.5 + (i * 7 + p) % 5 / 100) for i in range(60) for p in range(3)]


def engine():
    """Return an engine of three meters with limits, that knows what is usual."""
    made = Engine(SETTINGS)
    made.add_points([point(name) for name in "abc"])
    made.set_limits(TABLE)
    made.step(batch(USUAL))
    return made


@pytest.mark.parametrize(
    ("value", "given", "quality"),
    [
        (math.nan, 0, 130), (math.inf, 0, 130), (-math.inf, 0, 130), (-2.0, 0, 129), (0.5, 128, 128),
        (math.nan, 131, 131),
    ],
)  # fmt: skip
def test_all_sensors_bad_at_once_raise_and_teach_nothing(value, given, quality):
    """However long it lasts: every row has its quality, limits hold, and what is usual stays as it was."""
    made = engine()
    before = {name: getattr(made.state.chart, name).copy() for name in made.state.chart._fields}
    bad = [(p, START + (60 + i) * S, value, given) for i in range(30) for p in range(3)]
    found = made.step(batch(bad))
    assert set(found.quality.tolist()) == {quality}
    assert told(found.transitions) == []
    assert len(found.scores.point) == 0
    for name, was in before.items():
        assert np.array_equal(getattr(made.state.chart, name), was), name
    high = made.step(batch([(p, START + 95 * S, 1.2) for p in range(3)]))
    assert {1, 2, 4} <= {key for key, *_ in told(high.transitions)}


def test_a_sensor_at_a_thousand_times_the_rate_changes_nothing_for_others():
    """What the others find is the same to the last bit with and without it, whatever it sends."""
    rows = [(p, START + (60 + i) * S, 0.5 + i % 7 / 10) for i in range(20) for p in (0, 1)]
    quiet, loud = engine(), engine()
    expected = quiet.step(batch(rows))
    values = [math.nan, 0.5, 9e300, -2.0, 1.5, math.inf]
    flood = [(2, START + 60 * S + k * S // 1000, values[k % 6]) for k in range(20_000)]
    mixed = batch(sorted(rows + flood, key=lambda row: row[1]))
    found = loud.step(mixed)
    assert [row for row in told(found.transitions) if row[0] < 4] == told(expected.transitions)
    others = found.scores.point < 2
    assert np.array_equal(found.scores.evidence[others], expected.scores.evidence)
    assert np.array_equal(found.quality[mixed.point < 2], expected.quality)
    assert loud.state.point[:2].tobytes() == quiet.state.point[:2].tobytes()


def test_times_that_run_backwards_are_counted_and_move_nothing():
    """A whole batch in reverse: the first row is judged, each older one is late and only gets its quality."""
    made = engine()
    rows = [(0, START + (100 - i) * S, 2.0) for i in range(40)]
    found = made.step(batch(rows))
    assert [(key, ts) for key, ts, *_ in told(found.transitions)] == [(1, START + 100 * S)]
    assert made.late == 39
    assert made.last_ns()[0] == START + 100 * S


def test_a_sensor_that_never_moves_and_one_that_spoke_once():
    """A constant is stuck and no alarm; one single reading is judged by its value at once."""
    made = Engine(SETTINGS)
    made.add_points([point(name) for name in "abc"])
    made.set_limits(TABLE)
    found = made.step(batch([(0, START + i * S, 0.5) for i in range(300)] + [(1, START, 1.5)]))
    assert [key for key, *_ in told(found.transitions)] == [2]
    assert found.quality[299] == 66
    assert len(found.scores.point) == 0
