"""Neighbours, and airflow against gas, against their oracle, and planted errors that it must catch."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import examples, same
from minewatch.detect.kernels import airflow, neighbours
from oracles import neighbours as oracle

NAN, INF = math.nan, math.inf
NEAR = {"memory": 20.0, "warm_up": 5.0, "half": 6.0, "clip": 4.0, "floor": 0.05}
FLOW = {"memory": 20.0, "warm_up": 5.0, "fall": 0.3, "rise": 0.2, "least": 0.1}
VALUES = st.one_of(st.floats(-3, 5), st.sampled_from([0.0, 1.0, 1.0, 1.5, NAN, INF, -INF, 1e16, 1e300, 40.0]))


def _near(rows, walk=neighbours.walk_neighbours, cuts=()):
    rows = np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if len(rows) else 3)
    n, k = rows.shape
    state = [np.zeros(k), np.zeros(k), np.zeros(k)]
    out = np.full(n, -1.0), np.full((n, k), -1.0), np.full((n, k), -1.0)
    for a, b in itertools.pairwise([0, *cuts, n]):
        walk(rows[a:b], *state, *NEAR.values(), *(part[a:b] for part in out))
    return out


def _flow(rows, air=2, walk=airflow.walk_airflow, cuts=()):
    rows = np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if len(rows) else 3)
    n, k = rows.shape
    state = [np.zeros(k), np.zeros(k), np.full((k, 3), NAN)]
    out = np.full(n, -1.0), np.full((n, k), -1.0), np.full((n, k), -1.0)
    for a, b in itertools.pairwise([0, *cuts, n]):
        walk(rows[a:b], air, *state, *FLOW.values(), *(part[a:b] for part in out))
    return out


def _compare(got, expected):
    for r, (statistic, share, off) in enumerate(expected):
        assert same(got[0][r], statistic), r
        for i in range(len(share)):
            assert same(got[1][r, i], share[i], 1e-6), (r, i)
            assert same(got[2][r, i], off[i], 1e-6), (r, i)


def _check(rows, near=neighbours.walk_neighbours, flow=airflow.walk_airflow):
    _compare(_near(rows, near), oracle.neighbours(rows, **NEAR))
    for air in (1, 2):
        _compare(_flow(rows, air, flow), oracle.airflow(rows, air, **FLOW))


def _ordinary(n=80, seed=1, meters=4):
    dice = np.random.default_rng(seed)
    common = dice.normal(0, 0.2, (n, 1)).cumsum(axis=0) * 0.1
    return 1 + common + np.arange(meters) * 0.5 + dice.normal(0, 0.05, (n, meters))


EDGES = {
    "empty": [],
    "one": [[1.0, 2.0, 3.0]],
    "constant": [[0.7, 0.7, 0.7]] * 40,
    "nan": [[1.0, NAN, 2.0], [NAN, 1.0, 2.0], [NAN] * 3] * 8,
    "inf": [[1.0, INF, 0.9], [-INF, 1.1, 1.0]] * 8,
    "one alone": [[1.0 + i % 3, NAN, NAN] for i in range(20)],
    "one comes late": [[1.0 + i % 3, 2.0, NAN if i < 9 else 7.0] for i in range(30)],
    "huge": [[1.0, 1e16, 2.0]] * 10 + [[1.0, 1e14, 2.0]] * 10,
    "reversed air": [[-1.5, 1.5, 0.3]] * 10 + [[0.5, 0.5, 0.9]] * 10,
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """Both agree with plain Python on every kind of bad input."""
    _check(EDGES[name])


@examples
@given(st.integers(3, 6).flatmap(lambda k: st.lists(st.lists(VALUES, min_size=k, max_size=k), max_size=40)))
def test_any_rows(rows):
    """Both agree on whatever comes."""
    _check(rows)


def test_a_cut_anywhere_changes_nothing():
    """Rows in pieces give the same bits as rows at once."""
    rows = _ordinary()
    rows[30:34, 1] = NAN
    for run in (_near, _flow):
        whole = run(rows)
        for cuts in ([1], [31, 33], list(range(1, 80))):
            for a, b in zip(whole, run(rows, cuts=cuts), strict=True):
                assert np.array_equal(a, b, equal_nan=True)


def test_the_wrong_meter_is_the_one_that_is_named():
    """Of four meters one moves off: its sigmas are the largest, and it is named on the right side."""
    rows = _ordinary()
    rows[60:, 2] += 1.0
    statistic, share, off = _near(rows)
    assert (statistic[10:60] < 1).mean() > 0.95
    assert (statistic[60:63] >= 1).all()
    assert (np.abs(share[60:63]).argmax(axis=1) == 2).all()
    assert 0.8 < off[60, 2] < 1.2


def test_what_all_do_is_no_fault():
    """Methane that rises at every meter alike is no disagreement."""
    rows = _ordinary()
    rows[60:] += 2.0
    assert _near(rows)[0][60:].max() < 1


def test_both_are_needed_for_a_loss_of_air():
    """Air that falls alone, or gas that rises alone, says nothing; together they do within three rows."""
    calm = np.column_stack([np.full(80, 1.7), np.full(80, 1.4), np.full(80, 0.5), np.full(80, 0.3)])
    calm += np.random.default_rng(2).normal(0, 0.02, calm.shape)
    falls, rises, both = calm.copy(), calm.copy(), calm.copy()
    falls[60:, :2] *= 0.2
    rises[60:, 2] += 2.0
    both[60:, :2] *= 0.2
    both[60:, 2] += 2.0
    assert _flow(falls)[0][60:].max() < 0.5
    assert _flow(rises)[0][60:].max() < 0.5
    assert (_flow(both)[0][62:70] >= 1).all()
    assert np.nanmax(_flow(both)[0][:60]) < 0.5


NEAR_MUTANTS = {
    "a meter is its own neighbour": ("if j != i and not", "if not"),
    "the first neighbour is left out": ("if j != i and not", "if j != i and j > 0 and not"),
    "the offset has the wrong sign": ("level[j] = x - offset[j]", "level[j] = x + offset[j]"),
    "the offset runs away": ("offset[i] += rate * taught", "offset[i] -= rate * taught"),
    "a fault is learned at once": ("taught = min(max(left, -clip * sd), clip * sd)", "taught = left"),
    "the side is lost": ("z = min(max(left / sd", "z = min(max(abs(left) / sd"),
    "no floor": ("sd = max(np.sqrt(spread[i]), floor)", "sd = np.sqrt(spread[i]) + 1e-300"),
    "no root": ("np.sqrt(spread[i])", "spread[i]"),
    "the spread of another": ("np.sqrt(spread[i])", "np.sqrt(spread[0])"),
    "warm a row too soon": ("if seen[i] >= warm_up", "if seen[i] + 1.0 >= warm_up"),
    "the memory never ends": ("min(seen[i] + 1.0, memory)", "(seen[i] + 1.0)"),
    "the smallest is told": ("most = max(most, abs(z))", "most = abs(z)"),
}
FLOW_MUTANTS = {
    "either is enough": ("min(low / fall, most / rise)", "max(low / fall, most / rise)"),
    "the upper median of falls": ("falls[(count - 1) // 2]", "falls[count // 2]"),
    "falls are not sorted": ("median_of(falls, count)  # sorts them", "pass"),
    "the first gas is air": ("if j < air:", "if j <= air:"),
    "a reversal is no fall": ("side = 1.0 if usual[j] > 0.0 else -1.0", "side = 1.0"),
    "a rise has the wrong sign": ("off[r, j] = now - usual[j]", "off[r, j] = usual[j] - now"),
    "the last two only": ("last[0] = last[1]", "last[0] = np.nan"),
    "the newest is lost": ("last[2] = x", "last[1] = x"),
    "a loss is soon usual": ("SLOWER * rate if departs else rate", "rate"),
    "nothing is learned": ("usual + (SLOWER", "usual + 0.0 * (SLOWER"),
    "the memory never ends": ("min(seen + 1.0, memory)", "(seen + 1.0)"),
    "still air is air": ("if size >= least", "if size > 0.0"),
    "a fall counts for the wrong side": ("share[r, j] = -part / fall", "share[r, j] = part / fall"),
}


def _hard_rows():
    rows = _ordinary(60, 3, 5)
    rows[40:50, 2] += 3.0
    rows[42:, 0] -= 0.9
    rows[45:55, 3] = NAN
    rows[:, 1] *= -1
    rows[30:, 4] = 0.04
    rows[50:, 1] += 5
    return rows.tolist()


def _caught(check):
    with np.errstate(all="ignore"), pytest.raises((AssertionError, ZeroDivisionError, IndexError)):
        check()


@pytest.mark.parametrize("name", NEAR_MUTANTS)
def test_a_planted_error_in_neighbours_is_caught(name, plant):
    """A wrong sign or index does not survive the comparison."""
    mutant = plant(neighbours, *NEAR_MUTANTS[name])
    cases = [[row[:columns] for row in _hard_rows()] for columns in (5, 4, 3)]
    _caught(lambda: [_check(rows, near=mutant.walk_neighbours) for rows in cases])


@pytest.mark.parametrize("name", FLOW_MUTANTS)
def test_a_planted_error_in_airflow_is_caught(name, plant):
    """A wrong sign or index does not survive the comparison."""
    mutant = plant(airflow, *FLOW_MUTANTS[name])
    still = [
        [0.05 + 0.001 * (i % 3), 2.0 - 0.04 * max(0, i - 20), 0.3 + 0.02 * max(0, i - 20)] for i in range(60)
    ]
    _caught(lambda: [_check(rows, flow=mutant.walk_airflow) for rows in (_hard_rows(), still)])
