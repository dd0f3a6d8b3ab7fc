"""Quality of readings against its oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import EDGES, START, S, examples, same, series
from minewatch.detect.kernels import quality as kernel
from minewatch.detect.kernels.layout import NONE, TRACK
from oracles import quality as oracle

SENTINELS = (-2.0, -999.9)


def _classify(x, given, low=0.0, high=40.0, sentinels=SENTINELS):
    marked = any(kernel.is_sentinel(x, s) for s in (*sentinels, math.nan))
    return kernel.classify(x, given, low, high, marked)


@pytest.mark.parametrize("given_code", [0, 64, 67, 128, 131])
@pytest.mark.parametrize(
    "x",
    [0.0, 40.0, 40.0001, -0.1, -2.0, -999.9, float(np.float32(-999.9)), 1e308, math.nan, math.inf, -math.inf],
)
def test_edges(x, given_code):
    """Every kind of value gets the code that plain Python gives it."""
    with np.errstate(all="ignore"):
        assert _classify(x, given_code) == oracle.classify(x, given_code, 0.0, 40.0, SENTINELS)


@examples
@given(st.floats(), st.sampled_from([0, 64, 66, 128]), st.floats(-10, 10), st.floats(-10, 10))
def test_any_value(x, given_code, low, high):
    """Any value, any range (also one upside down) gets the code that plain Python gives it."""
    with np.errstate(all="ignore"):
        assert _classify(x, given_code, low, high) == oracle.classify(x, given_code, low, high, SENTINELS)


def test_a_sentinel_is_known_after_four_bytes():
    """-999.9 sent as a 4-byte float is still the sentinel -999.9."""
    assert _classify(float(np.float32(-999.9)), 0) == 129


def _check(times, values, resolution):
    track = np.zeros(1, TRACK)
    track["anchor_ns"] = NONE
    before = NONE
    for t, x, expected in zip(
        times, values, oracle.unchanged(times, values, resolution, 100 * S), strict=True
    ):
        got = kernel.unchanged(track[0], x, t, resolution / 2, 100 * S, before)
        assert same(got, expected)
        if math.isfinite(x):
            before = t


@pytest.mark.parametrize("resolution", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("name", EDGES)
def test_unchanged_edges(name, resolution):
    """Seconds unchanged agree with plain Python on every kind of bad input."""
    _check(*EDGES[name], resolution)


@examples
@given(series(), st.sampled_from([0.0, 0.1, 3.0]))
def test_unchanged_any_series(data, resolution):
    """Seconds unchanged agree with plain Python on whatever comes."""
    _check(*data, resolution)


def test_one_step_of_the_instrument_is_a_change():
    """A flicker below half a step is none, a whole step is a change."""
    track = np.zeros(1, TRACK)
    track["anchor_ns"] = NONE
    got = [
        kernel.unchanged(track[0], x, START + i * S, 0.05, 100 * S, START)
        for i, x in enumerate([1.0, 1.04, 0.96, 1.1])
    ]
    assert got == [0.0, 1.0, 2.0, 0.0]
