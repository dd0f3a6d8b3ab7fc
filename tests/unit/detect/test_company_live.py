"""Several points judged together, live: joined on a grid, the same whatever the batches, with reasons."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

import unit.detect.fitting  # noqa: F401  # skips where there is no scikit-learn
from minewatch.contracts import PointInfo, Quality, ReadingBatch
from minewatch.detect import parcel
from minewatch.detect.company.catalogue import DRIFT, IDS
from minewatch.detect.company.fit import Choice, fit
from minewatch.detect.company.group import PARTIAL
from minewatch.detect.company.learner import Learner
from minewatch.detect.company.live import KINDS, Company
from minewatch.detect.company.model import write
from minewatch.detect.company.settings import CompanySettings, ModelInForce
from minewatch.detect.company.shrink import precision
from minewatch.detect.judge import Judge
from minewatch.errors import ModelError
from minewatch_sim.scenario_file import find, load
from minewatch_sim.simulation import points, simulate
from unit.detect.mine import START, S
from unit.detect.test_company_fit import NAMES, rows
from unit.detect.test_judge import table

DEVICE = "s/g/pump"


def _pump():
    return [PointInfo(f"s/pump/{n}", "s", "g", "pump", n, n, "1", "z", interval_s=1.0) for n in NAMES]


def _batch(table, first=0):
    """Return a reading of each sensor a second."""
    n, k = table.shape
    return ReadingBatch(
        np.tile(np.arange(k, dtype=np.int32), n),
        START + np.repeat((first + np.arange(n)) * S, k),
        table.reshape(-1).copy(),
        np.zeros(n * k, np.uint8),
        np.zeros(n * k, np.bool_),
    )


def _ended(batch):
    """Return a batch and a reading long after it: no row of the batch is left to be looked at later."""
    late = replace(_batch(np.zeros((1, 1))), ts_ns=batch.ts_ns.max(keepdims=True) + 100 * S)
    return ReadingBatch.join([batch, late])


def _scores(company, batch):
    return company.take(batch)[0]


def _told(said):
    """Return the reasons of rows over the threshold, in English."""
    return [each.say(k).en for each in said for k in np.flatnonzero(each.value >= 1)]


def _company(**settings):
    company = Company(CompanySettings(**settings))
    company.set_points(_pump())
    return company


def _faulty(n=600, at=500):
    table = rows(n)
    table[at:, 0] += 8
    return table


def test_a_fault_of_a_device_is_scored_and_blamed():
    """A new device is judged by what it has learned; the score names the sensor."""
    found = _scores(_company(), _batch(_faulty()))
    assert set(found.detector.tolist()) == {IDS["mahalanobis"]}
    assert (found.ts_ns >= START + 480 * S).mean() > 0.9
    late = found.ts_ns >= START + 510 * S
    assert set(found.point[late].tolist()) == {0}


def test_only_a_fitted_model_speaks_to_rules(tmp_path):
    """What a device learns by itself gives scores; from its time on a model says how far, and why."""
    own = _company()
    assert (own.subjects, own.take(_batch(_faulty()))[1]) == ((), [])
    company = _company(models=(_in_force(tmp_path, "pca", START / 1e9 + 300),))
    said = company.take(_batch(_faulty()))[1]
    assert {s.detector for s in company.subjects} == {IDS["pca"], DRIFT.id}
    judged = [each for each in said if each.detector == IDS["pca"]]
    assert max(v for e in judged for t, v in zip(e.ts_ns, e.value, strict=True) if t < START + 300 * S) == 0
    assert _told(judged)[-1].startswith("Does not fit the others: flow ")


def test_batches_cut_or_shuffled_give_the_same_scores():
    """Rows in one batch, in many, grouped by point, or mixed within the grace: the same bits."""
    table = _faulty()
    whole = _scores(_company(), _ended(_batch(table)))
    for pieces in (7, 100):
        company = _company()
        parts = [_scores(company, _batch(part, first)) for first, part in _pieces(table, pieces)]
        parts.append(_scores(company, _ended(_batch(table[-1:], len(table) - 1))))
        for name in ("point", "ts_ns", "detector", "score", "evidence"):
            assert np.array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))
    batch = _ended(_batch(table))
    by_point = batch.take(np.argsort(batch.point, kind="stable"))
    assert np.array_equal(_scores(_company(), by_point).score, whole.score)


def _resumed(company, wanted):
    """Return another company that goes on from a snapshot of this one."""
    again = Company(company.settings)
    again.set_points(wanted)
    again.restore(parcel.unpack(parcel.pack(company.state()), KINDS))
    return again


def _rows(taken):
    """Return what was scored and said, a row each."""
    scores, said = taken
    columns = (scores.detector, scores.point, scores.ts_ns, scores.evidence)
    told = [(e.detector, e.place, t, v) for e in said for t, v in zip(e.ts_ns, e.value, strict=True)]
    return [*zip(*columns, strict=True), *told]


@pytest.mark.parametrize("cut", [1, 30, 59, 61, 130, 399, 405, 470, 520, 599])
def test_any_cut_finds_the_same(cut):
    """A snapshot while learning, before a fit or after it, restored: every score as never stopped."""
    table = _faulty()
    whole = _rows(_company().take(_ended(_batch(table))))
    company = _company()
    found = _rows(company.take(_batch(table[:cut])))
    again = _resumed(company, _pump())
    assert found + _rows(again.take(_ended(_batch(table[cut:], cut)))) == whole


@pytest.mark.parametrize("kind", ["mahalanobis", "pca", "isolation-forest"])
def test_a_cut_of_a_fitted_model_finds_the_same(tmp_path, kind):
    """A model that takes over in between: what it says to rules, and its drift, as never stopped."""
    entry = _in_force(tmp_path, kind, START / 1e9 + 100)
    table = _faulty(260, 200)
    whole, company = _company(models=(entry,), drift_rows=100), _company(models=(entry,), drift_rows=100)
    found = []
    for first, part in _pieces(table, 65):
        company = _resumed(company, _pump())
        found += _rows(company.take(_batch(part, first)))
    wanted = _rows(whole.take(_batch(table)))
    key = lambda row: (row[0], str(row[1]), row[2])  # noqa: E731  # pieces tell in another order
    same = [sorted(rows, key=key) for rows in (found, wanted)]
    assert [row[:3] for row in same[0]] == [row[:3] for row in same[1]]
    assert np.array_equal(*([row[3] for row in rows] for rows in same), equal_nan=True)


def _in_force(folder, kind, since_s):
    folder.mkdir(exist_ok=True)
    model = write(fit(kind, NAMES, rows(), Choice(trees=5)), folder / "m.json")
    return ModelInForce(
        device=DEVICE, file=folder / "m.json", digest=model.digest,
        valid_from=datetime.fromtimestamp(since_s, UTC), reason="a test",
    )  # fmt: skip


@pytest.fixture(scope="module")
def buildup():
    """Return the points of the simulated mine and its readings while a fan stops."""
    scenario = load(find("methane-buildup"))
    return points(scenario), [frame.batch for frame in simulate(scenario, start_ns=START)]


def test_a_cut_of_air_gas_and_neighbours_finds_the_same(buildup):
    """The zones of the simulated mine go on as never stopped, also when readings wait for their row."""
    every, frames = buildup
    one, other = (Company(CompanySettings()) for _ in range(2))
    whole, found = [], []
    one.set_points(every)
    other.set_points(every)
    for k, batch in enumerate(frames[:270]):
        whole += _rows(one.take(batch))
        if k in (3, 100, 250):
            other = _resumed(other, every)
        found += _rows(other.take(batch))
    assert [row[:3] for row in found] == [row[:3] for row in whole]
    assert np.array_equal([row[3] for row in found], [row[3] for row in whole], equal_nan=True)


def test_a_device_with_other_sensors_begins_anew():
    """State of a device whose sensor was replaced by another kind is not taken over."""
    company = _company()
    company.take(_batch(rows(500)))
    other = [replace(p, unit="2") for p in _pump()]
    assert not len(_scores(_resumed(company, other), _batch(_faulty(20, 0), 500)).score)
    assert len(_scores(_resumed(company, _pump()), _batch(_faulty(20, 0), 500)).score)


def _pieces(table, size):
    return [(i, table[i : i + size]) for i in range(0, len(table), size)]


def test_bad_readings_never_get_in():
    """Readings that are bad, uncertain or no numbers, however wild, change no score."""
    table = rows(600)
    batch = _batch(table)
    wild = batch.value.copy()
    quality = batch.quality.copy()
    wild[4 * 450 :: 4] = 1e9
    quality[4 * 450 :: 4] = Quality.UNCERTAIN_RANGE
    wild[1::40] = np.nan
    found = _scores(_company(), replace(batch, value=wild, quality=quality))
    assert len(found.score) <= len(_scores(_company(), batch).score) + 5


def test_a_sensor_that_is_silent_is_missing_not_held_for_ever():
    """A value is held for its bound, then the device is judged without that sensor."""
    table = rows(600)
    batch = _batch(table)
    silent = batch.take(~((batch.point == 0) & (batch.ts_ns >= START + 500 * S)))
    found = _scores(_company(), silent)
    assert (found.ts_ns >= START + 520 * S).sum() <= 5


def test_a_model_judges_from_its_stated_time(tmp_path):
    """A fitted model takes over at its valid_from, and not a row before; another digest is refused."""
    table = rows(600) + np.array([3.0, 0, 0, 0])
    model = write(fit("mahalanobis", NAMES, rows(), Choice()), tmp_path / "m.json")
    entry = ModelInForce(
        device=DEVICE,
        file=tmp_path / "m.json",
        digest=model.digest,
        valid_from=datetime.fromtimestamp(START / 1e9 + 300, UTC),
        reason="a test",
    )
    found = _scores(_company(models=(entry,)), _batch(table))
    assert (found.ts_ns < START + 300 * S).sum() <= 5, "by itself it took that for usual"
    assert (found.ts_ns >= START + 330 * S).sum() > 200, "the fitted model knows better"
    with pytest.raises(ModelError, match="promised digest"):
        Company(CompanySettings(models=(entry.model_copy(update={"digest": "sha256:0"}),)))


def test_a_model_that_no_longer_fits_is_told(tmp_path):
    """A process that has moved on lies beyond the fit: a statistic for rules, in words, until it fits."""
    model = write(fit("mahalanobis", NAMES, rows(), Choice()), tmp_path / "m.json")
    entry = ModelInForce(
        device=DEVICE, file=tmp_path / "m.json", digest=model.digest,
        valid_from=datetime.fromtimestamp(START / 1e9, UTC), reason="a test",
    )  # fmt: skip
    company = _company(models=(entry,), drift_rows=600)
    company.take(_batch(rows(700)))
    assert not company.drift()
    said = company.take(_batch(rows(700) + np.array([40.0, 0, 0, 0]), 700))[1]
    assert {s.detector for s in company.subjects} == {IDS["mahalanobis"], DRIFT.id}
    (drifted,) = (each for each in said if each.detector == DRIFT.id)
    assert drifted.place == DEVICE
    assert (drifted.value[0] < 1, drifted.value[-1] >= 1) == (True, True)
    assert (
        company.drift()[0].en
        == f"The model of {DEVICE}: 69% of the last rows lie beyond its fit and 69% alarm."
    )
    first = int(np.flatnonzero(drifted.value >= 1)[0])
    assert drifted.say(first).en.startswith(
        f"The model of {DEVICE}: 20% of the last rows lie beyond its fit "
    )
    company.take(_batch(rows(4000), 1400))
    assert not company.drift()


def test_drift_begins_anew_with_another_model(tmp_path):
    """Of a model that has drifted nothing is held against the one that takes over, whatever the batches."""
    old, new = (
        _in_force(tmp_path / name, "mahalanobis", START / 1e9 + at) for name, at in (("a", 0), ("b", 700))
    )
    table = rows(1200) + np.array([40.0, 0, 0, 0])
    found = []
    for size in (1200, 100):
        company = _company(models=(old, new), drift_rows=300)
        said = [each for k, part in _pieces(table, size) for each in company.take(_batch(part, k))[1]]
        drift = [each for each in said if each.detector == DRIFT.id]
        order = np.argsort(np.concatenate([each.ts_ns for each in drift]))
        found.append(np.concatenate([each.value for each in drift])[order])
    assert np.array_equal(*(np.isnan(each) for each in found))
    assert np.flatnonzero(np.isnan(found[0])).tolist() == [*range(299), *range(700, 999)]


def test_another_calibration_date_or_range_teaches_nothing_anew():
    """While a fault stands the range of its point changes: what was usual stays usual."""
    kept, company = (Company(CompanySettings()) for _ in range(2))
    every = _air_and_gas(interval_s=1.0)
    told = []
    for one, later in ((kept, every), (company, [replace(each, high=100.0) for each in every])):
        one.set_points(every)
        first = _rows(one.take(_lost_air(180, 150, 1)))
        one.set_points(later)
        second = _rows(one.take(_lost_air(60, 0, 1, 180)))
        told.append([row for row in first + second if row[3] >= 0])
    assert told[0][-1][3] >= 1
    assert told[1] == told[0]


def test_a_row_without_a_sensor_is_counted():
    """Rows of sensors whose clocks lie further apart than grace and hold are seen in a metric."""
    company = Company(CompanySettings())
    company.set_points(_air_and_gas(interval_s=1.0))
    before = PARTIAL._value.get()
    company.take(_lost_air(50, 40, 1))
    assert PARTIAL._value.get() == before
    for second in range(100, 130):
        batch = _lost_air(1, 1, 1, second)
        said = company.take(replace(batch, ts_ns=batch.ts_ns - np.array([0, 20 * S])))[1]
    assert PARTIAL._value.get() >= before + 20
    assert not np.isfinite(said[-1].value).any(), "nothing is known of air and gas at one moment"


def test_a_model_for_other_sensors_is_a_problem_not_a_crash(tmp_path):
    """A model that needs a sensor the device has not is told; the device is judged by what it learns."""
    model = write(fit("mahalanobis", ("a", "b", "c", "d"), rows(), Choice()), tmp_path / "m.json")
    entry = ModelInForce(
        device=DEVICE, file=tmp_path / "m.json", digest=model.digest,
        valid_from=datetime.fromtimestamp(0, UTC), reason="a test",
    )  # fmt: skip
    company = _company(models=(entry,))
    assert "its model needs a, b, c, d" in company.problems[0]
    assert len(_scores(company, _batch(_faulty())).score)


def test_points_that_come_later_disturb_nobody():
    """Another device appears: groups that are the same go on where they stood."""
    table = _faulty()
    alone = _company()
    whole = _scores(alone, _batch(table))
    company = _company()
    first = _scores(company, _batch(table[:300]))
    fan = [replace(p, place=p.place.replace("pump", "fan"), device="fan") for p in _pump()]
    company.set_points([*_pump(), *fan])
    second = _scores(company, _batch(table[300:], 300))
    assert np.array_equal(np.concatenate([first.score, second.score]), whole.score)
    assert len(company.groups) == 2


def test_more_groups_than_allowed_are_left_out_and_told():
    """The bound holds, and what lives hang on comes first."""
    company = Company(CompanySettings(most_groups=1))
    every = points(load(find("calm")))
    company.set_points(every)
    assert len(company.groups) == 1
    assert company.groups[0].startswith("airflow-gas")
    nobody = Company(CompanySettings(enabled=False))
    nobody.set_points(every)
    assert nobody.groups == ()
    assert not len(_scores(nobody, _batch(rows(20))).score)


def test_a_clock_that_is_set_back_does_not_blind():
    """A device whose clock ran an hour ahead is judged again as soon as its clock is right."""
    company = _company()
    company.take(_batch(rows(500), 3600))
    found = _scores(company, _batch(_faulty(400, 100)))
    assert (found.ts_ns >= START + 120 * S).sum() > 200


def test_two_states_that_are_the_same_are_no_singular_matrix():
    """Two sensors that switch together are judged, and their disagreement is told."""
    same = np.tile(np.repeat([0.0, 1.0], 2), 150)
    table = np.column_stack([same, same])
    table[550:, 1] = 0.0
    company = Company(CompanySettings())
    company.set_points(_pump()[:2])
    assert len(_scores(company, _batch(table)).score)


def _moved_before_the_others_came():
    """Return rows of a pump whose first sensor moved only before the others reported."""
    table = rows(600)
    table[:, 0] = np.arange(600) == 0
    table[:2, 1:] = np.nan
    table[520:, 1] += 8
    return table


def test_a_sensor_that_moved_before_the_others_came_is_left_out():
    """Constant wherever every sensor is measured: the others are judged, and a snapshot is taken back."""
    table = _moved_before_the_others_came()
    model = fit("mahalanobis", NAMES, table[:500])
    assert model.left_out["flow"] == "does not move while the others are measured"
    company = _company()
    company.take(_batch(table[:500]))
    found = _scores(_resumed(company, _pump()), _batch(table[500:], 500))
    assert set(found.point[found.ts_ns >= START + 530 * S].tolist()) == {1}


def test_a_device_whose_kept_model_cannot_be_used_learns_anew():
    """A model in a snapshot that is refused stops no start: that device begins as a new one does."""
    company = _company()
    company.take(_batch(rows(500)))
    state = company.state()
    (name,) = (each for each in state if each.endswith("model"))
    again = _company()
    again.restore({**state, name: np.frombuffer(b"{}", np.uint8)})
    assert not len(_scores(again, _batch(_faulty(20, 0), 500)).score), "it has learned nothing as yet"
    assert len(_scores(again, _batch(_faulty(), 520)).score)


def test_no_fit_that_fails_stops_the_readings():
    """A matrix that cannot be inverted is learned past; the rows are scored once a fit succeeds."""
    calls = []

    def final(sensors, taught, choice):
        calls.append(len(taught))
        if len(calls) == 1:
            raise np.linalg.LinAlgError("Singular matrix")
        return fit("mahalanobis", sensors, taught, choice, own=True)

    learner = Learner(NAMES, Choice(), final)
    learner.take(rows(600))
    assert calls == [400, 400]
    assert learner.model.kind == "mahalanobis"


def _air_and_gas(**columns):
    """Return an anemometer and a methane meter of one face."""
    air = PointInfo("s/an/v", "s", "g", "an", "v", "air_velocity", "m/s", "face", **columns)
    return [air, PointInfo("s/mm/ch4", "s", "g", "mm", "ch4", "methane", "%", "face", **columns)]


def _lost_air(n=200, at=150, every=15, first=0):
    """Return air that falls while methane rises, both read every so many seconds."""
    table = np.random.default_rng(1).normal([1.6, 0.3], 0.01, (n, 2))
    table[at:] = [0.1, 1.2]
    batch = _batch(table)
    return replace(batch, ts_ns=START + (first + (batch.ts_ns - START) // S * every) * S)


def test_a_clock_stuck_ahead_stops_nobody():
    """A doubted point whose time stands five hours ahead: the loss of air is told as without it."""
    stuck = ReadingBatch.of([2], [START + 5 * 3600 * S], [1.0])
    stuck = replace(stuck, quality=np.full(1, Quality.UNCERTAIN_CLOCK, np.uint8))
    every = _air_and_gas(interval_s=1.0)
    every.append(replace(every[1], place="s/stuck/ch4", device="stuck"))
    told = []
    for beside in (ReadingBatch.empty(), stuck):
        company = Company(CompanySettings())
        company.set_points(every)
        parts = [
            ReadingBatch.join([_lost_air(1, at, 1, k), beside]) for k, at in enumerate([1] * 150 + [0] * 9)
        ]
        told.append([row for part in parts for row in _rows(company.take(part)) if row[3] >= 0])
    assert told[0][-1][3] >= 1
    assert told[1] == told[0]


def test_sensors_that_give_no_interval_outlast_a_delay():
    """Read every 15 s without a word about it: a loss of air that stands for a minute is raised."""
    company = Company(CompanySettings())
    company.set_points(_air_and_gas())
    judge = Judge()
    (subject,) = company.subjects
    judge.set_limits(table(subject, on_delay_ns=np.array([60 * S])), [subject])
    found, _ = judge.take(company.take(_lost_air())[1])
    assert found.active.tolist() == [True]
    assert 150 * 15 <= (found.since_ns[0] - START) / S <= 152 * 15


def test_nothing_and_one_reading():
    """No readings, no points and one reading are no trouble."""
    company = _company()
    assert not len(_scores(company, ReadingBatch.empty()).score)
    assert not len(_scores(company, ReadingBatch.of([0], [START], [1.0])).score)
    assert not len(_scores(Company(CompanySettings()), ReadingBatch.of([0], [START], [1.0])).score)


def test_the_simulated_mine_tells_its_loss_of_air(buildup):
    """Methane builds up after a fan stops: airflow-gas says it in words, at that heading alone."""
    every, frames = buildup
    company = Company(CompanySettings())
    company.set_points(every)
    told = []
    for batch in frames:
        for each in company.take(batch)[1]:
            if each.detector == IDS["airflow-gas"]:
                told += [(each.place, each.ts_ns[k], each.say(k).en) for k in np.flatnonzero(each.value >= 1)]
    assert told
    _, at, why = told[0]
    assert 180 < (at - START) / S <= 270
    assert {where for where, *_ in told} == {"karaganda-demo/heading-12/face"}
    assert why.startswith("Airflow at air-heading-12 fell from ")


def test_the_own_shrinkage_is_that_of_scikit_learn():
    """What a device learns without scikit-learn is LedoitWolf's precision to 1e-12."""
    from sklearn.covariance import LedoitWolf

    for seed, k in ((1, 1), (2, 3), (3, 8)):
        z = np.random.default_rng(seed).normal(0, 1, (400, k)) @ (np.eye(k) + 0.3)
        z = (z - z.mean(axis=0)) / z.std(axis=0)
        theirs = LedoitWolf().fit(z).precision_
        assert np.allclose(precision(z), theirs, rtol=1e-11, atol=1e-12)
