"""The change chart against its oracle."""

import math

import numpy as np
import pytest
from hypothesis import given

from kernels import mutants
from kernels.series import EDGES, examples, same, series
from minewatch.detect.kernels import change as kernel
from minewatch.detect.kernels.layout import Chart
from oracles import change as oracle

PAR = {"memory": 40.0, "warm_up": 10.0, "clip": 4.0, "slack": 0.5, "cap": 32.0}


def _chart(points):
    kinds = ("f8", "f4", "f4", "f4", "f4", "f4", "f4", "f4")
    return Chart(*(np.zeros(points, kind) for kind in kinds))


def _run(values, floor, kernel=kernel):
    chart = _chart(2)
    chart.floor[:] = floor
    z, cusum = np.zeros((2, len(values)), np.float32)
    with np.errstate(all="ignore"):
        kernel.change_rows(chart, np.ones(len(values), np.int32), np.array(values), *PAR.values(), z, cusum)
    assert chart.seen[0] == 0, "the neighbour must not be touched"
    return z, cusum


def _check(values, floor=0.125, kernel=kernel):
    got = _run(values, floor, kernel)
    expected = oracle.chart(values, **PAR, floor=floor)
    for i, (z, cusum) in enumerate(expected):
        assert same(got[0][i], z, 1e-5), i
        assert same(got[1][i], cusum, 1e-4), i


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """The chart agrees with plain Python on every kind of bad input."""
    _check(EDGES[name][1])


@examples
@given(series())
def test_any_series(data):
    """The chart agrees with plain Python on whatever comes."""
    _check(data[1])


def test_a_spike_is_no_shift():
    """One wild reading lifts z, yet not the CUSUM to its half score."""
    z, cusum = _run([1.0, 1.1] * 40 + [50.0] + [1.0, 1.1] * 5, 0.05)
    assert abs(z[80]) > 100
    assert cusum[80:].max() < 8


def test_a_small_shift_is_found():
    """Two sigmas, steady, are found by the CUSUM within ten readings though no single z is high."""
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0, 1, 300), rng.normal(2, 1, 10)])
    _, cusum = _run(list(values), 0.05)
    assert cusum[300:].max() >= 8


def test_numbers_at_the_end_of_floats():
    """Values near the largest float never poison the baseline."""
    z, cusum = _run([0.0] * 20 + [9e14, 1e308, -9e14] * 5 + [0.0] * 20, 0.125)
    assert np.isnan(z[21:35:3]).all()
    assert np.isfinite(z[35:]).all()
    assert np.isfinite(cusum[35:]).all()


def _charts_agree(kernel, rows, par, n):
    """Run rows of (point, value) through neighbours' loops and one by one: the same bits."""
    charts = [_chart(n), _chart(n)]
    for point, value in rows:
        z, cusum = np.zeros((2, len(point)), np.float32)
        with np.errstate(all="ignore"):
            kernel.change_rows(charts[0], point, value, *par.values(), z, cusum)
            single = [
                kernel.change(charts[1], p, x, *par.values()) for p, x in zip(point, value, strict=True)
            ]
        assert np.array_equal(np.array(single), np.column_stack([z, cusum]), equal_nan=True)
    for a, b in zip(*charts, strict=True):
        assert np.array_equal(a, b)
    return charts[0]


def test_neighbours_in_one_run_are_judged_as_one_by_one():
    """The vector loops over neighbours, learning and settled, and the scalar path give the same bits."""
    n, rng = 50, np.random.default_rng(3)
    point = np.concatenate([np.arange(n), np.arange(n)[::-1], [4, 4, 4]]).astype(np.int32)
    value = rng.normal(1, 0.1, (30, len(point)))
    value[3, 5], value[9, 60], value[25, 7], value[27, 9] = np.nan, 40.0, np.nan, 40.0
    chart = _charts_agree(kernel, [(point, row) for row in value], PAR, n)
    assert (chart.seen == PAR["memory"]).all()


def test_a_run_longer_than_a_block():
    """Neighbours that fill several blocks, the last in part, are judged as one by one."""
    n, rng = 2 * kernel.BLOCK + 20, np.random.default_rng(4)
    point = np.arange(n, dtype=np.int32)
    rows = [(point, rng.normal(1, 0.1, n)) for _ in range(4)]
    chart = _charts_agree(kernel, rows, {**PAR, "memory": 2.0, "warm_up": 1.0}, n)
    assert (chart.seen == 2).all()


def test_a_slow_process_is_no_standing_alarm():
    """Readings that follow their neighbours closely, as most of a mine's do, rarely lift the CUSUM to 8."""
    dice = np.random.default_rng(4)
    value, noise = np.zeros(5000), dice.normal(0, 0.1, 5000)
    for i in range(1, 5000):
        value[i] = 0.95 * value[i - 1] + noise[i]
    chart = _chart(1)
    z, cusum = np.zeros((2, 5000), np.float32)
    kernel.change_rows(chart, np.zeros(5000, np.int32), value, 600.0, 60.0, 4.0, 0.5, 32.0, z, cusum)
    assert (cusum[60:] >= 8).mean() < 0.02
    assert 0.85 < chart.echo[0] / chart.variance[0] < 1


@pytest.mark.parametrize("memory", [600.0, 100_000.0])
def test_roundings_stay_within_their_bound(memory):
    """With the longest memory that may be set, 4-byte floats lose no more than the chart states."""
    values = np.random.default_rng(6).normal(20.0, 3.0, 2 * int(memory))
    chart = _chart(1)
    z, cusum = np.zeros((2, len(values)), np.float32)
    kernel.change_rows(chart, np.zeros(len(z), np.int32), values, memory, 10.0, 4.0, 0.5, 32.0, z, cusum)
    exact = oracle.chart(values, memory=memory, warm_up=10.0, clip=4.0, slack=0.5, cap=32.0, floor=0.0)
    bound = 1.5 * 2**-24 * memory
    assert np.allclose(z[10:], [e[0] for e in exact[10:]], rtol=bound, atol=bound)
    assert np.allclose(cusum[10:], [e[1] for e in exact[10:]], rtol=10 * bound, atol=10 * bound)


@pytest.mark.parametrize("rest", [0.0, 5.0, 1e-20])
def test_what_fades_never_becomes_a_number_that_a_processor_is_slow_with(rest):
    """A sensor that rests for days leaves zero or ordinary numbers in its chart."""
    chart = _chart(1)
    values = np.concatenate([np.random.default_rng(7).normal(0, 1, 100), np.full(20_000, rest)])
    z, cusum = np.zeros((2, len(values)), np.float32)
    kernel.change_rows(chart, np.zeros(len(values), np.int32), values, 20.0, 10.0, 4.0, 0.5, 32.0, z, cusum)
    for column in chart:
        assert column[0] == 0 or abs(column[0]) > 1e-36, column
    none = np.float32(0.0)
    assert [kernel.depart(0.0, none, x)[0] for x in (5e-16, -5e-16, 2e-15)] == [0, 0, np.float32(2e-15)]


def _planted(kernel):
    rng = np.random.default_rng(5)
    own = rng.normal(0, 1, 30).cumsum() * 0.3 + 20
    _check([*own, 60.0, *own[::-1], math.nan, 1e15, *own[:20] - 9, *[7.0] * 9], 0.01, kernel)
    _check([0.0] * 12 + [3e-11] * 3, 0.0, kernel)
    _check([5000.0] * 12 + [5000.0 + 3e-5] * 3, 0.0, kernel)
    point = np.arange(kernel.RUN, dtype=np.int32)
    rows = [(point, rng.normal(1, 0.1, kernel.RUN)) for _ in range(5)]
    rows[3][1][3] = math.nan
    rows[4][1][:] = 1e300
    _charts_agree(kernel, rows, {**PAR, "memory": 2.0, "warm_up": 1.0}, kernel.RUN)


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
def test_planted_errors_are_caught():
    """No planted sign, index or comparison error in the chart goes unnoticed."""
    parts = ("depart", "weigh", "learn", "departures", "settled_run")
    same = ("others += 0", "seen[i] == most: opposite")  # the slower loop is taken, to the same bits
    same += ("echo + DUST: sign",)  # dust is dust on either side of zero
    assert mutants.survivors(mutants.load("change"), _planted, parts, same=same) == []
