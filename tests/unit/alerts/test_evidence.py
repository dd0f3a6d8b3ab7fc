"""The evidence of a place as an alert: one, with its signs in words, and over when the air is back."""

from __future__ import annotations

from dataclasses import replace

from minewatch.alerts.book import AlertBook
from minewatch.alerts.evidence import RULE_ID
from minewatch.alerts.rules import RuleSet
from minewatch.contracts import AlertEvent, AlertQuery, AlertState, EventKind, PlaceEvidence, Sign
from minewatch.store.records.memory import MemoryRecords
from unit.alerts.examples import T0, S, moved, point, rule

AIR = point("an1", quantity="air_velocity", unit="m/s", place="north/an1/velocity")
POINTS = {0: point(), 1: AIR, **{n: point(f"mm{n}") for n in range(2, 12)}}


def book(records: MemoryRecords) -> AlertBook:
    """Return a book with one rule, over a journal."""
    made = AlertBook(records=records)
    made.bind(RuleSet((rule(),)), POINTS)
    made.restore(records.alerts(AlertQuery(limit=1000))[0])
    return made


def found(second: float, *, active: bool = True, gases: int = 1) -> PlaceEvidence:
    """Return evidence of longwall-7 that began at second 60."""
    meters = [0, *range(2, 12)][:gases]
    signs = (Sign(1, T0 + 51 * S, 1.7, 0.4), *(Sign(m, T0 + 58 * S, 0.2, 0.61) for m in meters))
    return PlaceEvidence("north", "longwall-7", active, T0 + round(second * S), T0 + 60 * S, signs)


def told(events: list[AlertEvent]) -> list[tuple[str, str, bool]]:
    """Return event, place and whether it is paged."""
    return [(e.event.value, e.alert.place, e.alert.paged) for e in events]


def test_it_calls_once_with_every_sign_in_words() -> None:
    """Air first, then gas, from what to what and when, in three languages; the same finding twice is one."""
    records = MemoryRecords()
    made = book(records)
    events = list(records.append(made.apply(moved(), T0 + 61 * S, places=[found(60)])))
    assert told(events) == [("raised", "north/longwall-7", True)]
    alert = events[0].alert
    assert (alert.rule, alert.priority, alert.zone) == (RULE_ID, 1, "longwall-7")
    air, gas = alert.why.en.split("; ")
    assert air.startswith("the air at north/an1/velocity fell from 1.7 to 0.4 m/s at ")
    assert gas.startswith("methane at north/mm1/ch4 rose from 0.2 to 0.61 % at ")
    assert "воздух упал с 1,7 до 0,4 м/с" in alert.why.ru
    assert "ауа" in alert.why.kk
    assert book(records).apply(moved(), T0 + 70 * S, places=[found(60)]) == []


def test_other_alerts_of_the_place_say_it_too_while_it_stands() -> None:
    """A limit that is passed meanwhile carries the evidence, also after a restart, beside its own reason."""
    records = MemoryRecords()
    made = book(records)
    events = made.apply(moved((True, 50, 1.5), (False, 55, 0.2), (True, 70, 1.5)), T0, places=[found(60)])
    records.append(events)
    raised = [e.alert for e in events if e.alert.rule == "methane-high" and e.event.value == "raised"]
    assert ["an1" in alert.now.en for alert in raised] == [False, True]
    made = book(records)
    records.append(made.apply(moved((False, 80, 0.2)), T0))
    events = made.apply(moved((True, 90, 1.5)), T0)
    assert "an1" in events[0].alert.now.en
    assert "an1" not in events[0].alert.why.en
    assert made.standing_places() == [("north", "longwall-7", T0 + 60 * S)]


def test_it_is_over_when_the_air_is_back_and_waits_for_a_person() -> None:
    """Its end says after how long, and the alert is returned-unacknowledged."""
    made = book(MemoryRecords())
    made.apply(moved(), T0, places=[found(60)])
    ended = made.apply(moved(), T0, places=[found(180, active=False)])
    assert told(ended) == [("cleared", "north/longwall-7", True)]
    assert ended[0].alert.state is AlertState.RETURNED
    assert "2 min" in ended[0].alert.why.en
    assert made.apply(moved(), T0, places=[found(190, active=False)]) == []


def test_its_words_are_bounded() -> None:
    """Eleven meters are told as five and how many more."""
    events = book(MemoryRecords()).apply(moved(), T0, places=[found(60, gases=11)])
    assert events[0].alert.why.en.count("rose from") == 5
    assert "and 6 more" in events[0].alert.why.en


def test_its_words_follow_what_becomes_known() -> None:
    """Another meter and air that is back are told in rows of their own; what was said first stays."""
    records = MemoryRecords()
    made = book(records)
    first = made.apply(moved(), T0, places=[found(60)])
    more = made.apply(moved(), T0 + 65 * S, places=[found(64, gases=2)])
    assert [e.event for e in more] == [EventKind.EXPLAINED]
    assert "mm2" in more[0].alert.now.en
    assert more[0].alert.why == first[0].alert.why
    assert (more[0].alert.now_ns, more[0].alert.paged, more[0].alert.changed_ns) == (
        T0 + 64 * S,
        True,
        T0 + 60 * S,
    )
    back = replace(found(90), signs=found(90).signs[1:])
    told = made.apply(moved(), T0 + 90 * S, places=[back])
    assert told[0].alert.now.en.startswith("the air is back, and still watched; methane at")
    kept = records.append([*first, *more, *told])
    assert [e.alert.now.en for e in records.events(after=0, limit=9)] == [e.alert.now.en for e in kept]
    assert records.alert(kept[0].alert.id).now == told[0].alert.now


def test_alerts_that_stand_already_learn_of_it() -> None:
    """A limit that was passed before carries the evidence while it stands, and then that it is over."""
    made = book(MemoryRecords())
    made.apply(moved((True, 50, 1.5)), T0)
    events = made.apply(moved(), T0 + 60 * S, places=[found(60)])
    limit = [e for e in events if e.alert.rule == "methane-high"]
    assert [e.event for e in limit] == [EventKind.EXPLAINED]
    assert "an1" in limit[0].alert.now.en
    over = made.apply(moved(), T0 + 180 * S, places=[found(180, active=False)])
    assert "the air is back after 2 min" in over[1].alert.now.en


def test_words_do_not_flood() -> None:
    """Signs that come and go each second make a row at once, then one in ten seconds; the last is told."""
    made = book(MemoryRecords())
    made.apply(moved(), T0 + 60 * S, places=[found(60)])
    rows = []
    for second in range(61, 100):
        now = T0 + second * S
        rows += made.apply(moved(), now, places=[found(second, gases=1 + second % 3)]) + made.tick(now)
    assert [(e.service_ns - T0) // S for e in rows] == [61, 71, 81, 91]
    last = made.tick(T0 + 101 * S)
    assert [e.alert.now.en for e in last] == [""]  # the last change took back what was said besides
    assert made.tick(T0 + 120 * S) == []


def test_old_facts_after_a_restart_say_nothing_again() -> None:
    """What is read back from the store is not newer than the words that stand."""
    records = MemoryRecords()
    made = book(records)
    records.append(made.apply(moved(), T0, places=[found(60)]))
    records.append(made.apply(moved(), T0, places=[found(64, gases=2)]))
    again = book(records)
    assert again.apply(moved(), T0, places=[found(60), found(64, gases=2)]) == []
    assert "mm2" in again.alerts()[0].now.en


def test_another_gateways_evidence_comes_late_and_is_told() -> None:
    """A batch that is two seconds behind is no repeat; its row goes after the last one."""
    made = book(MemoryRecords())
    made.apply(moved((True, 70, 1.5)), T0 + 70 * S)
    events = made.apply(moved(), T0 + 71 * S, places=[found(68)])
    limit = [e for e in events if e.alert.rule == "methane-high"]
    assert [(e.event, e.time_ns) for e in limit] == [(EventKind.EXPLAINED, T0 + 70 * S + 1)]
    assert "an1" in limit[0].alert.now.en
