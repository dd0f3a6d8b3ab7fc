"""Rolling averages against an oracle in rational arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given

from kernels import mutants
from kernels.series import EDGES, START, S, covered, exact, examples, series
from minewatch.detect.kernels import window as kernel
from minewatch.detect.kernels.layout import NONE, window_of
from oracles import window as oracle


def _window(count):
    window = np.zeros(1, window_of(count))
    window["slot"] = NONE
    return window[0]


def _check(times, values, bucket, count, kernel=kernel):
    window = _window(count)
    past = []
    for a, b, x in covered(times, values):
        if math.isfinite(x):
            past.append((a, b, x))
        got = kernel.cover(window, x, a, b, bucket, count)
        total, weight = oracle.sums(past, b, bucket, count)
        largest, _ = oracle.sums([(a, b, abs(x)) for a, b, x in past], b, bucket, count)
        assert exact(got[0], total, largest)
        assert exact(got[1], weight)


@pytest.mark.parametrize(("bucket", "count"), [(15 * S, 60), (300 * S, 96), (10 * S, 3)])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, bucket, count):
    """Sums and covered seconds are those of rational arithmetic on every kind of bad input."""
    _check(*EDGES[name], bucket, count)


@examples
@given(series(max_size=80))
def test_any_series(data):
    """Sums and covered seconds are those of rational arithmetic on whatever comes."""
    _check(*data, 15 * S, 60)


def test_a_row_from_the_past_is_passed_over():
    """A row before the newest bucket changes nothing and says so."""
    window = _window(60)
    kernel.cover(window, 1.0, START, START + 20 * S, 15 * S, 60)
    before = window.copy()
    total, weight = kernel.cover(window, 9.0, START - 40 * S, START - 30 * S, 15 * S, 60)
    assert math.isnan(total)
    assert weight == 0
    assert window == before


def test_the_textbook_example():
    """2 h at 150, 2 h at 75 and 4 h at 50 ppm are 81.25 ppm over 8 h."""
    day = [
        (0, 7200 * S, 150.0),
        (7200 * S, 14400 * S, 75.0),
        (14400 * S, 28800 * S, 50.0),
    ]
    window = _window(96)
    total = 0.0
    for a, b, x in day:
        total, _ = kernel.cover(window, x, a, b, 300 * S, 96)
    assert total / 28800 == pytest.approx(81.25)
    assert oracle.twa(day, 28800 * S, 300 * S, 96) == (81.25, 1)


def _planted(kernel):
    steps = [1, 3, 7, 2, 11, 4, 30, 1, 1, 9, 10, 10, 25, 3, 120, 5, 6, 40]
    times = [START + sum(steps[:i]) * S for i in range(1, len(steps))]
    values = [1.0, 2.5, -3.0, math.nan, 4.0, 0.5, math.inf, 7.0, 1.5] * 2
    _check(times, values[: len(times)], 10 * S, 3, kernel)
    window = _window(3)
    rows = [(START, START + 21 * S, 1.0), (START + 4 * S, START + 25 * S, 3.0)]
    got = [kernel.cover(window, x, a, b, 10 * S, 3) for a, b, x in rows]
    assert got[1] == oracle.sums(rows, START + 25 * S, 10 * S, 3)
    assert math.isnan(kernel.cover(window, 9.0, START - 40 * S, START - 30 * S, 10 * S, 3)[0])


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
def test_planted_errors_are_caught(monkeypatch):
    """No planted sign, index or comparison error goes unnoticed."""
    monkeypatch.setattr(mutants, "LONGEST_S", 0.2)
    assert mutants.survivors(mutants.load("window"), _planted) == []
