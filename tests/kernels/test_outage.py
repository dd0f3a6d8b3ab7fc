"""Most points at once, drift and lost response against their oracles."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mutants
from kernels.series import START, S, examples, same
from minewatch.detect.kernels import outage as outage_kernel
from minewatch.detect.kernels import trust as trust_kernel
from minewatch.detect.kernels.layout import DRIFT, NONE, RESPONSE
from oracles import outage as oracle
from oracles import trust as trust_oracle

NOW = START + 10_000 * S


def _ns(moments):
    return np.array([NONE if m is None else m for m in moments], np.int64)


def _check_silent(kernel, members, intervals=3.0):
    heard, hold = ([m[i] for m in members] for i in (0, 1))
    share, since, count = kernel.silent_share(_ns(heard), np.array(hold, np.int64), NOW, intervals)
    wanted = oracle.silent(members, NOW, intervals)
    assert (share, None if since == NONE else since, count) == wanted


def _check_frozen(kernel, members, least=60.0, lively=3.0, together=90.0):
    since, heard, mean, hold = ([m[i] for m in members] for i in range(4))
    got = kernel.frozen_share(
        _ns(since), _ns(heard), np.array(mean, float), np.array(hold, np.int64), NOW, least, lively, together
    )
    wanted = oracle.frozen(members, NOW, least, lively, together)
    assert (got[0], None if got[1] == NONE else got[1], got[2]) == wanted


_ago = st.sampled_from([0, 30, 59, 60, 61, 150, 180, 181, 200, 290, 300, 301, 900]).map(lambda s: NOW - s * S)
_hold = st.sampled_from([60 * S, 100 * S])
_frozen = st.tuples(st.one_of(st.none(), _ago), _ago, st.sampled_from([0.0, 20.0, 50.0, 100.0, 300.0]), _hold)


@examples
@given(st.lists(st.tuples(st.one_of(st.none(), _ago), _hold), max_size=12))
def test_silence_of_most(members):
    """Share, moment and count of the silent agree with plain Python; nobody there is no outage."""
    _check_silent(outage_kernel, members)


@examples
@given(st.lists(_frozen, max_size=12))
def test_freeze_of_most(members):
    """Share, moment and count of those frozen together agree with plain Python."""
    _check_frozen(outage_kernel, members)


def test_one_moment_is_a_freeze_and_a_standstill_is_not():
    """Twenty that stopped within a minute are one finding; twenty that came to rest one by one are not."""
    hold = 60 * S
    frozen = [(NOW - 1200 * S - i * S, NOW, 60.0, hold) for i in range(20)]
    resting = [(NOW - (1200 + 600 * i) * S, NOW, 60.0, hold) for i in range(20)]
    for members, share in ((frozen, 1.0), (resting, 0.05)):
        since, heard, mean, holds = (np.array([m[i] for m in members]) for i in range(4))
        got = outage_kernel.frozen_share(since, heard, mean, holds, NOW, 600.0, 5.0, 180.0)
        assert got[0] == share


def _planted_outage(kernel):
    dice = random.Random(4)
    moments = [0, 30, 59, 60, 61, 150, 180, 181, 200, 290, 300, 301, 900]
    for _ in range(150):
        n = dice.randrange(9)
        ago = [None if dice.random() < 0.1 else NOW - dice.choice(moments) * S for _ in range(n)]
        hold = [dice.choice([60, 100]) * S for _ in range(n)]
        _check_silent(kernel, list(zip(ago, hold, strict=True)))
        heard = [NOW - dice.choice([0, 60, 61, 100, 101]) * S for _ in range(n)]
        mean = [dice.choice([0.0, 20.0, 50.0, 100.0, 300.0]) for _ in range(n)]
        _check_frozen(kernel, list(zip(ago, heard, mean, hold, strict=True)))


def _check_drift(kernel, pairs, warm_up=5, floor=0.01):
    row = np.zeros(2, DRIFT)
    got = [kernel.drift(row[1], x, o, float(warm_up), floor) for x, o in pairs]
    assert all(same(g, w, 1e-6) for g, w in zip(got, trust_oracle.drift(pairs, warm_up, floor), strict=True))
    return got


_number = st.one_of(st.floats(-50, 50), st.sampled_from([math.nan, math.inf, 0.0]))


@examples
@given(st.lists(st.tuples(_number, _number), max_size=40))
def test_drift_of_any_series(pairs):
    """Drift agrees with plain Python on whatever comes."""
    _check_drift(trust_kernel, pairs)


def test_a_drift_is_found_and_a_change_of_all_is_not():
    """A sensor that creeps away by 3 sigmas is told; when all rise together nobody drifts."""
    dice = random.Random(1)
    alike = [(math.sin(i / 9) + dice.gauss(0, 0.1), math.sin(i / 9)) for i in range(400)]
    creeping = [(x + max(0, i - 200) * 0.005, o) for i, (x, o) in enumerate(alike)]
    assert max(abs(v) for v in _check_drift(trust_kernel, alike, 100)[100:]) < 1.5
    assert _check_drift(trust_kernel, creeping, 100)[-1] > 3


def _check_response(kernel, events, warm_up=5, tie=0.5, memory=20):
    row = np.zeros(2, RESPONSE)
    got = [kernel.response(row[1], s, r, float(warm_up), tie, float(memory)) for s, r in events]
    wanted = trust_oracle.responses(events, warm_up, tie, memory)
    assert all(same(g, w, 1e-6) for g, w in zip(got, wanted, strict=True))
    return got


_whole = st.one_of(st.integers(-20, 20).map(float), st.sampled_from([math.nan, math.inf]))


@examples
@given(st.lists(st.tuples(_whole, st.integers(-40, 40).map(lambda k: k / 8)), max_size=40))
def test_response_to_any_events(events):
    """The lost share agrees with plain Python on whatever comes."""
    _check_response(trust_kernel, events)


def _events(answer, n, seed=3):
    dice = random.Random(seed)
    out = []
    for i in range(n):
        s = dice.gauss(0, 2)
        out.append((s, answer(i) * s + dice.gauss(0, 0.1)))
    return out


def test_a_covered_sensor_no_longer_answers():
    """A sensor that answered the barometer and stops is told within eight events, and stays told."""
    found = _check_response(trust_kernel, _events(lambda i: -0.4 if i < 60 else 0.0, 120), 20, 0.5, 200)
    assert max(found[20:60]) < 0.5
    assert min(found[76:]) > 0.5


def test_a_sensor_that_never_answered_cannot_stop():
    """Without a learned response nothing is said."""
    assert all(map(math.isnan, _check_response(trust_kernel, _events(lambda _: 0.0, 100), 20, 0.5, 200)))


def _planted_trust(kernel):
    dice = random.Random(2)
    pairs = [(dice.gauss(3, 1), dice.gauss(1, 1)) for _ in range(60)]
    _check_drift(kernel, [*pairs, (math.nan, 1.0), (9.0, 1.0)])
    _check_drift(kernel, pairs, 1)
    _check_drift(kernel, [(2.0, 1.0)] * 9 + [(2.5, 1.0)] * 9)
    for k in (0.7, -0.7, 0.0):
        _check_response(
            kernel,
            [(0.0, 1.0), (math.nan, 1.0), (1.0, math.inf), *_events(lambda i, k=k: k * (i % 50 < 25), 120)],
        )
    _check_response(kernel, _events(lambda i: 1.0 + (i > 30), 60), 30)
    _check_response(kernel, [(1.0, 0.0)] * 20)
    for size in (0.01, 1.0, 100.0):
        loose = [(dice.gauss(0, 1), size * dice.gauss(0, 1)) for _ in range(60)]
        for tie in (0.05, 0.1, 0.2, 0.3):
            _check_response(kernel, loose, 5, tie)


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
@pytest.mark.parametrize(("name", "check"), [("outage", _planted_outage), ("trust", _planted_trust)])
def test_planted_errors_are_caught(name, check):
    """No planted sign, index or comparison error goes unnoticed."""
    assert mutants.survivors(mutants.load(name), check) == []
