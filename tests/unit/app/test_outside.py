"""What is judged outside the walk becomes an alert with its reason: live, of old, and over a restart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minewatch.alerts import packs
from minewatch.alerts.book import AlertBook
from minewatch.alerts.rules import RuleSet, load
from minewatch.alerts.settings import AlertSettings
from minewatch.app import snapshot
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import AlertEvent, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.company.settings import CompanySettings, MixtureMember
from minewatch.detect.company.trust_settings import TrustSettings
from minewatch.detect.settings import DetectSettings
from minewatch.testing import MemoryRecords, MemoryTelemetry
from unit.app.a_mine import T0, S, meter, pipeline, rule

RULES = RuleSet((rule("odd-one-out", "neighbours", BY_NAME["neighbours"], 1.0),))
STEP = 10
METERS = [meter(name) for name in "abc"]


def readings(first: int, *, historical: bool = False) -> ReadingBatch:
    """Return ten seconds of three meters; from the 150th second to the 200th one of them reads 1 % more."""
    at = np.arange(first, first + STEP)
    value = np.random.default_rng(first).normal(0.3, 0.01, (STEP, 3))
    value[:, 2] += (at >= 150) & (at < 200)
    n = 3 * STEP
    return ReadingBatch(
        np.tile(np.arange(3, dtype=np.int32), STEP), T0 + np.repeat(at * S, 3), value.reshape(-1),
        np.zeros(n, np.uint8), np.full(n, historical),
    )  # fmt: skip


def played(mine: Pipeline, first: int, last: int, *, historical: bool = False) -> list[AlertEvent]:
    """Return the events of these seconds."""
    events: list[AlertEvent] = []
    for second in range(first, last, STEP):
        now = T0 + (second + STEP) * S
        events += mine.take(readings(second, historical=historical), now)
        mine.flush()
    return events


def mine(**stores: object) -> Pipeline:
    """Return a pipeline that knows the meters and the rule."""
    made = pipeline(rules=RULES, **stores)  # type: ignore[arg-type]  # stores by name
    made.register(METERS, T0)
    return made


def told(events: list[AlertEvent]) -> list[tuple[str, str, float]]:
    """Return what happened, to what, at which second."""
    return [(e.event.value, e.alert.place, (e.time_ns - T0) / S) for e in events]


def test_one_meter_against_its_neighbours_is_an_alert_with_its_reason() -> None:
    """The rule names the detector, the alert the place, its reason the meter in three languages; it ends."""
    raised, cleared = events = played(mine(), 0, 300)
    place = "mine/face/methane/% CH4"
    assert told(events) == [("raised", place, 150.0), ("cleared", place, 200.0)]
    assert raised.alert.why.en.startswith("c reads 1 % CH4 above")
    assert (
        "% CH4 above what its 2 neighbours say; times the usual bound 11 (limit ≥ 1)" in raised.alert.why.en
    )
    assert raised.alert.why.ru.startswith("c показывает на 1 % CH4 больше")
    assert (raised.alert.zone, raised.alert.unit, raised.alert.limit) == ("face", "1", 1.0)
    assert not cleared.alert.active


def test_history_is_judged_aside_and_labelled() -> None:
    """The same readings of old raise the same, said to be from history, calling nobody."""
    raised, _ = events = played(mine(), 0, 300, historical=True)
    assert [at for _, _, at in told(events)] == [150.0, 200.0]
    assert raised.alert.retrospective
    assert not raised.alert.paged
    assert raised.alert.why.en.startswith("c reads 1 % CH4 above")


@pytest.mark.parametrize("cut", [30, 110, 150, 180, 210])
def test_any_cut_finds_the_same(tmp_path: Path, cut: int) -> None:
    """State is saved, the service dies half a minute later and starts anew: the same alerts are told."""
    first = mine()
    events = played(first, 0, cut)
    snapshot.save(first, tmp_path / "state.bin", T0 + cut * S)
    events += played(first, cut, cut + 30)
    again = pipeline(
        rules=RULES, records=first.records, telemetry=first.telemetry, now_ns=T0 + (cut + 31) * S
    )
    snapshot.load(again, tmp_path / "state.bin", T0 + (cut + 31) * S)
    events += played(again, cut + 30, 300)
    assert told(events) == told(played(mine(), 0, 300))


def gases(first: int) -> ReadingBatch:
    """Return ten seconds of two gases: one at 0.6 of its limit, the other so for seconds 20 to 59."""
    at = np.arange(first, first + STEP)
    value = np.column_stack([np.full(STEP, 12.0), np.where(at < 20, 1.0, np.where(at < 60, 3.0, 0.0))])
    n = 2 * STEP
    return ReadingBatch(
        np.tile(np.arange(2, dtype=np.int32), STEP), T0 + np.repeat(at * S, 2), value.reshape(-1),
        np.zeros(n, np.uint8), np.zeros(n, np.bool_),
    )  # fmt: skip


def test_gases_that_act_together_are_an_alert_of_the_zone() -> None:
    """Below each limit alone, over that of the mixture: the shipped rule calls and says both gases."""
    limits = {"carbon_monoxide": 20.0, "hydrogen_sulphide": 5.0}
    company = CompanySettings(
        mixture=tuple(MixtureMember(quantity=q, unit="ppm", limit=x) for q, x in limits.items())
    )
    rules = load([packs.shipped() / "company.toml"], BY_NAME)
    kept = MemoryRecords()
    book = AlertBook(AlertSettings(), kept, started_ns=T0)
    made = Pipeline(DetectSettings(), rules, book, MemoryTelemetry(), kept, now_ns=T0, company=company)
    made.register([replace(meter(q[:3]), quantity=q, unit="ppm") for q in limits], T0)
    events: list[AlertEvent] = []
    for second in range(0, 180, STEP):
        events += made.take(gases(second), T0 + (second + STEP) * S)
        made.flush()
    assert told(events) == [("raised", "mine/face", 25.0), ("cleared", "mine/face", 120.0)]
    alert = events[0].alert
    assert (alert.rule, alert.paged, alert.unit, alert.value) == ("gases-together", True, "1", 1.2)
    assert "add up to 1.2: car CH4 12 ppm (60%), hyd CH4 3 ppm (60%)" in alert.why.en
    assert "сумма их отношений к пределам 1.2" in alert.why.ru


SLOW = CompanySettings(trust=TrustSettings(step_s=600, drift_warm_up=24))
DRIFTS = RuleSet((rule("creeps", "drift", BY_NAME["drift"], 1.0),))


def minutes(first: int, n: int = 60, *, historical: bool = False) -> ReadingBatch:
    """Return minutes of three meters; from the 500th on one of them creeps up by 0.6 % CH4 in 600."""
    at = np.arange(first, first + n)
    value = np.random.default_rng(first).normal(0.3, 0.01, (n, 3)) + 0.1 * np.sin(at / 60)[:, np.newaxis]
    value[:, 2] += 0.001 * np.maximum(at - 500, 0)
    return ReadingBatch(
        np.tile(np.arange(3, dtype=np.int32), n), T0 + np.repeat(at * 60 * S, 3), value.reshape(-1),
        np.zeros(3 * n, np.uint8), np.full(3 * n, historical),
    )  # fmt: skip


def slow_mine(kept: MemoryRecords, telemetry: MemoryTelemetry, now_ns: int = T0) -> Pipeline:
    """Return a pipeline whose hours are ten minutes long."""
    book = AlertBook(AlertSettings(), kept, started_ns=now_ns)
    made = Pipeline(DetectSettings(), DRIFTS, book, telemetry, kept, now_ns=now_ns, company=SLOW)
    made.register([replace(meter(name), interval_s=60.0) for name in "abc"], now_ns)
    return made


def crept(mine: Pipeline, first: int, last: int, *, historical: bool = False) -> list[AlertEvent]:
    """Return the events of these minutes."""
    events: list[AlertEvent] = []
    for minute in range(first, last, 60):
        events += mine.take(minutes(minute, historical=historical), T0 + (minute + 60) * 60 * S)
        mine.flush()
    return events


def test_a_meter_that_creeps_is_an_alert_of_that_meter_with_its_reason() -> None:
    """The alert stands at the meter, says by how much and since when; history finds the same."""
    live, old = (
        crept(slow_mine(MemoryRecords(), MemoryTelemetry()), 0, 1200, historical=historical)
        for historical in (False, True)
    )
    assert [(e.event.value, e.alert.place) for e in live] == [("raised", "mine/c/CH4")]
    alert = live[0].alert
    assert alert.why.en.startswith("c reads 0.1")
    assert "above what 2 neighbours let expect, for " in alert.why.en
    assert (alert.zone, alert.unit, alert.limit, alert.retrospective) == ("face", "1", 1.0, False)
    assert [(e.time_ns, e.alert.retrospective, e.alert.paged) for e in old] == [
        (live[0].time_ns, True, False)
    ]


@pytest.mark.parametrize("cut", [60, 480, 660, 900])
def test_a_restart_finds_the_same_drift(tmp_path: Path, cut: int) -> None:
    """State is saved, an hour later the service dies and starts anew: the same alert at the same time."""
    kept, telemetry = MemoryRecords(), MemoryTelemetry()
    first = slow_mine(kept, telemetry)
    events = crept(first, 0, cut)
    snapshot.save(first, tmp_path / "state.bin", T0 + cut * 60 * S)
    events += crept(first, cut, cut + 60)
    now = T0 + (cut + 60) * 60 * S
    again = slow_mine(kept, telemetry, now)
    snapshot.load(again, tmp_path / "state.bin", now)
    events += crept(again, cut + 60, 1200)
    assert told(events) == told(crept(slow_mine(MemoryRecords(), MemoryTelemetry()), 0, 1200))
