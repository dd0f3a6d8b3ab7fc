"""The forecast of one series: fields, limits, holes, and what is wrong with a call."""

import math

import numpy as np
import pytest

from minewatch.detect.forecast import forecast_series, minutes_to
from minewatch.errors import ConfigError
from unit.detect.mine import START, S

N = 3000
NONE = np.zeros((N, 0))


def _swing(seed=1):
    i = np.arange(N)
    noise = np.random.default_rng(seed).normal(0, 0.02, N)
    return START + i * S, 1 + 0.5 * np.sin(i * 2 * math.pi / 200) + noise


def test_every_row_has_a_forecast_and_soon_an_interval():
    """The forecast is finite from the first row, its interval from the first outcome, and holds it."""
    ts, values = _swing()
    found = forecast_series(ts, values, NONE, {"horizon_s": "20", "target": "max", "limit": "1.4"})
    assert np.isfinite(found.forecast).all()
    assert np.isfinite(found.low[20:]).all()
    assert (found.low[20:] <= found.forecast[20:]).all()
    assert (found.forecast[20:] <= found.high[20:]).all()
    assert np.isfinite(found.score).all()


def test_the_limit_is_seen_coming():
    """On the rising flank the limit is told ahead, within a factor, and the alarm comes before the value."""
    ts, values = _swing()
    found = forecast_series(ts, values, NONE, {"horizon_s": 20, "limit": 1.4})
    flank = np.array([2800 + k for k in (15, 20)])  # the sine passes 1.4 about 29.5 s after its zero
    seconds = found.minutes[flank] * 60
    ratio = seconds / (29.5 - np.array([15, 20]))
    assert ((ratio > 0.4) & (ratio < 2.5)).all()
    assert found.alarm[2800:2829].any()
    assert found.score[2800 - 60] < 0.01
    over = values >= 1.4
    assert (found.minutes[over] == 0).all()


def test_the_smallest_is_the_largest_upside_down():
    """``min`` of a series is ``max`` of its mirror image, with the ends of the interval changed over."""
    ts, values = _swing()
    up = forecast_series(ts, -values, NONE, {"horizon_s": 20, "target": "max", "limit": -0.6})
    down = forecast_series(ts, values, NONE, {"horizon_s": 20, "target": "min", "limit": 0.6})
    for got, expected in ((down.forecast, -up.forecast), (down.low, -up.high), (down.high, -up.low)):
        assert np.array_equal(got, expected, equal_nan=True)
    assert np.array_equal(down.score, up.score)
    assert np.array_equal(down.minutes, up.minutes, equal_nan=True)


def test_a_hole_repeats_what_was_said():
    """Rows without a reading, sentinels and values out of range repeat the last forecast with score 0."""
    ts, values = _swing()
    values[2500:2503] = [math.nan, -266.0, 40.0]
    found = forecast_series(
        ts, values, NONE, {"horizon_s": 20, "sentinels": "-266", "high": 30, "low": -300, "limit": 0.1}
    )
    assert (found.forecast[2500:2503] == found.forecast[2499]).all()
    assert not found.score[2500:2503].any()
    assert found.score[2499] > 0.9


def test_rows_for_fitting_score_nothing():
    """The first rows are learned and have score 0."""
    ts, values = _swing()
    found = forecast_series(ts, values, NONE, {"horizon_s": 20, "limit": 0}, train_rows=1000)
    assert not found.score[:1000].any()
    assert found.score[1000:].all()


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_anything_is_answered(n):
    """No row and one row are no fault."""
    found = forecast_series(np.full(n, START), np.full(n, 1.5), np.zeros((n, 2)), {"limit": 2})
    assert found.forecast.tolist() == [1.5] * n
    assert np.isnan(found.minutes).all()


def test_what_is_not_in_sight_is_not_told():
    """A falling value, one that creeps, and a silent forecast give no minutes."""
    ones = np.ones(4)
    minutes = minutes_to(2.0, ones, np.array([0.9, 1.05, 1.5, 1.5]), np.array([0.5, 0.5, 0.0, 0.5]), 60.0)
    assert np.array_equal(minutes, [math.nan, math.nan, math.nan, 2.0], equal_nan=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [("target", "mean"), ("horizon_s", "0"), ("horizon_s", "soon"), ("coverage", "1"), ("coverage", "nan"),
     ("window", "3"), ("sentinels", "a"), ("limit", "high")],
)  # fmt: skip
def test_a_wrong_parameter_is_named(key, value):
    """The error names the option and what would fit."""
    with pytest.raises(ConfigError, match=f"--set {key}"):
        forecast_series(np.full(1, START), np.ones(1), np.zeros((1, 0)), {key: value})
