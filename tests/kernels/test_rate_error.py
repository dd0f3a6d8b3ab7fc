"""The standard error of the rate of rise against its oracle, and what it promises."""

import math

import numpy as np
import pytest
from hypothesis import given

from kernels.series import EDGES, START, S, examples, same, series
from minewatch.detect.kernels import rate, rate_error
from minewatch.detect.kernels.layout import RISE
from oracles import rate_error as oracle

WINDOW = 60 * S
STEP = 0.01


def _run(times, values, kernel=rate_error, step=STEP):
    rise = np.zeros(1, RISE)
    found = []
    for t, x in zip(times, values, strict=True):
        slope = rate.rate_of_rise(rise[0], x, t, WINDOW)
        found.append((slope, kernel.rate_error(rise[0], slope, step / 2)))
    return found


def _check(times, values):
    wanted = oracle.errors(times, values, WINDOW, STEP)
    for (_, got), expected in zip(_run(times, values), wanted, strict=True):
        assert same(got, expected)


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """The error agrees with plain Python on every kind of bad input."""
    _check(*EDGES[name])


@examples
@given(series())
def test_any_series(data):
    """The error agrees with plain Python on whatever comes."""
    _check(*data)


def _noise(seed, rise=0.0, every=1):
    dice = np.random.default_rng(seed)
    seconds = range(0, 70, every)
    return [START + i * S for i in seconds], [rise * i / 60 + dice.normal(0, 1) for i in seconds]


@pytest.mark.parametrize("every", [1, 5, 10, 12])
def test_the_bound_is_as_sure_as_it_says(every):
    """Of a steady rise in noise, the bound at 95 % lies beyond the truth in 1 to 5 % of windows."""
    found = [_run(*_noise(seed, rise=3.0, every=every))[-1] for seed in range(1500)]
    assert 0.01 < np.mean([slope - 1.645 * error > 3.0 for slope, error in found]) < 0.05
    told = np.mean([error for _, error in found])
    assert 1.0 < told / np.std([slope for slope, _ in found]) < 1.6


def test_few_readings_after_a_hole_are_not_sure_of_anything():
    """Four readings give a rate and no error of it."""
    times = [START + int(i * S) for i in (0, 5, 10, 50, 50.5, 51)]
    slope, error = _run(times, [0.0, 0.1, 0.2, 1.0, 1.1, 1.2])[-1]
    assert slope > 0
    assert math.isnan(error)


def test_one_wild_reading_does_not_hide_a_rise():
    """A rise of six a minute stays sure while a reading of a thousand lies in its window."""
    times, values = _noise(1, rise=12.0)
    values[30] = 1000.0
    slope, error = _run(times, values)[-1]
    assert slope - 1.645 * error > 6


def test_a_still_meter_has_the_error_of_its_rounding():
    """Readings that are all the same are as sure as the instrument's step, and no surer."""
    slope, error = _run([START + i * S for i in range(70)], [1.0] * 70)[-1]
    assert slope == 0.0
    assert error == pytest.approx(math.sqrt(2 * 0.4487) * STEP / math.sqrt(12) / (54 / 60), rel=0.02)
