"""Silence against its oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import EDGES, START, S, examples, series
from minewatch.detect.kernels.gap import sweep
from minewatch.detect.kernels.layout import LIMIT, NONE, POINT, TRANSITION
from oracles import gap as oracle


def _run(ticks, heard, *, threshold=30.0, on_delay=0, comparison=0):
    limit = np.zeros(1, LIMIT)
    limit[0] = (7, 0, 10, comparison, 0, threshold, 0.0, on_delay, 0, NONE, 1, 1, 0, 0.0, 0)
    point = np.zeros(1, POINT)
    point["track"]["heard_ns"] = heard
    out = np.zeros(4, TRANSITION)
    found = []
    for now in ticks:
        done, n = sweep(point, limit, np.zeros(1, np.int64), 0, now, out)
        assert done == 1
        found += [tuple(row)[1:] for row in out[:n].tolist()]
    return found


@pytest.mark.parametrize("comparison", [0, 1])
@pytest.mark.parametrize("on_delay", [0, 5 * S])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, on_delay, comparison):
    """Ticks at any times, also none, one or backwards, tell the same as plain Python."""
    ticks = EDGES[name][0]
    expected = oracle.transitions(
        [(t, False) for t in ticks], threshold=30 * S, on_delay=on_delay, strict=comparison == 0, start=START
    )
    assert _run(ticks, START, on_delay=on_delay, comparison=comparison) == expected


@examples
@given(series(), st.sampled_from([0, 7 * S]))
def test_any_ticks(data, on_delay):
    """Whatever ticks come, the silence is told once, from the moment it became too long."""
    expected = oracle.transitions(
        [(t, False) for t in data[0]], threshold=30 * S, on_delay=on_delay, start=START
    )
    assert _run(data[0], START, on_delay=on_delay) == expected


def test_a_point_never_heard_is_not_judged():
    """Without a first reading or a birth there is no silence to measure."""
    assert _run([START], NONE) == []


def test_many_limits_fill_the_buffer_in_rounds():
    """When the output is full the sweep says how far it came, and goes on there."""
    limit = np.zeros(5, LIMIT)
    limit["detector"] = 10
    limit["threshold"] = 1.0
    limit["since_ns"] = NONE
    limit["key"] = range(5)
    point = np.zeros(1, POINT)
    out = np.zeros(2, TRANSITION)
    rows = np.arange(5)
    done, keys = 0, []
    while done < 5:
        done, n = sweep(point, limit, rows, done, 9 * S, out)
        keys += out["key"][:n].tolist()
    assert keys == [0, 1, 2, 3, 4]
