"""The left matrix profile against its oracle, and against stumpy where that is installed."""

import math
import os
import random
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.mutants import survivors
from kernels.series import EDGES, examples, same, series
from minewatch.detect.kernels import shape as kernel
from oracles import shape as oracle

COMPILED = os.environ.get("NUMBA_DISABLE_JIT") != "1"
PLAIN = COMPILED and os.environ.get("NUMBA_BOUNDSCHECK") != "1"


def profile(values, m, most, refresh=50, module: types.ModuleType = kernel):
    """Return (distances, rows of the most similar windows) of the kernel."""
    out, nearest = np.zeros(len(values)), np.zeros(len(values), np.int64)
    module.left_profile(np.array(values, np.float64), m, most, refresh, out, nearest)
    return out.tolist(), nearest.tolist()


def check(values, m=6, most=40, refresh=50, tolerance=1e-6, module: types.ModuleType = kernel):
    """Assert that kernel and oracle agree on every row."""
    got = profile(values, m, most, refresh, module)[0]
    expected = oracle.left_profile(values, m, most)
    for row, (g, e) in enumerate(zip(got, expected, strict=True)):
        assert same(g, e, tolerance), (row, g, e)


def waves(n, seed=1, level=0.0):
    """Return waves with noise, a flat stretch, holes, and a wave upside down."""
    dice = random.Random(seed)
    values = [level + math.sin(i / 3) + dice.gauss(0, 0.1) for i in range(n)]
    values[n // 4 : n // 4 + 15] = [level + 0.5] * 15
    values[n // 3] = math.nan
    values[n // 3 + 4] = math.inf
    values[n // 2 : n // 2 + 12] = [2 * level - x for x in values[n // 2 : n // 2 + 12]]
    values[-30:-18] = [level] * 12
    return values


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """Kernel and plain Python agree on every kind of bad input."""
    check(EDGES[name][1])


@examples
@given(st.integers(0, 10_000), st.integers(3, 12), st.integers(1, 60), st.integers(1, 70))
def test_any_window_and_memory(seed, m, most, refresh):
    """Kernel and plain Python agree for every length of window, memory, and time between refreshes."""
    check(waves(160, seed), m, most, refresh)


@examples
@given(series(max_size=120))
def test_no_series_breaks_it(data):
    """Whatever comes, distances lie between 0 and 2 sqrt(m), or there is none."""
    for distance in profile(data[1], 6, 40)[0]:
        assert math.isnan(distance) or 0 <= distance <= 2 * math.sqrt(6)


def test_a_level_far_from_zero_loses_nothing():
    """Waves of one unit upon a level of a million: the same profile to six digits."""
    check(waves(200, level=1e6), tolerance=1e-5)


@pytest.mark.skipif(not COMPILED, reason="too long without the compiler")
def test_running_products_do_not_drift():
    """Carried on for thousands of rows it is still what working it out anew gives."""
    values = np.cumsum(np.random.default_rng(3).normal(0, 1, 6000)).tolist()
    carried, fresh = profile(values, 16, 200, 10**6)[0], profile(values, 16, 200, 1)[0]
    assert np.allclose(carried, fresh, atol=1e-5, equal_nan=True)
    kept = profile(values, 16, 200, 256)[0]
    assert np.allclose(kept, fresh, atol=1e-9, equal_nan=True)


def test_it_is_causal():
    """A row's distance depends on nothing after it."""
    values = waves(200)
    whole = profile(values, 6, 40)[0]
    for cut in (1, 5, 6, 60, 130):
        assert np.array_equal(profile(values[:cut], 6, 40)[0], whole[:cut], equal_nan=True)


def test_a_wave_upside_down_is_the_strangest():
    """Ordinary values in an order never seen stand out, where their size says nothing."""
    values = [math.sin(i / 3) for i in range(400)]
    values[300:320] = [-x for x in values[300:320]]
    distance, nearest = profile(values, 16, 300)
    assert 300 <= int(np.nanargmax(distance[40:])) + 40 < 336
    assert values[nearest[200]] == pytest.approx(values[200], abs=0.2)


@pytest.mark.skipif(not PLAIN, reason="stumpy knows no other mode")
def test_it_is_stumpy_s():
    """The same as the least of stumpy's distances to what came before, its exclusion zone left out."""
    stumpy = pytest.importorskip("stumpy", reason="absent part: stumpy (a comparison only)")
    m, apart = 16, 4  # a quarter of a window, rounded up: stumpy's own zone
    values = np.cumsum(np.random.default_rng(4).normal(0, 0.1, 160)) + np.sin(np.arange(160) / 9)
    got = np.array(profile(values.tolist(), m, 160)[0][m - 1 :])
    first = apart + 1
    assert np.isnan(got[:first]).all()
    for start in range(first, len(got)):
        before = stumpy.mass(values[start : start + m], values[: start - first + m])
        assert got[start] == pytest.approx(before.min(), abs=1e-9)


SAME = (
    "max(size, abs(x[k])): swapped",  # only where a window is all but constant
    "x[k] - mean: sign",  # in one of two factors: the same sum of squares
    "-1: sign",  # only where no window has a shape
)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not PLAIN, reason="mutants are plain Python anyway")
def test_planted_errors_are_noticed():
    """A sign, an index or a comparison turned round in the kernel fails against the oracle."""

    def noticed(module):
        check(waves(90), 6, 30, 17, module=module)
        check(waves(60, level=100.0), 5, 200, 9, module=module)

    alive = survivors(kernel, noticed, ("spread", "dot", "between", "step", "compare", "highest"), same=SAME)
    assert alive == []
