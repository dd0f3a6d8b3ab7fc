"""The state machine of a limit against its oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import EDGES, START, S, examples, series
from minewatch.detect.kernels import limits as kernel
from minewatch.detect.kernels.layout import LIMIT, NONE, TRANSITION
from oracles import limits as oracle


def _machine(comparison=0, threshold=1.0, deadband=0.0, on_delay=0, off_delay=0, need=1, of=1):
    limit = np.zeros(2, LIMIT)
    limit[1] = (7, 0, 0, comparison, 0, threshold, deadband, on_delay, off_delay, NONE, need, of, 0, 0.0, 0)
    return limit


def _run(limit, times, statistics):
    out = []
    for t, value in zip(times, statistics, strict=True):
        since = kernel.judge(limit[1], value, t)
        if since != NONE:
            out.append((t, since, bool(limit[1]["active"]), value))
    return out


def _check(times, values, **limit):
    assert _run(_machine(**limit), times, values) == oracle.transitions(times, values, **limit)


@pytest.mark.parametrize("comparison", [0, 1, 2, 3])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, comparison):
    """The machine agrees with plain Python on every kind of bad input."""
    _check(*EDGES[name], comparison=comparison, threshold=0.5, deadband=0.2, on_delay=2 * S, off_delay=3 * S)


@examples
@given(
    series(),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0, -3.5]),
    st.sampled_from([0.0, 0.06, 2.0]),
    st.sampled_from([0, 3 * S, 90 * S]),
    st.sampled_from([0, 3 * S, 90 * S]),
)
def test_any_series(data, comparison, threshold, deadband, on_delay, off_delay):
    """The machine agrees with plain Python for any limit on whatever comes."""
    _check(
        *data,
        comparison=comparison,
        threshold=threshold,
        deadband=deadband,
        on_delay=on_delay,
        off_delay=off_delay,
    )


@examples
@given(series(), st.integers(0, 3), st.sampled_from([(1, 2), (2, 2), (2, 3), (5, 32)]))
def test_some_of_the_last_readings(data, comparison, count):
    """Some of the last readings agree with plain Python on whatever comes."""
    need, of = count
    _check(
        *data, comparison=comparison, threshold=1.0, deadband=0.06, on_delay=0, off_delay=0, need=need, of=of
    )


@examples
@given(series(), st.integers(0, 3), st.sampled_from([0, 3 * S, 90 * S]), st.sampled_from([(1, 1), (2, 3)]))
def test_rows_of_two_limits_with_holes(data, comparison, delay, count):
    """Rows of one subject under two limits, in two calls, agree with plain Python for each of them."""
    times, values = (np.array(column) for column in data)
    limits = np.concatenate([_machine(comparison, 1.0, 0.06, delay, delay, *count)[1:]] * 2)
    limits["threshold"][1], limits["key"][1] = -3.5, 8
    heard, found, cut = np.zeros(2, np.int64), [], len(times) // 2
    for part in (slice(0, cut), slice(cut, None)):
        out = np.zeros(2 * len(times[part]), TRANSITION)
        made = kernel.judge_rows(limits, heard, times[part], values[part], 20 * S, out)
        found += out[:made].tolist()
    for key, threshold in ((7, 1.0), (8, -3.5)):
        wanted = oracle.transitions(
            times.tolist(), values.tolist(), comparison=comparison, threshold=threshold, deadband=0.06,
            on_delay=delay, off_delay=delay, need=count[0], of=count[1], hole=20 * S,
        )  # fmt: skip
        assert [row[1:] for row in found if row[0] == key] == wanted


def test_two_of_three_ignores_a_single_spike():
    """One wild reading raises nothing, two of three do; it ends when fewer than two of three are over."""
    values = [0.0, 5.0, 0.0, 0.0, 5.0, 0.0, 5.0, 0.0, 0.0, 0.0]
    times = [START + i * S for i in range(len(values))]
    found = _run(_machine(need=2, of=3), times, values)
    assert [((t - START) // S, active) for t, _, active, _ in found] == [(6, True), (7, False)]


def test_nan_never_clears():
    """An active limit stays active while the statistic is not a number."""
    limit = _machine()
    assert _run(limit, [START], [2.0]) == [(START, START, True, 2.0)]
    assert _run(limit, [START + i * S for i in range(1, 100)], [math.nan] * 99) == []
    assert limit[1]["active"] == 1


def test_the_cause_is_when_it_began():
    """After an on-delay of 10 s the transition names the first reading over the limit."""
    times = [START + i * S for i in range(20)]
    assert _run(_machine(on_delay=10 * S), times, [2.0] * 20) == [(START + 10 * S, START, True, 2.0)]
