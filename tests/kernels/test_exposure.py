"""Ambient, noise dose and mixtures against oracles in rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mutants
from kernels.series import EDGES, START, S, covered, exact, examples, series
from minewatch.detect.kernels import ambient as ambient_kernel
from minewatch.detect.kernels import dose as dose_kernel
from minewatch.detect.kernels import mixture as mixture_kernel
from minewatch.detect.kernels.layout import AMBIENT, DOSE, NONE
from oracles import ambient as ambient_oracle
from oracles import dose as dose_oracle
from oracles import mixture as mixture_oracle

HOUR = 3600 * S
NEAR = Fraction(1, 10**12)


def _check_ambient(kernel, readings, memory_h=5.0, free_h=2.0, rise=0.25, least_s=300.0):
    row = np.zeros(2, AMBIENT)
    row["hour"] = NONE
    got = [kernel.ambient(row[1], x, a, b, memory_h, free_h, rise, least_s) for a, b, x in readings]
    wanted = ambient_oracle.ambients(
        readings, memory_h=int(memory_h), free_h=int(free_h), rise=rise, least_s=int(least_s)
    )
    scale = max((abs(x) for _, _, x in readings if math.isfinite(x)), default=1.0)
    assert all(exact(g, math.nan if w is None else w, scale) for g, w in zip(got, wanted, strict=True))
    return got


@examples
@given(series(max_size=60))
def test_the_ambient_is_that_of_rational_arithmetic(data):
    """Whatever comes, the ambient is the exact one within a few roundings."""
    _check_ambient(ambient_kernel, list(covered(*data)), least_s=3.0)


@pytest.mark.parametrize("name", EDGES)
def test_ambient_edges(name):
    """NaN, infinity, gaps and time going back do not disturb the ambient."""
    times, values = EDGES[name]
    _check_ambient(ambient_kernel, [(t - S, t, x) for t, x in zip(times, values, strict=True)], least_s=3.0)


def _hours(levels, each=6):
    step = HOUR // each
    return [(START + i * step, START + (i + 1) * step, levels[i // each]) for i in range(len(levels) * each)]


def test_a_slow_fire_does_not_become_the_ambient():
    """Rising 1 ppm an hour for a day from an ambient of 2, the ambient itself rises by the cap alone."""
    found = _check_ambient(
        ambient_kernel, _hours([2.0] * 48 + [3.0 + i for i in range(24)]), 168.0, 24.0, 0.02
    )
    assert found[47 * 6] == pytest.approx(2.0)
    assert found[-1] <= 2.0 + 24 * 0.02


def _planted_ambient(kernel):
    _check_ambient(kernel, _hours([1.0, 4.0, 2.0, 9.0, 3.0, 8.0, -2.0, 5.0, 5.0, 1.0, 0.0, 4.0]))
    _check_ambient(kernel, _hours([1.0, math.nan, 2.0, 9.0, math.inf, 8.0], each=3))
    odd = [(START + i * 1700 * S, START + i * 1700 * S + 600 * S, float(i % 5)) for i in range(40)]
    _check_ambient(kernel, odd)
    seldom = [
        (a, a + (i % 3 + 2) * 100 * S, float(i % 7)) for i, (a, _, _) in enumerate(_hours([0.0] * 40, 1))
    ]
    _check_ambient(kernel, seldom)
    _check_ambient(kernel, odd, least_s=600.0)
    _check_ambient(kernel, [*odd, odd[3], odd[4], *odd[20:]])


def _levels(pairs, kernel=dose_kernel):
    row = np.zeros(2, DOSE)
    out = []
    for level, seconds in pairs:
        out = [
            kernel.dose(row[1], 0, level, seconds, 90.0, 5.0, 80.0),
            kernel.dose(row[1], 1, level, seconds, 80.0, 3.0, -math.inf),
        ]
    return out


def _check_dose(pairs, kernel=dose_kernel):
    got = _levels(pairs, kernel)
    wanted = [dose_oracle.dose(pairs, 90, 5, 80), dose_oracle.dose(pairs, 80, 3, -math.inf)]
    assert all(abs(Fraction(g) - w) <= NEAR * max(w, 1) for g, w in zip(got, wanted, strict=True))


_sound = st.one_of(st.floats(0.0, 140.0), st.sampled_from([80.0, 90.0, 79.999, math.nan, math.inf]))


@examples
@given(st.lists(st.tuples(_sound, st.integers(-1, 7200).map(float)), min_size=1, max_size=40))
def test_the_dose_is_that_of_rational_arithmetic(pairs):
    """Whatever levels and times, both doses are the exact ones within a few roundings."""
    _check_dose(pairs)


def test_doses_of_the_rules():
    """30 CFR 62: 8 h at 90 dBA or 4 h at 95 are 100 %, 8 h at 85 are 50 %; 3 dB: 4 h at 83 are 100 %."""
    for pairs, which, wanted in (
        ([(90.0, 28800.0)], 0, 100), ([(95.0, 14400.0)], 0, 100), ([(85.0, 28800.0)], 0, 50),
        ([(79.9, 28800.0)], 0, 0), ([(80.0, 28800.0)], 1, 100), ([(83.0, 14400.0)], 1, 100),
    ):  # fmt: skip
        assert _levels(pairs)[which] == pytest.approx(wanted, rel=1e-15)


def test_a_year_of_sums_does_not_drift():
    """31.5 million one-second additions in one sum stay within 1e-12 of the exact figure."""
    row = np.zeros(1, DOSE)
    n, x = (2_000, 300) if mutants.compiled_away() else (31_536, 1_000)
    one = dose_oracle.share(87.3, 90, 5, 80) * 100 / 28800
    for _ in range(n):
        _many(row, x)
    assert exact(float(row["sum"][0][0] + row["rest"][0][0]), one * n * x)


def _many(row, times):
    if mutants.compiled_away():
        for _ in range(times):
            dose_kernel.dose(row[0], 0, 87.3, 1.0, 90.0, 5.0, 80.0)
    else:
        _loop()(row, times)


def _loop():
    from numba import njit

    if not hasattr(_loop, "made"):
        one = dose_kernel.dose

        @njit
        def loop(row, times):
            for _ in range(times):
                one(row[0], 0, 87.3, 1.0, 90.0, 5.0, 80.0)

        _loop.made = loop
    return _loop.made


def _planted_dose(kernel):
    _check_dose([(90.0, 100.0), (80.0, 50.0), (120.0, 9000.0), (79.0, 500.0), (60.0, 1.0)], kernel)
    _check_dose([(193.0, 10.0), (194.0, 10.0), (197.0, 10.0)], kernel)
    _check_dose([(1e9, 10.0)], kernel)
    _check_dose([(math.nan, 100.0), (85.0, 0.0), (85.0, -5.0), (86.0, 7.0)], kernel)
    row = np.zeros(1, DOSE)
    pairs = [(119.7, 28800.0)] + [(80.1, 0.001)] * 3000
    for level, seconds in pairs:
        got = kernel.dose(row[0], 0, level, seconds, 90.0, 5.0, 80.0)
    exact = dose_oracle.dose(pairs, 90, 5, 80)
    assert abs(Fraction(got) - exact) <= exact * Fraction(3, 10**16)
    row = np.zeros(1, DOSE)
    for level, seconds in reversed(pairs):
        got = kernel.dose(row[0], 0, level, seconds, 90.0, 5.0, 80.0)
    assert abs(Fraction(got) - exact) <= exact * Fraction(3, 10**16)


def _check_mixture(members, oldest, kernel=mixture_kernel):
    value, limit, age = (
        (np.array(column, float) for column in zip(*members, strict=True)) if members else (np.zeros(0),) * 3
    )
    total, share = kernel.mixture(value, limit, age, oldest)
    wanted, known = mixture_oracle.mixture(members, oldest)
    assert exact(total, math.nan if wanted is None else wanted)
    assert share == float(known)


_members = st.tuples(
    st.one_of(st.floats(-5, 500), st.sampled_from([math.nan, math.inf])),
    st.sampled_from([0.0, 0.3, 2.0, 20.0]),
    st.sampled_from([0.0, 60.0, 61.0]),
)


@examples
@given(st.lists(_members, max_size=8))
def test_the_mixture_is_that_of_rational_arithmetic(members):
    """Sum and coverage of any mixture are the exact ones."""
    _check_mixture(members, 60.0)


def _check_rows(rows, gas, limit, kernel=mixture_kernel):
    table = np.array(rows, float).reshape(len(rows), len(gas))
    statistic, share, off = np.empty(len(rows)), np.empty(table.shape), np.empty(table.shape)
    kernel.walk_mixture(table, np.array(gas), np.array(limit), statistic, share, off)
    for i, row in enumerate(rows):
        of = [
            [x for x, g in zip(row, gas, strict=True) if g == k and math.isfinite(x)]
            for k in range(len(limit))
        ]
        members = [(max(values, default=math.nan), bar, 0.0) for values, bar in zip(of, limit, strict=True)]
        wanted, _ = mixture_oracle.mixture(members, 60.0)
        assert exact(statistic[i], math.nan if wanted is None else wanted)
        for j, x in enumerate(row):
            part = max(x, 0.0) / limit[gas[j]] if math.isfinite(x) else 0.0
            assert off[i, j] == part
            assert share[i, j] == (part if x == members[gas[j]][0] else 0.0)


@examples
@given(
    st.lists(
        st.tuples(*[st.one_of(st.floats(-5, 500), st.just(math.nan), st.just(math.inf))] * 4), max_size=6
    )
)
def test_rows_of_meters_are_that_of_rational_arithmetic(rows):
    """Of two meters of a gas the higher counts; the sum of each row is the exact one."""
    _check_rows(rows, [0, 1, 0, 2], [20.0, 5.0, 0.3])


def test_shares_add_up():
    """Two gases at 0.6 of their limits are together over the limit, though neither is alone."""
    total, share = mixture_kernel.mixture(np.array([12.0, 3.0]), np.array([20.0, 5.0]), np.zeros(2), 60.0)
    assert total == pytest.approx(1.2)
    assert share == 1.0


def _planted_mixture(kernel):
    for members in ([], [(3.0, 2.0, 60.0)], [(3.0, 2.0, 61.0), (1.0, 4.0, 0.0), (-2.0, 4.0, 0.0)],
                    [(math.nan, 2.0, 0.0), (1.0, 0.0, 0.0)]):  # fmt: skip
        _check_mixture(members, 60.0, kernel)
    rows = [
        (3.0, 1.0, 4.0),
        (4.0, -1.0, 3.0),
        (math.nan, 2.0, math.inf),
        (1.0, math.nan, 1.0),
        (-2.0, 0.0, -3.0),
    ]
    _check_rows(rows, [1, 0, 1], [5.0, 20.0], kernel)


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
@pytest.mark.parametrize(
    ("name", "check", "same"),
    [
        ("ambient", _planted_ambient, ()),
        ("dose", _planted_dose, ("abs(total) >= abs(x): edge", "seconds > 0.0: edge")),
        ("mixture", _planted_mixture, ("rows[i, j] <= value[gas[j]]: edge",)),
    ],
)
def test_planted_errors_are_caught(name, check, same):
    """No planted sign, index or comparison error goes unnoticed."""
    assert mutants.survivors(mutants.load(name), check, edges=True, same=same) == []
