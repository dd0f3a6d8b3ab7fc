"""The desk for calibration gas: which alerts wait, when they call after all, and the ledger of tests.

An alert at a meter whose rise may be a test is raised and shown at once; only the call waits, some seconds
until the shape is decided, and then for as long as the detector says test, never beyond its bound. A
gateway's own alarm waits for nothing. A test is an alert of its own class, ``test-gas``: TAGGED when it is
known, CLEARED with as-found value, response time and recovery, and there for a person to acknowledge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from minewatch.alerts import texts, trial_texts
from minewatch.alerts.activation import (
    EVENTS,
    GATEWAY,
    IGNORED,
    SYSTEM,
    Found,
    Shelf,
    Slot,
    alert_id,
    event_key,
)
from minewatch.alerts.held import Held
from minewatch.alerts.lifecycle import Step, after
from minewatch.alerts.merging import BOTH
from minewatch.alerts.rule import Binding, key_of
from minewatch.alerts.words import Part, Words
from minewatch.contracts import (
    NO_WORDS,
    Alert,
    AlertEvent,
    AlertState,
    Calibration,
    EventKind,
    PointInfo,
    Text,
    TrialChange,
    TrialStage,
)

RULE_ID = "test-gas"
DETECTOR = "test-gas"
PRIORITY = 4
# what test gas itself sets off
WAIT_FOR = frozenset({"value", "rate-of-rise", "ewma", "cusum", "robust-z", "novelty"})
RUNNING = (TrialStage.SUSPECTED, TrialStage.TESTED)


class Desk:
    """Holds calls back while a meter is under test, and lets none be lost; ``points`` are those in force."""

    def __init__(self, shelf: Shelf, held: Held, words: Words) -> None:
        self._shelf = shelf
        self._words = words
        self._held = held
        self.bindings: Mapping[int, Binding] = {}
        self.points: Mapping[int, PointInfo] = {}
        self._trials: dict[str, TrialChange] = {}  # those that run, by place

    def know(self, standing: Sequence[TrialChange]) -> None:
        """Take over how trials stand after a start: an alert at a meter under test waits as ever."""
        self._trials = {
            self.points[change.point].place: change for change in standing if change.stage in RUNNING
        }

    def resume(self, standing: Sequence[TrialChange], now_ns: int) -> list[AlertEvent]:
        """Go on after a start: what waits, and nothing is known of its test any more, calls at once."""
        self.know(standing)
        known = {self.points[change.point].place for change in standing}
        unknown = [slot for slot in self._waiting(None) if self._shelf.open[slot].place not in known]
        why = trial_texts.refuted("restart", None, "")
        return [event for slot in unknown for event in self._escalate(slot, why, now_ns, now_ns)]

    def raised(self, found: Found, alert: Alert) -> tuple[Alert, Text | None]:
        """Return the alert as it is raised, and why it waits: it does while its meter may be under test."""
        trial = self._trials.get(alert.place)
        if (
            trial is None
            or not alert.paged
            or found.retrospective
            or found.binding.rule.detector not in WAIT_FOR
        ):
            return alert, None
        return replace(alert, paged=False), trial_texts.waits(trial)

    def heard(self, events: list[AlertEvent], now_ns: int) -> list[AlertEvent]:
        """Let what a gateway raises call at once, whatever is known of a test."""
        more: list[AlertEvent] = []
        for event in events:
            slot = self._shelf.place.get(event.alert.id)
            if slot is not None and event.alert.origin in (GATEWAY, BOTH) and self._is_waiting(slot):
                why = trial_texts.refuted("gateway", None, "")
                more += self._escalate(slot, why, event.time_ns, now_ns)
        return more

    def take(self, change: TrialChange, now_ns: int) -> list[AlertEvent]:
        """Return the events that a change of a trial causes."""
        point = self.points.get(change.point)
        if point is None:
            IGNORED.labels("no such point").inc()
            return []
        if change.stage in RUNNING:
            self._trials[point.place] = change
            return self._tag(change, point, now_ns) if change.stage is TrialStage.TESTED else []
        self._trials.pop(point.place, None)
        if change.stage is TrialStage.OVER:
            return self._end(change, point, trial_texts.over(change), now_ns)
        witness = self.points.get(change.witness)
        why = trial_texts.refuted(change.reason, change, witness.place if witness else "")
        events = self._end(change, point, why, now_ns) if change.stage is TrialStage.REFUTED else []
        for slot in self._waiting(point.place):
            events += self._escalate(slot, why, change.ts_ns, now_ns)
        return events

    def _waiting(self, place: str | None) -> list[Slot]:
        return [
            slot
            for slot, alert in self._shelf.in_order()
            if (place is None or alert.place == place) and self._is_waiting(slot)
        ]

    def _is_waiting(self, slot: Slot) -> bool:
        alert, binding = self._shelf.open[slot], self.bindings.get(slot[0])
        return (
            alert.active
            and not alert.paged
            and not alert.retrospective
            and binding is not None
            and binding.rule.page
        )

    def _escalate(self, slot: Slot, why: Text, ts_ns: int, now_ns: int) -> list[AlertEvent]:
        old = self._shelf.open[slot]
        alert = replace(old, paged=True, why=texts.joined(old.why, _no_test(why)))
        alert = self._words.without(slot, alert, Part.TRIAL, ts_ns)
        name = event_key(slot[0], EventKind.ESCALATED, old.changed_ns)
        self._shelf.keep(slot, alert)
        return self._event(name, EventKind.ESCALATED, alert, ts_ns, now_ns)

    def _tag(self, change: TrialChange, point: PointInfo, now_ns: int) -> list[AlertEvent]:
        key = key_of(RULE_ID, point.place)
        slot: Slot = (key, 0)
        old = self._shelf.open.get(slot)
        alert = _alert(change, point, old)
        name = event_key(key, EventKind.TAGGED, change.since_ns)
        if self._held.repeats(name):
            return []
        self._shelf.since[slot] = change.since_ns
        self._shelf.keep(slot, alert)
        events = self._event(name, EventKind.TAGGED, alert, change.ts_ns, now_ns, _line(change))
        for other in self._waiting(point.place):
            events += self._words.know(other, Part.TRIAL, trial_texts.waits(change), change.ts_ns, now_ns)
        return events

    def _end(self, change: TrialChange, point: PointInfo, why: Text, now_ns: int) -> list[AlertEvent]:
        key = key_of(RULE_ID, point.place)
        slot: Slot = (key, 0)
        old = self._shelf.open.get(slot)
        if old is None or not old.active:
            return []
        refuted = change.stage is TrialStage.REFUTED
        alert = replace(
            old,
            state=after(old.state, Step.CLEAR),
            active=False,
            changed_ns=change.ts_ns,
            value=change.level,
            why=_no_test(why) if refuted else why,
            now=NO_WORDS,
            now_ns=0,
            words=(),
        )
        name = event_key(key, EventKind.CLEARED, change.since_ns)
        self._shelf.since.pop(slot, None)
        self._shelf.keep(slot, alert)
        return self._event(name, EventKind.CLEARED, alert, change.ts_ns, now_ns, _line(change))

    def _event(
        self,
        name: str,
        kind: EventKind,
        alert: Alert,
        ts_ns: int,
        now_ns: int,
        line: Calibration | None = None,
    ) -> list[AlertEvent]:
        if self._held.repeats(name):
            return []
        EVENTS.labels(kind.value).inc()
        return [AlertEvent(name, kind, alert, ts_ns, now_ns, SYSTEM, calibration=line)]


def _line(change: TrialChange) -> Calibration:
    """Return the line of the ledger as far as a trial has come."""
    told = change.announcement
    return Calibration(
        stage=change.stage,
        reason=change.reason,
        from_ns=change.since_ns,
        to_ns=change.ts_ns,
        before=change.base,
        found=change.level,
        t90_s=change.t90_s,
        recovery_s=change.recovery_s,
        announced_by=told.actor if told else "",
        gas_pct=told.gas_pct if told else math.nan,
    )


def _no_test(why: Text) -> Text:
    return Text(kk=f"бұл тексеру емес: {why.kk}", ru=f"это не проверка: {why.ru}", en=f"no test: {why.en}")


def _alert(change: TrialChange, point: PointInfo, old: Alert | None) -> Alert:
    same = old is not None and old.state is not AlertState.NORMAL
    return Alert(
        id=old.id if old and same else alert_id(RULE_ID, point.place, change.since_ns),
        rule=RULE_ID,
        place=point.place,
        site=point.site,
        zone=point.zone,
        quantity=point.quantity,
        priority=PRIORITY,
        paged=False,
        state=AlertState.UNACKNOWLEDGED,
        active=True,
        raised_ns=old.raised_ns if old and same else change.since_ns,
        changed_ns=change.ts_ns,
        value=change.level,
        unit=point.unit,
        limit=change.base,
        detector=DETECTOR,
        message=trial_texts.MESSAGE,
        why=trial_texts.tagged(change, point),
        citation="A fact about the meter, not a legal limit: docs/detectors.md",
        verified=True,
    )
