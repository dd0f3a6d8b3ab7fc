"""Rolling averages against their oracle."""

import math

import numpy as np
import pytest
from hypothesis import given

from kernels.series import EDGES, START, S, covered, examples, same, series
from minewatch.detect.kernels import window as kernel
from minewatch.detect.kernels.layout import NONE, WINDOW
from oracles import window as oracle


def _check(times, values, bucket, count):
    window = np.zeros(1, WINDOW)
    window["slot"] = NONE
    rings = np.zeros((1, count + 1, 2))
    past = []
    for a, b, x in covered(times, values):
        if math.isfinite(x):
            past.append((a, b, x))
        got = kernel.cover(window, rings, 0, x, a, b, bucket)
        total, weight = oracle.sums(past, b, bucket, count)
        assert same(got[0], total, 1e-6)
        assert same(got[1], weight, 1e-6)


@pytest.mark.parametrize(("bucket", "count"), [(15 * S, 60), (300 * S, 96), (10 * S, 3)])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, bucket, count):
    """Sums and covered seconds agree with plain Python on every kind of bad input."""
    _check(*EDGES[name], bucket, count)


@examples
@given(series(max_size=80))
def test_any_series(data):
    """Sums and covered seconds agree with plain Python on whatever comes."""
    _check(*data, 15 * S, 60)


def test_a_row_from_the_past_is_passed_over():
    """A row before the newest bucket changes nothing and says so."""
    window = np.zeros(1, WINDOW)
    window["slot"] = NONE
    rings = np.zeros((1, 61, 2))
    kernel.cover(window, rings, 0, 1.0, START, START + 20 * S, 15 * S)
    before = rings.copy()
    total, weight = kernel.cover(window, rings, 0, 9.0, START - 40 * S, START - 30 * S, 15 * S)
    assert math.isnan(total)
    assert weight == 0
    assert np.array_equal(before, rings)


def test_the_textbook_example():
    """2 h at 150, 2 h at 75 and 4 h at 50 ppm are 81.25 ppm over 8 h."""
    day = [
        (0, 7200 * S, 150.0),
        (7200 * S, 14400 * S, 75.0),
        (14400 * S, 28800 * S, 50.0),
    ]
    window = np.zeros(1, WINDOW)
    window["slot"] = NONE
    rings = np.zeros((1, 97, 2))
    total = 0.0
    for a, b, x in day:
        total, _ = kernel.cover(window, rings, 0, x, a, b, 300 * S)
    assert total / 28800 == pytest.approx(81.25)
    assert oracle.twa(day, 28800 * S, 300 * S, 96) == pytest.approx(81.25)
