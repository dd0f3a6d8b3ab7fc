"""Test gas: the kernel against its oracle, and what must never be taken for a test."""

import math
import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import mutants
from kernels.series import START, S, examples
from minewatch.detect.kernels import trial as kernel
from minewatch.detect.kernels import trial_layout as layout
from minewatch.detect.kernels.layout import NONE
from minewatch.detect.trial_settings import TestGasSettings, signs
from oracles import trial as oracle

METER, AIR, BAROMETER = 0, 1, 2
SIGNS = signs(TestGasSettings())
FACE = (METER, METER, AIR, BAROMETER)  # the meter under test, a neighbour, an anemometer, a barometer
USUAL = {METER: 0.2, AIR: 1.6, BAROMETER: 1010.0}


def rows(kinds, gas=math.nan, window=(1, 0)):
    """Return kernel rows of one group; ``gas`` and ``window`` announce a test at the first."""
    made = np.zeros(len(kinds), layout.TRIAL)
    for name in ("last_ns", "before_ns", "good_ns", "heard_ns", "onset_ns", "high_ns", "low_ns"):
        made[name] = NONE
    for name in ("gas", "last", "ref", "mark", "base", "mid", "level", "found", "low"):
        made[name] = np.nan
    made["kind"] = kinds
    made["group"] = 1  # there is an empty group before it
    made["announced_from"], made["announced_to"] = 1, 0
    made["gas"][0] = gas
    made["announced_from"][0], made["announced_to"][0] = window
    return made


def run(kinds, readings, module=kernel, **announced):
    """Feed (slot, t, x, good) rows; return the kernel's changes as the oracle writes them."""
    made = rows(kinds, **announced)
    members, first = np.arange(len(kinds)), np.array([0, 0, len(kinds)])
    out = np.zeros(4, layout.CHANGE)
    point = np.array([r[0] for r in readings], np.int32)
    ts = np.array([r[1] for r in readings], np.int64)
    value = np.array([r[2] for r in readings], np.float64)
    quality = np.array([0 if r[3] else 128 for r in readings], np.uint8)
    done, found = 0, []
    groups = np.zeros(2, layout.PLACE)
    groups["calm_ns"] = NONE
    while done < len(point):
        done, n, _ = module.watch(
            made, groups, members, first, members, point, ts, value, quality, done, NONE, SIGNS, out
        )
        found += [tuple(out[name][i].item() for name in NAMES) for i in range(n)]
    return found


NAMES = (
    "slot", "stage", "reason", "ts_ns", "since_ns", "witness", "base", "level", "t90_s", "recovery_s",
)  # fmt: skip


def expected(kinds, readings, gas=math.nan, window=(1, 0)):
    """Return what the oracle says."""
    points = [oracle.Point(kind, 0) for kind in kinds]
    points[0].gas, points[0].begin, points[0].end = gas, *window
    mine = oracle.Trials(points, SIGNS)
    for reading in readings:
        mine.read(*reading)
    return [(*c[:4], NONE if c[4] is None else c[4], *c[5:]) for c in mine.changes]


def check(kinds, readings, module=kernel, **announced):
    """Compare both, bit for bit (NaN equal), and return what was found."""
    found = run(kinds, readings, module, **announced)
    np.testing.assert_equal(found, expected(kinds, readings, **announced))
    return found


def story(seconds, *changes, kinds=FACE, period=1):
    """Return readings of all points each second; ``changes`` are (slot, what it shows at a second)."""
    given_by = dict(changes)
    made = []
    for second in range(0, seconds, period):
        for slot, kind in enumerate(kinds):
            x = given_by[slot](second) if slot in given_by else USUAL[kind]
            if x is not None:
                made.append((slot, START + second * S, x, True))
    return made


def bottle(at=60, gas=2.2, until=1e9, base=0.2, tau=4.0):
    """Return what a meter shows of gas from a bottle: a first-order step and back."""

    def shown(second):
        if second < at:
            return base
        x = base + (gas - base) * -math.expm1(-(second - at) / tau)
        if second > until:
            x = base + (x - base) * math.exp(-(second - until) / tau)
        return round(x, 2)

    return shown


def stages(found):
    """Return (stage, reason) of each change."""
    return [(row[1], row[2]) for row in found]


def test_a_bottle_is_a_test_and_goes_into_the_ledger():
    """A first-order step to 2.2 is suspected, tested after eight seconds, over when the gas is gone."""
    found = check(FACE, story(300, (0, bottle(until=120))))
    assert stages(found) == [
        (layout.SUSPECTED, 0), (layout.TESTED, 0), (layout.AFTER, layout.RECOVERED),
    ]  # fmt: skip
    suspected, tested, over = found
    assert (suspected[3] - START) / S <= 62
    assert (tested[3] - tested[4]) / S == 8
    assert over[7] == pytest.approx(2.2, abs=0.05)  # as found
    assert over[8] == pytest.approx(9.2, abs=1)  # t90 of a first-order step of 4 s
    assert over[9] == pytest.approx(8, abs=3)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.5])
def test_gas_that_goes_on_rising_is_no_test(rate):
    """A ramp, however steep, is never tagged, and doubted within eight seconds at most."""
    found = check(FACE, story(200, (0, lambda s: min(0.2 + max(0, s - 60) * rate, 40.0))))
    assert layout.TESTED not in [row[1] for row in found]
    for row in found:
        if row[1] == layout.REFUTED:
            assert row[3] - row[4] <= 8 * S


@pytest.mark.parametrize(
    ("slot", "to", "reason"),
    [
        (1, 0.6, "NEIGHBOUR"),
        (2, 0.1, "AIR_LOW"),
        (2, 1.0, "AIR_FELL"),
        (3, 1008.0, "PRESSURE"),
        (2, None, "SILENT"),
    ],
)
@pytest.mark.parametrize("when", [30, 61, 64, 100])
@pytest.mark.parametrize("announced", [False, True])
def test_a_witness_ends_it_at_once(slot, to, reason, when, announced):
    """A neighbour, the air, the barometer or their silence: the trial is refuted, announced or not."""
    told = {"gas": 2.2, "window": (START, START + 3600 * S)} if announced else {}
    kind = FACE[slot]
    found = check(FACE, story(160, (0, bottle()), (slot, lambda s: USUAL[kind] if s < when else to)), **told)
    late = 12 if to is None else 1
    if when == 30:  # a neighbour or barometer that stands higher is usual by now; air never is
        assert kind != AIR or to is None or not found
        return
    assert found[-1][1:3] == (layout.REFUTED, getattr(layout, reason))
    assert (found[-1][3] - START) / S <= max(when, 61) + late


@pytest.mark.parametrize("kinds", [(METER,), (METER, AIR), (METER, METER), (METER, BAROMETER, AIR)])
def test_without_witnesses_nothing_is_suspected(kinds):
    """One meter in a heading, or no air: nobody can say that it is a test, so nothing waits."""
    assert check(kinds, story(160, (0, bottle()), kinds=kinds)) == []


def test_an_announced_test_at_a_single_meter_needs_the_gas_that_was_announced():
    """With air, a window and a known bottle the one meter of a heading is tagged; above that gas not."""
    kinds, told = (METER, AIR), {"gas": 2.2, "window": (START, START + 600 * S)}
    found = check(kinds, story(160, (0, bottle()), kinds=kinds), **told)
    assert stages(found) == [(layout.SUSPECTED, 0), (layout.TESTED, 0)]
    found = check(kinds, story(160, (0, bottle(gas=3.5)), kinds=kinds), **told)
    assert found[-1][1:3] == (layout.REFUTED, layout.LEVEL)


@pytest.mark.parametrize("gas", [5.1, 60.0])
def test_a_bottle_above_what_always_calls_excuses_no_single_meter(gas):
    """A gas that no plateau below the highest level can exceed bounds nothing: a neighbour is needed."""
    readings = story(160, (0, bottle()), kinds=(METER, AIR))
    assert check((METER, AIR), readings, gas=gas, window=(START, START + 600 * S)) == []


def test_gas_left_on_is_paged_after_the_bound():
    """Test gas that nobody takes away is refuted after three minutes, in an announced window at its end."""
    found = check(FACE, story(400, (0, bottle())))
    assert found[-1][1:3] == (layout.REFUTED, layout.BOUND)
    assert (found[-1][3] - found[-1][4]) / S == 181
    found = check(FACE, story(900, (0, bottle())), gas=2.2, window=(START, START + 600 * S))
    assert found[-1][1:3] == (layout.REFUTED, layout.BOUND)
    assert (found[-1][3] - START) / S == 601


def test_gas_that_creeps_on_from_the_plateau_is_no_test():
    """The plateau of a bottle stands still; half a percent more, slowly, is refuted."""
    found = check(FACE, story(200, (0, lambda s: bottle()(s) + max(0.0, s - 80) * 0.02)))
    assert found[-1][1:3] == (layout.REFUTED, layout.CREEP)


def test_a_second_bottle_is_one_trial():
    """Span gas after zero gas, within the bound, is the same test."""
    shown = [bottle(until=75), bottle(at=100, gas=2.2)]
    found = check(FACE, story(160, (0, lambda s: shown[s >= 100](s))))
    assert stages(found) == [(layout.SUSPECTED, 0), (layout.TESTED, 0)]


def test_gas_that_comes_back_slowly_after_a_test_is_refuted():
    """After a test is over a slow rise is no test: whatever still waits must be paged."""
    shown = lambda s: bottle(until=100)(s) if s < 250 else 0.2 + (s - 250) * 0.01  # noqa: E731
    found = check(FACE, story(500, (0, shown)))
    assert found[-1][1:3] == (layout.REFUTED, layout.RISES)


def test_two_meters_at_once_are_no_test():
    """Two bottles at the same second at two meters of a place: nothing is tagged."""
    found = check(FACE, story(200, (0, bottle()), (1, bottle())))
    assert layout.TESTED not in [row[1] for row in found]


def test_slow_instruments_are_never_suspected():
    """A meter read every ten seconds cannot show the shape of a step: its alerts wait for nothing."""
    assert check(FACE, story(400, (0, bottle()), period=10)) == []


EDGES = {
    "empty": [],
    "one": [(0, START, 2.2, True)],
    "nan": [(0, START + i * S, math.nan, True) for i in range(20)],
    "bad": [(i % 4, START + i * S, 2.2, i % 3 > 0) for i in range(60)],
    "infinite": [(0, START + i * S, math.inf if i > 5 else 0.2, True) for i in range(20)],
    "constant": [(i % 4, START + i // 4 * S, 1.0, True) for i in range(400)],
    "backwards": [(0, START - i * S, float(i), True) for i in range(20)],
    "gap": story(70, (0, bottle())) + [(s, t + 9999 * S, x, g) for s, t, x, g in story(70, (0, bottle()))],
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    """Kernel and oracle agree on every kind of bad input."""
    check(FACE, EDGES[name])


@st.composite
def mines(draw):
    """Return a story with a random step, random answers of the witnesses, gaps and bad readings."""
    kinds = draw(st.sampled_from([FACE, (METER, METER, METER, AIR), (METER, AIR), (METER, METER, AIR, AIR)]))
    made, t = [], START
    value = [USUAL[kind] for kind in kinds]
    for _ in range(draw(st.integers(1, 120))):
        t += draw(st.sampled_from([S, S, S, S, S // 4, 2 * S, 5 * S, 30 * S, 200 * S]))
        if draw(st.integers(0, 9)) == 0:
            slot = draw(st.integers(0, len(kinds) - 1))
            value[slot] += draw(st.sampled_from([-2.0, -0.5, -0.1, 0.1, 0.3, 0.5, 1.0, 2.0]))
        if draw(st.integers(0, 19)) == 0:
            value = [USUAL[kind] for kind in kinds]
        bad = draw(st.integers(0, 40))
        made += [(slot, t, x, slot != bad) for slot, x in enumerate(value) if slot != bad - 4]
    return kinds, made


@examples
@given(mines(), st.booleans())
def test_any_story(mine, announced):
    """Kernel and oracle agree on whatever happens, announced or not."""
    kinds, readings = mine
    told = {"gas": 2.2, "window": (START, START + 300 * S)} if announced else {}
    check(kinds, readings, **told)


def wild(seed, kinds, steps):
    """Return a story by chance: steps up and down at any point, gaps, bad readings."""
    chance = random.Random(seed)
    value, made, t = [USUAL[kind] for kind in kinds], [], START
    for _ in range(steps):
        t += chance.choice([S, S, S, S, S, S, 2 * S, 5 * S, 30 * S, 200 * S, 700 * S])
        if chance.random() < 0.15:
            slot = 0 if chance.random() < 0.5 else chance.randrange(len(kinds))
            value[slot] += chance.choice([-2.0, -0.5, -0.1, 0.1, 0.3, 0.5, 1.5, 2.0])
        if chance.random() < 0.05:
            value = [USUAL[kind] for kind in kinds]
        for slot, x in enumerate(value):
            made.append((slot, t, x, chance.random() > 0.002))
    return made


def steps(*values, then=0.2):
    """Return what a meter shows: (second, value) steps, and ``then`` before the first."""

    def shown(second):
        return next((x for at, x in reversed(values) if second >= at), then)

    return shown


def fast(shown, seconds):
    """Return readings of all points four times a second."""
    quarters = story(4 * seconds, (0, lambda quarter: shown(quarter / 4)))
    return [(slot, START + (t - START) // 4, x, good) for slot, t, x, good in quarters]


def missing(begin, end, shown):
    """Return what a meter shows, and nothing from ``begin`` to before ``end``."""
    return lambda second: None if begin <= second < end else shown(second)


TWICE = steps((40, 2.2), (70, 0.2), (150, 2.2), (180, 0.2))
THREE = (METER, METER, METER, AIR)
HOURS = (START, START + 3600 * S)
LIVES = (
    (FACE, story(230, (0, bottle(until=110))), {}),
    (FACE, story(262, (0, bottle())), {}),
    (FACE, story(110, (0, lambda s: bottle()(s) + max(0.0, s - 80) * 0.02)), {}),
    (FACE, story(75, (0, lambda s: 0.2 + max(0, s - 60) * 0.2)), {}),
    (FACE, story(75, (0, lambda s: 0.2 if s < 60 else 1.4)), {}),
    (FACE, story(75, (0, lambda s: 0.2 if s < 60 else 5.2)), {}),
    (FACE, story(90, (0, bottle()), (1, lambda s: 0.2 if s < 75 else 0.5)), {}),
    (FACE, story(90, (0, bottle()), (2, lambda s: 1.6 if s < 75 else 1.0)), {}),
    (FACE, story(90, (0, bottle()), (2, lambda s: 1.6 if s < 75 else 0.2)), {}),
    (FACE, story(90, (0, bottle()), (3, lambda s: 1010.0 if s < 75 else 1011.0)), {}),
    (FACE, story(100, (0, bottle()), (1, lambda s: 0.2 if s < 75 else None)), {}),
    ((METER, AIR), story(90, (0, bottle(gas=2.5)), kinds=(METER, AIR)), {"gas": 2.2, "window": HOURS}),
    ((METER, AIR), story(90, (0, bottle(gas=2.9)), kinds=(METER, AIR)), {"gas": 2.2, "window": HOURS}),
    (
        (METER, AIR),
        story(90, (0, bottle()), kinds=(METER, AIR)),
        {"gas": 2.2, "window": (START, START + 80 * S)},
    ),
    ((METER, AIR), story(90, (0, bottle()), kinds=(METER, AIR)), {"window": HOURS}),
    ((METER, AIR), story(90, (0, bottle()), kinds=(METER, AIR)), {"gas": 5.0, "window": HOURS}),
    ((METER, AIR), story(90, (0, bottle()), kinds=(METER, AIR)), {"gas": 5.1, "window": HOURS}),
    ((METER, METER), story(90, (0, bottle()), kinds=(METER, METER)), {}),
    (FACE, story(90, (0, bottle()), (1, lambda s: 0.2 if s < 75 else 0.7)), {"window": HOURS}),
    (FACE, story(200, (0, TWICE), (1, steps((45, 0.6), (60, 0.2)))), {}),  # refuted, gone, tested
    (
        FACE,
        story(
            200, (0, steps((40, 2.2), (80, 0.4), (110, 0.2), (135, 2.2))), (1, steps((45, 0.6), (60, 0.2)))
        ),
        {},
    ),
    (FACE, story(120, (0, steps((40, 2.2), (44, 0.3))), (1, steps((45, 0.6)))), {}),  # suspected, not gas
    (FACE, story(120, (0, steps((40, 2.4), (47, 2.0)))), {}),
    (FACE, story(120, (0, steps((40, 2.4), (47, 1.6)))), {}),
    (FACE, story(120, (0, steps((40, 2.2), (70, 2.9)))), {}),  # a further step
    (FACE, story(120, (0, missing(65, 90, steps((40, 2.2), (70, 2.9))))), {}),  # behind a gap
    (
        FACE,
        story(140, (0, bottle(at=40, until=80)), (1, steps((88, 0.6)))),
        {},
    ),  # a neighbour, but no gas left
    (FACE, story(140, (0, bottle(at=40, until=80)), (1, steps((83, 0.6)))), {}),
    (FACE, story(220, (0, steps((40, 2.2), (70, 0.4), (160, 0.2), (170, 0.3), (176, 0.4), (182, 0.55)))), {}),
    (FACE, fast(bottle(at=40), 62), {}),
    (
        THREE,
        story(720, (0, bottle(at=700)), (1, missing(5, 900, lambda s: 0.2)), kinds=THREE),
        {},
    ),  # long dead
    (FACE, story(60, (0, steps((40, 1.5), (47, 1.9), then=1.0))), {}),
    (FACE, story(60, (0, steps((40, 1.6), (47, 1.7), then=1.3))), {}),
    (FACE, story(90, (0, bottle(gas=2.9))), {"gas": 2.2, "window": (START, START + 10 * S)}),
    (FACE, story(190, (0, steps((40, 2.2), (50, 0.9), (150, 2.2))), (1, steps((45, 0.6), (60, 0.2)))), {}),
    (FACE, story(190, (0, steps((40, 2.2), (50, 1.3), (150, 2.2))), (1, steps((45, 0.6), (60, 0.2)))), {}),
    *((FACE, wild(seed, FACE, 90), {}) for seed in range(12)),
)


@cache
def _lives():
    """Return (points, readings, what is announced, what the oracle finds), worked out once."""
    return [(kinds, readings, more, expected(kinds, readings, **more)) for kinds, readings, more in LIVES]


def _errors(module):
    def lived(life):
        kinds, readings, announced, wanted = life
        np.testing.assert_equal(run(kinds, readings, module, **announced), wanted)

    mutants.try_all(_lives(), lived)


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
@pytest.mark.timeout(600)
def test_planted_errors_are_caught():
    """No planted sign or comparison error in what decides goes unnoticed."""
    functions = ("doubt", "lone", "until", "lowest", "usual", "undecided", "decide", "running", "follow")
    same = (
        "- NEAR: sign",  # a billionth less or more: only a rounding error would show it
        "+ NEAR: sign",
        "-1: sign",  # no witness: that doubt is not written
        "neighbours += 1",  # only compared with nought
        "airs += 1",
        "min(r['kept'], RING)",  # what was never kept is older than any window
        "MOST_MEMBERS",  # see test_a_place_of_too_many_points_is_none
        "first[g + 1] - first[g]: sign",
        "g + 1: sign",
        "at + changes",  # a hole lets no second change come at the same reading
    )
    assert mutants.survivors(kernel, _errors, functions, same=same) == []
