"""The book: from transitions and commands to events, each of them once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from minewatch.alerts.book import AlertBook, alert_id, event_key
from minewatch.alerts.rule import key_of
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.settings import AlertSettings
from minewatch.contracts import (
    Alert,
    AlertEvent,
    AlertQuery,
    AlertState,
    Command,
    EventKind,
    GatewayInfo,
    RecordStore,
)
from minewatch.errors import CommandRefused, NotFound
from minewatch.store.records.memory import MemoryRecords
from unit.alerts.examples import T0, S, moved, point, rule

NOW = T0 + 1000 * S
KEY = key_of("methane-high", "north/mm1/ch4")
RAISED, CLEARED = EventKind.RAISED, EventKind.CLEARED


def book(records: RecordStore | None = None, *, page: bool = True) -> AlertBook:
    """Return a book with one rule at one point."""
    made = AlertBook(AlertSettings(gateway_offline_grace_s=10), records)
    made.bind(RuleSet((rule(page=page),)), {0: point()})
    return made


def gateway(*, online: bool, since_s: float = 0) -> GatewayInfo:
    """Return a gateway's session since a second."""
    since_ns = T0 + round(since_s * S)
    return GatewayInfo("north", "gw-1", online=online, since_ns=since_ns, last_seen_ns=since_ns)


def acknowledge(of: Alert, actor: str = "desk-1", key: str = "") -> Command:
    """Return the command that acknowledges an alert."""
    return Command("acknowledge", of.id, actor, key=key)


def test_a_raised_alert_says_everything() -> None:
    """Rule, place, value, limit, citation and why stand in the alert; the event has both times."""
    (event,) = book().apply(moved((True, 15, 2.1), since=[0]), NOW)
    alert = event.alert
    assert (event.event, event.actor, event.time_ns, event.service_ns) == (
        RAISED,
        "minewatch",
        T0 + 15 * S,
        NOW,
    )
    assert event.key == event_key(KEY, RAISED, T0)
    assert alert.id == alert_id("methane-high", "north/mm1/ch4", T0)
    assert (alert.rule, alert.place, alert.site, alert.zone) == (
        "methane-high",
        "north/mm1/ch4",
        "north",
        "longwall-7/face",
    )
    assert (alert.value, alert.unit, alert.limit, alert.detector) == (2.1, "% CH4", 1.0, "value")
    assert (alert.priority, alert.paged, alert.state, alert.active) == (
        2,
        True,
        AlertState.UNACKNOWLEDGED,
        True,
    )
    assert (alert.citation, alert.verified, alert.message.en) == ("the mine's own", False, "methane is high")
    assert alert.why.en == "measured 2.1 % CH4 (limit > 1 % CH4); has lasted 15 s"
    assert alert.why.ru == "измерено 2,1 % CH4 (предел > 1 % CH4); условие держится 15 с"
    assert alert.why.kk == "өлшенген мән 2,1 % CH4 (шек > 1 % CH4); шарт 15 с бойы тұр"


def test_the_identity_of_an_alert_and_its_events_never_changes() -> None:
    """Ids and keys are promises: journals and links outside are written with them."""
    assert alert_id("methane-high", "north/mm1/ch4", T0) == "58bd6d18b5dc7e9c"
    assert event_key(-2, RAISED, 7) == "fffffffffffffffe|raised|7"
    assert event_key(1, CLEARED, 7, retrospective=True) == "0000000000000001|retrospective-cleared|7"


def test_a_return_waits_for_a_person_who_has_not_yet_looked() -> None:
    """Cleared before anybody acknowledged: the alert stays, returned-unacknowledged, until somebody does."""
    made = book()
    (raised,) = made.apply(moved((True, 0, 2.0)), NOW)
    (cleared,) = made.apply(moved((False, 90, 0.8)), NOW)
    assert (cleared.alert.state, cleared.alert.active) == (AlertState.RETURNED, False)
    assert cleared.alert.why.en == "back to normal: measured 0.8 % CH4; it lasted 1 min 30 s"
    assert [a.id for a in made.alerts()] == [raised.alert.id]
    done = made.command(acknowledge(raised.alert), NOW)
    assert (done.alert.state, done.alert.acknowledged_by) == (AlertState.NORMAL, "desk-1")
    assert made.alerts() == []


def test_an_acknowledged_alert_ends_with_its_cause() -> None:
    """Acknowledged first, then cleared: the alert is over without another word."""
    made = book()
    (raised,) = made.apply(moved((True, 0, 2.0)), NOW)
    seen = made.command(acknowledge(raised.alert), NOW)
    assert (seen.event, seen.alert.state, seen.alert.active) == (
        EventKind.ACKNOWLEDGED,
        AlertState.ACKNOWLEDGED,
        True,
    )
    (cleared,) = made.apply(moved((False, 90, 0.8)), NOW)
    assert cleared.alert.state is AlertState.NORMAL
    assert made.alerts() == []


def test_a_return_of_the_cause_calls_again() -> None:
    """A returned alert nobody has seen becomes unacknowledged again: the same alert, raised once more."""
    made = book()
    first, _, again = made.apply(moved((True, 0, 2.0), (False, 50, 0.5), (True, 60, 3.0)), NOW)
    assert again.alert.id == first.alert.id
    assert (again.event, again.alert.state, again.alert.value) == (RAISED, AlertState.UNACKNOWLEDGED, 3.0)
    assert again.key != first.key
    assert again.alert.raised_ns == first.alert.raised_ns


def test_a_new_cause_after_the_end_is_a_new_alert() -> None:
    """When the old alert is over, the next crossing has an identity of its own and needs its own look."""
    made = book()
    (first,) = made.apply(moved((True, 0, 2.0)), NOW)
    made.command(acknowledge(first.alert), NOW)
    _, second = made.apply(moved((False, 50, 0.5), (True, 60, 3.0)), NOW)
    assert second.alert.id != first.alert.id
    assert (second.alert.state, second.alert.acknowledged_by) == (AlertState.UNACKNOWLEDGED, "")


def test_acknowledging_twice_is_refused_with_the_state() -> None:
    """Only what waits for a person can be acknowledged; the refusal names the state."""
    made = book()
    (raised,) = made.apply(moved((True, 0, 2.0)), NOW)
    made.command(acknowledge(raised.alert), NOW)
    with pytest.raises(CommandRefused, match="the alert is acknowledged") as caught:
        made.command(acknowledge(raised.alert), NOW)
    assert caught.value.state == "acknowledged"


def test_a_command_for_no_alert_is_not_found() -> None:
    """An id that nobody gave is not found, with a journal and without."""
    for made in (book(), book(MemoryRecords())):
        with pytest.raises(NotFound, match="no alert abc"):
            made.command(Command("acknowledge", "abc", "desk-1"), NOW)


def test_an_alert_that_is_over_can_be_commented_not_acknowledged() -> None:
    """The journal knows alerts that are over: a cause may be added later, nothing acknowledged."""
    records = MemoryRecords()
    made = book(records)
    (raised,) = records.append(made.apply(moved((True, 0, 2.0)), NOW))
    records.append([made.command(acknowledge(raised.alert), NOW)])
    records.append(made.apply(moved((False, 50, 0.5)), NOW))
    noted = made.command(Command("comment", raised.alert.id, "engineer", "a door stood open"), NOW)
    assert (noted.event, noted.comment, noted.alert.state) == (
        EventKind.COMMENTED,
        "a door stood open",
        AlertState.NORMAL,
    )
    with pytest.raises(CommandRefused, match="the alert is normal"):
        made.command(acknowledge(raised.alert), NOW)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (Command("comment", "", "desk-1", "  "), "needs words"),
        (Command("shelve", "", "desk-1"), "no command 'shelve'"),
        (Command("acknowledge", "", "desk-1", key="a|raised|1"), "may not hold"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(command: Command, said: str) -> None:
    """An empty comment, an unknown command and a key that looks like ours change nothing."""
    made = book()
    (raised,) = made.apply(moved((True, 0, 2.0)), NOW)
    with pytest.raises(CommandRefused, match=said):
        made.command(replace(command, alert=raised.alert.id), NOW)
    assert made.alerts() == [raised.alert]


def test_a_command_keeps_the_key_of_its_caller() -> None:
    """The caller's idempotency key becomes the event's, so that a repeat is found in the journal."""
    made = book()
    (raised,) = made.apply(moved((True, 0, 2.0)), NOW)
    assert made.command(acknowledge(raised.alert, key="click-1"), NOW).key == "click-1"


def test_a_comment_leaves_the_state_alone() -> None:
    """Saying something about an alert does not acknowledge it."""
    made = book()
    (raised,) = made.apply(moved((True, 0, 2.0)), NOW)
    assert made.command(Command("comment", raised.alert.id, "desk-1", "called"), NOW).alert == raised.alert


def test_a_rule_that_does_not_page_calls_nobody() -> None:
    """Whether a person is called comes from the rule."""
    (event,) = book(page=False).apply(moved((True, 0, 2.0)), NOW)
    assert event.alert.paged is False


def test_a_transition_of_an_unknown_limit_is_left_out() -> None:
    """A key that stands for no rule at no point raises nothing."""
    assert book().apply(moved((True, 0, 2.0), key=77), NOW) == []


def test_clearing_what_is_not_active_says_nothing() -> None:
    """A limit that was never crossed cannot return."""
    assert book().apply(moved((False, 0, 0.5)), NOW) == []


LIFE = moved((True, 0, 2.0), (False, 50, 0.5), (True, 60, 3.0), (False, 90, 0.5), (True, 200, 2.5))


def restart(records: RecordStore) -> AlertBook:
    """Return the book of a new process over the same records."""
    made = book(records)
    made.restore(records.alerts(AlertQuery(limit=1000))[0])
    return made


@pytest.mark.parametrize("known", range(6))
@pytest.mark.parametrize("from_row", range(5))
@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_repeat_after_a_restart_changes_nothing(known: int, from_row: int, acknowledged: bool) -> None:
    """Whatever was journalled before a crash and wherever the replay begins, the journal ends the same."""

    def transitions(start: int, end: int) -> list[AlertEvent]:
        rows = slice(start, end)
        some = type(LIFE)(
            LIFE.key[rows], LIFE.ts_ns[rows], LIFE.since_ns[rows], LIFE.active[rows], LIFE.value[rows]
        )
        return made.apply(some, NOW)

    records = MemoryRecords()
    made = book(records)
    for row in range(known):
        records.append(transitions(row, row + 1))
        if acknowledged and row % 2 == 0:
            for alert in made.alerts():
                records.append([made.command(acknowledge(alert), NOW + row)])
    before = made.alerts()
    rows_before = records.verify()
    made = restart(records)
    kept = records.append(transitions(min(from_row, known), known))
    assert list(kept) == []
    assert records.verify() == rows_before
    assert [(a.id, a.state, a.active) for a in made.alerts()] == [(a.id, a.state, a.active) for a in before]
    assert len(records.append(transitions(known, 5))) == 5 - min(known, 5)


def test_active_limits_are_told_to_the_engine() -> None:
    """After a restart the engine learns which limits stand in alert, so that they can return."""
    records = MemoryRecords()
    records.append(book(records).apply(moved((True, 15, 2.0), since=[0]), NOW))
    made = restart(records)
    keys, since = made.active_keys()
    assert (keys.tolist(), since.tolist()) == ([KEY], [T0 + 15 * S])
    assert [e.event for e in made.apply(moved((False, 90, 0.5)), NOW)] == [CLEARED]
    assert made.active_keys()[0].tolist() == []


def test_the_list_has_the_most_urgent_first() -> None:
    """Priority first, then the newest."""
    made = AlertBook()
    made.bind(RuleSet((rule(), rule(id="trip", priority=1))), {0: point("mm1"), 1: point("mm2")})
    for name, place, second in (("methane-high", "mm1", 0), ("methane-high", "mm2", 5), ("trip", "mm1", 1)):
        key = key_of(name, f"north/{place}/ch4")
        made.apply(moved((True, second, 2.0), key=key), NOW)
    assert [(a.rule, a.place) for a in made.alerts()] == [
        ("trip", "north/mm1/ch4"),
        ("methane-high", "north/mm2/ch4"),
        ("methane-high", "north/mm1/ch4"),
    ]


def test_history_that_comes_late_pages_nobody_and_waits_for_a_person() -> None:
    """What readings of the past show is an alert that is not active, not paged, and not acknowledged."""
    made = book()
    raised, cleared = made.apply(moved((True, 0, 2.0), (False, 50, 0.5)), NOW, retrospective=True)
    for event in (raised, cleared):
        assert (event.alert.retrospective, event.alert.paged, event.alert.active) == (True, False, False)
        assert event.alert.state is AlertState.RETURNED
    assert made.command(acknowledge(raised.alert), NOW).alert.state is AlertState.NORMAL


def test_history_under_a_live_alert_says_nothing_new() -> None:
    """A cause that a live alert covers is not raised a second time from history."""
    made = book()
    made.apply(moved((True, 0, 2.0), (False, 50, 0.5)), NOW)
    assert made.apply(moved((True, 10, 2.0), (False, 40, 0.5)), NOW, retrospective=True) == []
    assert len(made.apply(moved((True, 60, 2.0), (False, 70, 0.5)), NOW, retrospective=True)) == 2
    made.apply(moved((True, 100, 2.0)), NOW)
    assert made.apply(moved((True, 110, 2.0)), NOW, retrospective=True) == []


def test_history_and_live_of_one_cause_do_not_hide_each_other() -> None:
    """An alert from history never swallows the live one, even of the same time."""
    records = MemoryRecords()
    made = book(records)
    records.append(made.apply(moved((True, 0, 2.0)), NOW, retrospective=True))
    (live,) = records.append(made.apply(moved((True, 0, 2.0)), NOW))
    assert (live.alert.retrospective, live.alert.paged) == (False, True)
    assert len({a.id for a in made.alerts()}) == 2


def test_a_cause_of_history_found_again_after_a_restart_is_told_once_until_somebody_has_seen_it() -> None:
    """What waits for a person says it already; once a person has seen it, a find at another time is new."""
    records = MemoryRecords()
    records.append(book(records).apply(moved((True, 12, 2.0), since=[0]), NOW, retrospective=True))
    again = moved((True, 16, 3.0), since=[0])
    made = restart(records)
    assert made.apply(again, NOW, retrospective=True) == []
    (waiting,) = made.alerts()
    records.append([made.command(acknowledge(waiting), NOW)])
    (event,) = restart(records).apply(again, NOW, retrospective=True)
    assert (event.event, event.alert.id == waiting.id) == (EventKind.RAISED, False)


def test_a_silent_gateway_is_an_alert_once_its_grace_is_over() -> None:
    """Short losses say nothing; a longer one is an alert of its own at the gateway's place."""
    made = book()
    assert made.link(gateway(online=True), T0) == []
    assert made.link(gateway(online=False), T0) == []
    assert made.tick(T0 + 9 * S) == []
    (event,) = made.tick(T0 + 11 * S)
    alert = event.alert
    assert (alert.rule, alert.place, alert.detector, alert.paged) == (
        "gateway-offline",
        "north/gw-1",
        "link",
        True,
    )
    assert alert.why.en == "no link for 11 s (limit ≥ 10 s)"
    assert made.tick(T0 + 20 * S) == []
    (back,) = made.link(gateway(online=True, since_s=30), T0 + 30 * S)
    assert (back.event, back.alert.state) == (CLEARED, AlertState.RETURNED)
    assert back.alert.why.en == "back to normal: usable readings arrive again; it lasted 30 s"
    assert made.link(gateway(online=True, since_s=30), T0 + 31 * S) == []


def test_a_gateway_that_is_back_in_time_is_no_alert() -> None:
    """A reconnection within the grace leaves no trace in the journal."""
    made = book()
    made.link(gateway(online=False), T0)
    assert made.link(gateway(online=True, since_s=5), T0 + 5 * S) == []
    assert made.tick(T0 + 60 * S) == []


SILENCE = moved((True, 30, 30.0), (False, 90, 0.0))  # heard at 0 s and again at 90 s


def silent(*, started_ns: int = 0) -> AlertBook:
    """Return a book with a rule about silence at one point."""
    made = AlertBook(started_ns=started_ns)
    made.bind(RuleSet((rule(detector="gap", threshold=30.0),)), {0: point()})
    return made


def test_the_return_of_a_gateway_is_not_a_flood_of_sensors() -> None:
    """A silence that ended with its gateway's absence is told by the gateway's alert alone."""
    made = silent()
    made.link(gateway(online=False, since_s=20), T0 + 20 * S)
    made.link(gateway(online=True, since_s=89), T0 + 89 * S)
    assert made.apply(SILENCE, T0 + 90 * S) == []


def test_a_silence_of_its_own_is_told_even_when_it_is_over() -> None:
    """Neither another gateway's absence nor one at another time explains a silence."""
    made = silent()
    made.link(replace(gateway(online=False, since_s=20), gateway="gw-2"), T0 + 20 * S)
    made.link(replace(gateway(online=True, since_s=80), gateway="gw-2"), T0 + 80 * S)
    made.link(gateway(online=False, since_s=-50), T0 - 50 * S)
    made.link(gateway(online=True, since_s=-5), T0 - 5 * S)
    assert [event.event for event in made.apply(SILENCE, T0 + 90 * S)] == [RAISED, CLEARED]


def test_a_sensor_that_stays_silent_is_never_explained_away() -> None:
    """After the gateway's return a sensor that has not come back is an alert."""
    made = silent()
    made.link(gateway(online=False, since_s=20), T0 + 20 * S)
    made.link(gateway(online=True, since_s=60), T0 + 60 * S)
    assert [event.event for event in made.apply(moved((True, 95, 30.0)), T0 + 95 * S)] == [RAISED]


def test_a_silence_from_before_the_start_is_the_service_s_own() -> None:
    """While the service was down it heard nobody: that is no fault of the sensors."""
    assert silent(started_ns=T0 + 60 * S).apply(SILENCE, T0 + 90 * S) == []
    assert len(silent(started_ns=T0 - S).apply(SILENCE, T0 + 90 * S)) == 2


def test_a_gateway_silent_over_a_restart_is_one_alert() -> None:
    """The alert of a silent gateway survives a restart and ends when the gateway is back."""
    records = MemoryRecords()
    records.append(book(records).link(gateway(online=False), T0 + 20 * S))
    made = restart(records)
    assert made.active_keys()[0].tolist() == []
    assert records.append(made.link(gateway(online=False), T0 + 40 * S)) == ()
    (back,) = made.link(gateway(online=True, since_s=50), T0 + 50 * S)
    assert back.event is CLEARED


def test_an_alert_whose_rule_is_gone_stays_until_a_person_closes_it() -> None:
    """Taking a rule away resolves nothing."""
    made = book()
    (raised,) = made.apply(moved((True, 0, 2.0)), NOW)
    made.bind(RuleSet((rule(id="another"),)), {0: point()})
    assert made.alerts() == [raised.alert]
    assert made.command(acknowledge(raised.alert), NOW).alert.state is AlertState.ACKNOWLEDGED
