"""What the engine promises to the rest of the service."""

import math

import numpy as np
import pytest

from minewatch.contracts import Quality, ReadingBatch
from minewatch.detect.catalogue import DETECTORS
from minewatch.detect.engine import Engine
from minewatch.detect.kernels import walk as walk_module
from minewatch.errors import ConfigError, NotFound
from unit.detect.mine import SETTINGS, START, S, batch, limits, point, told


@pytest.fixture
def engine():
    """Return an engine of three points."""
    made = Engine(SETTINGS)
    made.add_points([point("a"), point("b"), point("c")])
    return made


def test_a_limit_is_told_once_and_cleared_inside_the_deadband(engine):
    """Over 1.0 active at once, back at 0.95 still active, at 0.8 cleared: two transitions, no more."""
    engine.set_limits(limits((5, 1, 0, 1.0, 0, 0.1)))
    values = [0.5, 1.2, 1.3, 0.95, 0.8, 0.7]
    found = engine.step(batch([(1, START + i * S, v) for i, v in enumerate(values)]))
    assert told(found.transitions) == [
        (5, START + S, START + S, True, 1.2),
        (5, START + 4 * S, START + 4 * S, False, 0.8),
    ]


def test_out_of_range_is_judged_and_teaches_nothing(engine):
    """A meter at its stop raises the limit, is marked uncertain, and leaves rate and baseline alone."""
    engine.set_limits(limits((5, 0, 0, 1.0)))
    engine.step(batch([(0, START + i * S, 0.5 + i % 3 / 10) for i in range(30)]))
    found, table = engine.statistics(batch([(0, START + 30 * S, 99.0)]))
    assert found.quality.tolist() == [Quality.UNCERTAIN_RANGE]
    assert [row[:1] + row[3:] for row in told(found.transitions)] == [(5, True, 99.0)]
    assert np.isnan(table[0, 4:7]).all()


def test_a_bad_reading_holds_the_limit(engine):
    """Sentinel, NaN and bad readings neither clear nor raise."""
    engine.set_limits(limits((5, 0, 0, 1.0)))
    rows = [(0, START, 2.0), (0, START + S, -2.0), (0, START + 2 * S, math.nan), (0, START + 3 * S, 0.1, 128)]
    found = engine.step(batch(rows))
    assert found.quality.tolist() == [
        Quality.GOOD,
        Quality.BAD_SENTINEL,
        Quality.BAD_NOT_A_NUMBER,
        Quality.BAD,
    ]
    assert [row[3] for row in told(found.transitions)] == [True]


def test_a_stuck_value_never_silences_a_limit(engine):
    """A value stuck over the limit is marked uncertain and still raises when the limit comes later."""
    rows = [(0, START + i * S, 1.5) for i in range(150)]
    found = engine.step(batch(rows))
    assert found.quality[-1] == Quality.UNCERTAIN_STUCK
    engine.set_limits(limits((5, 0, 0, 1.0)))
    found = engine.step(batch([(0, START + 150 * S, 1.5)]))
    assert [row[3] for row in told(found.transitions)] == [True]


def test_rows_from_the_past_are_counted_and_not_judged(engine):
    """A repeat or an older row gets its quality, moves nothing, and is counted."""
    engine.set_limits(limits((5, 0, 0, 1.0)))
    engine.step(batch([(0, START, 0.5)]))
    found = engine.step(batch([(0, START, 5.0), (0, START - S, 5.0), (0, START + S, 50.0)]))
    assert engine.late == 2
    assert found.quality.tolist() == [0, 0, Quality.UNCERTAIN_RANGE]
    assert len(told(found.transitions)) == 1
    assert engine.last_ns().tolist()[0] == START + S


def test_a_doubted_clock_still_raises_and_moves_no_time(engine):
    """A row whose clock is doubted is judged by its value at once; later rows in right time are not late."""
    engine.set_limits(limits((5, 0, 0, 1.0)))
    engine.step(batch([(0, START, 0.5)]))
    found = engine.step(batch([(0, START + 3600 * S, 2.0, Quality.UNCERTAIN_CLOCK)]))
    assert [row[3] for row in told(found.transitions)] == [True]
    assert found.quality.tolist() == [Quality.UNCERTAIN_CLOCK]
    found = engine.step(batch([(0, START - 3600 * S, 2.0, Quality.UNCERTAIN_CLOCK), (0, START + S, 0.5)]))
    assert engine.late == 0
    assert [row[3] for row in told(found.transitions)] == [False]


def test_silence_is_told_by_the_clock(engine):
    """Ticks raise a silence once, from the moment it was too long; the next reading clears it."""
    engine.set_limits(limits((5, 0, 10, 30.0), (6, 1, 10, 30.0)))
    engine.step(batch([(0, START, 0.5)]))
    assert told(engine.tick(START + 30 * S)) == []
    assert told(engine.tick(START + 45 * S)) == [(5, START + 30 * S, START + 30 * S, True, 30.0)]
    assert told(engine.tick(START + 46 * S)) == []
    found = engine.step(batch([(0, START + 50 * S, 0.5)]))
    assert told(found.transitions) == [(5, START + 50 * S, START + 50 * S, False, 0.0)]


def test_silence_without_a_tick_is_told_by_the_reading_that_ends_it(engine):
    """A recording without ticks tells the same silence, raised and cleared in order."""
    engine.set_limits(limits((5, 0, 10, 30.0)))
    found = engine.step(batch([(0, START, 0.5), (0, START + 100 * S, 0.5)]))
    assert told(found.transitions) == [
        (5, START + 30 * S, START + 30 * S, True, 30.0),
        (5, START + 100 * S, START + 100 * S, False, 0.0),
    ]


def test_no_signal_is_silence(engine):
    """Rows in which the driver says that the device did not answer do not end a silence."""
    engine.set_limits(limits((5, 0, 10, 30.0)))
    rows = [(0, START, 0.5)] + [(0, START + i * S, math.nan, Quality.BAD_NO_SIGNAL) for i in range(1, 60)]
    found = engine.step(batch(rows))
    assert [(row[1], row[3]) for row in told(found.transitions)] == [(START + 30 * S, True)]


def test_a_point_that_never_speaks_is_silent_since_its_birth():
    """A point described at a time, and never heard, is silent from there on."""
    engine = Engine(SETTINGS)
    engine.add_points([point("a", valid_from_ns=START)])
    engine.set_limits(limits((5, 0, 10, 30.0)))
    assert told(engine.tick(START + 31 * S)) == [(5, START + 30 * S, START + 30 * S, True, 30.0)]


def test_hear_begins_a_silence_anew(engine):
    """A gateway that is back gives its points their time again; hearing never goes back."""
    engine.set_limits(limits((5, 0, 10, 30.0)))
    engine.step(batch([(0, START, 0.5)]))
    engine.hear(np.array([0], np.int32), START + 60 * S)
    engine.hear(np.array([0], np.int32), START)
    engine.step(batch([(0, START + S, 0.5)]))
    assert told(engine.tick(START + 90 * S)) == []
    assert [row[2] for row in told(engine.tick(START + 91 * S))] == [START + 90 * S]


def test_silence_is_judged_by_the_clock_that_heard(engine):
    """With the service's clock given, a sender an hour off is neither silent nor immune to silence."""
    engine.set_limits(limits((5, 0, 10, 30.0)))
    for i in range(5):
        found = engine.step(batch([(0, START + (3600 + 20 * i) * S, 0.5)]), heard_ns=START + 20 * i * S)
        assert told(found.transitions) == []
        assert told(engine.tick(START + (20 * i + 19) * S)) == []
    assert [row[1] for row in told(engine.tick(START + 111 * S))] == [START + 110 * S]
    doubted = batch([(0, START - 7200 * S, 0.5, Quality.UNCERTAIN_CLOCK)])
    found = engine.step(doubted, heard_ns=START + 115 * S)
    assert [(row[1], row[3]) for row in told(found.transitions)] == [(START + 115 * S, False)]


def test_behind_tells_which_rows_would_be_late(engine):
    """The caller can see, before a step, which rows are not after their point's last reading."""
    engine.step(batch([(0, START, 0.5)]))
    rows = batch([(0, START, 0.5), (0, START + 1, 0.5), (1, START - S, 0.5)])
    assert engine.behind(rows).tolist() == [True, False, False]
    assert engine.late == 0


def test_a_clock_that_stepped_back_does_not_stretch_a_delay(engine):
    """A condition that began in a doubted future counts its delay anew from the step back."""
    engine.set_limits(limits((5, 0, 0, 1.0, 0, 0.0, 10)))
    engine.step(batch([(0, START + 3600 * S, 2.0, Quality.UNCERTAIN_CLOCK)]))
    found = engine.step(batch([(0, START + i * S, 2.0) for i in range(11)]))
    assert [row[1:3] for row in told(found.transitions)] == [(START + 10 * S, START)]


def test_resume_takes_over_what_the_alert_book_says(engine):
    """After a restart without detector state an alert that stands in the book can still clear."""
    engine.set_limits(limits((5, 0, 0, 1.0), (6, 1, 0, 1.0)))
    engine.resume(np.array([5, 77]))
    found = engine.step(batch([(0, START, 0.5), (1, START, 0.5)]))
    assert [(row[0], row[3]) for row in told(found.transitions)] == [(5, False)]


def test_new_limits_keep_the_state_of_known_keys(engine):
    """A reload of rules raises nothing twice, forgets what is gone, and judges new thresholds at once."""
    engine.set_limits(limits((5, 0, 0, 1.0), (6, 1, 0, 1.0)))
    engine.step(batch([(0, START, 2.0), (1, START, 2.0)]))
    engine.set_limits(limits((5, 0, 0, 1.5), (7, 1, 0, 3.0)))
    found = engine.step(batch([(0, START + S, 2.0), (1, START + S, 2.0)]))
    assert told(found.transitions) == []
    found = engine.step(batch([(0, START + 2 * S, 1.4)]))
    assert [(row[0], row[3]) for row in told(found.transitions)] == [(5, False)]


def test_points_may_be_added_while_running(engine):
    """More points than there was room for: the old ones go on where they were."""
    engine.set_limits(limits((5, 2, 0, 1.0, 0, 0.0, 10)))
    engine.step(batch([(2, START, 2.0)]))
    engine.add_points([point(f"n{i}", sentinels=(1.0, 2.0, 3.0, 4.0, 5.0)) for i in range(200)])
    found = engine.step(batch([(2, START + 10 * S, 2.0), (202, START, 5.0)]))
    assert [row[:3] for row in told(found.transitions)] == [(5, START + 10 * S, START)]
    assert found.quality.tolist() == [0, Quality.BAD_SENTINEL]
    assert len(engine.points) == 203


def test_another_quantity_starts_anew(engine):
    """A point that now measures something else forgets its past; a new range alone does not."""
    engine.step(batch([(0, START + i * S, 0.5 + i % 2) for i in range(20)]))
    engine.replace_point(0, point("a", high=1.0, sentinels=(-2.0, -3.0)))
    found, table = engine.statistics(batch([(0, START + 20 * S, 1.2), (0, START + 21 * S, 0.5)]))
    assert found.quality.tolist() == [Quality.UNCERTAIN_RANGE, Quality.GOOD]
    assert not math.isnan(table[1, 5])
    other = point("a")
    engine.replace_point(0, type(other)(**{**_fields(other), "quantity": "temperature"}))
    _, table = engine.statistics(batch([(0, START + 22 * S, 0.5)]))
    assert math.isnan(table[0, 5])


def test_scores_are_sparse_and_high_where_it_is_strange(engine):
    """A quiet point says nothing; a leap is scored over 0.5 by change and novelty detectors."""
    quiet = engine.step(batch([(0, START + i * S, 0.5 + i % 3 / 100) for i in range(60)]))
    assert len(quiet.scores.point) == 0
    found = engine.step(batch([(0, START + (60 + i) * S, 3.0) for i in range(4)]))
    assert set(found.scores.detector.tolist()) == {5, 6, 11}
    assert (found.scores.score >= 0.5).all()
    assert (found.scores.score <= 1).all()
    assert found.scores.evidence[0] > 4


def test_more_findings_than_the_buffers_hold(engine):
    """Ten thousand transitions in one step come out whole and in order."""
    engine.set_limits(limits((5, 0, 0, 1.0)))
    found = engine.step(batch([(0, START + i * S, i % 2 * 2.0) for i in range(10_000)]))
    assert found.transitions.active.tolist() == [True, False] * 4999 + [True]
    assert found.transitions.ts_ns.tolist() == [START + i * S for i in range(1, 10_000)]


def test_many_limits_on_one_point(engine):
    """A point with thousands of limits tells each of them."""
    engine.set_limits(limits(*((k, 1, 0, 1.0) for k in range(3000))))
    found = engine.step(batch([(1, START, 2.0)]))
    assert sorted(found.transitions.key.tolist()) == list(range(3000))


def test_points_in_any_order_make_no_difference():
    """Readings of many points mixed at random are judged as if each point came alone."""
    rng = np.random.default_rng(5)
    table = limits(*((p, p, 0, 1.0, 0, 0.05, 2, 2) for p in range(20)))
    point_ids = rng.integers(0, 20, 4000).astype(np.int32)
    mixed = ReadingBatch.of([], [], [])
    ts = START + np.arange(4000) * S // 4
    mixed = ReadingBatch(
        point_ids, ts, rng.normal(1, 0.1, 4000), np.zeros(4000, np.uint8), np.zeros(4000, np.bool_)
    )
    together, apart = Engine(SETTINGS), Engine(SETTINGS)
    for made in (together, apart):
        made.add_points([point(str(p)) for p in range(20)])
        made.set_limits(table)
    whole = told(together.step(mixed).transitions)
    single = [row for p in range(20) for row in told(apart.step(mixed.take(point_ids == p)).transitions)]
    assert sorted(whole) == sorted(single)
    assert together.snapshot() == apart.snapshot()


def test_an_empty_batch_is_nothing(engine):
    """No rows, no findings, no error."""
    found = engine.step(ReadingBatch.empty())
    assert (len(found.quality), told(found.transitions), len(found.scores.point)) == (0, [], 0)


def test_an_unknown_point_is_refused_before_anything_moves(engine):
    """A batch with a strange id changes nothing and says which id."""
    for strange in (3, -1):
        with pytest.raises(NotFound, match=f"no point {strange}"):
            engine.step(batch([(0, START, 0.5), (strange, START, 0.5)]))
    assert engine.last_ns().tolist()[0] < 0


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ((5, 9, 0, 1.0), "point"),
        ((5, 0, len(DETECTORS), 1.0), "detector"),
        ((5, 0, 0, 1.0, 4), "comparison"),
        ((5, 0, 0, math.nan), "threshold"),
        ((5, 0, 0, 1.0, 0, -1.0), "deadband"),
        ((5, 0, 0, 1.0, 0, 0.0, -1), "delay"),
        ((5, 0, 10, 0.0), "gap"),
        ((5, 0, 10, 9.0, 2), "gap"),
    ],
)
def test_an_impossible_limit_is_named(engine, row, what):
    """A limit that could never be judged is refused with its key and the reason."""
    with pytest.raises(ConfigError, match=f"limit 5.*{what}"):
        engine.set_limits(limits(row))


def test_two_limits_may_not_share_a_key(engine):
    """A key names one limit for life."""
    with pytest.raises(ConfigError, match="share a key"):
        engine.set_limits(limits((5, 0, 0, 1.0), (5, 1, 0, 1.0)))


def test_columns_of_other_types_and_read_only_ones_are_taken(engine):
    """Columns from a socket (read-only) or of wider types give the same findings and compile nothing new."""
    Engine.warm_up()
    compiled = getattr(walk_module.walk, "signatures", [])
    engine.set_limits(limits((5, 0, 0, 1.0)))
    locked = batch([(0, START, 2.0)])
    for column in (locked.point, locked.ts_ns, locked.value, locked.quality):
        column.flags.writeable = False
    assert len(told(engine.step(locked).transitions)) == 1
    wide = batch([(0, START + S, 0.5)])
    wide = ReadingBatch(
        wide.point.astype(np.int64), wide.ts_ns, wide.value.astype(np.float32), wide.quality, wide.historical
    )
    assert len(told(engine.step(wide).transitions)) == 1
    assert len(getattr(walk_module.walk, "signatures", [])) == len(compiled) <= 1


def _fields(info):
    return {name: getattr(info, name) for name in type(info).__dataclass_fields__}
