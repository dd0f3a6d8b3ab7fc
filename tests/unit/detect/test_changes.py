"""Settings that change from a time on: each reading is judged by those of its own time, wherever it comes."""

import copy
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kernels.test_trial import bottle, story
from minewatch.contracts import TrialStage
from minewatch.detect.engine import Engine
from minewatch.detect.settings import DetectSettings
from unit.detect.mine import SETTINGS, START, S, batch, limits, point, told
from unit.detect.test_trials import mine as face
from unit.detect.test_trials import run as run_face

CHANGED = 40  # seconds after the start
OTHER = {
    "cusum_slack": 0.1, "cusum_half_score": 2.0, "ewma_half_score": 1.0, "memory_readings": 20,
    "coverage": 0.9, "novelty_threshold": 0.05, "frozen_factor": 1.5, "rate_window_s": 300.0,
    "noise_floor": 0.01, "forecast_horizon_s": 30.0, "wear_baseline_s": 60.0,
}  # fmt: skip
TABLE = limits(
    (1, 0, 0, 1.0), (2, 0, 6, 1.0), (3, 0, 4, 0.1), (4, 0, 12, 1.0), (5, 1, 5, 1.0), (6, 1, 11, 1.0),
    (7, 1, 12, 1.0), (8, 1, 13, 1.0), (9, 2, 1, 0.5), (10, 2, 14, 1.0),
)  # fmt: skip


def change(second, **values):
    """Return a change of settings."""
    when = datetime.fromtimestamp(START / 1e9, UTC) + timedelta(seconds=second)
    return {"valid_from": when, "by": "engineer", "reason": "trial", "set": values}


def with_changes(*changes):
    """Return the small settings with changes."""
    return DetectSettings.model_validate({**SETTINGS.model_dump(), "changes": changes})


def engine(config=SETTINGS):
    """Return an engine of three points with limits."""
    made = Engine(config)
    made.add_points([point(name) for name in "abc"])
    made.set_limits(TABLE)
    return made


def by_point(found, rows):
    """Return what was found, in an order that does not depend on how points were mixed."""
    quality = sorted(zip([r[0] for r in rows], [r[1] for r in rows], found.quality.tolist(), strict=True))
    columns = (found.scores.point, found.scores.ts_ns, found.scores.detector, found.scores.evidence)
    return quality, sorted(told(found.transitions)), sorted(zip(*(c.tolist() for c in columns), strict=True))


def joined(parts):
    """Return what several steps found."""
    return tuple(sorted(row for part in parts for row in part[k]) for k in range(3))


def expected(rows):
    """Judge rows before the change by the old settings, the others by an engine that only has the new."""
    at = START + CHANGED * S
    before, after = [r for r in rows if r[1] < at], [r for r in rows if r[1] >= at]
    old = engine()
    first = by_point(old.step(batch(before)), before)
    new = engine(SETTINGS.model_copy(update=OTHER))
    new.restore(old.snapshot())
    return joined([first, by_point(new.step(batch(after)), after)])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_each_reading_is_judged_by_the_settings_of_its_time(data):
    """However points are mixed and batches are cut, also inside one batch, and changed before or while."""
    seed = data.draw(st.integers(0, 999))
    random = np.random.default_rng(seed)
    values = np.round(random.normal(0.6, 0.3, (3, 80)), 2)
    rows = [(p, START + (i + p) * S, float(values[p, i])) for p in range(3) for i in range(80)]
    order = data.draw(st.sampled_from(["points", "times", "mixed"]))
    if order == "times":
        rows.sort(key=lambda row: row[1])
    elif order == "mixed":
        rows.sort(key=lambda row: (row[1] + row[0] * 20 * S, row[0]))
    config = with_changes(change(CHANGED, **OTHER))
    made = engine(config if data.draw(st.booleans()) else SETTINGS)
    made.step(batch([]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    parts, told_at = [], 0
    for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        if begin == told_at:  # the change is made known before any reading of its time
            made.change(config)
        parts.append(by_point(made.step(batch(rows[begin:end])), rows[begin:end]))
    assert joined(parts) == expected(rows)


def test_a_point_does_not_go_back():
    """What is late, or comes with a doubted clock, is judged as its point is; others wait for their time."""
    made = engine(with_changes(change(10, **OTHER)))
    made.step(batch([(p, START + i * S, 0.5 + i % 3 / 100) for p in (0, 1) for i in range(5)]))
    made.step(batch([(0, START + 20 * S, 0.5)]))
    row = copy.deepcopy(made.state.point[0])
    made.step(batch([(0, START + 5 * S, 9.0), (0, START + 6 * S, 0.5, 67), (1, START + 9 * S, 0.5)]))
    assert made.state.point[0]["rate_window_ns"] == row["rate_window_ns"] == 300 * S
    assert made.state.point[1]["rate_window_ns"] == 60 * S
    assert made.late == 1


def test_what_was_learned_for_another_horizon_is_learned_anew():
    """Forecast and wear begin again at the change, and only where their own settings change."""
    rows = [(1, START + i * S, 1.0 + i % 5 / 10) for i in range(60)]
    for values, anew in (({"forecast_horizon_s": 30.0}, True), ({"cusum_slack": 0.2}, False)):
        made = engine(with_changes(change(50, **values)))
        made.step(batch(rows[:50]))
        learned = int(made.state.forecast["taught_ns"][made.state.forecast_at[1]])
        made.step(batch(rows[50:51]))
        after = made.state.forecast[made.state.forecast_at[1]]
        assert (after["taught_ns"] < learned) == anew
        assert after["horizon_ns"] == (30 if anew else 20) * S


def test_test_gas_is_judged_by_the_settings_of_its_time():
    """A bottle over the highest level that is taken for a test calls from the change on, not before."""
    readings = story(200, (0, bottle(until=100)))
    for second, stage in ((-1, TrialStage.REFUTED), (150, TrialStage.TESTED)):
        made = face()
        made.change(DetectSettings(changes=[change(second, test_gas={"most_pct": 1.0})]))
        changes, _ = run_face(made, readings)
        assert [c.stage for c in changes][:2] == [TrialStage.SUSPECTED, stage]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 60), st.booleans())
def test_a_stop_at_any_reading_makes_no_difference(cut, told_later):
    """Snapshot and restore before or after two changes: the rest is the same, to the last bit of state."""
    config = with_changes(change(20, **OTHER), change(CHANGED, rate_window_s=30.0, coverage=0.2))
    rows = [(i % 3, START + i * S, 0.5 + i * 7 % 11 / 20, 67 if i % 13 == 5 else 0) for i in range(60)]
    whole = engine(config)
    for row in rows:
        whole.step(batch([row]))
    first = engine(SETTINGS if told_later and cut <= 20 else config)
    for row in rows[:cut]:
        first.step(batch([row]))
    second = engine(config)
    second.restore(first.snapshot())
    for row in rows[cut:]:
        second.step(batch([row]))
    assert second.snapshot() == whole.snapshot()
    assert second.state.point.tobytes() == whole.state.point.tobytes()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([change(0, cusum_slak=1.0)], "cusum_slak: Extra inputs"),
        ([change(0, cusum_slack=-1.0)], "cusum_slack: Input should be greater"),
        ([change(0, test_gas={"decide": 9})], "test_gas.decide: Extra inputs"),
        ([change(0, test_gas=9)], "test_gas: Input should be"),
        ([change(0, test_gas={"enabled": False})], "test_gas.enabled cannot change from a time on"),
        ([change(0, changes=[])], "changes cannot change from a time on"),
        ([change(5, coverage=0.5), change(5, coverage=0.6)], "in the order of valid_from"),
        ([change(0, coverage=0.5) | {"reason": ""}], "at least 1 character"),
        ([change(0, coverage=0.5) | {"valid_from": "2026-03-01T00:00:00"}], "timezone"),
        ([change(0)], "at least 1 item"),
    ],
)
def test_a_change_that_cannot_be_is_refused(changes, says):
    """An unknown key, a wrong value, no order, no reason, no offset: said when the file is read."""
    with pytest.raises(ValidationError, match=says):
        with_changes(*changes)


def test_changes_tell_what_was_and_what_is():
    """The journal gets each changed key with both values, later changes against earlier ones."""
    config = with_changes(change(0, coverage=0.5, test_gas={"decide_s": 9.0}), change(9, coverage=0.6))
    first, second = config.told()
    assert (first.before, first.after) == (
        {"coverage": 0.1, "test_gas.decide_s": 8.0},
        {"coverage": 0.5, "test_gas.decide_s": 9.0},
    )
    assert (second.before, second.after) == ({"coverage": 0.5}, {"coverage": 0.6})
    assert (first.by, first.reason, second.from_ns - first.from_ns) == ("engineer", "trial", 9 * S)
