"""The shift mean against an oracle in rational arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mutants
from kernels.series import EDGES, START, S, covered, exact, examples, series
from minewatch.detect.kernels import shift as kernel
from minewatch.detect.kernels.layout import NONE, SHIFT
from oracles import shift as oracle

STARTS_H = (2.0, 8.5, 20.0)


def _starts_ns(starts_h=STARTS_H):
    return np.array([int(h * 3600) * S for h in starts_h], np.int64)


def _check(times, values, kernel=kernel):
    shift = np.zeros(1, SHIFT)
    shift["start_ns"] = shift["end_ns"] = NONE
    past = []
    for a, b, x in covered(times, values):
        if math.isfinite(x):
            past.append((a, b, x))
        got = kernel.shift_mean(shift[0], x, a, b, 5 * 3600 * S, _starts_ns(), 0.5, 60.0)
        largest = max((abs(x) for _, _, x in past), default=0.0)
        assert exact(got, oracle.mean(past, b, 5, STARTS_H, 0.5, 60.0), largest)


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """The shift mean is that of rational arithmetic on every kind of bad input."""
    _check(*EDGES[name])


@examples
@given(series(max_size=80))
def test_any_series(data):
    """The shift mean is that of rational arithmetic on whatever comes."""
    _check(*data)


@examples
@given(
    st.integers(-10_000_000, 10_000_000),
    st.floats(-14, 14).map(lambda h: round(h * 4) / 4),
    st.lists(st.integers(0, 95), min_size=1, max_size=5, unique=True).map(sorted),
)
def test_bounds_follow_the_calendar(seconds, offset_h, quarters):
    """Shift bounds are those of the standard library's calendar, for any offset and any starts."""
    t = START + seconds * S
    starts_h = [q / 4 for q in quarters]
    got = kernel.bounds(t, int(offset_h * 3600) * S, _starts_ns(starts_h))
    assert tuple(got) == oracle.bounds(t, offset_h, starts_h)


def test_the_moment_a_shift_ends_belongs_to_the_next():
    """A reading on the stroke opens the new shift; what it stands for lies before, so nothing is covered."""
    shift = np.zeros(1, SHIFT)
    shift["start_ns"] = shift["end_ns"] = NONE
    begin, end = oracle.bounds(START, 5, STARTS_H)
    for t in (end - 60 * S, end):
        mean = kernel.shift_mean(shift[0], 1.0, t - 60 * S, t, 5 * 3600 * S, _starts_ns(), 0.0, 0.0)
    assert shift[0]["start_ns"] == end > begin
    assert math.isnan(mean)


def test_a_whole_shift_of_readings_is_still_exact():
    """Ten thousand readings in one sum: the mean is within 1e-12 of the rational one."""
    dice = np.random.default_rng(2)
    begin, _ = oracle.bounds(START, 5, STARTS_H)
    shift = np.zeros(1, SHIFT)
    shift["start_ns"] = shift["end_ns"] = NONE
    rows = [
        (begin + i * S, begin + (i + 1) * S, x) for i, x in enumerate(dice.uniform(0, 40, 10_000).tolist())
    ]
    for a, b, x in rows:
        got = kernel.shift_mean(shift[0], x, a, b, 5 * 3600 * S, _starts_ns(), 0.5, 60.0)
    assert exact(got, oracle.mean(rows, rows[-1][1], 5, STARTS_H, 0.5, 60.0))


def _planted(kernel):
    begin, end = oracle.bounds(START, 5, STARTS_H)
    times = [begin + s * S for s in (0, 40, 61, 100, 130, 1000, 1100, 1300)] + [end - S, end, end + 90 * S]
    _check(times, [1.0, 2.5, 3.0, -4.0, math.nan, 5.0, 6.0, 0.5, 7.0, 8.0, 9.0], kernel)
    for t in range(START, START + 90_000 * S, 5_000 * S):
        assert kernel.bounds(t, 5 * 3600 * S, _starts_ns()) == oracle.bounds(t, 5, STARTS_H)
    shift = np.zeros(1, SHIFT)
    shift["start_ns"], shift["end_ns"] = begin, end
    assert math.isnan(kernel.shift_mean(shift[0], 1.0, begin - 9 * S, begin - S, 0, _starts_ns(), 0.0, 0.0))


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
def test_planted_errors_are_caught():
    """No planted sign, index or comparison error goes unnoticed."""
    same = ("+ 1e-06: sign",)  # a microsecond of grace, for rounding alone
    assert mutants.survivors(mutants.load("shift"), _planted, same=same) == []
