"""The rate of rise against its oracle."""

import math

import numpy as np
import pytest
from hypothesis import given

from kernels.series import EDGES, START, S, examples, same, series
from minewatch.detect.kernels import rate as kernel
from minewatch.detect.kernels.layout import RISE
from oracles import rate as oracle


def _run(times, values, window=60 * S):
    rise = np.zeros(1, RISE)
    return [kernel.rate_of_rise(rise[0], x, t, window) for t, x in zip(times, values, strict=True)]


def _check(times, values):
    for got, expected in zip(_run(times, values), oracle.rates(times, values, 60 * S), strict=True):
        assert same(got, expected)


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """The rate agrees with plain Python on every kind of bad input."""
    _check(*EDGES[name])


@examples
@given(series())
def test_any_series(data):
    """The rate agrees with plain Python on whatever comes."""
    _check(*data)


@pytest.mark.parametrize("interval", [1, 4, 10])
def test_a_ramp_is_measured_exactly(interval):
    """A steady rise of 0.3 a minute is reported as 0.3, at any interval the window can hold."""
    times = [START + i * interval * S for i in range(200)]
    rates = _run(times, [0.3 * i * interval / 60 for i in range(200)])
    assert rates[-1] == pytest.approx(0.3)
    assert math.isnan(rates[2])


def test_one_wild_reading_does_not_move_it():
    """A single reading of 100 among ones leaves the rate at nought."""
    values = [1.0] * 200
    values[150] = 100.0
    rates = _run([START + i * S for i in range(200)], values)
    assert {r for r in rates if not math.isnan(r)} == {0.0}
