"""The wear kernel against its oracle, and what a machine's life must look like to it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import EDGES, START, S, examples, same, series
from minewatch.detect.kernels import wear as kernel
from oracles import wear as oracle

MINUTE = 60 * S
DAY_ROWS = 144  # of ten minutes


def _run(times, values, baseline=86_400 * S):
    rows = np.zeros(1, kernel.WEAR)
    kernel.begin(rows, baseline)
    return [kernel.assess(rows[0], x, t) for t, x in zip(times, values, strict=True)]


def _check(times, values, baseline):
    for got, expected in zip(
        _run(times, values, baseline), oracle.assessments(times, values, baseline), strict=True
    ):
        for g, e in zip(got, expected, strict=True):
            assert same(g, e, 1e-6), (got, expected)


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """The assessment agrees with plain Python on every kind of bad input."""
    _check(*EDGES[name], 48 * S)


@examples
@given(series(90), st.sampled_from([24 * S, 60 * S, 3600 * S]))
def test_any_series(data, baseline):
    """The assessment agrees with plain Python on whatever comes."""
    _check(*data, baseline)


def _life(days, level=1.0, noise=0.02, seed=1):
    n = days * DAY_ROWS
    times = [START + i * 10 * MINUTE for i in range(n)]
    return times, level * (1 + np.random.default_rng(seed).normal(0, noise, n))


def test_a_machine_that_only_runs_stays_in_zone_a():
    """Weeks of ordinary noise with wild single readings and standstills are no wear."""
    times, values = _life(30)
    values[300::97] = 8.0
    values[1000:1200] = 0.0
    found = np.array(_run(times, values.tolist()))
    assert np.nanmax(found[:, 0]) < 0.3
    assert np.isnan(found[: DAY_ROWS - 1, 0]).all()


def test_growth_goes_through_the_zones_and_foretells_the_limit():
    """A level that grows by 10 % of its baseline a day enters B, C and D in turn; the days told come true."""
    times, values = _life(30)
    days = np.arange(len(values)) / DAY_ROWS
    values *= 1 + 0.1 * np.maximum(days - 5, 0)
    found = np.array(_run(times, values.tolist()))
    first = [days[np.argmax(found[:, 0] >= zone)] for zone in (1.0, 2.4, 6.0)]
    assert first == pytest.approx([5 + 2.5 + 0.5, 5 + 6 + 0.5, 5 + 15 + 0.5], abs=0.4)  # half a day of lag
    assert found[20 * DAY_ROWS, 1] == pytest.approx(0.4, rel=0.1)
    told = kernel.days_to(6.0, *found[14 * DAY_ROWS])
    assert told == pytest.approx(20 - 14, abs=0.8)


def test_running_in_lowers_the_baseline():
    """A machine that runs in to 90 % is judged by that, so 1.13 of the start is a significant change."""
    times, values = _life(20, noise=0.001)
    values[2 * DAY_ROWS :] *= 0.9
    values[12 * DAY_ROWS :] *= 1.13 / 0.9
    found = np.array(_run(times, values.tolist()))
    assert found[12 * DAY_ROWS - 1, 0] == pytest.approx(0, abs=0.02)
    assert found[-1, 0] == pytest.approx(0.23 / 0.25, abs=0.02)


def test_a_standstill_neither_heals_nor_wears():
    """While the machine stands still its severity stays, and goes on from there."""
    times, values = _life(8)
    values[3 * DAY_ROWS :] *= 1.5
    values[6 * DAY_ROWS : 7 * DAY_ROWS] = 0.01
    found = np.array(_run(times, values.tolist()))
    before, after = found[6 * DAY_ROWS - 1, 0], found[7 * DAY_ROWS - 1, 0]
    assert before > 1.5
    assert after == pytest.approx(before, abs=0.05)


def test_a_standstill_is_no_baseline():
    """A machine that has never run is not learned; when it runs, it is."""
    times, values = _life(6)
    values[: 3 * DAY_ROWS] = 0.0
    found = np.array(_run(times, values.tolist()))
    assert np.isnan(found[: 4 * DAY_ROWS - 10, 0]).all()
    assert np.nanmax(found[:, 0]) < 0.3


def test_a_noisy_machine_needs_a_larger_change():
    """Where the parts of the baseline differ by a fifth, the change is three of their sigmas."""
    times, values = _life(3, noise=0.0)
    values += np.repeat(np.random.default_rng(5).normal(0, 0.2, len(values) // 6), 6)
    rows = np.zeros(1, kernel.WEAR)
    kernel.begin(rows, 86_400 * S)
    for t, x in zip(times, values.tolist(), strict=True):
        kernel.assess(rows[0], x, t)
    assert 0.4 < rows["unit"][0] < 0.9


@pytest.mark.parametrize(
    ("severity", "trend", "days"),
    [(0.9, 1.0, math.nan), (1.0, 1.0, 4.5), (3.0, 0.0, math.nan), (3.0, -1.0, math.nan), (6.0, -1.0, 0.0),
     (5.9, 1.0, 0.0), (math.nan, 1.0, math.nan)],
)  # fmt: skip
def test_days_are_told_of_worn_machines_alone(severity, trend, days):
    """In zone A, without a rise and without a number no days are told; beyond the limit they are 0."""
    assert same(kernel.days_to(6.0, severity, trend), days)
