"""How often an alert was real: facts from what stands at its place, and the words for and against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from minewatch.alerts.book import AlertBook
from minewatch.alerts.chance import Chance, Standing, facts_of
from minewatch.alerts.rule import key_of
from minewatch.alerts.rules import RuleSet
from minewatch.contracts import Alert, EventKind
from unit.alerts.examples import T0, S, moved, point, rule

CHANCE = Chance((3.0, 1.0), 0.0)


def alert(**change: object) -> Alert:
    """Return the alert of a rule on methane as the book raises it."""
    made = AlertBook()
    made.bind(RuleSet((rule(),)), {0: point()})
    raised = made.apply(moved((True, 50, 1.5)), T0 + 50 * S)[0].alert
    return replace(raised, **change)


@pytest.mark.parametrize(
    ("other", "facts"),
    [
        ({"place": "north/mm2/ch4"}, (True, False)),
        ({"place": "north/an1/v", "quantity": "air_velocity"}, (False, True)),
        ({"place": "north/mm2/ch4", "zone": "longwall-7/return"}, (True, False)),
        ({"place": "north/mm2/ch4", "zone": "heading-1/face"}, (False, False)),
        ({"place": "north/mm2/ch4", "detector": "gap"}, (False, False)),
        ({"place": "north/mm2/ch4", "active": False}, (False, False)),
        ({"place": "north/mm2/ch4", "retrospective": True}, (False, False)),
        ({"detector": "stuck"}, (False, False)),
        ({"detector": "test-gas"}, (False, False)),
        ({"detector": "ewma"}, (False, False)),
    ],
)
def test_facts_are_what_stands_at_the_place(other: dict[str, object], facts: tuple[bool, ...]) -> None:
    """Other meters of the place are facts; elsewhere, over, of old or about a meter itself is none."""
    one = alert()
    assert facts_of(one, [one, replace(alert(id="other"), **other)]) == facts


@pytest.mark.parametrize(
    "change",
    [{"quantity": "bearing_temperature"}, {"detector": "gap"}, {"retrospective": True}, {"zone": ""}],
)
def test_where_there_are_no_labels_nothing_is_said(change: dict[str, object]) -> None:
    """Machines, silence, history and points without a place have no probability."""
    assert facts_of(alert(**change), []) is None


def test_it_is_said_with_what_it_rests_on() -> None:
    """The number of a hundred, never all, with every fact; where it is not high nothing is said."""
    said = CHANCE.words((True, False))
    assert said is not None
    assert said.en == (
        "borne out by another meter of the place: of 100 such cases in simulated mines 95 were real"
    )
    assert "95" in said.ru
    assert "95" in said.kk
    assert CHANCE.words((False, True)) is None
    assert Chance((0.0, 0.0), 9.0).words((False, False)) is None
    sure = Chance((9.0, 9.0), 9.0).words((True, True))
    assert sure is not None
    assert sure.en.startswith("borne out by another meter of the place and another quantity there: of 100")
    assert "99 were real" in sure.en


def test_the_book_says_it_when_an_alert_is_raised() -> None:
    """It stands in `now` of the row that raises it, once another meter says so; without a model nowhere."""
    for chance, said in ((CHANCE, True), (None, False)):
        made = AlertBook(chance=chance)
        made.bind(RuleSet((rule(),)), {0: point(), 1: point("mm2")})
        first = made.apply(moved((True, 50, 1.5)), T0 + 50 * S)[0].alert
        second = replace(moved((True, 60, 1.5)), key=np.array([key_of("methane-high", point("mm2").place)]))
        raised = made.apply(second, T0 + 60 * S)[0].alert
        assert first.now.en == ""
        assert ("95 were real" in raised.now.en) == said
        assert raised.paged


def test_the_counter_of_a_journal_sees_the_same_facts() -> None:
    """What the book knows when it raises, a reader of the journal finds from the rows before."""
    counter = Standing()
    first, second = alert(), alert(id="second", place="north/mm2/ch4")
    assert counter.take(EventKind.RAISED, first) == (False, False)
    assert counter.take(EventKind.RAISED, second) == (True, False)
    assert counter.take(EventKind.CLEARED, replace(second, active=False)) is None
    assert counter.take(EventKind.RAISED, replace(first, changed_ns=1)) == (False, False)
