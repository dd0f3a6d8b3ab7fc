"""The life of an alert against a small oracle of ISA-18.2, whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from minewatch.alerts.book import AlertBook
from minewatch.alerts.lifecycle import Step, after
from minewatch.alerts.rule import key_of
from minewatch.alerts.rules import RuleSet
from minewatch.contracts import Alert, AlertQuery, AlertState, Command, EventKind
from minewatch.errors import CommandRefused
from minewatch.store.records.memory import MemoryRecords
from unit.alerts import examples

PLACES = ("mm1", "mm2", "mm3")
S, T0 = examples.S, examples.T0


@pytest.mark.parametrize(
    ("state", "step", "expected"),
    [
        ("normal", "raise", "unacknowledged"),
        ("normal", "clear", "normal"),
        ("normal", "acknowledge", None),
        ("unacknowledged", "raise", "unacknowledged"),
        ("unacknowledged", "clear", "returned-unacknowledged"),
        ("unacknowledged", "acknowledge", "acknowledged"),
        ("acknowledged", "raise", "acknowledged"),
        ("acknowledged", "clear", "normal"),
        ("acknowledged", "acknowledge", None),
        ("returned-unacknowledged", "raise", "unacknowledged"),
        ("returned-unacknowledged", "clear", "returned-unacknowledged"),
        ("returned-unacknowledged", "acknowledge", "normal"),
    ],
)
def test_every_step_from_every_state(state: str, step: str, expected: str | None) -> None:
    """The whole table of ISA-18.2 states A to D; None is a refusal that names the state."""
    if expected is None:
        with pytest.raises(CommandRefused) as caught:
            after(AlertState(state), Step(step))
        assert caught.value.state == state
    else:
        assert after(AlertState(state), Step(step)) == expected


@dataclass
class Oracle:
    """One limit in plain words: is it crossed, and is there an activation that nobody has seen."""

    active: bool = False
    unseen: bool = False

    def state(self) -> AlertState:
        """Return the ISA-18.2 state of the two facts."""
        return {
            (False, False): AlertState.NORMAL,
            (True, True): AlertState.UNACKNOWLEDGED,
            (True, False): AlertState.ACKNOWLEDGED,
            (False, True): AlertState.RETURNED,
        }[self.active, self.unseen]


class Life(RuleBasedStateMachine):
    """Three limits that are crossed and return, one person who acknowledges, a process that dies."""

    @initialize()
    def start(self) -> None:
        """Begin with an empty journal."""
        self.records = MemoryRecords()
        self.oracle = {place: Oracle() for place in PLACES}
        self.second = 0
        self.raised = 0
        self.open()

    def open(self) -> None:
        """Open the book as a new process does."""
        self.book = AlertBook(records=self.records)
        points = {i: examples.point(place) for i, place in enumerate(PLACES)}
        self.book.bind(RuleSet((examples.rule(),)), points)
        self.book.restore(self.records.alerts(AlertQuery(limit=1000))[0])

    def now(self) -> int:
        """Return the service's clock."""
        return T0 + self.second * S

    def alert(self, place: str) -> Alert | None:
        """Return the open alert at a place."""
        return next((a for a in self.book.alerts() if a.place == f"north/{place}/ch4"), None)

    @rule(place=st.sampled_from(PLACES), active=st.booleans())
    def crossed(self, place: str, active: bool) -> None:
        """A limit is crossed or returns; only a change is an event."""
        self.second += 1
        found = examples.moved((active, self.second, 2.0), key=key_of("methane-high", f"north/{place}/ch4"))
        events = self.records.append(self.book.apply(found, self.now()))
        model = self.oracle[place]
        assert len(events) == (model.active != active)
        self.raised += sum(event.event is EventKind.RAISED for event in events)
        model.unseen = model.unseen or (active and not model.active)
        model.active = active

    @rule(place=st.sampled_from(PLACES))
    def acknowledged(self, place: str) -> None:
        """A person acknowledges: it counts when there is something unseen, else it is refused."""
        self.second += 1
        alert = self.alert(place)
        if alert is None:
            return
        command = Command("acknowledge", alert.id, "desk-1")
        if self.oracle[place].unseen:
            self.records.append([self.book.command(command, self.now())])
            self.oracle[place].unseen = False
        else:
            with pytest.raises(CommandRefused):
                self.book.command(command, self.now())

    @rule()
    def restarted(self) -> None:
        """The process dies and comes back from its records."""
        self.open()

    @rule(place=st.sampled_from(PLACES))
    def repeated(self, place: str) -> None:
        """After a restart the engine may say again what it has said: nothing happens."""
        key = key_of("methane-high", f"north/{place}/ch4")
        for event in list(self.records.events(limit=10_000)):
            if (
                event.event in (EventKind.RAISED, EventKind.CLEARED)
                and event.alert.place.split("/")[1] == place
            ):
                second = (event.time_ns - T0) // S
                again = examples.moved((event.event is EventKind.RAISED, second, 2.0), key=key)
                assert self.book.apply(again, self.now()) == []

    @invariant()
    def states_agree(self) -> None:
        """Book and records both hold what the oracle says, and nothing more."""
        if not hasattr(self, "book"):
            return
        wanted = {
            f"north/{place}/ch4": model.state()
            for place, model in self.oracle.items()
            if model.state() is not AlertState.NORMAL
        }
        assert {a.place: a.state for a in self.book.alerts()} == wanted
        held = self.records.alerts(AlertQuery(limit=1000))[0]
        assert {a.place: a.state for a in held} == wanted
        assert all(a.active == self.oracle[a.place.split("/")[1]].active for a in held)

    def teardown(self) -> None:
        """Every activation stands in an unbroken journal exactly once."""
        if hasattr(self, "records"):
            self.records.verify()
            kinds = [event.event for event in self.records.events(limit=10_000)]
            assert kinds.count(EventKind.RAISED) == self.raised


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
