"""Rolling means, distances and contributions against their oracle, and planted errors that it must catch."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import examples, same
from minewatch.detect.kernels import company as kernel
from oracles import company as oracle

VALUES = st.one_of(
    st.floats(-50, 50), st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf, 1e16, 1e300, 7.5])
)


def _definite(seed, n):
    """Return a positive definite form whose entries are all different."""
    a = np.random.default_rng(seed).normal(0, 1, (n, n))
    return a @ a.T + 0.5 * np.eye(n)


def _case(seed, sensors, forms):
    dice = np.random.default_rng(seed)
    matrices = np.stack([_definite(seed + 7 * f, sensors) for f in range(forms)])
    return {
        "centre": dice.normal(0, 2, sensors),
        "scale": dice.uniform(0.5, 3, sensors),
        "fill": _definite(seed + 99, sensors),
        "forms": matrices,
        "top": dice.uniform(0.5, 2, forms),
    }


def _run(rows, window, case, cuts=()):
    rows = np.array(rows, np.float64).reshape(-1, len(case["centre"]))
    n, k = rows.shape
    ring = np.full((window, k), np.nan)
    statistic, share, off = np.empty(n), np.empty((n, k)), np.empty((n, k))
    edges = [0, *cuts, n]
    for a, b in itertools.pairwise(edges):
        kernel.walk_forms(rows[a:b], ring, a, *case.values(), statistic[a:b], share[a:b], off[a:b])
    return statistic, share, off


def _check(rows, window, case, tolerance=1e-7):
    got = _run(rows, window, case)
    fill, forms = case["fill"].tolist(), case["forms"].tolist()
    lines = oracle.standing(rows, window, case["centre"].tolist(), case["scale"].tolist())
    for r, z in enumerate(lines):
        statistic, share, off = oracle.judge(z, fill, forms, case["top"].tolist())
        assert same(got[0][r], statistic, tolerance), r
        size = max(1.0, statistic**2 * 10) if not math.isnan(statistic) else 1.0
        for i in range(len(z)):
            assert abs(got[1][r, i] - share[i]) <= 1e-6 * size, (r, i)
            assert same(got[2][r, i], off[i], 1e-6), (r, i)


EDGES = {
    "empty": [],
    "one": [[1.0, 2.0, 3.0]],
    "constant": [[0.7, 0.7, 0.7]] * 40,
    "nan": [[1.0, math.nan, 2.0], [math.nan, 1.0, 2.0], [math.nan] * 3] * 8,
    "inf": [[1.0, math.inf, 0.9], [-math.inf, 1.1, 1.0]] * 8,
    "all gone for a while": [[1.0, 2.0, 3.0]] * 3 + [[math.nan] * 3] * 12 + [[1.0, 2.0, 3.0]] * 3,
    "one sensor gone for good": [[1.0 + i % 3, math.nan, 3.0 - i % 2] for i in range(20)],
}


@pytest.mark.parametrize("forms", [1, 2])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, forms):
    """Distances and contributions agree with plain Python on every kind of bad input."""
    _check(EDGES[name], 4, _case(3, 3, forms))


@examples
@given(
    st.integers(1, 5).flatmap(
        lambda k: st.tuples(st.just(k), st.lists(st.lists(VALUES, min_size=k, max_size=k), max_size=25))
    ),
    st.integers(1, 6),
    st.integers(0, 50),
    st.integers(1, 2),
)
def test_any_rows(data, window, seed, forms):
    """They agree on whatever comes."""
    sensors, rows = data
    _check(rows, window, _case(seed, sensors, forms), 1e-6)


def test_a_cut_anywhere_changes_nothing():
    """Rows in pieces give the same bits as rows at once: the ring carries everything over."""
    dice = np.random.default_rng(5)
    rows = dice.normal(0, 1, (60, 3))
    rows[20:23, 1] = np.nan
    whole = _run(rows, 7, _case(5, 3, 2))
    for cuts in ([1], [30], [7, 8, 9, 50], list(range(1, 60))):
        for a, b in zip(whole, _run(rows, 7, _case(5, 3, 2), cuts), strict=True):
            assert np.array_equal(a, b, equal_nan=True)


def test_a_missing_sensor_adds_nothing():
    """With a sensor gone the distance is that of the others alone, for the inverse of a covariance."""
    covariance = _definite(1, 4)
    case = _case(1, 4, 1) | {"forms": np.linalg.inv(covariance)[None], "fill": np.linalg.inv(covariance)}
    row = np.array([[1.0, math.nan, -2.0, 0.5]])
    z = (row[0] - case["centre"]) / case["scale"]
    rest = [0, 2, 3]
    alone = z[rest] @ np.linalg.inv(covariance[np.ix_(rest, rest)]) @ z[rest]
    got = _run(row, 1, case)[0][0] * case["top"][0]
    assert math.isclose(got, math.sqrt(alone), rel_tol=1e-12)


MUTANTS = {
    "the sum misses the oldest row": (
        "for k in range(window):\n            y",
        "for k in range(1, window):\n            y",
    ),
    "the mean is not of the measured": ("total / count", "total / window"),
    "a sensor lies on the wrong side": ("total / count - centre[j]", "centre[j] - total / count"),
    "few rows count like many": ("np.sqrt(count / window)", "1.0"),
    "the ring never moves": ("slot = at % window", "slot = 0"),
    "the next row overwrites too soon": ("slot = at % window", "slot = at % max(1, window - 1)"),
    "huge values are taken": ("abs(x) <= LARGEST", "abs(x) <= np.inf"),
    "the form is used crosswise": ("form[i, j] * z[j]\n        pull", "form[j, i] * z[i]\n        pull"),
    "the right side has the wrong sign": ("right -= form", "right += form"),
    "the elimination starts one late": ("for i in range(p + 1, m):", "for i in range(p + 2, m):"),
    "the substitution goes the wrong way": ("x -= work[i, j] * work[j, n]", "x += work[i, j] * work[j, n]"),
    "the first form always decides": ("if s > most:", "if s > most and f == 0:"),
    "the last form always decides": ("if s > most:", "if s > most or f == 1:"),
    "no root is drawn": ("np.sqrt(distance(z, forms[f], pull))", "distance(z, forms[f], pull)"),
    "the threshold of another form": ("/ top[f]", "/ top[0]"),
    "what a sensor adds has lost its side": ("pull[i] * abs(pull[i])", "pull[i] * pull[i]"),
    "what a sensor adds is of another": ("own = fill[i, i]", "own = fill[0, 0]"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_error_is_caught(name, plant, monkeypatch):
    """A wrong sign or index in the kernel does not survive the comparison."""
    mutant = plant(kernel, *MUTANTS[name])
    dice = np.random.default_rng(11)
    rows = dice.normal(0, 2, (30, 4))
    rows[5:14, 1] = np.nan
    rows[8:20, 2:] = np.nan
    rows[9, 0] = 1e16
    monkeypatch.setattr(kernel, "walk_forms", mutant.walk_forms)
    with np.errstate(all="ignore"), pytest.raises((AssertionError, ZeroDivisionError, IndexError)):
        _check(rows.tolist(), 5, _case(4, 4, 2))
