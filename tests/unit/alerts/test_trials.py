"""Alerts that wait because their meter may be under test: shown at once, called in time, never lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from minewatch.alerts.book import AlertBook
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.told import read
from minewatch.contracts import (
    AlertEvent,
    AlertQuery,
    AlertState,
    Command,
    EventKind,
    Outlook,
    TrialChange,
    TrialStage,
)
from minewatch.store.records.memory import MemoryRecords
from unit.alerts.examples import T0, S, moved, point, rule

POINTS = {0: point(), 1: point("mm2")}
RISE = (True, 62.0, 1.5)


def change(stage: TrialStage, second: float, **more: Any) -> TrialChange:
    """Return a change of the trial that began at second 60."""
    made: dict[str, Any] = {
        "point": 0, "stage": stage, "reason": "", "announced": False, "ts_ns": T0 + round(second * S),
        "since_ns": T0 + 60 * S, "until_ns": T0 + 240 * S, "value": 2.2, "base": 0.2, "level": 2.2,
        "t90_s": 9.0, "recovery_s": 8.0,
    }  # fmt: skip
    return TrialChange(**(made | more))


class Mine:
    """A book with its journal."""

    def __init__(self, **changes: Any) -> None:
        self.records = MemoryRecords()
        self.rule = rule(**changes)
        self.begin()

    def begin(self) -> None:
        """Start, or start again with what the journal holds."""
        self.book = AlertBook(records=self.records)
        self.book.bind(RuleSet((self.rule,)), POINTS)
        self.book.restore(self.records.alerts(AlertQuery(limit=1000))[0])

    def found(
        self, *rows: tuple[bool, float, float], trials: tuple[TrialChange, ...] = ()
    ) -> list[AlertEvent]:
        """Have the engine find transitions and changes of trials."""
        return list(self.records.append(self.book.apply(moved(*rows), T0 + 999 * S, trials=trials)))


def told(events: list[AlertEvent]) -> list[tuple[str, str, bool]]:
    """Return event, rule and whether it is paged."""
    return [(e.event.value, e.alert.rule, e.alert.paged) for e in events]


def test_a_test_is_shown_and_calls_nobody() -> None:
    """Raised without a call, tagged, over: the ledger has as-found value, response and recovery."""
    mine = Mine()
    events = mine.found(RISE, trials=(change(TrialStage.SUSPECTED, 61),))
    assert told(events) == [("raised", "methane-high", False)]
    assert "call waits" in events[0].alert.now.en
    events = mine.found(trials=(change(TrialStage.TESTED, 68),))
    assert told(events) == [("tagged", "test-gas", False), ("explained", "methane-high", False)]
    assert "a person is called unless it is gone" in events[1].alert.now.en
    events = mine.found((False, 120, 0.2), trials=(change(TrialStage.OVER, 180, reason="recovered"),))
    assert told(events) == [("cleared", "methane-high", False), ("cleared", "test-gas", False)]
    ledger = events[-1].alert
    assert (ledger.value, ledger.limit, ledger.state) == (2.2, 0.2, AlertState.RETURNED)
    for part in ("2.2 %", "t90 9 s", "recovery 8 s", "2 min"):
        assert part in ledger.why.en


@pytest.mark.parametrize("order", ["before", "after"])
def test_what_is_no_test_calls_with_the_reason(order: str) -> None:
    """A second meter rises, before or after the tag: every alert that waited calls, and says why."""
    mine = Mine()
    mine.found(RISE, trials=(change(TrialStage.SUSPECTED, 61),))
    if order == "after":
        mine.found(trials=(change(TrialStage.TESTED, 68),))
    doubt = change(
        TrialStage.REFUTED, 70, reason="neighbour", witness=1, witness_value=0.6, witness_usual=0.2
    )
    events = mine.found(trials=(doubt,))
    assert told(events)[-1] == ("escalated", "methane-high", True)
    why = events[-1].alert.why
    assert "no test: methane rises at north/mm2/ch4 too: from 0.2 to 0.6 %" in why.en
    assert "растёт" in why.ru
    assert "өсті" in why.kk
    assert len(events) == (2 if order == "after" else 1)
    assert told(mine.found(trials=(doubt,))) == []  # once
    assert mine.book.alerts()[0].paged


def test_changes_go_before_what_is_found_at_their_time() -> None:
    """Within one batch an alert before the step calls, one in it waits, one after the doubt calls."""
    mine = Mine(off_delay_s=0.0)
    trials = (change(TrialStage.SUSPECTED, 61), change(TrialStage.REFUTED, 68, reason="shape"))
    up, down = 1.5, 0.9
    calm = ((True, 10, up), (False, 20, down))
    rise = ((True, 62, up), (False, 63, down), (True, 66, up), (False, 67, down), (True, 71, up))
    events = mine.found(*calm, *rise, trials=trials)
    assert [e.alert.paged for e in events if e.event is EventKind.RAISED] == [True, False, False, True]
    assert EventKind.ESCALATED not in [e.event for e in events]  # it was gone when the doubt came


@pytest.mark.parametrize("detector", ["gap", "sentinel", "stuck", "mean-15min"])
def test_what_gas_does_not_set_off_waits_for_nothing(detector: str) -> None:
    """Silence, fault codes and long means of a meter under test call as ever."""
    mine = Mine(detector=detector)
    events = mine.found(RISE, trials=(change(TrialStage.SUSPECTED, 61),))
    assert told(events) == [("raised", "methane-high", True)]


def test_another_meter_waits_for_nothing() -> None:
    """A trial at one meter holds no call of another."""
    mine = Mine()
    events = mine.found(RISE, trials=(change(TrialStage.SUSPECTED, 61, point=1),))
    assert told(events) == [("raised", "methane-high", True)]


def test_a_gateway_is_not_silenced() -> None:
    """What waits here and is raised by the gateway itself calls at once; so does what it raises first."""
    mine = Mine()
    mine.found(RISE, trials=(change(TrialStage.SUSPECTED, 61), change(TrialStage.TESTED, 61.5)))
    said: dict[str, Any] = {
        "event": "raised",
        "rule": "methane-high",
        "place": "north/mm1/ch4",
        "zone": "longwall-7/face",
        "priority": 2,
        "cause_ns": T0 + 62 * S,
        "time_ns": T0 + 63 * S,
        "gateway_ns": T0 + 63 * S,
        "value": 1.7,
        "limit": 1.0,
        "comparison": ">",
        "detector": "value",
        "quantity": "methane",
        "unit": "% CH4",
        "page": True,
        "actor": "gateway",
        "digest": mine.rule.digest(),
    }
    events = list(mine.records.append(mine.book.hear(read(said, "north/gw-1"), T0 + 64 * S)))
    assert told(events)[-1] == ("escalated", "methane-high", True)
    assert "gateway" in events[-1].alert.why.en
    other = Mine()
    other.found(trials=(change(TrialStage.SUSPECTED, 61),))
    events = other.book.hear(read(said, "north/gw-1"), T0 + 64 * S)
    assert told(events) == [("raised", "methane-high", True)]


def test_after_a_restart_without_knowledge_it_calls() -> None:
    """What waits in the journal and has no trial any more calls when the service starts; else it goes on."""
    for standing, expected in (((), ["escalated"]), ((change(TrialStage.TESTED, 68),), [])):
        mine = Mine()
        mine.found(RISE, trials=(change(TrialStage.SUSPECTED, 61), change(TrialStage.TESTED, 68)))
        mine.begin()
        events = mine.book.resume_trials(standing, T0 + 90 * S)
        assert [e.event.value for e in events] == expected


@pytest.mark.parametrize("stage", [TrialStage.SUSPECTED, TrialStage.TESTED])
def test_after_a_restart_a_new_alert_at_a_meter_under_test_waits_too(stage: TrialStage) -> None:
    """The service is killed in the middle of a test: what its gas sets off afterwards calls nobody."""
    mine = Mine()
    mine.found(trials=(change(TrialStage.SUSPECTED, 61),))
    mine.begin()
    mine.book.know_trials((change(stage, 68),))
    assert told(mine.found(RISE)) == [("raised", "methane-high", False)]
    events = mine.found(trials=(change(TrialStage.REFUTED, 70, reason="bound"),))
    assert told(events)[-1] == ("escalated", "methane-high", True)


def test_after_a_restart_newer_words_keep_why_it_waits() -> None:
    """An outlook that follows a start stands beside the test gas as it was told, and wipes nothing."""
    mine = Mine()
    before = mine.found(RISE, trials=(change(TrialStage.SUSPECTED, 61), change(TrialStage.TESTED, 68)))
    mine.begin()
    assert mine.book.resume_trials((change(TrialStage.TESTED, 68),), T0 + 90 * S) == []
    outlook = Outlook(0, T0 + 1095 * S, 3.0, 12.0, 9.0, 17.0)
    more = mine.book.foresee((outlook,), T0 + 1095 * S)
    told, now = before[-1].alert.now, more[0].alert.now
    assert "unless it is gone within" in told.en
    assert now.en.startswith(f"{told.en}; reaches 3 % CH4 in 12")
    assert now.ru.startswith(f"{told.ru}; достигнет")
    assert now.kk.startswith(f"{told.kk}; 12 минутта")


def test_the_same_change_twice_is_told_once() -> None:
    """Readings that are judged again after a restart tag, call and end nothing twice."""
    mine = Mine()
    trials = (
        change(TrialStage.SUSPECTED, 61),
        change(TrialStage.TESTED, 68),
        change(TrialStage.REFUTED, 90, reason="bound"),
    )
    first = mine.found(RISE, trials=trials)
    mine.begin()
    assert mine.found(RISE, trials=trials) == []
    assert [e.event.value for e in first] == ["raised", "tagged", "explained", "cleared", "escalated"]


def test_a_test_waits_for_a_person() -> None:
    """The alert of a test is acknowledged like any other, and the next test is a new one."""
    mine = Mine()
    mine.found(trials=(change(TrialStage.SUSPECTED, 61), change(TrialStage.TESTED, 68)))
    tag = mine.book.alerts()[0]
    done = mine.book.command(Command("acknowledge", tag.id, "fitter"), T0 + 80 * S)
    assert done.alert.state is AlertState.ACKNOWLEDGED
    events = mine.found(trials=(change(TrialStage.OVER, 180, reason="recovered"),))
    assert events[-1].alert.state is AlertState.NORMAL
    later = replace(change(TrialStage.TESTED, 968), since_ns=T0 + 960 * S)
    assert mine.found(trials=(later,))[0].alert.id != tag.id
