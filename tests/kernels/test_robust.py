"""The robust z against its oracle, and what wild readings do to it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import EDGES, examples, same, series
from minewatch.detect.kernels import robust as kernel
from oracles import robust as oracle

FLOOR = 0.01


def _run(values, window, floor=FLOOR):
    rows = np.zeros(1, kernel.ROBUST)
    kernel.begin(rows, window)
    return [kernel.robust_z(rows[0], x, floor) for x in values]


def _check(values, window):
    for got, expected in zip(_run(values, window), oracle.scores(values, window, FLOOR), strict=True):
        assert same(got, expected, 1e-9)


@pytest.mark.parametrize("window", [5, 8, 63])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, window):
    """The z agrees with plain Python on every kind of bad input."""
    _check(EDGES[name][1], window)


@examples
@given(series(), st.sampled_from([5, 6, 31, 60]))
def test_any_series(data, window):
    """The z agrees with plain Python on whatever comes."""
    _check(data[1], window)


def test_ties_and_long_runs_keep_the_order():
    """Thousands of readings of few values, over many turns of the ring, agree with plain Python."""
    dice = np.random.default_rng(3)
    _check(dice.integers(0, 4, 2000).astype(float).tolist(), 60)


def test_wild_readings_hide_nothing():
    """Twenty of sixty readings at a thousand leave the z of the next wild one as large."""
    values = np.random.default_rng(1).normal(10, 1, 200)
    values[170:190] = 1000.0
    z = _run(values.tolist(), 60)
    assert min(z[170:190]) > 200
    assert abs(z[195]) < 6


def test_a_resting_meter_is_judged_by_its_floor():
    """Readings that never moved have no spread: a step is told in floors, and 0 is 0."""
    z = _run([1.0] * 60 + [1.0, 1.05], 60)
    assert math.isnan(z[59])
    assert z[60] == 0.0
    assert z[61] == pytest.approx(5.0)
