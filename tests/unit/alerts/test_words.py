"""What is known of an alert while it stands, told part by part, over a service that is killed in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from minewatch.alerts.book import AlertBook
from minewatch.alerts.chance import Chance
from minewatch.alerts.rule import key_of
from minewatch.alerts.rules import RuleSet
from minewatch.contracts import AlertEvent, AlertQuery, NewReason, Outlook, PlaceEvidence, Sign, Text
from minewatch.store.records.memory import MemoryRecords
from unit.alerts.examples import T0, S, moved, point, rule

AIR = point("an1", quantity="air_velocity", unit="m/s", place="north/an1/velocity")
Step = Callable[[AlertBook], list[AlertEvent]]
POINTS = {0: point(), 1: AIR, 2: point("mm2")}


def book(records: MemoryRecords) -> AlertBook:
    """Return a book that goes on from a journal."""
    made = AlertBook(records=records, chance=Chance((3.0, 3.0), 0.0))
    made.bind(RuleSet((rule(),)), POINTS)
    made.restore(records.alerts(AlertQuery(limit=1000))[0])
    return made


def air(second: float, *, active: bool = True) -> PlaceEvidence:
    """Return evidence of the place: its air fails at second 60, or is back."""
    signs = (Sign(1, T0 + 51 * S, 1.7, 0.4), Sign(2, T0 + 58 * S, 0.2, 0.61))
    return PlaceEvidence("north", "longwall-7", active, T0 + round(second * S), T0 + 60 * S, signs)


def outlook(second: int, minutes: float) -> Step:
    """Return the step in which another outlook is found."""
    now_ns = T0 + second * S
    return lambda made: made.foresee((Outlook(0, now_ns, 3.0, minutes, 9.0, 17.0),), now_ns)


# evidence, a limit that is passed, an outlook, air that is back, another outlook, and none any more
STEPS: tuple[Step, ...] = (
    lambda made: made.apply(moved(), T0 + 60 * S, places=[air(60)]),
    lambda made: made.apply(moved((True, 70, 1.5)), T0 + 70 * S),
    outlook(90, 12.0),
    lambda made: made.apply(moved(), T0 + 180 * S, places=[air(180, active=False)]),
    outlook(200, 5.0),
    outlook(220, float("inf")),
)


def play(*, killed: int) -> list[tuple[str, Text]]:
    """Return what the journal tells of the limit; the service is killed after some steps and begins anew."""
    records = MemoryRecords()
    made = book(records)
    for number, step in enumerate(STEPS):
        if number == killed:
            made = book(records)
        records.append(step(made))
    events = [event for event in records.events(limit=99) if event.alert.rule == "methane-high"]
    return [(event.event.value, event.alert.now) for event in events]


def test_every_part_is_told_beside_the_others() -> None:
    """The place, when a limit is reached and how often it was real, in this order, each as it changes."""
    rows = [now.en for _, now in play(killed=0)]
    assert len(rows) == 5
    assert all("; borne out by" in row for row in rows)
    assert rows[-2].startswith("the air is back after 2 min; reaches 3 % CH4 in 5 min")
    assert rows[-1].startswith("the air is back after 2 min; borne out by")


@pytest.mark.parametrize("killed", range(1, len(STEPS)))
def test_a_service_that_is_killed_loses_no_word(killed: int) -> None:
    """Stopped after any step and begun anew from the journal, it tells what one that never stopped tells."""
    assert play(killed=killed) == play(killed=0)


def test_a_newer_reason_of_a_limit_that_stands_goes_first() -> None:
    """Another sensor leads: told before the other words, a row in ten seconds; of what is over, never."""
    made = book(MemoryRecords())
    key = key_of("methane-high", point().place)

    def leads(name: str, second: int) -> list[str]:
        said = Text(f"{name} басым", f"{name} ведёт", f"{name} leads")
        rows = made.explain([NewReason(key, T0 + second * S, said)], T0 + second * S)
        return [row.alert.now.en for row in rows]

    assert leads("mm1", 10) == []
    made.apply(moved((True, 70, 1.5)), T0 + 70 * S, places=[air(60)])
    assert [row.startswith("mm2 leads; the air at") for row in leads("mm2", 80)] == [True]
    assert leads("mm3", 85) == []
    assert [row.alert.now.en[:9] for row in made.tick(T0 + 91 * S)] == ["mm3 leads"]
    made.apply(moved((False, 100, 0.2)), T0 + 100 * S)
    assert leads("mm4", 110) == []


def hurried() -> tuple[MemoryRecords, AlertBook]:
    """Return a journal and its book, in which the air that is back after 35 s waits for its turn."""
    records = MemoryRecords()
    made = book(records)
    for step in STEPS[:3]:
        records.append(step(made))
    told = made.apply(moved(), T0 + 95 * S, places=[air(95, active=False)])
    assert [event.alert.rule for event in told] == ["gas-without-air"]
    records.append(told)
    return records, made


def said(records: MemoryRecords) -> str:
    """Return what the journal says last of the limit."""
    alerts = records.alerts(AlertQuery(limit=9))[0]
    return next(alert.now.en for alert in alerts if alert.rule == "methane-high")


def test_a_word_that_waits_is_said_before_a_stop() -> None:
    """Stopped five seconds after the last row, the journal has the newer word; a start changes nothing."""
    records, made = hurried()
    assert said(records).startswith("the air at")
    records.append(made.say_what_waits(T0 + 96 * S))
    assert said(records).startswith("the air is back after 35 s; reaches 3 % CH4 in 12 min")
    assert made.say_what_waits(T0 + 96 * S) == []
    begun = book(records)
    assert begun.resume_places((), T0 + 97 * S) + begun.tick(T0 + 120 * S) == []


def test_a_word_that_waits_when_it_is_killed_is_read_back() -> None:
    """The end of the evidence, found again in what the store holds, is told though its alert is over."""
    records, _ = hurried()
    made = book(records)
    made.apply(moved(), T0 + 97 * S, places=[air(95, active=False)])
    made.resume_places((), T0 + 98 * S)
    records.append(made.tick(T0 + 101 * S))
    assert said(records).startswith("the air is back after 35 s; reaches")


def test_no_alert_keeps_the_evidence_of_a_place_that_stands_no_more() -> None:
    """Where nothing tells how it ended, it is taken back at the start, and the other words stay."""
    records, _ = hurried()
    made = book(records)
    records.append(made.resume_places((), T0 + 120 * S))
    assert said(records).startswith("reaches 3 % CH4 in 12 min")
    assert "borne out by" in said(records)


def test_evidence_that_stands_is_kept_over_a_start() -> None:
    """Before its signs are known again nothing is taken back: its alert stands."""
    records = MemoryRecords()
    made = book(records)
    for step in STEPS[:3]:
        records.append(step(made))
    made = book(records)
    assert made.resume_places((), T0 + 120 * S) == []
    assert said(records).startswith("the air at")


def of_before(records: MemoryRecords) -> AlertBook:
    """Return a book that goes on from alerts whose parts nobody knows, as after the migration."""
    made = AlertBook(records=records)
    made.bind(RuleSet((rule(),)), POINTS)
    made.restore(replace(alert, words=()) for alert in records.alerts(AlertQuery(limit=9))[0])
    return made


def test_words_of_before_the_parts_stand_until_the_first_newer_one() -> None:
    """An outlook that is over takes them back, a newer word takes their place."""
    records = MemoryRecords()
    made = book(records)
    for step in STEPS[:3]:
        records.append(step(made))
    assert "reaches 3 % CH4 in 12 min" in said(records)
    made = of_before(records)
    assert made.tick(T0 + 110 * S) == []
    assert [event.alert.now.en for event in outlook(120, float("inf"))(made)] == [""]
    made = of_before(records)
    told = made.apply(moved(), T0 + 120 * S, places=[air(120, active=False)])
    assert [event.alert.now.en for event in told] == ["", "the air is back after 1 min"]


def test_an_alert_of_before_that_calls_says_no_longer_that_its_call_waits() -> None:
    """What was said of the call goes in the row of the call, though nobody knows which part it was."""
    records = MemoryRecords()
    made = book(records)
    records.append(made.apply(moved((True, 50, 1.5)), T0 + 50 * S))
    alert = records.alerts(AlertQuery(limit=9))[0][0]
    made = AlertBook(records=records)
    made.bind(RuleSet((rule(),)), POINTS)
    waits = Text("күтеді", "ждёт", "the call waits")
    made.restore([replace(alert, words=(), paged=False, now=waits, now_ns=alert.changed_ns)])
    called = made.resume_trials((), T0 + 60 * S)
    assert [(event.event.value, event.alert.paged, event.alert.now.en) for event in called] == [
        ("escalated", True, "")
    ]
