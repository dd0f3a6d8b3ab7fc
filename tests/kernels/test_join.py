"""Rows on a grid against their oracle, and planted errors that it must catch."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import examples
from minewatch.detect.kernels import join as kernel
from oracles import join as oracle

HOLD = [4, 10, 7]
READINGS = st.lists(
    st.tuples(st.integers(0, 2), st.one_of(st.integers(0, 3), st.integers(0, 60)), st.floats(-5, 5)),
    max_size=40,
)


def _run(readings, step, cuts=(), room=3, join=kernel.join_rows):
    last_ns, last, tick = np.zeros(3, np.int64), np.zeros(3), np.zeros(1, np.int64)
    out = []
    edges = [0, *cuts, len(readings)]
    left = []
    for a, b in itertools.pairwise(edges):
        part = left + readings[a:b]
        end = readings[-1][1] + max(HOLD) + step if readings else 0
        horizon = end if b == len(readings) else (part[-1][1] - 1 if part else 0)
        while True:
            rows, times = np.zeros((room, 3)), np.zeros(room, np.int64)
            columns = (np.array([r[i] for r in part], kind) for i, kind in enumerate(("i8", "i8", "f8")))
            used, made = join(*columns, horizon, step, np.array(HOLD), last_ns, last, tick, rows, times)
            out += list(zip(times[:made].tolist(), rows[:made].tolist(), strict=True))
            part = part[used:]
            if made < room:
                break
        left = part
    return out


def _same(got, expected):
    assert [t for t, _ in got] == [t for t, _ in expected]
    for (t, row), (_, wanted) in zip(got, expected, strict=True):
        assert [None if math.isnan(x) else x for x in row] == wanted, t


def _stamped(steps):
    """Return readings with times that go on by the drawn steps."""
    t, out = 1000, []
    for slot, step, value in steps:
        t += step
        out.append((slot, t, value))
    return out


@examples
@given(READINGS, st.integers(1, 7))
def test_any_readings(steps, step):
    """Every tick, value held and value given up is as in plain Python."""
    readings = _stamped(steps)
    _same(_run(readings, step), oracle.join(readings, step, HOLD))


@examples
@given(READINGS, st.integers(1, 7), st.integers(0, 40))
def test_a_cut_changes_nothing(steps, step, cut):
    """Readings in pieces give the same rows, when a tick waits until nothing before it can come."""
    readings = _stamped(steps)
    cut = min(cut, len(readings))
    assert str(_run(readings, step, [cut])) == str(_run(readings, step))


def test_a_gap_of_days_costs_nothing():
    """Ticks with nothing to hold are passed over, not walked through."""
    readings = [(0, 1000, 1.0), (1, 10**8, 2.0)]
    found = _run(readings, 1, room=100)
    assert [t for t, _ in found] == [1000, 10**8]


def test_an_older_reading_never_overwrites_a_newer():
    """A reading that is late for its point changes nothing held."""
    last_ns, last, tick = np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int64)
    rows, times = np.zeros((9, 1)), np.zeros(9, np.int64)
    for ts, value in ((1000, 1.0), (1003, 3.0), (1001, 9.0)):
        columns = np.zeros(1, np.int64), np.array([ts]), np.array([value])
        kernel.join_rows(*columns, ts, 1, np.array([5]), last_ns, last, tick, rows, times)
    assert last[0] == 3.0


MUTANTS = {
    "a tick too late": ("-(-ts_ns[used] // step) * step", "(ts_ns[used] // step + 1) * step"),
    "a reading after the tick is taken": ("ts_ns[used] <= t:", "ts_ns[used] <= t + 1:"),
    "held too short": ("t - last_ns[j] <= hold[j]", "t - last_ns[j] < hold[j]"),
    "held by another's bound": ("<= hold[j]", "<= hold[0]"),
    "held for ever": ("last_ns[j] > 0 and t - last_ns[j] <= hold[j]", "last_ns[j] > 0"),
    "the value goes to another": ("last[j] = value[used]", "last[0] = value[used]"),
    "the first of equal times wins": ("ts_ns[used] >= last_ns[j]", "ts_ns[used] > last_ns[j]"),
    "a tick is passed over": ("tick[0] = t + step", "tick[0] = t + 2 * step"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_error_is_caught(name, plant):
    """A wrong sign or index does not survive the comparison."""
    mutant = plant(kernel, *MUTANTS[name])
    steps = [(i % 3, (i * 7) % 5, float(i)) for i in range(40)] + [
        (1, 30, 1.0),
        (0, 0, 2.0),
        (0, 0, 3.0),
        (2, 4, 3.0),
    ]
    readings = _stamped(steps)
    with pytest.raises(AssertionError):
        _same(_run(readings, 2, join=mutant.join_rows), oracle.join(readings, 2, HOLD))
