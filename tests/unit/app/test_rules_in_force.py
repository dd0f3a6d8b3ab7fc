"""Rules from a stated time on, through the whole pipeline: live, late, historical, read back, reloaded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from minewatch.alerts.rule import Rule
from minewatch.alerts.rules import RuleSet, load
from minewatch.app import snapshot
from minewatch.app.reload import accepted_rules
from minewatch.contracts import AlertEvent, EventKind, Quality, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.settings import DetectSettings
from minewatch.errors import RuleError
from unit.app.a_mine import HOUR, PACK, RULES, T0, S, meter, pipeline

CHANGE = T0 + 100 * S
HIGH, SILENT = RULES.rules
LOWER = replace(
    HIGH, threshold=0.75, by="order 7", reason="new limit", priority=2,
    effective_from=datetime.fromtimestamp(CHANGE / 1e9, UTC),
)  # fmt: skip
FIRST, BOTH = RuleSet((HIGH,)), RuleSet((HIGH, LOWER))


def at(second: float, value: float, *, historical: bool = False) -> ReadingBatch:
    """Return a reading of the one meter."""
    return ReadingBatch.of([0], [T0 + int(second * S)], [value], historical=historical)


def told(events: tuple[AlertEvent, ...]) -> list[tuple[str, str, float, int]]:
    """Return event, rule, limit and priority of each."""
    return [(e.event.value, e.alert.rule, e.alert.limit, e.alert.priority) for e in events]


@pytest.mark.parametrize("historical", [False, True])
def test_live_and_late_readings_are_judged_by_the_rule_of_their_time(historical: bool) -> None:
    """0.8 % is nothing a second before the date and an alert on it, told with the limit of that version."""
    mine = pipeline(rules=BOTH)
    mine.register([meter("a")], T0)
    for second in (98, 99):
        assert mine.take(at(second, 0.8, historical=historical), T0 + 102 * S) == ()
    found = mine.take(at(100, 0.8, historical=historical), T0 + 102 * S)
    assert told(found) == [("raised", "high", 0.75, 2)]
    assert found[0].alert.retrospective == historical


def test_an_alert_of_the_old_version_clears_by_the_new_one() -> None:
    """One alert: raised above 1.0 before the date, still standing at 0.8 after it, over at 0.7."""
    mine = pipeline(rules=BOTH)
    mine.register([meter("a")], T0)
    events: tuple[AlertEvent, ...] = ()
    for second, value in ((98, 1.2), (99, 1.2), (101, 0.8), (102, 0.7)):
        events += mine.take(at(second, value), T0 + second * S)
    assert [(e.event.value, e.time_ns // S - T0 // S) for e in events] == [("raised", 98), ("cleared", 102)]
    assert len({e.alert.id for e in events}) == 1


def test_what_is_read_back_after_a_crash_is_judged_by_its_own_time(tmp_path: Path) -> None:
    """A service that starts after the date reads back from before it, and raises what would have been."""
    mine = pipeline(rules=BOTH)
    mine.register([meter("a")], T0)
    mine.take(at(90, 0.1), T0 + 90 * S)
    mine.flush()
    snapshot.save(mine, tmp_path / "state.bin", T0 + 91 * S)
    for second, value in ((98, 0.8), (99, 0.8), (100, 0.7), (101, 0.8)):
        mine.take(at(second, value), T0 + second * S)
    mine.flush()
    again = pipeline(mine.telemetry, None, now_ns=T0 + 300 * S, rules=BOTH)
    again.register(mine.points.infos)
    snapshot.load(again, tmp_path / "state.bin", T0 + 300 * S)
    (raised,) = (event for event in again.records.events() if event.event is EventKind.RAISED)
    assert (raised.alert.raised_ns, raised.alert.limit) == (T0 + 101 * S, 0.75)


def test_a_gateway_with_a_wrong_clock_is_not_without_limits() -> None:
    """A live reading from before every rule, or of a doubted time, is judged by what is in force now."""
    for quality in (Quality.GOOD, Quality.UNCERTAIN_CLOCK):
        mine = pipeline(rules=BOTH)
        mine.register([meter("a")], T0)
        years_ago = replace(
            ReadingBatch.of([0], [T0 - 20 * 365 * 24 * HOUR], [1.2]), quality=np.array([quality], np.uint8)
        )
        assert told(mine.take(years_ago, T0)) == [("raised", "high", 1.0, 1)]


def test_history_from_before_a_rule_raises_nothing() -> None:
    """A reading from before the first version was in force is kept and not judged by it."""
    mine = pipeline(rules=BOTH)
    mine.register([meter("a")], T0)
    new_year = int(datetime(2019, 12, 31, tzinfo=UTC).timestamp()) * S
    old = ReadingBatch.of([0], [new_year], [5.0], historical=True)
    assert mine.take(old, T0) == ()
    assert told(mine.take(at(1, 5.0, historical=True), T0 + S)) == [("raised", "high", 1.0, 1)]


def test_a_rule_that_is_added_while_it_runs_judges_from_its_time_on_and_is_told_once() -> None:
    """The journal has who, why, from when, and both values; a second telling and a start add nothing."""
    mine = pipeline(rules=FIRST)
    mine.register([meter("a")], T0)
    mine.take(at(1, 1.2), T0 + S)
    (event,) = mine.change_rules(accepted_rules(mine.rules, BOTH), T0 + 2 * S)
    assert (event.event, event.actor, event.comment, event.time_ns) == (
        EventKind.CHANGED, "order 7", "new limit", CHANGE,
    )  # fmt: skip
    assert event.alert.why.en.endswith(": high.threshold 1.0 → 0.75; high.priority 1 → 2")
    assert len({event.alert.why.kk, event.alert.why.ru, event.alert.why.en}) == 3
    assert mine.change_rules(BOTH, T0 + 3 * S) == ()
    assert told(mine.take(at(101, 0.7), T0 + 101 * S)) == [("cleared", "high", 1.0, 1)]
    again = pipeline(mine.telemetry, mine.records, rules=BOTH)
    assert len([e for e in again.records.events() if e.event is EventKind.CHANGED]) == 1


def test_what_is_gone_at_a_start_is_told() -> None:
    """A change of settings or of a rule that the files no longer hold gets a row, once."""
    change = {
        "valid_from": datetime.fromtimestamp(T0 / 1e9, UTC), "by": "engineer", "reason": "slow meters",
        "set": {"cusum_slack": 1.0},
    }  # fmt: skip
    settings = DetectSettings.model_validate({"changes": [change]})
    altered = DetectSettings.model_validate({"changes": [change | {"reason": "another"}]})
    mine = pipeline(rules=BOTH, detect=settings)
    seen = len(mine.records.events())
    assert seen == 2
    for detect, rules, wanted in (
        (settings, BOTH, []),
        (DetectSettings(), FIRST, ["minewatch", "minewatch"]),
        (DetectSettings(), FIRST, []),
        (settings, BOTH, ["engineer", "order 7"]),
        (altered, BOTH, ["minewatch", "engineer"]),
        (DetectSettings(), BOTH, ["minewatch"]),
    ):
        pipeline(mine.telemetry, mine.records, rules=rules, detect=detect)
        rows = mine.records.events(after=seen)
        seen += len(rows)
        assert [event.actor for event in rows] == wanted
        for event in rows:
            gone = "This change is no longer in the configuration: " in event.alert.why.en
            assert gone == (event.actor == "minewatch")
            assert event.event is EventKind.CHANGED


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ((HIGH,), "in force is gone or altered"),
        ((replace(HIGH, threshold=2.0), SILENT), "in force is gone or altered"),
        ((HIGH, SILENT, replace(HIGH, id="other")), "is new, and does not say by whom and why"),
    ],
)
def test_a_rule_that_is_in_force_may_not_be_altered_while_it_runs(found: tuple[Rule, ...], says: str) -> None:
    """Only versions, and new rules that say by whom and why, are taken; where a rule stands may move."""
    with pytest.raises(RuleError, match=says):
        accepted_rules(RULES, RuleSet(found))
    moved = RuleSet((replace(HIGH, where="elsewhere"), SILENT))
    assert accepted_rules(RULES, moved) is moved


def test_versions_come_from_packs_by_id_and_date(tmp_path: Path) -> None:
    """The same id with a later date is a version; a day begins at local midnight, a time is exact."""
    first = PACK.format(first="2025-01-01", more="")
    why = 'by = "chief"\nreason = "order 7"'
    then = PACK.format(first="2026-01-01T06:00:00+05:00", more=why).replace("= 1.0", "= 0.75")
    (tmp_path / "a.toml").write_text(first, encoding="utf-8")
    (tmp_path / "b.toml").write_text(then, encoding="utf-8")
    rules = load([tmp_path], BY_NAME, 5.0)
    midnight, six = (int(datetime(y, m, d, h, tzinfo=UTC).timestamp()) * S for y, m, d, h in
                     ((2024, 12, 31, 19), (2026, 1, 1, 1)))  # fmt: skip
    assert [start for start, _ in rules.versions("high")] == [midnight, six]
    table, bindings = rules.bind({0: meter("a")})
    assert table.from_ns is not None
    assert table.until_ns is not None
    assert list(zip(table.from_ns.tolist(), table.until_ns.tolist(), strict=True)) == [
        (midnight, six), (six, np.iinfo(np.int64).max),
    ]  # fmt: skip
    (binding,) = bindings.values()
    assert [binding.at(start).rule.threshold for start in (midnight, six)] == [1.0, 0.75]
    assert [rule.threshold for rule in rules.in_force(six - 1)] == [1.0]
    assert rules.in_force(midnight - 1) == ()
    (newest,) = rules.undated().rules
    assert newest.threshold == 0.75
    assert rules.undated().in_force(0) == (newest,)


def test_a_version_says_by_whom_and_why(tmp_path: Path) -> None:
    """A later rule with the id of another, without that, is refused by name, as is the same date twice."""
    (tmp_path / "a.toml").write_text(PACK.format(first="2025-01-01", more=""), encoding="utf-8")
    (tmp_path / "b.toml").write_text(PACK.format(first="2026-01-01", more=""), encoding="utf-8")
    with pytest.raises(RuleError, match=r"b\.toml:5.*takes the place of .*a\.toml:5.*by whom and why"):
        load([tmp_path], BY_NAME)
    (tmp_path / "b.toml").write_text(PACK.format(first="2026-01-01T00:00:00", more=""), encoding="utf-8")
    with pytest.raises(RuleError, match=r"effective_from.*is not a date"):
        load([tmp_path], BY_NAME)
