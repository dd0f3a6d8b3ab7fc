"""The book of alerts: what the engine found and what people did becomes events, each of them once.

The book holds every alert that is not normal. An event's key names (rule, place, kind, time of cause), so
a transition that comes again after a restart is recognised in the journal and changes nothing.
"""

from __future__ import annotations

from collections import ChainMap, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from minewatch.alerts import evidence, link, loss, silence
from minewatch.alerts.activation import (
    EVENTS,
    GATEWAY,
    IGNORED,
    SYSTEM,
    Found,
    Shelf,
    Slot,
    Span,
    alert_id,
    event_key,
    event_of,
    key_text,
    raised_alert,
)
from minewatch.alerts.chance import Chance, facts_of
from minewatch.alerts.held import Held
from minewatch.alerts.lifecycle import Step, after
from minewatch.alerts.merging import Merger
from minewatch.alerts.outlooks import Outlooks
from minewatch.alerts.rule import Binding, key_of
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.settings import AlertSettings
from minewatch.alerts.told import Told
from minewatch.alerts.trials import Desk
from minewatch.alerts.words import Part, Words
from minewatch.contracts import (
    I8,
    Alert,
    AlertEvent,
    AlertState,
    Command,
    EventKind,
    GatewayInfo,
    LimitTable,
    NewReason,
    Outlook,
    PlaceEvidence,
    PointInfo,
    RecordStore,
    Subject,
    Text,
    Transitions,
    TrialChange,
)
from minewatch.errors import CommandRefused

__all__ = ["AlertBook", "alert_id", "event_key"]


class AlertBook:
    """The one writer of alert state in a process.

    ``records`` tells it what the journal already holds; without one (replay) nothing can come twice.
    ``started_ns`` is when the service began to listen: silences from before are its own.
    """

    def __init__(
        self,
        settings: AlertSettings | None = None,
        records: RecordStore | None = None,
        *,
        started_ns: int = 0,
        chance: Chance | None = None,
    ) -> None:
        self._settings = settings or AlertSettings()
        self._of_points: dict[int, Binding] = {}
        self._of_subjects: Mapping[int, Binding] = {}
        self._common: dict[tuple[str, str], list[int]] = defaultdict(list)  # limits of common silence
        self._bindings: Mapping[int, Binding] = {}
        self._shelf = Shelf()
        self._chance = chance
        self._held = Held(records)
        self._merger = Merger(self._shelf, self._held, self._worded)
        self._words = Words(self._shelf)
        self._outlooks = Outlooks(self._shelf, self._words)
        self._desk = Desk(self._shelf, self._held, self._words)
        self._evidence = evidence.Places(self._shelf, self._held, self._words)
        self._gateways: dict[int, GatewayInfo] = {}
        self._silences = silence.Silences(started_ns)

    def bind(self, rules: RuleSet, points: Mapping[int, PointInfo], *, first: int = 0) -> LimitTable:
        """Take the rules in force at points from ``first`` on and return their limits for the engine.

        Those before ``first`` stay bound as they are. Alerts whose rule or point is gone stay open: a person
        closes them.
        """
        limits, bindings = rules.bind({index: info for index, info in points.items() if index >= first})
        if not first:
            self._of_points = {}
        self._of_points.update(bindings)
        self._desk.points = self._evidence.points = self._outlooks.points = points
        self._take_bindings()
        return limits

    def bind_subjects(self, rules: RuleSet, subjects: Sequence[Subject]) -> LimitTable:
        """Take the rules about what is judged outside the walk, and return their limits for the judge."""
        limits, self._of_subjects = rules.bind_subjects(subjects)
        self._common = defaultdict(list)
        for key, binding in self._of_subjects.items():
            if binding.rule.detector == silence.COMMON:
                self._common[binding.point.site, binding.point.gateway].append(key)
        self._take_bindings()
        return limits

    def released(self) -> list[str]:
        """Return the places whose silence begins anew: what stood for it is over."""
        return self._silences.released(self._stands_for)

    def _stands_for(self, gateway: tuple[str, str]) -> bool:
        """Say whether one alert stands for the silent points of a gateway."""
        return any((key, 0) in self._shelf.since for key in self._common.get(gateway, ()))

    def _take_bindings(self) -> None:
        self._bindings = ChainMap(self._of_points, dict(self._of_subjects))
        self._merger.bindings = self._desk.bindings = self._bindings

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take over the alerts that the record store holds as not normal."""
        for alert in alerts:
            if alert.state is AlertState.NORMAL:
                continue
            key = key_of(alert.rule, alert.place)
            slot: Slot = (key, int(alert.retrospective))
            if slot in self._shelf.open:  # what a gateway found before has a slot of its own
                slot = (key, alert.raised_ns)
            self._shelf.keep(slot, alert)
            if alert.retrospective:
                continue
            self._evidence.restore(alert)
            self._shelf.span(key, alert.raised_ns, alert.changed_ns, alert)
            if alert.active:
                self._shelf.since[slot] = alert.changed_ns
                self._words.restore(slot, alert)
                if alert.origin != GATEWAY:
                    self._shelf.found.add(slot)
                self._merger.restored(slot, alert)

    def alerts(self) -> list[Alert]:
        """Return every alert that is not normal, the most urgent first, then the newest."""
        return sorted(
            self._shelf.open.values(), key=lambda alert: (alert.priority, -alert.raised_ns, alert.id)
        )

    def active_keys(self) -> tuple[I8, I8]:
        """Return the limits that stand in a live alert, and since when: the engine goes on from there."""
        running = [
            (key, since)
            for (key, past), since in self._shelf.since.items()
            if not past and key in self._bindings and self._merger.resumes((key, past))
        ]
        self._shelf.found.update((key, 0) for key, _ in running)
        return np.asarray([key for key, _ in running], np.int64), np.asarray(
            [since for _, since in running], np.int64
        )

    def apply(
        self,
        transitions: Transitions,
        now_ns: int,
        *,
        retrospective: bool = False,
        trials: Sequence[TrialChange] = (),
        places: Sequence[PlaceEvidence] = (),
    ) -> list[AlertEvent]:
        """Turn what the engine found into events, in order; ``now_ns`` is the service's clock.

        Retrospective transitions (from readings that came late) page nobody and wait for a person.
        ``trials`` are changes of what is known about calibration gas: each goes before what its point finds
        then or later.
        """
        events: list[AlertEvent] = []
        pending: dict[str, deque[TrialChange]] = {}
        weighed = deque(places)
        for change in trials:
            if (point := self._desk.points.get(change.point)) is not None:
                pending.setdefault(point.place, deque()).append(change)
        ends = silence.ends(transitions)
        for i in range(len(transitions.key)):
            key = int(transitions.key[i])
            binding = self._bindings.get(key)
            if binding is None:
                IGNORED.labels("no such limit").inc()
                continue
            found = Found(
                key,
                binding,
                int(transitions.ts_ns[i]),
                int(transitions.since_ns[i]),
                float(transitions.value[i]),
                retrospective,
                transitions.why[i] if transitions.why else None,
            )
            if transitions.active[i] and self._explained(found, ends):
                IGNORED.labels("silence of the gateway").inc()
                continue
            while weighed and weighed[0].ts_ns <= found.ts_ns:
                events += self._evidence.take(weighed.popleft(), now_ns)
            waiting = pending.get(binding.point.place)
            while waiting and waiting[0].ts_ns <= found.ts_ns:
                events += self._desk.take(waiting.popleft(), now_ns)
            event = self._raise(found, now_ns) if transitions.active[i] else self._clear(found, now_ns)
            if event is not None:
                events.append(event)
        for place in weighed:
            events += self._evidence.take(place, now_ns)
        for waiting in pending.values():
            for change in waiting:
                events += self._desk.take(change, now_ns)
        return events

    def know_trials(self, standing: Sequence[TrialChange]) -> None:
        """Take over after a start how trials stood before the readings that are read back."""
        self._desk.know(standing)

    def resume_trials(self, standing: Sequence[TrialChange], now_ns: int) -> list[AlertEvent]:
        """Go on after a start: an alert that waits, and of whose test nothing is known, calls."""
        return self._desk.resume(standing, now_ns)

    def resume_places(self, standing: Iterable[PlaceEvidence], now_ns: int) -> list[AlertEvent]:
        """Go on after a start, with the evidence of places that stands."""
        return self._evidence.resume(standing, now_ns)

    def standing(self) -> list[str]:
        """Return the places at which an alert stands."""
        return list(self._outlooks.standing())

    def foresee(self, outlooks: tuple[Outlook, ...], now_ns: int) -> list[AlertEvent]:
        """Say in the words of the alerts that stand when the next limit of their point is reached."""
        return self._outlooks.take(outlooks, now_ns)

    def explain(self, reasons: Iterable[NewReason], now_ns: int) -> list[AlertEvent]:
        """Say the newer reasons of the alerts that stand."""
        return [
            event
            for reason in reasons
            for event in self._words.know((reason.key, 0), Part.FOUND, reason.why, reason.ts_ns, now_ns)
        ]

    def standing_places(self) -> list[tuple[str, str, int]]:
        """Return site, zone and begin of every evidence of a place that stands."""
        return self._evidence.standing()

    def link(self, gateway: GatewayInfo, now_ns: int) -> list[AlertEvent]:
        """Judge the link to a gateway: its silence is an alert once the grace has passed, see ``tick``."""
        key = key_of(link.RULE_ID, link.place_of(gateway))
        self._gateways[key] = gateway
        self._silences.note(gateway)
        event = self._judge(key, gateway, now_ns)
        return [] if event is None else [event]

    def lose(self, lost: loss.Loss, now_ns: int) -> list[AlertEvent]:
        """Say which readings a gateway lost: it pages nobody, and waits for a person.

        The same telling gives no second event.
        """
        key = key_of(loss.RULE_ID, lost.place)
        slot = (key, 1)
        name = f"{key_text(key)}|lost|{lost.cause}"
        if self._held.repeats(name):
            return []
        identity = alert_id(loss.RULE_ID, lost.place, lost.from_ns, retrospective=True)
        alert = loss.alert(lost, identity, self._shelf.open.get(slot))
        self._shelf.keep(slot, alert)
        EVENTS.labels(EventKind.RAISED.value).inc()
        return [AlertEvent(name, EventKind.RAISED, alert, lost.to_ns, now_ns, SYSTEM)]

    def hear(self, told: Told, now_ns: int) -> list[AlertEvent]:
        """Merge what a gateway tells about an alert of its own into the one life of that alert."""
        events = self._merger.take(told, now_ns)
        return events + self._desk.heard(events, now_ns)

    def tick(self, now_ns: int) -> list[AlertEvent]:
        """Raise what only the passing of time raises: gateways whose grace is over."""
        events = [self._judge(key, gateway, now_ns) for key, gateway in self._gateways.items()]
        return [event for event in events if event is not None] + self._words.tick(now_ns)

    def say_what_waits(self, now_ns: int) -> list[AlertEvent]:
        """Say at once the words that wait for their turn: after a restart nobody would know them."""
        return self._words.tick(now_ns, at_once=True)

    def command(self, command: Command, now_ns: int) -> AlertEvent:
        """Do what a person asks and return the event.

        Raises NotFound when there is no such alert, CommandRefused when its state forbids it.
        """
        if "|" in command.key:  # the book's own keys have it; a caller must not take one of them
            raise CommandRefused("an idempotency key may not hold '|'", state="")
        place = self._shelf.place.get(command.alert)
        alert = self._shelf.open[place] if place else self.ended(command.alert)
        if command.name == "acknowledge":
            state = after(alert.state, Step.ACKNOWLEDGE)
            alert, kind = replace(alert, state=state, acknowledged_by=command.actor), EventKind.ACKNOWLEDGED
        elif command.name == "comment":
            if not command.comment.strip():
                raise CommandRefused("a comment needs words", state=alert.state.value)
            kind = EventKind.COMMENTED
        else:
            raise CommandRefused(
                f"there is no command {command.name!r}; known: acknowledge, comment", state=alert.state.value
            )
        if place:
            self._shelf.keep(place, alert)
        key = command.key or f"{alert.id}|{kind.value}|{now_ns}|{command.actor}"
        EVENTS.labels(kind.value).inc()
        return AlertEvent(
            key=key,
            event=kind,
            alert=alert,
            time_ns=now_ns,
            service_ns=now_ns,
            actor=command.actor,
            comment=command.comment,
        )

    def ended(self, identity: str) -> Alert:
        """Return an alert that the book holds no more. Raises NotFound."""
        return self._held.alert(identity)

    def _raise(self, found: Found, now_ns: int) -> AlertEvent | None:
        slot = (found.key, int(found.retrospective))
        old = self._shelf.open.get(slot)
        if slot in self._shelf.since:
            if (event := self._merger.found(slot, found, now_ns)) is not None:
                return event
            IGNORED.labels("already active").inc()
            return None
        if found.retrospective and self._covered(found):
            IGNORED.labels("covered by a live alert").inc()
            return None
        if (fresh := self._unless_known(found, EventKind.RAISED, EventKind.ALSO_RAISED)) is None:
            IGNORED.labels("already in the journal").inc()
            return None
        found = fresh
        if (event := self._merger.over(found, now_ns)) is not None:
            return event
        alert, waits = self._desk.raised(found, raised_alert(found, old))
        if not found.retrospective:
            alert = self._worded(slot, alert, found.binding.point, waits)
        self._shelf.since[slot] = found.since_ns
        self._shelf.found.add(slot)
        self._shelf.keep(slot, alert)
        return event_of(found, EventKind.RAISED, alert, now_ns)

    def _worded(self, slot: Slot, alert: Alert, point: PointInfo, waits: Text | None = None) -> Alert:
        """Return an alert that is being raised with what is known besides what was found."""
        place = self._evidence.known_at(point)
        parts = {Part.TRIAL: waits, Part.PLACE: place, Part.CHANCE: self._likely(alert)}
        return self._words.raised(slot, alert, parts)

    def _likely(self, alert: Alert) -> Text | None:
        """Say how often alerts like this one were real, where labels allow it."""
        if self._chance is None:
            return None
        known = facts_of(alert, self._shelf.open.values())
        return None if known is None else self._chance.words(known)

    def _clear(self, found: Found, now_ns: int) -> AlertEvent | None:
        slot = (found.key, int(found.retrospective))
        old = self._shelf.open.get(slot)
        if old is None or slot not in self._shelf.since:
            IGNORED.labels("not active").inc()
            return None
        if (fresh := self._unless_known(found, EventKind.CLEARED, EventKind.ALSO_CLEARED)) is None:
            IGNORED.labels("already in the journal").inc()
            return None
        found = fresh
        if not found.retrospective and (event := self._merger.stands(slot, found, now_ns)) is not None:
            return event
        alert = self._shelf.clear(slot, old, found)
        return event_of(found, EventKind.CLEARED, alert, now_ns)

    def _judge(self, key: int, gateway: GatewayInfo, now_ns: int) -> AlertEvent | None:
        silent_ns = max(0, now_ns - gateway.since_ns)
        alert = self._shelf.open.get((key, 0))
        active = alert is not None and alert.active
        if gateway.online == (not active):
            return None
        binding = link.binding(gateway, self._settings)
        found = Found(key, binding, now_ns, gateway.since_ns, 0.0 if gateway.online else silent_ns / 1e9)
        if gateway.online:
            return self._clear(found, now_ns)
        if silent_ns < self._settings.gateway_offline_grace_s * 1e9:
            return None
        return self._raise(found, now_ns)

    def _explained(self, found: Found, ends: Mapping[int, int]) -> bool:
        point = found.binding.point
        if found.binding.rule.detector != silence.DETECTOR:
            return False
        if not found.retrospective and self._stands_for((point.site, point.gateway)):
            self._silences.cover(point)
            return True
        if ends.get(found.key, 0) < found.ts_ns:
            return False
        begin_ns = found.ts_ns - round(found.value * 1e9)
        return self._silences.explained(point, begin_ns, ends[found.key])

    def _known(self, found: Found, kind: EventKind) -> AlertEvent | None:
        return self._held.event(event_key(found.key, kind, found.since_ns, retrospective=found.retrospective))

    def _unless_known(self, found: Found, *kinds: EventKind) -> Found | None:
        """Return None for what the journal holds already: its own row, or its word to another's.

        The same readings find the same cause at the same time. A cause of old that is found at another time
        was carried over a restart across readings that nobody stored: it begins anew, and is never swallowed.
        In history that is so only once a person has seen the one of before: until then it says the same.
        """
        before = [event for kind in kinds if (event := self._known(found, kind)) is not None]
        if not before:
            return found
        same = any(event.time_ns == found.ts_ns for event in before)
        old = self._shelf.open.get((found.key, int(found.retrospective)))
        unseen = found.retrospective and old is not None and any(e.alert.id == old.id for e in before)
        return None if same or unseen else replace(found, since_ns=found.ts_ns)

    def _covered(self, found: Found) -> bool:
        """Say whether a live alert stood in the time from cause to finding: a person knows already."""
        spans: Sequence[Span] = tuple(self._shelf.spans.get(found.key, ()))
        running = self._shelf.since.get((found.key, 0))
        return (
            (running is not None and running <= found.ts_ns)
            or any(span.start_ns <= found.ts_ns and found.since_ns <= span.end_ns for span in spans)
            or self._known(replace(found, retrospective=False), EventKind.RAISED) is not None
            or self._merger.told(found.key, "raised", found.since_ns) is not None
        )
