"""Drift against neighbours and lost response, against their oracles."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mutants
from kernels.series import examples, same
from minewatch.detect.kernels import trust
from minewatch.detect.kernels.trust_layout import DRIFT, MEANS, RESPONSE, TRUST
from oracles import trust as oracle

NAN, INF = math.nan, math.inf


def _check_means(readings, kernel=trust):
    """Compare the sums of (sensor, step, value), a call for each, with those of plain lists."""
    rows = np.zeros(3, TRUST)
    rows["open"] = 7
    late = 0
    for sensor, step, value in readings:
        late += kernel.collect(rows, np.array([sensor]), np.array([value]), step)
    wanted, missed = oracle.means(readings, 7, MEANS)
    assert late == missed
    for sensor in range(3):
        for step in {s for _, s, _ in readings if s >= 7}:
            kept = [step % MEANS] if rows[sensor]["which"][step % MEANS] == step else []
            got = [(rows[sensor]["count"][c], rows[sensor]["sum"][c]) for c in kept]
            assert got == ([wanted[sensor, step]] if (sensor, step) in wanted else [])


_readings = st.lists(
    st.tuples(st.integers(0, 2), st.integers(5, 14), st.integers(-9, 9).map(float)), max_size=40
)


@examples
@given(_readings)
def test_sums_of_any_readings(readings):
    """Sums and counts of each step agree with plain Python; what is late is counted and changes nothing."""
    _check_means(readings)


def _fresh(meters):
    sensors = np.zeros(meters, DRIFT)
    sensors["offset"] = NAN
    return sensors


def _drifts(rows, kernel=trust, warm_up=5, floor=0.01, cuts=()):
    rows = np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if len(rows) else 3)
    n, meters = rows.shape
    sensors = _fresh(meters)
    out = [np.full((n, meters), -9.0) for _ in range(3)] + [np.full((n, meters), -9)]
    edges = [0, *cuts, n]
    for a, b in itertools.pairwise(edges):
        kernel.walk_drift(rows[a:b], sensors, float(warm_up), floor, *(part[a:b] for part in out))
    return out


def _check_drift(rows, kernel=trust, warm_up=5, floor=0.01):
    got = _drifts(rows, kernel, warm_up, floor)
    for r, told in enumerate(oracle.drifts(rows, warm_up, floor)):
        for i, wanted in enumerate(told):
            assert all(same(part[r, i], w, 1e-6) for part, w in zip(got, wanted, strict=True)), (r, i)
    return got


def _ordinary(n=60, meters=4, seed=1):
    dice = np.random.default_rng(seed)
    common = dice.normal(0, 0.2, (n, 1)).cumsum(axis=0)
    return 1 + common + np.arange(meters) * 0.5 + dice.normal(0, 0.05, (n, meters))


EDGES = {
    "empty": [],
    "one": [[1.0, 2.0, 3.0]],
    "constant": [[0.7, 0.7, 0.7]] * 40,
    "nan": [[1.0, NAN, 2.0], [NAN, 1.0, 2.0], [NAN] * 3] * 8,
    "inf": [[1.0, INF, 0.9], [-INF, 1.1, 1.0]] * 8,
    "one alone": [[1.0 + i % 3, NAN, NAN] for i in range(20)],
    "two alone": [[1.0 + i % 3, 2.0, NAN] for i in range(20)],
    "one comes late": [[1.0 + i % 3, 2.0, 1.5, NAN if i < 9 else 7.0] for i in range(30)],
    "a gap": [[1.0, 2.0, 3.0, 3.0 + i % 2] if i < 12 or i > 20 else [NAN] * 4 for i in range(40)],
    "no spread": [[1.0, 1.0, 1.0]] * 9 + [[1.5, 1.0, 1.0]] * 9,
}


@pytest.mark.parametrize("name", EDGES)
def test_drift_of_bad_input(name):
    """Drift agrees with plain Python on every kind of bad input."""
    _check_drift(EDGES[name])


_number = st.one_of(st.floats(-50, 50), st.sampled_from([NAN, INF, 0.0]))


@examples
@given(st.integers(2, 5).flatmap(lambda k: st.lists(st.lists(_number, min_size=k, max_size=k), max_size=30)))
def test_drift_of_any_rows(rows):
    """Drift agrees with plain Python on whatever comes."""
    _check_drift(rows)


def test_a_cut_anywhere_changes_no_drift():
    """Rows in pieces give the same bits as rows at once."""
    rows = _ordinary()
    rows[30:34, 1] = NAN
    whole = _drifts(rows)
    for cuts in ([1], [31, 33], list(range(1, 60))):
        assert all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(whole, _drifts(rows, cuts=cuts), strict=True)
        )


@pytest.mark.parametrize("meters", [3, 4])
def test_the_meter_that_creeps_is_told_and_no_other(meters):
    """One of three or four creeps away: it alone is beyond three sigmas, on its side; the rest stay below."""
    rows = _ordinary(400, meters)
    rows[200:, 1] -= 0.005 * np.arange(200)
    off, sigmas, _, others = _check_drift(rows.tolist(), warm_up=150)
    assert np.nanmax(np.abs(sigmas[:200])) < 2
    assert sigmas[-1, 1] < -3
    assert -1 < off[-1, 1] < -0.8
    assert np.delete(np.abs(sigmas[200:]), 1, axis=1).max() < 2
    assert set(others[1:].reshape(-1)) == {meters - 1}


def test_what_all_do_and_a_missing_meter_are_no_drift():
    """All rise alike, and the highest of four is away for a while: nobody drifts."""
    rows = _ordinary(400)
    rows[200:] += 2.0
    rows[300:350, 3] = NAN
    assert np.nanmax(np.abs(_check_drift(rows.tolist(), warm_up=150)[1])) < 2


def _check_events(steps, kernel=trust, least=2.0, longest=4):
    row = np.zeros(2, RESPONSE)
    got = [kernel.change(row[1], t, s, x, least, longest) for t, s, x in steps]
    for pair, wanted in zip(got, oracle.events(steps, least, longest), strict=True):
        assert all(same(g, w, 1e-9) for g, w in zip(pair, wanted, strict=True))
    return got


_whole = st.one_of(st.integers(-20, 20).map(float), st.sampled_from([NAN, INF]))
_steps = st.lists(st.tuples(st.integers(1, 6), st.one_of(_whole, st.just(1.0)), _whole), max_size=40)


@examples
@given(_steps)
def test_events_of_any_steps(steps):
    """An event ends where plain Python says, with the same changes."""
    now, rising = 0, []
    for ahead, stimulus, own in steps:
        now += ahead
        rising.append((now, stimulus, own))
    _check_events(rising)


def test_a_change_is_an_event_once_it_is_large_and_soon_enough():
    """Two units in two steps are an event; two units over six steps, or across a gap, are none."""
    quick = _check_events([(1, 10.0, 1.0), (2, 9.0, 1.2), (3, 8.0, 1.5), (4, 7.5, 1.6)])
    assert [p[0] for p in quick if p[0] == p[0]] == [-2.0]
    assert quick[2] == (-2.0, 0.5)
    slow = [(t, 10.0 - 0.35 * t, 1.0) for t in range(1, 30)]
    assert all(math.isnan(p[0]) for p in _check_events(slow))
    assert math.isnan(_check_events([(1, 10.0, 1.0), (7, 3.0, 2.0)])[1][0])


WAYS = {"warm_up": 5, "least_tie": 0.5, "memory": 20, "recent": 8, "sure": 3.0}


def _check_response(pairs, kernel=trust, **ways):
    given_ = [float(v) for v in (WAYS | ways).values()]
    row = np.zeros(2, RESPONSE)
    got = []
    for s, r in pairs:
        lost, sigmas = kernel.response(row[1], s, r, *given_)
        got.append((lost, sigmas, row[1]["missed"]))
    for triple, wanted in zip(got, oracle.responses(pairs, **(WAYS | ways)), strict=True):
        assert all(same(g, w, 1e-6) for g, w in zip(triple, wanted, strict=True))
    return np.array(got).reshape(-1, 3)


# steps of 1/8 in both: no sum is close to a bound by rounding alone
@examples
@given(st.lists(st.tuples(_whole, st.integers(-40, 40).map(lambda k: k / 8)), max_size=40))
def test_response_to_any_events(pairs):
    """The lost share, its sigmas and the events missed agree with plain Python on whatever comes."""
    _check_response(pairs)


def _events(answer, n, seed=3, noise=0.1):
    dice = random.Random(seed)
    out = []
    for i in range(n):
        s = dice.choice([-1, 1]) * dice.uniform(1, 3)
        out.append((s, answer(i) * s + dice.gauss(0, noise)))
    return out


LONG = {"warm_up": 20, "memory": 200}


def test_a_covered_sensor_no_longer_answers():
    """A sensor that answered the barometer and stops is told within eight events, and stays told."""
    lost, sigmas, missed = _check_response(_events(lambda i: -0.4 if i < 60 else 0.0, 120), **LONG).T
    assert np.nanmax(lost[:60]) < 0.5
    assert lost[68:].min() > 0.5
    assert sigmas[68:].min() > 3
    assert missed[-1] >= 50


def test_a_loose_response_is_seldom_lost_by_chance():
    """Where half of a reply is something else, a share often seems lost; by four sigmas hardly ever."""
    seeming = told = 0
    for seed in range(20):
        row = np.zeros(1, RESPONSE)
        for s, r in _events(lambda _: 0.4, 400, seed, noise=0.8):
            lost, sigmas = trust.response(row[0], s, r, 20.0, 0.5, 200.0, 8.0, 4.0)
            seeming += lost > 0.5
            told += lost > 0.5 and sigmas >= 4
    assert seeming > 100
    assert told < 16


def test_a_sensor_that_never_answered_cannot_stop():
    """Without a learned response nothing is said."""
    assert np.isnan(_check_response(_events(lambda _: 0.0, 100), **LONG)[:, 0]).all()


def test_several_sensors_keep_what_the_last_event_said():
    """A step without an event leaves the findings; each sensor has its own."""
    answers, lost, sigmas = np.zeros(2, RESPONSE), np.full(2, NAN), np.full(2, NAN)
    for step in range(1, 200):
        moved = 3.0 * (step // 2 % 2)
        own = np.array([0.5 * moved * (step < 120), 0.5 * moved]) + 0.01 * (step % 3)
        trust.walk_response(
            answers, step, np.full(2, moved), own, 2.0, 4, 20.0, 0.5, 200.0, 8.0, 4.0, lost, sigmas
        )
    assert lost[0] > 0.9 > 0.1 > lost[1]
    assert sigmas[0] > 4


def _planted(kernel):
    dice = random.Random(5)
    for most in (8, 9, 12, 20):
        _check_means(
            [(dice.randrange(3), dice.randrange(5, most), float(dice.randrange(9))) for _ in range(60)],
            kernel,
        )
    rows = _ordinary(40, 5, 3)
    rows[20:30, 2] += 3.0
    rows[30:, 0] -= 0.9
    rows[15:25, 3] = NAN
    rows[:, 1] *= -1
    for columns in (5, 4, 3, 2):
        _check_drift(rows[:, :columns].tolist(), kernel)
    _check_drift(rows[:, :3].tolist(), kernel, warm_up=1)
    for case in ("one comes late", "no spread", "nan", "inf"):
        _check_drift(EDGES[case], kernel)
    dice = random.Random(2)
    steps = [(t, dice.choice([NAN, 1.0, 2.0, 3.0, 4.0, 7.0]), float(dice.randrange(5))) for t in range(1, 60)]
    _check_events(steps, kernel)
    _check_events([(3 * t, s, x) for t, s, x in steps], kernel)
    _check_events([(5 * t, s, x) for t, s, x in steps], kernel)
    _check_events([(5 * t, s, INF if x == 1 else x) for t, s, x in steps], kernel, 2.0, 5)
    for k in (0.7, -0.7, 0.0):
        more = [(0.0, 1.0), (NAN, 1.0), (1.0, INF)]
        _check_response([*more, *_events(lambda i, k=k: k * (i % 50 < 25), 120)], kernel)
    _check_response(_events(lambda i: 1.0 + (i > 30), 60), kernel, memory=30)
    _check_response([(1.0, 0.0)] * 20, kernel)
    _check_response([(2.0, 6.0)] * 9 + [(2.0, 0.0)] * 9, kernel)
    for size in (0.01, 1.0, 100.0):
        loose = [(dice.gauss(0, 1), size * dice.gauss(0, 1)) for _ in range(60)]
        for tie in (0.05, 0.1, 0.2, 0.3):
            _check_response(loose, kernel, least_tie=tie)
    _check_walk(kernel)


def _check_walk(kernel):
    """Compare a walk over sensors with single steps of them."""
    dice = random.Random(8)
    ways = (5.0, 0.5, 20.0, 8.0, 3.0)
    answers, alone = np.zeros(3, RESPONSE), np.zeros(3, RESPONSE)
    lost, sigmas = np.full(3, NAN), np.full(3, NAN)
    for step in range(1, 60):
        stimulus = np.array([dice.choice([0.0, 3.0, NAN]) for _ in range(3)])
        own = stimulus * [0.5, -0.2, 0.9 * (step < 40)] + dice.gauss(0, 0.01)
        was = lost.copy(), sigmas.copy()
        kernel.walk_response(answers, step, stimulus, own, 2.0, 9, *ways, lost, sigmas)
        for k in range(3):
            moved = trust.change(alone[k], step, stimulus[k], own[k], 2.0, 9)
            told = trust.response(alone[k], *moved, *ways)
            for found, new, old in zip((lost, sigmas), told, was, strict=True):
                assert same(found[k], old[k] if math.isnan(told[0]) else new, 1e-9)


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
def test_planted_errors_are_caught():
    """No planted sign, index or comparison error goes unnoticed."""
    assert mutants.survivors(mutants.load("trust"), _planted) == []
