"""What the engine does with a point that is frozen, leaps, or speaks a thousand times as often as others."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from minewatch.contracts import Quality
from minewatch.detect.catalogue import index
from minewatch.detect.engine import Engine
from minewatch.detect.settings import DetectSettings
from unit.detect.mine import SETTINGS, START, S, batch, limits, point, told


def _engine(settings=SETTINGS, **fields):
    engine = Engine(settings)
    engine.add_points([point("p", **fields), point("q")])
    return engine


def _temperature(settings=SETTINGS):
    engine = Engine(settings)
    info = point("t")
    fields = {name: getattr(info, name) for name in type(info).__dataclass_fields__}
    engine.add_points([type(info)(**{**fields, "quantity": "temperature", "unit": "°C", "high": 200.0})])
    return engine


def test_a_leap_is_uncertain_judged_and_teaches_nothing():
    """A temperature that leaps by 60 degrees in a second raises its limit, and no model learns it."""
    engine = _temperature()
    engine.set_limits(limits((1, 0, 0, 70.0)))
    engine.step(batch([(0, START + i * S, 20.0 + 0.1 * (i % 3)) for i in range(40)]))
    mean = float(engine.state.chart.mean[0])
    found = engine.step(batch([(0, START + 40 * S, 80.0)]))
    assert found.quality.tolist() == [Quality.UNCERTAIN_RATE]
    assert [row[3] for row in told(found.transitions)] == [True]
    assert float(engine.state.chart.mean[0]) == mean


def test_a_site_says_how_fast_its_instrument_is():
    """[detect.fastest] overrides the built-in speed; inf switches it off; 0 is refused."""
    for speed, quality in ((100.0, 0), (math.inf, 0), (1.0, Quality.UNCERTAIN_RATE)):
        engine = _temperature(SETTINGS.model_copy(update={"fastest": {"temperature": speed}}))
        found = engine.step(batch([(0, START, 20.0), (0, START + S, 80.0)]))
        assert found.quality.tolist() == [0, quality]
    with pytest.raises(ValidationError, match="above 0"):
        DetectSettings(fastest={"temperature": 0})


def test_methane_has_no_speed_limit():
    """An outburst may be as fast as it likes: it is good, and it raises."""
    engine = _engine()
    engine.set_limits(limits((1, 0, 0, 2.0)))
    found = engine.step(batch([(0, START, 0.1), (0, START + S, 39.0)]))
    assert found.quality.tolist() == [0, 0]
    assert [row[3] for row in told(found.transitions)] == [True]


def test_one_sensor_a_thousand_times_as_often_harms_no_other():
    """A point at a thousand times the rate is judged by its own time, and the other as if it were alone."""
    fast = [(0, START + i * S // 200, 1.0 + 0.1 * (i % 5)) for i in range(20_000)]
    slow = [(1, START + i * 5 * S, 1.0 + 0.1 * (i % 5)) for i in range(20)]
    _, together = _engine().statistics(batch(sorted(fast + slow, key=lambda row: row[1])))
    _, alone = _engine().statistics(batch(slow))
    order = np.array([row[0] for row in sorted(fast + slow, key=lambda row: row[1])])
    assert np.array_equal(together[order == 1], alone, equal_nan=True)
    assert np.isfinite(together[order == 0][:, index("frozen")]).all()


def test_the_ambient_is_recorded_every_hour():
    """The level that alarms are measured from stands in the scores, once an hour, as evidence."""
    engine = Engine(DetectSettings())
    info = point("co", interval_s=60.0)
    fields = {name: getattr(info, name) for name in type(info).__dataclass_fields__}
    engine.add_points([type(info)(**{**fields, "quantity": "carbon_monoxide", "unit": "ppm"})])
    found = engine.step(batch([(0, START + i * 60 * S, 3.0) for i in range(300)]))
    rows = found.scores.detector == index("ambient")
    assert np.count_nonzero(rows) in (4, 5)
    assert found.scores.evidence[rows] == pytest.approx(3.0)
    assert not found.scores.score[rows].any()
