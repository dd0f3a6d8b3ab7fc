"""What is judged outside the walk becomes an alert with its reason: live, of old, and over a restart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minewatch.alerts.rules import RuleSet
from minewatch.app import snapshot
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import AlertEvent, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME
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
    assert "% CH4 above what its 2 neighbours say; beyond usual, times 11 (limit ≥ 1)" in raised.alert.why.en
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
