"""The forecaster against its oracle, and what it must learn and not learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import EDGES, START, S, examples, same, series
from minewatch.detect.kernels import forecast as kernel
from oracles import forecast as oracle


def _run(times, values, helpers=None, horizon=20 * S, coverage=0.9, largest=True):
    helpers = np.zeros((len(values), 0)) if helpers is None else np.asarray(helpers, float)
    row = np.zeros(1, kernel.forecaster_of(helpers.shape[1]))
    kernel.begin(row, horizon, coverage, largest)
    out = np.empty((len(values), 4))
    kernel.foresee_series(row[0], np.asarray(times, np.int64), np.asarray(values, float), helpers, out)
    return out


def _check(times, values, horizon, largest, helpers=None):
    rows = [[]] * len(values) if helpers is None else helpers
    got = _run(times, values, helpers, horizon, 0.9, largest)
    expected = oracle.forecasts(times, values, rows, horizon, 0.9, largest)
    size = max([1.0, *(abs(v) for v in values if abs(v) <= 1e15)])
    for row, wanted in zip(got, expected, strict=True):
        for g, e in zip(row, wanted, strict=True):
            assert same(g, e) or abs(g - e) <= 1e-6 * size, (row, wanted)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, largest):
    """The forecast agrees with plain Python on every kind of bad input."""
    _check(*EDGES[name], 20 * S, largest)


@examples
@given(series(90), st.sampled_from([S, 7 * S, 60 * S, 600 * S]), st.booleans())
def test_any_series(data, horizon, largest):
    """The forecast agrees with plain Python on whatever comes."""
    _check(*data, horizon, largest)


@pytest.mark.parametrize("largest", [True, False])
def test_helpers(largest):
    """Two helpers, one with holes and one that never speaks, count as in plain Python."""
    rng = np.random.default_rng(4)
    air = rng.normal(2, 0.2, 120)
    helpers = np.column_stack([air, np.full(120, math.nan)])
    helpers[10:20, 0] = math.nan
    helpers[30, 0] = math.inf
    values = 1 + np.cumsum(rng.normal(0, 0.01, 120)) - 0.2 * (air - 2)
    times = [START + i * S + (i > 70) * 30 * S for i in range(120)]
    _check(times, values.tolist(), 6 * S, largest, helpers.tolist())


def _swing(n, period, noise, seed=1):
    i = np.arange(n)
    noises = np.random.default_rng(seed).normal(0, noise, n)
    return START + i * S, 1 + 0.5 * np.sin(i * 2 * math.pi / period) + noises


@pytest.mark.parametrize("largest", [True, False])
def test_it_learns_a_swing(largest):
    """On a slow swing it errs well under "no change", and the interval holds as often as said."""
    ts, values = _swing(6000, 150, 0.02)
    out = _run(ts, values, horizon=20 * S, coverage=0.8, largest=largest)
    true = np.array([values[i + 1 : i + 21].max() if largest else values[i + 20] for i in range(5980)])
    late = slice(3000, 5980)
    error = np.sqrt(np.mean((out[late, 0] - true[late]) ** 2))
    still = np.sqrt(np.mean((values[late] - true[late]) ** 2))
    assert error < 0.5 * still
    held = np.mean((true[late] >= out[late, 1]) & (true[late] <= out[late, 2]))
    assert held == pytest.approx(0.8, abs=0.02)
    assert (out[late, 3] > 0.5).all()


def test_a_helper_that_leads_is_used():
    """A gas that follows the air with a delay is told better with the air than without."""
    rng = np.random.default_rng(7)
    air = 2 + 0.3 * np.sign(np.sin(np.arange(5000) / 60)) + rng.normal(0, 0.02, 5000)
    gas = np.empty(5000)
    level = 1.0
    for i in range(5000):
        level += (3 - air[i] - level) / 30
        gas[i] = level + rng.normal(0, 0.02)
    ts = START + np.arange(5000) * S
    true = gas[20:]
    alone = _run(ts, gas, largest=False)[:-20, 0]
    helped = _run(ts, gas, air[:, None], largest=False)[:-20, 0]
    assert np.mean((helped - true)[2500:] ** 2) < 0.8 * np.mean((alone - true)[2500:] ** 2)


def test_it_is_silent_where_nothing_can_be_foretold():
    """On a random walk it does not claim to beat "no change" by more than chance, and mostly says nothing."""
    values = np.cumsum(np.random.default_rng(3).normal(0, 1, 6000))
    out = _run(START + np.arange(6000) * S, values, largest=False)
    assert out[:, 3].max() < 0.35
    assert np.mean(out[3000:, 3]) < 0.05
    silent = out[:, 3] == 0
    assert silent.any()
    assert np.array_equal(out[silent, 0], values[silent])


def test_the_past_alone_decides():
    """What comes after a row changes nothing of it."""
    ts, values = _swing(900, 100, 0.05)
    whole = _run(ts, values)
    for cut in (1, 25, 400, 899):
        assert np.array_equal(_run(ts[:cut], values[:cut]), whole[:cut], equal_nan=True)


def test_one_wild_reading_is_forgiven():
    """A single reading of a million does not spoil what is said a little later."""
    ts, values = _swing(3000, 150, 0.02)
    wild = values.copy()
    wild[1500] = 1e6
    late = slice(2000, 2900)
    true = values[2020:2920]
    spoilt = np.sqrt(np.mean((_run(ts, wild, largest=False)[late, 0] - true) ** 2))
    assert spoilt < 1.05 * np.sqrt(np.mean((values[late] - true) ** 2))


def test_a_forecast_is_of_its_time():
    """With one reading in 3 s and a horizon of 7 s the value then is that of the last reading before."""
    n = 4000
    ts = START + np.arange(n) * 3 * S
    values = np.where(np.arange(n) % 4 < 2, 1.0, 2.0)
    out = _run(ts, values, horizon=7 * S, largest=False)
    assert np.mean(np.abs(out[3000:-2, 0] - values[3002:])) < 0.15
