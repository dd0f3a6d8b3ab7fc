"""The whole engine against the plain-Python point, on whatever rows come."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kernels.series import examples, same, series
from minewatch.detect.engine import Engine
from oracles import limits as machine
from oracles import point as oracle
from unit.detect.mine import SETTINGS, START, S, batch, limits, point, told

RULES = [
    # key, detector, threshold, comparison, deadband, on-delay s, off-delay s
    (1, 0, 1.0, 0, 0.06, 0, 3),
    (2, 0, 0.5, 3, 0.0, 2, 0),
    (3, 1, 0.8, 1, 0.1, 0, 0),
    (4, 2, 0.01, 0, 0.0, 0, 0),
    (5, 3, 0.7, 0, 0.0, 0, 0),
    (6, 4, 0.2, 0, 0.1, 1, 1),
    (7, 5, 3.0, 0, 0.5, 0, 0),
    (8, 6, 5.0, 1, 1.0, 0, 0),
    (9, 7, 0.5, 0, 0.0, 0, 0),
    (10, 8, 0.5, 0, 0.0, 0, 5),
    (11, 9, 4.0, 1, 0.0, 0, 0),
    (12, 11, 1.0, 1, 0.0, 0, 5),
    (13, 12, 1.5, 1, 0.05, 0, 0),
    (14, 13, 1.0, 0, 0.1, 0, 0),
    (15, 24, 4.0, 0, 0.5, 0, 0),
    (16, 25, 3.0, 0, 0.5, 0, 0),
    (17, 23, 0.5, 0, 0.0, 0, 0),
]
EXACT = 1e-12  # the averages of limits and what they cover: rational arithmetic, a few hundred roundings
TOLERANCE = [0.0, EXACT, EXACT, EXACT, 1e-7, 1e-4, 1e-4, 0.0, 0.0, 1e-9, 1e-9, 1e-6, 1e-7, 1e-7]
TOLERANCE += [1e-9, 1e-9, EXACT, EXACT, EXACT, 1e-9, 1e-9, 1e-9, 1e-9, 1e-7, 1e-6, 1e-6]


def _plain_rules():
    names = ("threshold", "comparison", "deadband", "on_delay", "off_delay")
    return [
        (key, detector, dict(zip(names, (threshold, comparison, band, on * S, off * S), strict=True)))
        for key, detector, threshold, comparison, band, on, off in RULES
    ]


def _engine(quantity="methane", unit="% CH4"):
    engine = Engine(SETTINGS)
    engine.add_points([point("other"), replace(point("ours"), quantity=quantity, unit=unit)])
    engine.set_limits(limits(*((key, 1, *rest) for key, *rest in RULES)))
    return engine


KINDS = {
    "methane": {},
    "carbon_monoxide": {},
    "noise": {},
    "humidity": {"wet": 39.8, "fastest": 20.0},
}


@examples
@given(
    st.sampled_from(sorted(KINDS)),
    series(max_size=60),
    st.lists(st.sampled_from([0, 0, 0, 0, 64, 67, 128, 131]), min_size=60, max_size=60),
)
def test_the_engine_says_what_plain_python_says(quantity, data, given_qualities):
    """Quality, every statistic and every transition agree with the oracle, row by row."""
    rows = list(zip(data[0], data[1], given_qualities[: len(data[0])], strict=True))
    info = {"low": 0.0, "high": 40.0, "sentinels": (-2.0,), "interval_s": 5.0, "resolution": 0.01}
    info |= {"quantity": quantity, **KINDS[quantity]}
    qualities, table, expected = oracle.judge(rows, info, SETTINGS.model_dump(), _plain_rules())
    findings, statistics = _engine(quantity, "%").statistics(batch([(1, *row) for row in rows]))
    assert findings.quality.tolist() == qualities
    for got, wanted in zip(statistics.tolist(), table, strict=True):
        for g, w, tolerance in zip(got, wanted, TOLERANCE, strict=True):
            assert same(g, w, tolerance)
    # statistics near a threshold may round to either side, so transitions are re-judged from the engine's own
    again = {key: [] for key, *_ in RULES}
    for row in told(findings.transitions):
        again[row[0]].append(row[1:])
    for key, detector, rule in _plain_rules():
        column = statistics[:, detector].tolist()
        assert again[key] == machine.transitions([t for t, _, _ in rows], column, **rule)
    assert {row[0] for row in expected} <= set(again)


def test_an_hour_at_ten_seconds():
    """A long ordinary series with a rise, an over-range spell and a dead spell agrees with the oracle."""
    rows = []
    for i in range(300):
        x = 0.5 + 0.01 * ((i * 7919) % 13)
        x += 0.002 * max(0, i - 150)
        x = -2.0 if 200 <= i < 205 else 45.0 if 220 <= i < 230 else 1.0 if i > 260 else x
        rows.append((START + i * 10 * S, x, 0))
    info = {"low": 0.0, "high": 40.0, "sentinels": (-2.0,), "interval_s": 10.0, "resolution": 0.01}
    qualities, table, _ = oracle.judge(rows, info, SETTINGS.model_dump(), [])
    engine = Engine(SETTINGS)
    engine.add_points([point("ours", interval_s=10.0)])
    findings, statistics = engine.statistics(batch([(0, *row) for row in rows]))
    assert findings.quality.tolist() == qualities
    assert {0, 65, 66, 129} == set(qualities)
    for got, wanted in zip(statistics.tolist(), table, strict=True):
        assert all(same(g, w, 1e-4) for g, w in zip(got, wanted, strict=True))
    assert not math.isnan(statistics[-1, 1])
