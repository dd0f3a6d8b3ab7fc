"""One detector over one series."""

import math

import numpy as np
import pytest

from minewatch.detect.catalogue import NAMES
from minewatch.detect.score import score_series
from minewatch.errors import ConfigError
from unit.detect.mine import START, S


def _series(n=400, seed=2):
    rng = np.random.default_rng(seed)
    return START + np.arange(n) * S, rng.normal(1.0, 0.1, n)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_finite_and_causal(name):
    """Every detector scores within 0..1, and a row depends on nothing that comes after it."""
    ts, values = _series()
    values[50:55] = [math.nan, math.inf, -math.inf, 1e300, -2.0]
    values[300:] += 5
    ts[200:] += 900 * S
    parameters = {"threshold": 0.7, "sentinels": "-2", "low": "0", "high": 4}
    score, alarm = score_series(name, ts, values, parameters, train_rows=40)
    assert np.isfinite(score).all()
    assert ((score >= 0) & (score <= 1)).all()
    assert not score[:40].any()
    assert not alarm[:40].any()
    for cut in (0, 1, 60, 310):
        part, part_alarm = score_series(name, ts[:cut], values[:cut], parameters, train_rows=40)
        assert np.array_equal(part, score[:cut])
        assert np.array_equal(part_alarm, alarm[:cut])


def test_a_shift_is_one_alarm_per_gate():
    """The first row of a leap is the alarm; within the gate there is no other."""
    ts, values = _series()
    values[300:] += 5
    _, alarm = score_series("cusum", ts, values, {"gate": 50})
    rows = np.flatnonzero(alarm)
    assert 300 <= rows[0] <= 305
    assert (np.diff(rows) > 50).all()


def test_a_missing_value_scores_nothing():
    """A row without a number has score 0 and no alarm."""
    ts, values = _series()
    values[300] = math.nan
    score, alarm = score_series("ewma", ts, values)
    assert score[300] == 0
    assert not alarm[300]


def test_the_score_is_half_at_the_threshold():
    """Score 0.5 and the alarm mean the same."""
    ts, values = _series()
    values[:] = [1.0, 3.0] * 200
    score, alarm = score_series("value", ts, values, {"threshold": "3"})
    assert np.array_equal(score, np.where(values == 3, 0.5, 0.25))
    assert np.array_equal(alarm, values == 3)


def test_a_rate_can_be_scored_by_its_sure_part():
    """With a confidence the score falls to what is sure of the rise, and noise alone scores little."""
    ts, values = _series()
    values[200:] += np.arange(200) * 0.05
    plain, _ = score_series("rate-of-rise", ts, values, {"threshold": 1})
    sure, alarm = score_series("rate-of-rise", ts, values, {"threshold": 1, "confidence": 0.99})
    assert (sure <= plain).all()
    assert np.mean(sure[60:200] > 0) < 0.05
    assert alarm[260:].all()


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("sigma", {}, "--detector.*Known detectors: value, mean-15min"),
        ("cusum", {"slack": "1"}, "--set slack.*Known: threshold, gate, memory_readings"),
        ("cusum", {"cusum_slack": "much"}, "--set cusum_slack"),
        ("value", {}, "--set threshold"),
        ("value", {"threshold": "-1"}, "--set threshold"),
        ("value", {"threshold": "x"}, "--set threshold.*not a number"),
        ("rate-of-rise", {"threshold": 1, "confidence": "1"}, "--set confidence.*from 0.5"),
        ("ewma", {"confidence": "0.9"}, "no parameter 'confidence'"),
        ("ewma", {"gate": "-1"}, "--set gate"),
        ("sentinel", {"sentinels": "a,b"}, "--set sentinels.*not a number"),
        ("shift-mean", {"threshold": 1, "shift_starts_h": "8,4"}, "--set shift_starts_h.*ascending"),
    ],
)
def test_wrong_calls_are_explained(name, parameters, message):
    """A wrong detector, parameter or value is named, with what to write instead."""
    with pytest.raises(ConfigError, match=message):
        score_series(name, *_series(5), parameters)


def test_shift_starts_are_a_list():
    """Several shift starts are given with commas, one without."""
    ts, values = _series()
    for starts in ("8", "2,8,14,20"):
        score, _ = score_series(
            "shift-mean",
            ts,
            values,
            {"threshold": 1, "shift_starts_h": starts, "coverage": 0.001, "shift_least_s": 1},
        )
        assert score[-1] > 0
