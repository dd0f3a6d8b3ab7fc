"""Errors planted in the kernels of robust z, level shift and the rate's error are caught by their oracles."""

import math
from functools import cache

import numpy as np
import pytest

from kernels import mutants
from kernels.series import EDGES, START, S
from kernels.series import same as equal
from minewatch.detect.kernels import rate
from minewatch.detect.kernels.layout import RISE
from oracles import level as level_oracle
from oracles import rate_error as rate_oracle
from oracles import robust as robust_oracle

pytestmark = pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")


@cache
def _readings():
    """Return (times, values): noise with a step, ties, wild and bad readings, holes of many lengths."""
    dice = np.random.default_rng(4)
    values = np.round(dice.normal(5, 1, 420), 1)
    values[200:] += 4
    values[[50, 130, 131, 300]] = 1e15, 2e15, math.nan, -90.0
    values[310:400] = 7.0
    times = START + np.arange(420) * S
    for at, hole in ((90, 5), (170, 6), (230, 50), (300, 46), (350, 45)):
        times[at:] += hole * S
    times[260] = times[240]
    return times.tolist(), values.tolist()


@cache
def _wanted(name, size):
    times, values = _readings()
    if name == "robust":
        return robust_oracle.scores(values, size, 0.05)
    return level_oracle.shifts(times, values, size * S // 2, 0.05)


def _robust(kernel):
    uneven = [-5.0, -4.0, 0.1, 0.3, 0.3, 0.3, 1.0]  # all above the middle are nearer, by rounding alone
    extremes = [-3e9] * 6 + [3e9, 4e9, 5e9, 4e9, 3e9, -3e9]
    cases = [(_readings()[1], n, _wanted("robust", n)) for n in (60, 5, 6)]
    cases += [(values, 6, robust_oracle.scores(values, 6, 0.05)) for values in (uneven, extremes)]
    for values, window, wanted in cases:
        rows = np.zeros(1, kernel.ROBUST)
        kernel.begin(rows, window)
        got = [kernel.robust_z(rows[0], x, 0.05) for x in values]
        assert all(equal(g, w, 1e-9) for g, w in zip(got, wanted, strict=True))


def _level(kernel):
    for size in (2, 4):
        rows = np.zeros(1, kernel.LEVEL)
        kernel.begin(rows, size * S // 2)
        got = [kernel.level_shift(rows[0], x, t, 0.05) for t, x in zip(*_readings(), strict=True)]
        assert all(equal(g, w, 1e-9) for g, w in zip(got, _wanted("level", size), strict=True))
    for base, floor in ((0.0, 1e-6), (0.0, 0.0)):  # held within the widest, either side
        for sign in (1, -1):
            values = [base] * 30 + [base + sign * 1e4] * 40
            times = [START + i * S for i in range(70)]
            rows = np.zeros(1, kernel.LEVEL)
            kernel.begin(rows, S)
            got = [kernel.level_shift(rows[0], x, t, floor) for t, x in zip(times, values, strict=True)]
            wanted = level_oracle.shifts(times, values, S, floor)
            assert all(equal(g, w, 1e-9) for g, w in zip(got, wanted, strict=True))


@cache
def _errors(name):
    times, values = _readings() if name == "readings" else EDGES[name]
    return times, values, rate_oracle.errors(times, values, 60 * S, 0.01)


def _rate_error(kernel):
    for name in ("readings", "inf", "constant", "gap", "one"):
        times, values, wanted = _errors(name)
        rise = np.zeros(1, RISE)
        for t, x, expected in zip(times, values, wanted, strict=True):
            slope = rate.rate_of_rise.py_func(rise[0], x, t, 60 * S)
            assert equal(kernel.rate_error(rise[0], slope, 0.005), expected, 1e-9)


UNSEEN = {
    "robust": (
        "middle - value[order[down]]: edge",  # readings equally far from the middle, in any order
        "value[order[at - 1]] > x: edge",  # equal readings in any order
        "head + 1: sign",  # a ring may turn either way
    ),
    "level": ("slot - 1 - window * BLOCKS: sign",),  # in a ring of two windows one ahead is one back
    "rate_error": (),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "check"), [("robust", _robust), ("level", _level), ("rate_error", _rate_error)]
)
def test_planted_errors_are_caught(name, check):
    """No planted sign, index or comparison error goes unnoticed."""
    assert mutants.survivors(mutants.load(name), check, edges=True, same=UNSEEN[name]) == []
