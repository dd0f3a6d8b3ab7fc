"""The evidence of a place against its oracle, and what it must and must not make of the air and the gas."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mutants
from kernels.series import START, S, examples
from kernels.test_trial import AIR, FACE, METER, SIGNS, rows, story
from minewatch.detect.kernels import place as kernel
from minewatch.detect.kernels import trial
from minewatch.detect.kernels import trial_layout as layout
from minewatch.detect.kernels.layout import NONE
from oracles.place import Place


def run(kinds, readings, weigher=None):
    """Feed (slot, t, x, good) rows; return the changes as the oracle writes them."""
    made = rows(kinds)
    members, first = np.arange(len(kinds)), np.array([0, 0, len(kinds)])
    groups = np.zeros(2, layout.PLACE)
    groups["calm_ns"] = groups["since_ns"] = NONE
    found = []
    for slot, t, x, _ in readings:
        r = made[slot]
        if r["last_ns"] != NONE and t <= r["last_ns"]:
            continue
        before = r["ref"] if r["good_ns"] != NONE and t - r["good_ns"] <= SIGNS.alive_ns else math.nan
        trial.usual(r, t, x, SIGNS)
        r["last_ns"] = r["good_ns"] = t
        r["last"] = x
        module = weigher or kernel
        moved = module.sign(made, groups, slot, t, x, before, SIGNS)
        told = module.weigh(made, groups, members, first, 1, t, SIGNS, moved)
        if told:
            found.append((t, ("", "begins", "ends", "change")[told], np.flatnonzero(made["sign"]).tolist()))
    return found


def check(kinds, readings, weigher=None):
    """Compare both and return the changes."""
    mine = Place(kinds, SIGNS)
    for slot, t, x, _ in readings:
        mine.read(slot, t, x)
    found = run(kinds, readings, weigher)
    assert found == mine.changes
    return found


def second(change):
    """Return the second of a change."""
    return (change[0] - START) / S


def test_air_that_fails_and_gas_that_follows_are_one_evidence():
    """Air falls from 1.6 to 0.4 at 100 s, gas rises from 110 s on: evidence, over when air is back."""
    air = lambda s: 1.6 if s < 100 or s > 300 else 0.4  # noqa: E731
    gas = lambda s: 0.2 + max(0, min(s, 400) - 110) * 0.02  # noqa: E731
    begins, back, ends = check(FACE, story(400, (0, gas), (2, air)))
    assert begins[1:] == ("begins", [0, 2])
    assert (back[1:], second(back)) == (("change", [0]), 301)
    assert 125 <= second(begins) <= 135
    assert ends[1] == "ends"
    assert second(ends) == 331


@pytest.mark.parametrize(
    ("air", "gas"),
    [
        (lambda s: 1.6, lambda s: 0.2 + s * 0.02),  # gas alone
        (lambda s: 0.1, lambda s: 0.2),  # no air alone
        (lambda s: 1.6 if s % 100 else 0.1, lambda s: 0.2 + s * 0.02),  # single wild readings of the air
        (lambda s: 1.6 if s < 100 else 1.0, lambda s: 0.2 + s * 0.02),  # a third less air
        (lambda s: 0.1, lambda s: 0.2 + s * 0.001),  # gas that drifts
    ],
)
def test_one_sign_alone_is_no_evidence(air, gas):
    """Gas without air trouble, air trouble without gas, and single readings make none."""
    assert check(FACE, story(400, (0, gas), (2, air))) == []


@examples
@given(st.integers(0, 2**32), st.sampled_from([FACE, (METER, METER, AIR), (METER, AIR, AIR), (METER,)]))
def test_any_story(seed, kinds):
    """Kernel and oracle agree on whatever happens, with gaps and times that go back."""
    check(kinds, wild(seed, kinds, 150))


JUMPS = (-1.5, -0.8, -0.35, 0.0, 0.14, 0.15, 0.3, 0.5)


def wild(seed, kinds, steps):
    """Return a story by chance: values that jump and come back, gaps of all lengths."""
    chance = random.Random(seed)
    usual = [{METER: 0.2, AIR: 1.6}.get(kind, 1010.0) for kind in kinds]
    value, made, t = list(usual), [], START
    for _ in range(steps):
        t += chance.choice([S, S, S, S, S, 3 * S, 11 * S, 40 * S, 700 * S, -S])
        for slot in range(len(kinds)):
            if chance.random() < 0.1:
                value[slot] = max(0.0, usual[slot] + chance.choice(JUMPS))
            made.append((slot, t, round(value[slot], 2), True))
    return made


def _errors(module):
    assert check((METER,), [], module) == []
    air = lambda s: 1.6 if s < 20 or s > 60 else 0.4  # noqa: E731
    check(FACE, story(110, (0, lambda s: 0.2 if s < 30 else 0.6), (2, air)), module)
    edge = lambda s: 2.0 if s < 10 else (0.25 if s < 40 else 1.6)  # noqa: E731
    check(
        (METER, AIR), story(100, (0, lambda s: 0.2 if s < 12 else 0.8), (1, edge), kinds=(METER, AIR)), module
    )
    for seed in range(10):
        check((METER, METER, AIR, AIR), wild(seed, (METER, METER, AIR, AIR), 120), module)


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
@pytest.mark.timeout(300)
def test_planted_errors_are_caught():
    """No planted sign, index or comparison error goes unnoticed."""
    same = (
        "g['gases'] += step: sign",  # only compared with nought
        "MOST_MEMBERS",  # see test_trials: a place of too many points is none
        "first[g + 1] - first[g]: sign",
        "g + 1: sign",
    )
    assert mutants.survivors(kernel, _errors, same=same) == []
