"""The level shift against its oracle, and when it speaks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import EDGES, START, S, examples, same, series
from minewatch.detect.kernels import level as kernel
from oracles import level as oracle

FLOOR = 0.001


def _run(times, values, block, floor=FLOOR):
    rows = np.zeros(1, kernel.LEVEL)
    kernel.begin(rows, block)
    return [kernel.level_shift(rows[0], x, t, floor) for t, x in zip(times, values, strict=True)]


def _check(times, values, block):
    wanted = oracle.shifts(times, values, block, FLOOR)
    for got, expected in zip(_run(times, values, block), wanted, strict=True):
        assert same(got, expected, 1e-9)
    return wanted


@pytest.mark.parametrize("block", [S, 3 * S])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, block):
    """The shift agrees with plain Python on every kind of bad input."""
    _check(*EDGES[name], block)


@examples
@given(series(), st.sampled_from([S // 2, S, 3 * S, 60 * S]))
def test_any_series(data, block):
    """The shift agrees with plain Python on whatever comes."""
    _check(*data, block)


def _noise(n, seed=1):
    return [START + i * S for i in range(n)], np.random.default_rng(seed).normal(0, 1, n) + 100


@pytest.mark.parametrize("hole", [3, 6, 7, 40, 46, 47, 48, 60])
def test_holes_of_every_length(hole):
    """Blocks that nobody measured are left out, and come back, as plain Python says."""
    times, values = _noise(200)
    times = [t + (i >= 100) * hole * S for i, t in enumerate(times)]
    wanted = _check(times, values.tolist(), S)
    assert not math.isnan(wanted[99])
    assert math.isnan(wanted[100]) == (hole > 6)


def test_a_shift_is_said_while_it_lies_between_the_windows():
    """A lasting rise by three sigmas of the readings is told a window later, but not two windows later."""
    times, values = _noise(4 * 24 * 10)
    values[480:] += 3
    found = _run(times, values.tolist(), 10 * S)
    assert found[470 + 240] > 5
    assert abs(found[-1]) < 2.5
    assert max(abs(x) for x in found[479 - 20 : 480] if not math.isnan(x)) < 2.5


def test_one_wild_block_is_no_shift():
    """A block a hundred sigmas away moves no median."""
    times, values = _noise(1000)
    values[700:710] += 100
    found = np.array(_run(times, values.tolist(), 10 * S))
    assert np.nanmax(np.abs(found)) < 2.5


@pytest.mark.parametrize("first", [999_999.0, 1e8, 1e15])
def test_a_wild_first_reading_bends_nothing(first):
    """After a first reading far from all that follow: no shift in quiet, and a true one as ever."""
    times, values = _noise(1000)
    quiet, shifted = values.copy(), values + 20.0 * (np.arange(1000) >= 750)
    found = []
    for table in (quiet, shifted):
        table[0] = first
        _check(times, table.tolist(), 10 * S)
        found.append(np.array(_run(times, table.tolist(), 10 * S)))
    assert np.nanmax(np.abs(found[0][600:])) < 2.5
    assert np.nanmax(found[1][750:]) > 20
