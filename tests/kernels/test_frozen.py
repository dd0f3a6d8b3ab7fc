"""Frozen values and impossible leaps against their oracle."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mutants
from kernels.series import EDGES, START, S, examples, same, series
from minewatch.detect.kernels import frozen as compiled
from minewatch.detect.kernels.layout import NONE, RUNS
from oracles import frozen as oracle

RULE = {
    "half_step": 0.05, "wet": 40.0, "hold": 100 * S, "factor": 2.0, "least": 5.0, "least_readings": 4.0,
    "first": 20.0, "warm_up": 3.0, "fade": 500.0, "growth": 1.5, "wet_s": 7.0,
}  # fmt: skip
LIVELY = [float(i % 3) + i % 7 / 10 for i in range(60)]


def _run(kernel, times, values, rule):
    runs = np.zeros(2, RUNS)
    runs["since_ns"] = NONE
    order = (
        rule[k] for k in ("factor", "least", "least_readings", "first", "warm_up", "fade", "growth", "wet_s")
    )
    rest = tuple(order)
    found = [
        kernel.frozen(runs[1], x, t, rule["half_step"], rule["wet"], rule["hold"], *rest)
        for t, x in zip(times, values, strict=True)
    ]
    return found, float(runs["mean"][1])


def _check(kernel, times, values, **rule):
    rule = RULE | rule
    wanted = oracle.frozen(times, values, **rule)
    got = _run(kernel, times, values, rule)
    assert all(map(same, got[0], wanted[0]))
    assert same(got[1], wanted[1])


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """Rests agree with plain Python on every kind of bad input."""
    _check(compiled, *EDGES[name])


@examples
@given(series(), st.sampled_from([0.0, 0.05, 3.0]), st.sampled_from([1.0, 40.0, math.inf]))
def test_any_series(data, half_step, wet):
    """Rests agree with plain Python on whatever comes."""
    _check(compiled, *data, half_step=half_step, wet=wet)


def _steps(values, step=S):
    return [START + i * step for i in range(len(values))], values


def test_a_lively_sensor_that_stops_is_frozen_soon_and_a_quiet_one_is_not():
    """Ten minutes of rest mean a fault in a lively sensor and nothing in one that rests for hours."""
    lively = [1.0 + 0.1 * (i % 9) for i in range(400)] + [1.35] * 60
    quiet = [round(1.0 + i // 150 * 0.1, 1) for i in range(3000)]
    rule = RULE | {"half_step": 0.0, "least": 30.0, "least_readings": 30.0, "first": 300.0, "factor": 2.0}
    assert _run(compiled, *_steps(lively), rule)[0][-1] >= 1
    assert max(_run(compiled, *_steps(quiet), rule)[0]) < 1


def test_a_fault_does_not_teach_that_it_is_usual():
    """The same long rest is found again the second time."""
    values = (LIVELY * 4 + [0.55] * 300) * 2 + LIVELY
    found, _ = _run(compiled, *_steps(values), RULE | {"half_step": 0.0, "fade": 1e6})
    first, second = found[240:540], found[780:1080]
    assert max(first) > 1
    assert max(second) > 1


def test_a_wet_meter_is_never_usual():
    """A humidity at its stop is told each time, however often it stood there."""
    values = ([95.0, 96.0, 97.0] * 5 + [100.0] * 30) * 6
    found, _ = _run(compiled, *_steps(values), RULE | {"wet": 99.5})
    assert sum(a < 1 <= b for a, b in pairwise(found)) == 6


def test_a_line_that_was_never_opened_proves_nothing_and_one_that_runs_does():
    """Zero from the first day on is no fault; a meter that dies at zero after it has moved is one."""
    never, lively = [0.0] * 60, [1.0, 2.0, 3.0, 2.5] * 5
    rule = RULE | {"half_step": 0.0}
    assert max(_run(compiled, *_steps(never), rule)[0]) == 0
    assert max(_run(compiled, *_steps(lively + never), rule)[0]) >= 1
    assert max(_run(compiled, *_steps([x + 5 for x in never]), rule)[0]) >= 1
    assert max(_run(compiled, *_steps([-1.0, *never]), rule)[0]) >= 1


@pytest.mark.parametrize("name", EDGES)
def test_leaps(name):
    """Speeds agree with plain Python on every kind of bad input."""
    _check_leaps(compiled, *EDGES[name])


def _check_leaps(kernel, times, values, fastest=0.05, step=0.1):
    before, before_ns, got = 0.0, NONE, []
    for t, x in zip(times, values, strict=True):
        got.append(kernel.leap(before, before_ns, x, t, fastest, step))
        if math.isfinite(x):
            before, before_ns = x, t
    assert all(map(same, got, oracle.leaps(times, values, fastest=fastest, step=step)))


def _planted(kernel):
    for name, rule in (("constant", {}), ("inf", {"wet": 1.0}), ("gap", {}), ("backwards", {})):
        _check(kernel, *EDGES[name], **rule)
    odd = [1.0, 1.05, 1.1, 1.0, 0.95, 0.9, -3.0, -3.0, 9.0, 9.0, 9.05, 9.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    for values in (
        LIVELY + [2.55] * 40 + LIVELY + [2.0] * 40 + LIVELY + [0.6] * 50,
        odd * 4,
        [0.0] * 30 + [0.02] * 30 + [-0.1] + [0.0] * 30 + [0.3] * 30,
        [-1.0] * 30 + [0.0] * 30,
        [2.0, 0.0, 2.0] + [0.0] * 30,
        [-1e12, 5e11] * 9,
    ):
        for rule in ({"half_step": 0.0}, {"wet": 2.0}, {"fade": 30.0}, {"warm_up": 9.0}):
            _check(kernel, *_steps(values), **rule)
            _check(kernel, *_steps(values, 100 * S), **rule)
    wide = [START + i * 100 * S + (i // 7) * S for i in range(60)]
    _check(kernel, wide, [float(i // 5 % 3) for i in range(60)])
    _check_leaps(kernel, *EDGES["inf"])
    _check_leaps(
        kernel, [START, START + S // 2, START + S // 2, START + 9 * S, START + 8 * S], [1.0, 3, 1, 2, 1]
    )
    assert math.isnan(kernel.leap(1.0, START, 2.0, START + S, math.inf, 0.0))


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
def test_planted_errors_are_caught():
    """No planted sign, index or comparison error goes unnoticed."""
    assert mutants.survivors(mutants.load("frozen"), _planted) == []
