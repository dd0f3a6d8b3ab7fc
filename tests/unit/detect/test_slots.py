"""The dear detectors in the engine: only where a limit asks for them, and carried along with their limits."""

import dataclasses
import math

import numpy as np

from minewatch.detect.catalogue import index
from minewatch.detect.engine import Engine
from minewatch.detect.settings import DetectSettings
from unit.detect.mine import START, S, batch, limits, point, told

FORECAST, WEAR = index("forecast"), index("wear")
ROBUST, LEVEL = index("robust-z"), index("level-shift")
SETTINGS = DetectSettings(forecast_horizon_s=100, wear_baseline_s=3600)
N = 3200


def _engine(*rows, points=2):
    engine = Engine(SETTINGS)
    engine.add_points([point(str(p)) for p in range(points)])
    engine.set_limits(limits(*rows))
    return engine


def _swing(p=0, sign=1):
    i = np.arange(N)
    values = 10 + sign * 5 * np.sin(i * 2 * math.pi / 160)
    return [(p, START + k * 5 * S, float(v)) for k, v in enumerate(values)]


def test_only_points_with_a_limit_are_forecast():
    """A point without such a limit has no statistic; one with it has, from the first reading."""
    engine = _engine((1, 1, FORECAST, 14.0), (2, 0, 0, 14.0))
    _, table = engine.statistics(batch(_swing(0) + _swing(1)))
    assert np.isnan(table[:N, FORECAST]).all()
    assert np.isfinite(table[N:, FORECAST]).all()
    assert np.isnan(table[:, WEAR]).all()


def test_a_limit_is_seen_before_it_is_passed():
    """Once it has learned the swing, a limit on the forecast is active before one on the value, and ends."""
    for sign, comparison, threshold in ((1, 0, 14.5), (-1, 2, 5.5)):
        engine = _engine((1, 0, FORECAST, threshold, comparison), (2, 0, 0, threshold, comparison))
        moves = told(engine.step(batch(_swing(0, sign))).transitions)
        seen = [t for key, t, _, active, *_ in moves if key == 1 and active]
        passed = [t for key, t, _, active, *_ in moves if key == 2 and active]
        assert len(passed) == N // 160
        lead = [(t - max(u for u in seen if u <= t)) / S for t in passed[10:]]
        assert min(lead) >= 30


def test_wear_becomes_active_as_a_machine_wears():
    """A limit on the severity is active while the level is 1.5 times what it was, not before."""
    n = 4000
    values = 2 * (1 + np.random.default_rng(1).normal(0, 0.02, n))
    values[1000:] *= 1.5
    engine = _engine((1, 0, WEAR, 1.0), points=1)
    rows = [(0, START + k * 60 * S, float(v)) for k, v in enumerate(values)]
    moves = told(engine.step(batch(rows)).transitions)
    assert [bool(active) for _, _, _, active, *_ in moves] == [True]
    assert moves[0][1] > START + 1000 * 60 * S


def test_median_and_step_speak_where_a_limit_asks():
    """A robust z and a step of level are found at the point whose limits name them, and nowhere else."""
    engine = Engine(DetectSettings(robust_readings=30, level_window_s=1200))
    engine.add_points([point(str(p)) for p in range(2)])
    engine.set_limits(limits((1, 1, ROBUST, 10.0), (2, 1, LEVEL, 4.0, 1)))
    values = 20 + np.random.default_rng(1).normal(0, 0.1, 1200)
    values[700:] += 2
    rows = [(p, START + k * 5 * S, float(v)) for p in (0, 1) for k, v in enumerate(values)]
    findings, table = engine.statistics(batch(rows))
    assert np.isnan(table[:1200, [ROBUST, LEVEL]]).all()
    moves = told(findings.transitions)
    first = {key: (t - START) // (5 * S) for key, t, _, active, *_ in reversed(moves) if active}
    assert first[1] == 700
    assert 700 + 120 < first[2] <= 700 + 240
    assert {key: int(active) for key, _, _, active, *_ in moves} == {1: 0, 2: 0}
    again = Engine(DetectSettings(robust_readings=30, level_window_s=1200))
    again.restore(engine.snapshot())
    more = [(1, START + k * 5 * S, 21.0) for k in range(1200, 1300)]
    assert np.array_equal(again.statistics(batch(more))[1], engine.statistics(batch(more))[1], equal_nan=True)


def test_new_limits_leave_what_was_learned():
    """A limit added at another point moves no row: the forecast goes on as if nothing had happened."""
    rows = _swing(1)
    first = _engine((1, 1, FORECAST, 14.0))
    _, whole = first.statistics(batch(rows))
    second = _engine((1, 1, FORECAST, 14.0))
    second.step(batch(rows[:700]))
    second.set_limits(limits((3, 0, FORECAST, 12.0), (4, 0, WEAR, 1.0), (1, 1, FORECAST, 14.0)))
    second.add_points([point(f"more-{p}") for p in range(100)])
    _, rest = second.statistics(batch(rows[700:]))
    assert np.array_equal(rest[:, FORECAST], whole[700:, FORECAST])


def test_another_quantity_is_learned_anew():
    """A point that measures something else starts from the reading itself."""
    engine = _engine((1, 0, FORECAST, 14.0))
    engine.step(batch(_swing(0)[:1000]))
    engine.replace_point(0, dataclasses.replace(point("0"), quantity="carbon_monoxide", unit="ppm"))
    _, table = engine.statistics(batch([(0, START + 10_000 * S, 3.0)]))
    assert table[0, FORECAST] == 3.0


def test_bad_and_doubtful_readings_teach_nothing():
    """What is bad, out of range or late has no forecast, and leaves the next one as it was."""
    rows = _swing(0)
    clean, dirty = _engine((1, 0, FORECAST, 14.0)), _engine((1, 0, FORECAST, 14.0))
    _, expected = clean.statistics(batch(rows))
    mixed = []
    for k, row in enumerate(rows):
        mixed.append((*row, 0))
        if k % 7 == 0:
            mixed += [(0, row[1] + S, -2.0, 0), (0, row[1] + 2 * S, 50.0, 0), (0, row[1] + 3 * S, 9.0, 128)]
            mixed += [(0, row[1] - S, 9.0, 0), (0, row[1] + 4 * S, math.nan, 0)]
    _, table = dirty.statistics(batch(mixed))
    said = table[~np.isnan(table[:, FORECAST]), FORECAST]
    assert np.array_equal(said, expected[:, FORECAST])


def test_the_minutes_to_the_next_limit_come_true():
    """A minute before the limit is passed it is told, and the time it takes lies within the interval told."""
    for sign, comparison, threshold in ((1, 0, 14.5), (-1, 2, 5.5)):
        rows = _swing(0, sign)
        engine = _engine((1, 0, FORECAST, threshold, comparison), (2, 0, 0, threshold, comparison), points=1)
        beyond = [sign * (x - threshold) > 0 for _, _, x in rows]
        passed = [i for i in range(1, N) if beyond[i] and not beyond[i - 1]][10:]
        done, told = 0, []
        for i in passed:
            engine.step(batch(rows[done : i - 11]))
            done = i - 11
            told += engine.outlook([0], rows[done - 1][1])
        assert {o.limit for o in told} == {threshold}
        assert all(o.soonest <= o.minutes <= o.latest for o in told)
        assert sum(o.soonest <= 1.0 <= o.latest for o in told) >= 0.8 * len(told)
        assert all(math.isinf(o.minutes) for o in engine.outlook([0], rows[done][1] + 101 * S))


def test_no_forecast_no_outlook():
    """A point without a forecast has none, and one that has learned nothing yet sees no limit."""
    engine = _engine((1, 1, FORECAST, 14.0), (2, 0, 0, 14.0))
    engine.step(batch(_swing(0)[:9] + _swing(1)[:9]))
    found = engine.outlook([0, 1], START + 50 * S)
    assert [(o.point, o.minutes) for o in found] == [(1, math.inf)]
