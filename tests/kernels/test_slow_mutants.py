"""Errors planted in the forecast and the wear kernel are caught by comparing them with their oracles."""

import math
from functools import cache

import numpy as np
import pytest

from kernels import mutants
from kernels.series import EDGES, START, S
from kernels.series import same as equal
from oracles import forecast as forecast_oracle
from oracles import wear as wear_oracle

pytestmark = pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")

HORIZON = 24 * S


@cache
def _gas():
    """Return (times, values, helpers): a rising swing with a wild reading, holes, a repeat, gaps."""
    rng = np.random.default_rng(6)
    i = np.arange(170)
    air = np.sin(i / 9) + rng.normal(0, 0.1, 170)
    values = 5 + 0.2 * i + np.sin(i / 11) - 0.4 * air + rng.normal(0, 0.05, 170)
    values[110] = 60.0
    values[120] = math.nan
    helpers = np.column_stack([air, rng.normal(7, 1, 170)])
    helpers[40:44, 0] = math.nan
    values[-1] = 1e15  # the largest that counts
    times = START + i * S + (i > 90) * 13 * S + (i > 131) * 200 * S
    times[60] = times[59]
    return times.tolist(), values.tolist(), helpers.tolist()


@cache
def _foreseen(largest, helped):
    times, values, helpers = _gas()
    rows = helpers if helped else [[] for _ in helpers]
    return forecast_oracle.forecasts(times, values, rows, HORIZON, 0.9, largest)


def _forecast(kernel):
    times, values, helpers = _gas()
    for largest, helped in ((True, True), (False, False)):
        given = np.array(helpers) if helped else np.zeros((len(values), 0))
        row = np.zeros(1, kernel.forecaster_of(given.shape[1]))
        kernel.begin(row, HORIZON, 0.9, largest)
        out = np.empty((len(values), 4))
        kernel.foresee_series(row[0], np.array(times), np.array(values), given, out)
        for got, expected in zip(out.tolist(), _foreseen(largest, helped), strict=True):
            assert all(equal(g, e, 1e-9) for g, e in zip(got, expected, strict=True))


@cache
def _machine():
    """Return (times, values): a baseline, wear, a standstill, holes, a wild reading, running-in."""
    rng = np.random.default_rng(8)
    values = 2 + rng.normal(0, 0.1, 200)
    values[30:60] *= 0.8
    values[60:] *= 1 + np.arange(140) / 200
    values[100:110] = 0.4
    values[150] = 50.0
    values[[70, 71, 160, -1]] = math.nan, math.inf, 1e16, 1e15
    times = START + np.arange(200) * 600 * S
    times[140:] += 5 * 3600 * S
    times[90] = times[89]
    return times.tolist(), values.tolist()


def _uneven():
    """Return (times, values): parts of a baseline far apart, the first in the middle; half of it; more."""
    values = [2.0, 2.0, 2.3, 2.0, 2.0] + [1.0] * 44 + [3.0] * 48 + [1.2] * 80 + [4.0] * 30
    return [START + i * 3600 * S for i in range(len(values))], values


def _idle():
    return [START + i * S for i in range(210)], [0.0] * 60 + [1.0] * 150


@cache
def _assessed(name):
    made = {"machine": _machine, "uneven": _uneven}
    series = made[name]() if name in made else EDGES.get(name, _idle())
    span = {"machine": 4 * 3600 * S, "uneven": 96 * 3600 * S}.get(name, 48 * S)
    return (*series, span, wear_oracle.assessments(*series, span))


def _wear(kernel):
    for name in ("machine", "uneven", "constant", "empty", "nan", "zero"):
        times, values, span, wanted = _assessed(name)
        rows = np.zeros(1, kernel.WEAR)
        kernel.begin(rows, span)
        out = np.empty((len(values), 3))
        kernel.assess_series(rows[0], np.array(times, np.int64), np.array(values, float), 6.0, out)
        said = [math.nan] * 3
        for got, (severity, trend) in zip(out.tolist(), wanted, strict=True):
            if not math.isnan(severity):
                days = (6.0 - severity) / trend - 0.5 if trend > 0 and severity >= 1 else math.nan
                said = [severity, trend, 0.0 if severity >= 6 else max(days, 0.0)]
            assert all(equal(g, e, 1e-9) for g, e in zip(got, said, strict=True)), (name, got, said)
    told = ((1.0, 1.0, 4.5), (6.0, 0.0, 0.0), (5.9, 1.0, 0.0), (3.0, 0.0, math.nan), (0.9, 1.0, math.nan))
    for severity, trend, days in told:
        assert equal(kernel.days_to(6.0, severity, trend), days)


UNSEEN = {
    "forecast": (
        "-np.inf: sign",  # the first reading clears the maxima whatever they were
        "1e-150: edge",
        "row['due_ns'][k] - row['horizon_ns']: sign",  # only differences between such times count
        "abs(error) > most: edge",  # the same trust, 1, on the edge
        "row['high'][k]: edge",  # two real numbers are never quite the same
        "row['low'][k]: edge",
        "row['miss_still']: edge",
        "abs(u) <= LARGEST: edge",  # a helper of exactly 1e15 comes where the forecast is silent
        "abs(helpers[i, h]) <= LARGEST: edge",
        "BUCKETS: edge",  # on the edge the loop clears all of them, too
    ),
    "wear": (
        "row['base'] <= 0.0: edge",  # no baseline of exactly nought has a spread here
        "IDLE * row['base']: edge",  # two real numbers are never quite the same
    ),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "check"), [("forecast", _forecast), ("wear", _wear)])
def test_planted_errors_are_caught(name, check):
    """No planted sign, index, comparison or edge goes unnoticed."""
    assert mutants.survivors(mutants.load(name), check, edges=True, same=UNSEEN[name]) == []
