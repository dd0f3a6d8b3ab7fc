"""Novelty against its oracle, and what it must and must not say."""

import math
import os
import random

import numpy as np
import pytest
from hypothesis import given

from kernels.mutants import survivors, try_all
from kernels.series import EDGES, START, S, examples, same, series
from minewatch.detect.kernels import novelty as kernel
from minewatch.detect.kernels.jit import kernel as compiled
from minewatch.detect.kernels.layout import NOVEL
from oracles import novelty as oracle

PAR = {
    "floor": 0.0,
    "weight": 0.5,
    "hour_ns": 2700 * S,
    "share": 0.1,
    "block": 3,
    "block_ns": 0,
    "warm": 5,
    "warm_ns": 0,
    "threshold": 0.17,
    "again": 2.0,
    "gate": 20,
    "gate_ns": 30 * S,
}


def _rows(views, whole):
    """Return a loop over rows with these two kernels."""

    def run(novel, other, ts, x, floor, weight, hour_ns, share, block, block_ns, warm, warm_ns, threshold,
            again, gate, gate_ns, first, second, said):  # fmt: skip
        for i in range(ts.shape[0]):
            first[i], second[i] = views(novel[1], x[i], ts[i], floor, hour_ns, share, block, block_ns)
            said[i] = whole(
                other[1], x[i], ts[i], floor, weight, hour_ns, share, block, block_ns, warm, warm_ns,
                threshold, again, gate, gate_ns,
            )  # fmt: skip

    return run


RUN = compiled(_rows(kernel.views, kernel.novelty))


def judge(times, values, run=RUN, **more):
    """Return [(newness, newness for the hour, novelty over the bar)] of the kernel."""
    par = PAR | more
    novel, other = np.zeros(3, NOVEL), np.zeros(3, NOVEL)
    out = np.zeros((3, len(values)))
    run(novel, other, np.array(times, np.int64), np.array(values, np.float64), *par.values(), *out)
    assert novel[[0, 2]].tobytes() == np.zeros(2, NOVEL).tobytes(), "the neighbours must not be touched"
    return out.T.tolist()


def check(times, values, run=RUN, **more):
    """Assert that kernel and oracle agree on every row."""
    agree(judge(times, values, run, **more), oracle.novelty(times, values, **(PAR | more)))


def agree(got, expected):
    """Assert that two results are the same, row by row."""
    for row, (g, e) in enumerate(zip(got, expected, strict=True)):
        assert all(same(a, b, 1e-6) for a, b in zip(g, e, strict=True)), (row, g, e)


def ordinary(n, seed=1, step=300 * S):
    """Return a day's wave with noise."""
    dice = random.Random(seed)
    times = [START + i * step for i in range(n)]
    return times, [10 + 3 * math.sin(t / S / 86400 * 2 * math.pi) + dice.gauss(0, 0.3) for t in times]


@pytest.mark.parametrize("floor", [0.0, 0.5])
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, floor):
    """Kernel and plain Python agree on every kind of bad input."""
    check(*EDGES[name], floor=floor)


@examples
@given(series())
def test_any_series(data):
    """Kernel and plain Python agree on whatever comes."""
    check(*data)


TOUR = {}  # name: values that lead through every branch of the memory


def _tour(name):
    def note(make):
        TOUR[name] = make(random.Random(name))
        return make

    return note


@_tour("spikes")
def _spikes(dice):
    return [
        dice.gauss(5, 1) if i % 37 else dice.choice([-1, 1]) * 10 ** dice.uniform(1, 9) for i in range(900)
    ]


@_tour("levels")
def _levels(dice):
    return [dice.gauss([0, 500, 500.5, -2e4][i // 250], 0.2) for i in range(1000)]


@_tour("steps")
def _steps(dice):
    return [round(dice.gauss(1, 0.1), 1) for _ in range(200)] + [
        round(dice.gauss(1, 2), 1) for _ in range(400)
    ]


@_tour("drift")
def _drift(dice):
    return [i * 0.01 + dice.gauss(0, 0.05) for i in range(500)] + [5 - i * 0.02 for i in range(500)]


@_tour("wide then narrow")
def _narrow(dice):
    return [dice.gauss(0, 100) for _ in range(150)] + [dice.gauss(3, 0.01) for _ in range(600)]


@_tour("first is a spike")
def _first(dice):
    return [1e6] + [dice.gauss(3, 0.5) for _ in range(500)]


@_tour("fine on a large level")
def _fine(dice):
    return (
        [1e9 + dice.gauss(0, 1e-3) for _ in range(300)] + [0.0] + [1e9 + dice.gauss(0, 1) for _ in range(300)]
    )


@pytest.mark.parametrize("floor", [0.0, 3.0])
@pytest.mark.parametrize("name", TOUR)
def test_the_ways_of_the_memory(name, floor):
    """Founding, widening both ways, refining, keeping, filling up, forgetting: kernel and oracle agree."""
    values = TOUR[name]
    check([START + i * 600 * S for i in range(len(values))], values, floor=floor)


def test_what_was_seen_lately_is_not_new():
    """A value in memory scores 0; one not seen for the whole memory is new again."""
    times, values = ordinary(900)
    values[300] = values[899] = 30.0
    assert judge(times, values, block=100)[899][0] == 0
    assert judge(times, values, block=100)[300][0] > 0.5
    assert judge(times, values, block=3)[899][0] > 0.5, "600 readings ago, and memory holds 150"


def test_memory_lasts_the_time_too():
    """However fast a point reads, a value is remembered for the time that is asked."""
    times, values = ordinary(900, step=S)
    values[300] = values[899] = 30.0
    assert judge(times, values, block_ns=0)[899][0] > 0.5
    assert judge(times, values, block_ns=20 * S)[899][0] == 0


def test_a_spike_blinds_nobody():
    """After readings a thousand times the range, a value a little outside is found as before."""
    times, values = ordinary(700)
    values[400], values[401], values[402] = 9e5, 9.1e5, -4e5
    values[500] = 17.0
    assert judge(times, values)[500][2] > 1
    plain = list(values)
    plain[400:403] = [10.0] * 3
    clear, after = judge(times, plain)[500][0], judge(times, values)[500][0]
    assert clear / 4.5 < after <= clear


def test_a_wild_first_reading_blinds_nobody():
    """The first reading of all may be a fault: ordinary values are told apart all the same."""
    times, values = ordinary(300)
    values[0], values[250] = 1e6, 18.0
    assert judge(times, values)[250][2] > 1


def test_the_hour_of_the_week_counts():
    """A value that is ordinary by night is new at noon."""
    times = [START + i * 600 * S for i in range(144 * 21)]
    dice = random.Random(3)
    values = [(20.0 if t // (12 * 3600 * S) % 2 else 10.0) + dice.gauss(0, 0.2) for t in times]
    noon = next(i for i in range(144 * 20, len(times)) if values[i] > 19 and values[i + 6] > 19) + 3
    values[noon] = 10.05
    first, second, said = judge(times, values, block=80, gate=100, gate_ns=0)[noon]
    assert first < 0.02
    assert second > 0.4
    assert said > 1


def test_the_gate_lets_one_through():
    """One event is one alarm; while the gate is closed only something clearly newer is another."""
    times, values = ordinary(900)
    values[600:640] = [15.0 + 0.1 * i for i in range(40)]
    values[650] = 90.0
    more = {"block": 80, "warm": 300, "weight": 0.0, "gate_ns": 0}
    said = [row[2] for row in judge(times, values, gate=100, **more)]
    alarms = [i for i, s in enumerate(said) if s >= 1 and i >= 600]
    assert alarms == [600, 650]
    assert sum(row[2] >= 1 for row in judge(times, values, gate=0, **more)[600:]) >= 2
    late = [row[2] for row in judge(times, values, gate=0, **(more | {"gate_ns": 100 * 300 * S}))]
    assert late[300:] == said[300:], "a gate by time is one by readings, where those are regular"


def test_a_step_of_the_instrument_is_nothing_new():
    """With a floor under the range, a quiet quantised meter may move by its step."""
    times = [START + i * 5 * S for i in range(400)]
    values = [0.5] * 200 + [0.51] * 100 + [0.49] * 99 + [0.9]
    said = [row[2] for row in judge(times, values, floor=1.0)]
    assert max(said[10:399]) < 1
    assert said[399] >= 1
    assert judge(times, values, floor=0.0)[200][2] > 1, "without it the first step would be an alarm"


def test_the_first_value_and_constants_say_nothing():
    """Nothing can be new to one who has seen nothing, or the same again."""
    times, _ = ordinary(100)
    assert {row[:2] for row in map(tuple, judge(times, [7.0] * 100))} == {(0.0, 0.0)}


def test_the_grid_is_close_to_a_search_through_all():
    """Newness differs from that of a search through every value in memory by less than a bin or two."""
    times, values = ordinary(1500, seed=9)
    got = judge(times, values, block=100)
    for i in range(60, 1500):
        past = values[:i]
        span = max(past) - min(past)
        exact = min(abs(values[i] - p) for p in past) / span
        assert abs(got[i][0] - min(exact, 1)) < 2.5 / 64


def test_numbers_at_the_end_of_floats():
    """The largest and smallest numbers neither hang nor poison it."""
    values = [0.0, 5e-324, -5e-324, 1e-300, 9e14, -9e14, 1e308, -1e308, 1e15, 1e-15] * 30
    values += [float(i % 7) for i in range(300)]
    check([START + i * S for i in range(len(values))], values)


SAME = (
    "now - mark + BLOCKS: sign",  # the same modulo BLOCKS
    "BINS - 1.0: sign",  # a bound that only rounding could reach
    "-1: sign",  # the first mark follows at once
    "half + view['least'] // 2: sign",  # what widens the grid downwards is its first mark from then on
    "72: view['least'] // 2: sign",
    "view['least'] + view['most'] + 1: sign",  # where the finer grid begins, by a bin
    "max(abs(kept[a]), abs(kept[b])): swapped",  # where floats end; which of two like numbers is no matter
    "max(abs(view['low']), abs(view['low'] + view['width'] * BINS)): swapped",
    "view['low'] + view['width'] * BINS: sign",
    "view['width'] * BINS: sign",
)


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="mutants are plain Python anyway")
@pytest.mark.skipif(os.environ.get("NUMBA_BOUNDSCHECK") == "1", reason="mutants are plain Python anyway")
def test_planted_errors_are_noticed():
    """A sign, an index or a comparison turned round in the kernel fails against the oracle."""
    dice = random.Random(5)
    spikes = [
        dice.gauss(5, 1) if i % 9 else dice.choice([-1, 1]) * 10 ** dice.uniform(1, 6) for i in range(170)
    ]
    narrow = [1e6, *(dice.gauss(0, 30) for _ in range(40)), *(dice.gauss(3, 0.01) for _ in range(120))]
    narrow += [25.0, -20.0, *(dice.gauss(3, 0.01) for _ in range(60)), 3.1, 3.2]
    line = [100.0] * 10 + [100.0 + 0.3 * i for i in range(60)] + [math.nan, 1e16, 86.0, 150.0, 70.0]
    line += [70.0 - 0.3 * i for i in range(120)]
    lonely = [-(10.0**k) for k in range(12)] + [dice.gauss(-5, 20) for _ in range(30)] + [-80.0, 60.0]
    large = (
        [1e9 + dice.gauss(0, 1e-4) for _ in range(70)] + [0.0] * 55 + [dice.gauss(0, 1) for _ in range(30)]
    )
    times = [START]
    for _ in range(300):
        times.append(times[-1] + dice.choice([60, 60, 900, 4000]) * S)
    back = [*times[:90], *(t - 9000 * S for t in times[90:])]
    fast = [START + (i if i < 280 else i - 30) * S for i in range(300)]

    quick = [dice.gauss(0, 1) for _ in fast]

    cases = [
        (when[: len(values)], values, more, oracle.novelty(when[: len(values)], values, **(PAR | more)))
        for values, when, more in (
            (spikes, times, {"gate_ns": 9000 * S, "gate": 3, "block": 1}),
            (narrow, times, {"floor": 0.02, "block": 1, "block_ns": 500 * S}),
            (narrow, times, {"block": 2}),
            (line, back, {"warm_ns": 20_000 * S, "block": 1}),
            (lonely, times, {}),
            (large, times, {"block": 1}),
            (large, times, {"floor": 3.0, "block": 1}),
            (quick, fast, {"hour_ns": 300 * S}),
        )
    ]

    def noticed(module):
        run = _rows(module.views, module.novelty)

        def judged(case):
            when, values, more, wanted = case
            agree(judge(when, values, run, **more), wanted)

        try_all(cases, judged)

    alive = survivors(kernel, noticed, same=SAME)
    assert alive == []
