"""One alert, two witnesses: gateway and engine tell of the same, in any order; the journal has one life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from minewatch.alerts import merging
from minewatch.alerts.book import AlertBook, alert_id
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.told import FAILED_RULE, TEST_RULE, read
from minewatch.contracts import AlertEvent, AlertQuery, AlertState, Command, EventKind, PlaceEvidence, Sign
from minewatch.store.records.memory import MemoryRecords
from unit.alerts.examples import T0, S, moved, point, rule

GATEWAY = "north/gw-1"
PLACE = "north/mm1/ch4"
HOUR = 3600 * S


class Desk:
    """A book with its journal: what a gateway tells and what the engine finds, written as they come."""

    def __init__(self, **changes: Any) -> None:
        self.records = MemoryRecords()
        self.rule = rule(**changes)
        self.now = T0 + HOUR
        self.begin()

    def begin(self) -> None:
        """Start, or start again with what the journal holds."""
        self.book = AlertBook(records=self.records)
        self.book.bind(RuleSet((self.rule,)), {0: point()})
        self.book.restore(self.records.alerts(AlertQuery(limit=1000))[0])
        self.book.active_keys()

    def told(self, kind: str, second: float, *, cause: float = 10, **more: Any) -> list[AlertEvent]:
        """Have the gateway tell a step."""
        said: dict[str, Any] = {
            "event": kind, "rule": "methane-high", "place": PLACE, "zone": "longwall-7/face", "priority": 2,
            "cause_ns": T0 + round(cause * S), "time_ns": T0 + round(second * S),
            "gateway_ns": T0 + round(second * S) + 5_000_000, "value": 1.7, "limit": 1.0, "comparison": ">",
            "detector": "value", "quantity": "methane", "unit": "% CH4", "page": True, "actor": "gateway",
            "digest": self.rule.digest(),
        } | more  # fmt: skip
        self.now += S
        return list(self.records.append(self.book.hear(read(said, GATEWAY), self.now)))

    def found(self, *rows: tuple[bool, float, float], late: bool = False) -> list[AlertEvent]:
        """Have the engine find transitions."""
        self.now += S
        return list(self.records.append(self.book.apply(moved(*rows), self.now, retrospective=late)))

    def life(self) -> list[tuple[str, str]]:
        """Return the journal: what, and who told it."""
        return [(e.event.value, e.source or "service") for e in self.records.events(limit=1000)]

    def ids(self) -> set[str]:
        """Return the alerts of the journal."""
        return {e.alert.id for e in self.records.events(limit=1000)}


ACK: dict[str, Any] = {"actor": f"panel:{GATEWAY}/ack-1"}


@pytest.mark.parametrize("gateway_first", [True, False])
def test_whoever_comes_first_makes_the_one_alert(gateway_first: bool) -> None:
    """Raise and clear of both are one life with one id and the times of both; one row calls a person."""
    desk = Desk()
    steps = [lambda: desk.told("raised", 10), lambda: desk.found((True, 10, 1.7))]
    ends = [lambda: desk.told("cleared", 50), lambda: desk.found((False, 50, 0.5))]
    for step in (*steps[:: 1 if gateway_first else -1], *ends[:: 1 if gateway_first else -1]):
        step()
    events = desk.records.events(limit=100)
    assert desk.ids() == {alert_id("methane-high", PLACE, T0 + 10 * S)}
    assert [e.event for e in events if e.event is EventKind.RAISED] == [EventKind.RAISED]
    assert [e.event.value for e in events].count("cleared") == 1
    assert len(events) == 4
    first, second = events[:2]
    assert {first.event, second.event} == {EventKind.RAISED, EventKind.ALSO_RAISED}
    assert {bool(first.gateway_ns), bool(second.gateway_ns)} == {True, False}
    assert events[-1].alert.origin == "both"
    assert events[-1].alert.state is AlertState.RETURNED


def test_a_life_told_after_an_outage_is_in_order_and_history_adds_no_double() -> None:
    """Raised, acknowledged at the panel, cleared; then the readings of the outage raise nothing new."""
    desk = Desk()
    desk.told("raised", 10)
    desk.told("acknowledged", 20, **ACK)
    desk.told("cleared", 50)
    assert desk.found((True, 10, 1.7), (False, 50, 0.5), late=True) == []
    assert desk.life() == [("raised", GATEWAY), ("acknowledged", GATEWAY), ("cleared", GATEWAY)]
    raised, acknowledged, cleared = desk.records.events(limit=10)
    assert acknowledged.actor == acknowledged.alert.acknowledged_by == "panel:north/gw-1/ack-1"
    assert cleared.alert.state is AlertState.NORMAL
    assert raised.alert.origin == "gateway"
    assert [e.time_ns for e in (raised, acknowledged, cleared)] == [T0 + s * S for s in (10, 20, 50)]
    assert raised.gateway_ns < raised.service_ns


def test_history_that_came_first_is_joined_and_not_doubled() -> None:
    """A note that was lost on the way and comes after the readings joins the alert made from history."""
    desk = Desk()
    desk.found((True, 10, 1.7), (False, 50, 0.5), late=True)
    desk.told("raised", 10)
    desk.told("acknowledged", 20, **ACK)
    assert len(desk.ids()) == 1
    assert desk.records.events(limit=10)[-1].alert.state is AlertState.NORMAL


def test_a_live_reading_before_the_notes_is_the_same_alert() -> None:
    """After the outage a live reading raises first; the older cause joins it, nobody is called twice."""
    desk = Desk()
    desk.found((True, 900, 1.9))
    desk.told("raised", 10)
    desk.told("acknowledged", 20, **ACK)
    assert desk.life() == [("raised", "service"), ("also-raised", GATEWAY), ("acknowledged", GATEWAY)]
    assert len(desk.ids()) == 1


@pytest.mark.parametrize("restart", [False, True])
def test_a_note_that_comes_again_changes_nothing(restart: bool) -> None:
    """Every step is known by its key, also after a restart of the service."""
    desk = Desk()
    steps = [("raised", {}), ("acknowledged", ACK), ("cleared", {})]
    for kind, more in steps:
        desk.told(kind, 20, **more)
    before = desk.life()
    if restart:
        desk.begin()
    for kind, more in steps:
        assert desk.told(kind, 20, **more) == []
    assert desk.life() == before


def test_a_restart_between_raise_and_clear_keeps_the_one_life() -> None:
    """The service that begins anew clears what the gateway raised, and the other way round."""
    desk = Desk()
    desk.told("raised", 10)
    desk.begin()
    desk.found((False, 50, 0.5))
    desk.told("cleared", 50)
    assert desk.life() == [("raised", GATEWAY), ("cleared", "service"), ("also-cleared", GATEWAY)]


def test_what_the_service_does_not_find_is_told_all_the_same() -> None:
    """A rule that only the gateway has makes an alert, marked as the gateway's, in its words."""
    desk = Desk()
    words = {"kk": "а", "ru": "б", "en": "stop the belt"}
    desk.told("raised", 10, rule="belt-own", message=words, place="north/new/ch4")
    (event,) = desk.records.events(limit=10)
    assert (event.alert.origin, event.alert.rule, event.alert.message.en) == (
        "gateway",
        "belt-own",
        "stop the belt",
    )
    assert event.alert.why.en == "measured 1.7 % CH4 (limit > 1 % CH4)"
    desk.told("withdrawn", 60, rule="belt-own", place="north/new/ch4")
    assert desk.records.events(limit=10)[-1].alert.active is False


def test_another_version_of_the_rule_is_said_and_clears_only_when_both_do() -> None:
    """The gateway's limit stands in the reason; the service's end hides not what the gateway still sees."""
    desk = Desk()
    desk.found((True, 10, 1.7))
    (event,) = desk.told("raised", 10, digest="0" * 16, limit=0.8)
    assert event.alert.why.en.endswith("the gateway judged by another version of this rule (limit 0.8)")
    assert "другой версии" in event.alert.why.ru
    (still,) = desk.found((False, 50, 0.85))
    assert (still.event, still.alert.active) == (EventKind.ALSO_CLEARED, True)
    (over,) = desk.told("cleared", 70)
    assert (over.event, over.alert.active) == (EventKind.CLEARED, False)


OTHER: dict[str, Any] = {"digest": "0" * 16, "limit": 0.8}


def test_the_end_by_another_version_hides_nothing() -> None:
    """A gateway of another version is done before the service finds: the service raises all the same."""
    desk = Desk()
    desk.told("raised", 10, **OTHER)
    desk.told("cleared", 15, **OTHER)
    desk.begin()
    (event,) = desk.found((True, 10, 1.7))
    assert (event.event, event.alert.active) == (EventKind.RAISED, True)
    assert len(desk.ids()) == 1


def test_a_withdrawn_rule_hides_nothing() -> None:
    """The rule is gone from the gateway's files, the gas is not: the service raises, and the end says why."""
    desk = Desk()
    desk.told("raised", 10)
    (gone,) = desk.told("withdrawn", 15)
    assert gone.alert.why.en.startswith("the gateway judges by this rule no longer")
    (event,) = desk.found((True, 10, 1.7))
    assert (event.event, event.alert.active) == (EventKind.RAISED, True)


@pytest.mark.parametrize("service_first", [True, False])
def test_a_restart_keeps_what_only_the_gateways_version_sees(service_first: bool) -> None:
    """After a restart the service's end does not close what the gateway, by its lower limit, still sees."""
    desk = Desk()
    if service_first:
        desk.found((True, 10, 1.7))
    desk.told("raised", 10, **OTHER)
    desk.begin()
    keys, _ = desk.book.active_keys()
    assert len(keys) == service_first
    desk.found((False, 50, 0.85))
    assert [alert.active for alert in desk.book.alerts()] == [True]
    (over,) = desk.told("cleared", 70, **OTHER)
    assert over.alert.active is False


def test_the_end_of_an_older_activation_leaves_the_running_one() -> None:
    """Notes of an outage come after a new alert: their end and their button do not touch what runs now."""
    desk = Desk()
    (now,) = desk.told("raised", 900, cause=900)
    desk.told("raised", 10)
    desk.told("acknowledged", 20, **ACK)
    desk.told("cleared", 50)
    (alert,) = desk.book.alerts()
    assert (alert.id, alert.active) == (now.alert.id, True)
    assert (alert.state, alert.acknowledged_by) == (AlertState.UNACKNOWLEDGED, "")
    (over,) = desk.told("cleared", 950, cause=900)
    assert over.alert.active is False


def test_an_older_end_by_another_version_does_not_hold_the_alert() -> None:
    """After it the service alone decides about its own alert."""
    desk = Desk()
    desk.found((True, 900, 1.9))
    desk.told("raised", 10, **OTHER)
    desk.told("cleared", 50, **OTHER)
    (over,) = desk.found((False, 950, 0.5))
    assert (over.event, over.alert.active) == (EventKind.CLEARED, False)


STEPS: dict[str, Callable[[Desk], object]] = {
    "raised": lambda desk: desk.told("raised", 10),
    "cleared": lambda desk: desk.told("cleared", 50),
    "found": lambda desk: desk.found((True, 10, 1.7)),
    "found later": lambda desk: desk.found((True, 12, 1.7)),
    "over": lambda desk: desk.found((False, 50, 0.5)),
}


@pytest.mark.parametrize(
    "order",
    [
        ("raised", "cleared", "found", "over"),
        ("raised", "cleared", "found later", "over"),
        ("raised", "found", "cleared", "over"),
        ("raised", "found", "over", "cleared"),
        ("found", "raised", "over", "cleared"),
        ("found", "over", "raised", "cleared"),
    ],
    ids="-".join,
)
def test_a_restart_from_an_older_snapshot_finds_nothing_anew(order: tuple[str, ...]) -> None:
    """The same readings are scored again: no row is added, nobody is called twice, nothing stays active."""
    desk = Desk()
    for step in order:
        STEPS[step](desk)
    before = desk.life()
    desk.begin()
    for step in order:
        if step not in ("raised", "cleared"):
            STEPS[step](desk)
    assert desk.life() == before
    assert [alert.active for alert in desk.book.alerts()] == [False]


def test_a_gateway_that_invents_rules_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open alerts that only gateways tell of are bounded; the service finds its own all the same."""
    monkeypatch.setattr(merging, "MOST_OF_A_SITE", 3)
    desk = Desk()
    for i in range(3):
        desk.told("raised", 10, rule=f"own-{i}")
    with pytest.raises(ValueError, match="are open already"):
        desk.told("raised", 10, rule="own-3")
    assert len(desk.found((True, 10, 1.7))) == 1
    desk.told("raised", 10)
    assert len(desk.book.alerts()) == 4


def test_an_acknowledgement_of_what_is_acknowledged_is_kept_and_changes_nothing() -> None:
    """Desk and panel both press: the journal tells of both, the alert keeps the first name."""
    desk = Desk()
    (raised,) = desk.told("raised", 10)
    desk.records.append([desk.book.command(Command("acknowledge", raised.alert.id, "desk-1"), desk.now)])
    (event,) = desk.told("acknowledged", 20, **ACK)
    assert (event.actor, event.alert.acknowledged_by) == (ACK["actor"], "desk-1")


def test_a_test_is_a_row_and_no_alert() -> None:
    """The test of outputs stands in the journal; no list of alerts shows it."""
    desk = Desk()
    (event,) = desk.told(
        "test", 10, rule=TEST_RULE, place="north/gw-1/test-1", actor=f"panel:{GATEWAY}/test-1"
    )
    assert (event.event, event.actor) == (EventKind.TESTED, "panel:north/gw-1/test-1")
    assert desk.records.alerts(AlertQuery(history=True))[0] == []
    assert desk.records.verify() == 1


def test_an_output_that_fails_is_an_alert() -> None:
    """A siren that does not obey is told with its reason, and is over when it obeys."""
    desk = Desk()
    failed = {"rule": FAILED_RULE, "place": "north/gw-1/siren", "quantity": "", "unit": "", "detector": ""}
    (event,) = desk.told("raised", 10, why="10.0.0.5 does not answer", **failed)
    assert (event.alert.why.en, event.alert.paged) == ("10.0.0.5 does not answer", True)
    assert event.alert.message.ru.startswith("Выход тревоги на участке не подчиняется")
    (over,) = desk.told("cleared", 60, **failed)
    assert over.alert.state is AlertState.RETURNED


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"place": "south/mm1/ch4"}, "none of its site"),
        ({"actor": "panel:north/gw-2/ack"}, "none of its panels"),
        ({"actor": "desk-1"}, "none of its panels"),
        ({"cause_ns": "1"}, "cause_ns '1' is no whole number"),
        ({"event": "burn"}, "there is no event 'burn'"),
        ({"rule": "a|b"}, "is no name"),
        ({"value": "x"}, "value 'x' is no number"),
        ({"value": 10**400}, "value is a number of too many digits"),
        ({"rule": "gateway-offline"}, "is the service's own"),
        ({"rule": "readings-lost"}, "is the service's own"),
    ],
)
def test_a_gateway_speaks_only_for_itself(change: dict[str, Any], said: str) -> None:
    """What another site, another panel or a person would say is refused, and so is what cannot be read."""
    with pytest.raises(ValueError, match=said):
        Desk().told("raised", 10, **change)


def test_what_a_gateway_raises_says_what_is_known_of_the_place() -> None:
    """The evidence that stands is in its words, as it would be if the engine had raised it."""
    desk = Desk()
    signs = (Sign(0, T0 + 5 * S, 0.2, 0.6),)
    desk.book.apply(moved(), T0, places=[PlaceEvidence("north", "longwall-7", True, T0 + 6 * S, T0, signs)])
    assert "methane at north/mm1/ch4 rose" in desk.told("raised", 10)[0].alert.now.en
