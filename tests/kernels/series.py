"""The inputs every kernel must survive, and more of the kind from hypothesis."""

import math
import os
import random
from fractions import Fraction

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

S = 1_000_000_000
START = 1_700_000_000 * S

EDGES = {
    "empty": ([], []),
    "one": ([START], [1.5]),
    "constant": ([START + i * S for i in range(200)], [0.7] * 200),
    "nan": ([START + i * S for i in range(90)], [1.0, math.nan, 2.0] * 30),
    "inf": ([START + i * S for i in range(120)], [1.0, 1.2, math.inf, 0.9, -math.inf, 1.1] * 20),
    "gap": (
        [START + i * S for i in range(80)] + [START + (40_000 + i) * S for i in range(80)],
        [i % 7 / 10 for i in range(160)],
    ),
    "backwards": (
        [START + i * S for i in range(80)] + [START + (30 + i) * S for i in range(80)],
        [i % 5 / 10 for i in range(160)],
    ),
}

examples = settings(
    deadline=None,
    max_examples=15 if os.environ.get("NUMBA_DISABLE_JIT") == "1" else 60,
    suppress_health_check=[HealthCheck.too_slow],
)

_values = st.one_of(
    st.sampled_from([0.0, 1.0, 1.0, 1.05, -2.0, 40.0]),
    st.floats(-1e4, 1e4),
    st.sampled_from([math.nan, math.inf, -math.inf]),
)
_steps = st.one_of(
    st.sampled_from([S, S, S, 60 * S]),
    st.integers(1, 20 * S),
    st.sampled_from([400 * S, 20_000 * S, 0, -5 * S]),
)


def _walk(first, steps):
    times, values, t = [], [], first
    for step, value in steps:
        t += step
        times.append(t)
        values.append(value)
    return times, values


def _long(seed, size):
    """Return a long ordinary series with a leap, a rise, spikes, gaps, bad values and steps back in it."""
    dice = random.Random(seed)
    interval = dice.choice([S // 2, S, 5 * S, 60 * S])
    level, steps = 1.0, []
    for _ in range(dice.randrange(size + 1)):
        level += dice.choice([0.0] * 30 + [0.02, 0.1, -0.1, 3.0, -3.0])
        value = level if dice.random() < 0.3 else level + dice.gauss(0, 0.05)
        odd = dice.random()
        if odd < 0.04:
            value = dice.choice([math.nan, math.inf, -math.inf, -2.0, 45.0, 1e9])
        step = interval if dice.random() < 0.9 else round(interval * dice.uniform(0, 4))
        if odd > 0.98:
            step = dice.choice([0, -5 * S, 400 * S, 20_000 * S])
        steps.append((step, value))
    return _walk(START + dice.randrange(40_000) * S, steps)


def series(max_size=150):
    """Draw (times in ns, values): mostly forward, with gaps, repeats, steps back, NaN and infinity."""
    short = st.builds(
        _walk,
        st.integers(0, 40_000).map(lambda s: START + s * S),
        st.lists(st.tuples(_steps, _values), max_size=20),
    )
    return st.one_of(short, st.builds(_long, st.integers(0, 2**32), st.just(max_size)))


def covered(times, values, hold=120 * S):
    """Yield (from, to, value) of what each reading covers; rows that go back in time are left out."""
    last = None
    for t, x in zip(times, values, strict=True):
        if last is not None and t <= last:
            continue
        yield (t if last is None else t - min(t - last, hold)), t, x
        last = t


def same(got, expected, tolerance=1e-7):
    """Say whether two numbers are equal within rounding; NaN equals NaN."""
    if math.isnan(expected):
        return math.isnan(got)
    return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)


def exact(got, wanted, scale=1):
    """Say whether a float is a rational number within 1e-12 of its size, or of what it was summed from.

    A few hundred roundings of 1.1e-16, and no more however long it runs.
    """
    if isinstance(wanted, float):
        return math.isnan(wanted) and math.isnan(got)
    return abs(Fraction(got) - wanted) <= Fraction(1, 10**12) * max(abs(wanted), Fraction(scale))
