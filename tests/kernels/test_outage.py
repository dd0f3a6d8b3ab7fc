"""Silence and freeze of most points at once, against their oracles."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mutants
from kernels.series import START, S, examples
from minewatch.detect.kernels import outage as outage_kernel
from minewatch.detect.kernels.layout import NONE
from oracles import outage as oracle

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


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
def test_planted_errors_are_caught():
    """No planted sign, index or comparison error goes unnoticed."""
    assert mutants.survivors(mutants.load("outage"), _planted_outage) == []
