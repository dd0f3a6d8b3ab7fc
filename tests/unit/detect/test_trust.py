"""Drift and lost response live: means of steps, the same whatever the batches, reasons in words, memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from minewatch.contracts import Announcement, PointInfo, Quality, ReadingBatch, TrialChange, TrialStage
from minewatch.detect import parcel
from minewatch.detect.company.trust import DRIFT, KINDS, LATE, RESPONSE, Trust
from minewatch.detect.company.trust_settings import TrustSettings
from unit.detect.mine import S

STEP = 600
START = 1_700_000_400 * S // (STEP * S) * STEP * S
WAYS = TrustSettings(step_s=STEP, drift_warm_up=30, response_warm_up=8, event_steps=12)


def _info(name: str, quantity: str = "methane", unit: str = "% CH4", zone: str = "z/face") -> PointInfo:
    return PointInfo(
        f"s/{name}/x", "s", "g", name, "x", quantity, unit, zone, interval_s=60.0, resolution=0.01
    )


METERS = [*(_info(name) for name in "abc"), _info("baro", "barometric_pressure", "hPa", "z/intake")]


def _hours(steps: int = 120, seed: int = 1) -> np.ndarray:
    """Return what three meters and a barometer read, a row a minute: work and rest, and the weather."""
    dice = np.random.default_rng(seed)
    minutes = np.arange(steps * STEP // 60)
    work = 0.3 * (minutes // 40 % 2)
    weather = 3.0 * np.sin(minutes / 90.0)
    gas = 0.5 + work - 0.05 * weather
    table = np.column_stack([gas + 0.1, gas, 0.9 * gas + 0.2, 1010 + weather])
    return table + dice.normal(0, 0.005, table.shape)


def _batch(table: np.ndarray, first: int = 0) -> ReadingBatch:
    n, k = table.shape
    zeros = np.zeros(n * k, np.uint8)
    return ReadingBatch(
        np.tile(np.arange(k, dtype=np.int32), n),
        START + np.repeat((first + np.arange(n)) * 60 * S, k),
        table.reshape(-1).copy(),
        zeros,
        zeros.astype(np.bool_),
    )


def _trust(infos: list[PointInfo] = METERS, settings: TrustSettings = WAYS) -> Trust:
    trust = Trust(settings)
    trust.set_points(infos)
    return trust


def _said(taken) -> list[tuple[int, str, int, float]]:
    return [
        (e.detector, e.place, int(t), float(v))
        for e in taken[1]
        for t, v in zip(e.ts_ns, e.value, strict=True)
    ]


def _last(taken, detector: int) -> dict[str, tuple[float, str]]:
    """Return of each place the last statistic and its reason."""
    mine = [e for e in taken[1] if e.detector == detector]
    return {e.place: (float(e.value[-1]), e.say(0).en) for e in mine}


def test_a_meter_that_drifts_is_told_in_words():
    """One of three creeps up: it alone is at 1 or more, with by how much and since when, and a score."""
    table = _hours()
    table[600:, 1] += 0.3 * np.arange(600) / 600
    taken = _trust().take(_batch(table))
    told = _last(taken, DRIFT)
    assert {place for place, (size, _) in told.items() if size >= 1} == {"s/b/x"}
    assert told["s/b/x"][1].startswith("b reads 0.1")
    assert " % CH4 above what 2 neighbours let expect, for " in told["s/b/x"][1]
    scores = [(int(s.point[0]), int(s.detector[0])) for s in taken[0]]
    assert (1, DRIFT) in scores
    assert all(s.score[0] >= 0.5 and s.evidence[0] >= 1 for s in taken[0])


def test_what_all_meters_do_is_no_drift():
    """Gas that rises at all of them alike is the mine's."""
    table = _hours()
    table[600:, :3] += 1.0
    assert max(size for size, _ in _last(_trust().take(_batch(table)), DRIFT).values()) < 0.5


def test_a_covered_meter_no_longer_answers_its_neighbours():
    """A meter that goes on alone, noise and all, is told, with how many changes it left unanswered."""
    table = _hours(200)
    table[1000:, 0] = 0.7 + np.random.default_rng(3).normal(0, 0.005, 1000)
    told = _last(_trust().take(_batch(table)), RESPONSE)
    assert {place for place, (size, _) in told.items() if size >= 1} == {"s/a/x"}
    assert "a has not answered the last " in told["s/a/x"][1]
    assert "% of its answer is left" in told["s/a/x"][1]


def test_a_poisoned_meter_answers_the_barometer_by_a_part():
    """A lone meter has the barometer to answer: a third of its answer left is a loss, all of it is none."""
    alone = [METERS[0], METERS[3]]
    table = _hours(300)[:, [0, 3]]
    table[:, 0] = 0.5 - 0.05 * (table[:, 1] - 1010)
    whole = _last(_trust(alone).take(_batch(table)), RESPONSE)
    table[1500:, 0] = 0.5 + (table[1500:, 0] - 0.5) / 3
    part = _last(_trust(alone).take(_batch(table)), RESPONSE)
    assert whole["s/a/x"][0] < 0.2
    assert part["s/a/x"][0] >= 1
    assert "changes of the barometer (10) as usual: 4" in part["s/a/x"][1]
    assert _trust(alone).take(_batch(table))[1][-1].say(0).kk.startswith("a барометрдің соңғы ")


def _trial(level: float, n: int) -> TrialChange:
    at = START + n * 86400 * S
    return TrialChange(0, TrialStage.OVER, "recovered", False, at, at, at, level, 0.2, level, 9.0, 9.0)


def test_a_meter_that_shows_less_and_less_of_test_gas_is_told():
    """Tests at 2.2 %, then some at 1.6 %: the meter is told; a test without a level says nothing."""
    trust = _trust()
    calm = [trust.tested([_trial(2.2 + 0.02 * (n % 3), n)]) for n in range(8)]
    assert all(e.value[0] < 1 for said in calm for e in said)
    assert trust.tested([replace(_trial(2.2, 9), level=float("nan"))]) == []
    hole = replace(_trial(0.6, 9), reason="hole")
    weak = replace(_trial(1.0, 9), announcement=Announcement("s/a/x", 0, 9, "desk", 1.0))
    assert [trust.tested([one]) for one in (hole, weak)] == [[], []], "no test, and a weaker bottle"
    (said,) = [trust.tested([_trial(1.6, n)]) for n in range(10, 14)][-1]
    assert (said.place, said.value[0] >= 1) == ("s/a/x", True)
    assert said.say(0).en.startswith("a shows only 7")
    assert said.say(0).ru.startswith("a показывает лишь 7")


def test_batches_cut_or_shuffled_say_the_same():
    """Rows in one batch, in many, or grouped by point: the same bits."""
    table = _hours()
    whole = _said(_trust().take(_batch(table)))
    assert len(whole) > 300
    for size in (7, 100):
        trust = _trust()
        parts = [_said(trust.take(_batch(table[i : i + size], i))) for i in range(0, len(table), size)]
        assert [row for part in parts for row in part] == whole
    batch = _batch(table)
    by_point = batch.take(np.argsort(batch.point, kind="stable"))
    assert _said(_trust().take(by_point)) == whole


@pytest.mark.parametrize("cut", [1, 5, 299, 333, 700, 1001])
def test_any_cut_says_the_same(cut):
    """A snapshot at any reading, restored: every statistic as never stopped."""
    table = _hours()
    table[800:, 0] = 0.7
    whole = _said(_trust().take(_batch(table)))
    first, again = _trust(), _trust()
    found = _said(first.take(_batch(table[:cut])))
    again.restore(parcel.unpack(parcel.pack(first.state()), KINDS))
    assert found + _said(again.take(_batch(table[cut:], cut))) == whole


def test_a_state_of_before_these_detectors_begins_anew():
    """A snapshot without this part is no error."""
    trust = _trust()
    trust.restore({})
    assert len(_said(trust.take(_batch(_hours())))) > 300


def test_bad_readings_never_get_in():
    """Readings that are bad, uncertain, infinite or no numbers, however wild, change no statistic's place."""
    table = _hours()
    batch = _batch(table)
    wild, quality = batch.value.copy(), batch.quality.copy()
    wild[4::40], quality[4::40] = 1e9, Quality.UNCERTAIN_RANGE
    wild[1::40], wild[2::40] = np.nan, np.inf
    calm = _last(_trust().take(batch), DRIFT)
    told = _last(_trust().take(replace(batch, value=wild, quality=quality)), DRIFT)
    assert told.keys() == calm.keys()
    assert all(abs(told[place][0] - calm[place][0]) < 0.1 for place in calm)


def test_a_meter_that_comes_later_makes_no_other_learn_anew_and_a_calibration_does():
    """A fourth meter joins: the three go on. A new calibration date of one: it alone begins anew."""
    table = _hours()
    trust = _trust()
    trust.take(_batch(table[:600]))
    trust.set_points([*METERS, _info("d")])
    known = _last(trust.take(_batch(table[600:660], 600)), DRIFT)
    assert known.keys() == {"s/a/x", "s/b/x", "s/c/x"}
    trust.set_points([replace(METERS[0], calibration_due_ns=5), *METERS[1:], _info("d")])
    known = _last(trust.take(_batch(table[660:720], 660)), DRIFT)
    assert known.keys() == {"s/b/x", "s/c/x"}


def test_a_hole_of_days_and_a_late_reading_change_nothing():
    """Nobody speaks for two days, then all go on; a reading of a closed step is counted and in no mean."""
    table = _hours()
    trust, after = _trust(), 2 * 86400 // 60
    trust.take(_batch(table[:600]))
    taken = trust.take(_batch(table[600:], 600 + after))
    assert max(size for size, _ in _last(taken, DRIFT).values()) < 0.5
    before = LATE._value.get()
    assert _said(trust.take(_batch(np.full((1, 4), 50.0), 700))) == []
    assert LATE._value.get() == before + 4


def test_an_hour_of_few_readings_has_no_mean():
    """A mean wants half of what its interval promises: a meter with fewer is missing, not judged."""
    batch = _batch(_hours())
    few = batch.take((batch.point != 0) | (batch.ts_ns // (60 * S) % 10 < 3))
    assert "s/a/x" not in _last(_trust().take(few), DRIFT)


def test_who_is_watched():
    """Meters of shared air: drift from three on, gases alone have the barometer; machines never."""
    infos = [*METERS, *(_info(n, "current", "A") for n in "pqr"), _info("lone", "carbon_monoxide", "ppm")]
    told = {(s.about.device, s.detector) for s in _trust(infos).subjects}
    assert told == {(name, d) for name in "abc" for d in (DRIFT, RESPONSE)}
    assert _trust(infos, WAYS.model_copy(update={"enabled": False})).subjects == []
    assert _trust([]).take(_batch(_hours(2))) == ([], [])
