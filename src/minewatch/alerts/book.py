"""The book of alerts: what the engine found and what people did becomes events, each of them once.

The book holds every alert that is not normal. An event's key names (rule, place, kind, time of cause), so
a transition that comes again after a restart is recognised in the journal and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from prometheus_client import Counter, Gauge

from minewatch.alerts import link, loss, silence, texts
from minewatch.alerts.lifecycle import Step, after
from minewatch.alerts.rule import Binding, key_of
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.settings import AlertSettings
from minewatch.contracts import (
    I8,
    Alert,
    AlertEvent,
    AlertState,
    Command,
    EventKind,
    GatewayInfo,
    LimitTable,
    PointInfo,
    RecordStore,
    Transitions,
)
from minewatch.errors import CommandRefused, NotFound

EVENTS = Counter("minewatch_alerts_events_total", "Events in the life of alerts.", ["event"])
IGNORED = Counter("minewatch_alerts_ignored_total", "Transitions without an event, by reason.", ["reason"])
OPEN = Gauge("minewatch_alerts_open", "Alerts that are not normal.")

SYSTEM = "minewatch"  # the actor of events that no person caused
SPANS_KEPT = 32  # recent live activations of a limit, so that history does not raise them again


def alert_id(rule: str, place: str, since_ns: int, *, retrospective: bool = False) -> str:
    """Return the identity of an alert: the same cause gives the same id."""
    cause = f"{rule}|{place}|{since_ns}" + ("|retrospective" if retrospective else "")
    return hashlib.sha256(cause.encode()).hexdigest()[:16]


def event_key(key: int, kind: EventKind, since_ns: int, *, retrospective: bool = False) -> str:
    """Return what makes an event happen once: (rule, place) as its key, the kind, the time of the cause."""
    return f"{key & (1 << 64) - 1:016x}|{'retrospective-' if retrospective else ''}{kind.value}|{since_ns}"


@dataclass(frozen=True, slots=True)
class _Found:
    """One transition, with what its key stands for."""

    key: int
    binding: Binding
    ts_ns: int
    since_ns: int
    value: float
    retrospective: bool = False


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
    ) -> None:
        self._settings = settings or AlertSettings()
        self._records = records
        self._bindings: Mapping[int, Binding] = {}
        self._open: dict[tuple[int, bool], Alert] = {}  # by (key, retrospective)
        self._place: dict[str, tuple[int, bool]] = {}  # by alert id
        self._since: dict[tuple[int, bool], int] = {}  # cause of a running activation
        self._spans: dict[int, deque[tuple[int, int]]] = {}
        self._gateways: dict[int, GatewayInfo] = {}
        self._silences = silence.Silences(started_ns)

    def bind(self, rules: RuleSet, points: Mapping[int, PointInfo]) -> LimitTable:
        """Take the rules in force at these points and return their limits for the engine.

        Alerts whose rule or point is gone stay open: a person closes them.
        """
        limits, self._bindings = rules.bind(points)
        return limits

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take over the alerts that the record store holds as not normal."""
        for alert in alerts:
            if alert.state is AlertState.NORMAL:
                continue
            key = key_of(alert.rule, alert.place)
            self._keep((key, alert.retrospective), alert)
            if alert.retrospective:
                continue
            self._span(key, alert.raised_ns, alert.changed_ns)
            if alert.active:
                self._since[(key, False)] = alert.changed_ns

    def alerts(self) -> list[Alert]:
        """Return every alert that is not normal, the most urgent first, then the newest."""
        return sorted(self._open.values(), key=lambda alert: (alert.priority, -alert.raised_ns, alert.id))

    def active_keys(self) -> tuple[I8, I8]:
        """Return the limits that stand in a live alert, and since when: the engine goes on from there."""
        running = [
            (key, since) for (key, past), since in self._since.items() if not past and key in self._bindings
        ]
        return np.asarray([key for key, _ in running], np.int64), np.asarray(
            [since for _, since in running], np.int64
        )

    def apply(
        self, transitions: Transitions, now_ns: int, *, retrospective: bool = False
    ) -> list[AlertEvent]:
        """Turn what the engine found into events, in order; ``now_ns`` is the service's clock.

        Retrospective transitions (from readings that came late) page nobody and wait for a person.
        """
        events = []
        ends = silence.ends(transitions)
        for i in range(len(transitions.key)):
            key = int(transitions.key[i])
            binding = self._bindings.get(key)
            if binding is None:
                IGNORED.labels("no such limit").inc()
                continue
            found = _Found(
                key,
                binding,
                int(transitions.ts_ns[i]),
                int(transitions.since_ns[i]),
                float(transitions.value[i]),
                retrospective,
            )
            if transitions.active[i] and self._explained(found, ends):
                IGNORED.labels("silence of the gateway").inc()
                continue
            event = self._raise(found, now_ns) if transitions.active[i] else self._clear(found, now_ns)
            if event is not None:
                events.append(event)
        return events

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
        slot = (key, True)
        name = f"{key & (1 << 64) - 1:016x}|lost|{lost.cause}"
        if self._records is not None and self._records.event_by_key(name) is not None:
            IGNORED.labels("already in the journal").inc()
            return []
        identity = alert_id(loss.RULE_ID, lost.place, lost.from_ns, retrospective=True)
        alert = loss.alert(lost, identity, self._open.get(slot))
        self._keep(slot, alert)
        EVENTS.labels(EventKind.RAISED.value).inc()
        return [AlertEvent(name, EventKind.RAISED, alert, lost.to_ns, now_ns, SYSTEM)]

    def tick(self, now_ns: int) -> list[AlertEvent]:
        """Raise what only the passing of time raises: gateways whose grace is over."""
        events = [self._judge(key, gateway, now_ns) for key, gateway in self._gateways.items()]
        return [event for event in events if event is not None]

    def command(self, command: Command, now_ns: int) -> AlertEvent:
        """Do what a person asks and return the event.

        Raises NotFound when there is no such alert, CommandRefused when its state forbids it.
        """
        if "|" in command.key:  # the book's own keys have it; a caller must not take one of them
            raise CommandRefused("an idempotency key may not hold '|'", state="")
        place = self._place.get(command.alert)
        alert = self._open[place] if place else self._ended(command.alert)
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
            self._keep(place, alert)
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

    def _ended(self, identity: str) -> Alert:
        if self._records is None:
            raise NotFound(f"there is no alert {identity}")
        return self._records.alert(identity)

    def _raise(self, found: _Found, now_ns: int) -> AlertEvent | None:
        slot = (found.key, found.retrospective)
        old = self._open.get(slot)
        if slot in self._since:
            IGNORED.labels("already active").inc()
            return None
        if found.retrospective and self._covered(found):
            IGNORED.labels("covered by a live alert").inc()
            return None
        if (fresh := self._unless_known(found, EventKind.RAISED)) is None:
            IGNORED.labels("already in the journal").inc()
            return None
        found = fresh
        alert = _raised_alert(found, old)
        self._since[slot] = found.since_ns
        self._keep(slot, alert)
        return _event(found, EventKind.RAISED, alert, now_ns)

    def _clear(self, found: _Found, now_ns: int) -> AlertEvent | None:
        slot = (found.key, found.retrospective)
        old = self._open.get(slot)
        if old is None or slot not in self._since:
            IGNORED.labels("not active").inc()
            return None
        if (fresh := self._unless_known(found, EventKind.CLEARED)) is None:
            IGNORED.labels("already in the journal").inc()
            return None
        found = fresh
        since_ns = self._since.pop(slot)
        alert = replace(
            old,
            state=after(old.state, Step.CLEAR),
            active=False,
            changed_ns=found.ts_ns,
            value=found.value,
            why=texts.cleared(found.binding, found.value, found.ts_ns - since_ns),
        )
        if not found.retrospective:
            self._span(found.key, since_ns, found.ts_ns)
        self._keep(slot, alert)
        return _event(found, EventKind.CLEARED, alert, now_ns)

    def _judge(self, key: int, gateway: GatewayInfo, now_ns: int) -> AlertEvent | None:
        silent_ns = max(0, now_ns - gateway.since_ns)
        alert = self._open.get((key, False))
        active = alert is not None and alert.active
        if gateway.online == (not active):
            return None
        binding = link.binding(gateway, self._settings)
        found = _Found(key, binding, now_ns, gateway.since_ns, 0.0 if gateway.online else silent_ns / 1e9)
        if gateway.online:
            return self._clear(found, now_ns)
        if silent_ns < self._settings.gateway_offline_grace_s * 1e9:
            return None
        return self._raise(found, now_ns)

    def _keep(self, slot: tuple[int, bool], alert: Alert) -> None:
        if alert.state is AlertState.NORMAL:
            self._open.pop(slot, None)
            self._place.pop(alert.id, None)
        else:
            self._open[slot] = alert
            self._place[alert.id] = slot
        OPEN.set(len(self._open))

    def _explained(self, found: _Found, ends: Mapping[int, int]) -> bool:
        if found.binding.rule.detector != silence.DETECTOR or ends.get(found.key, 0) < found.ts_ns:
            return False
        begin_ns = found.ts_ns - round(found.value * 1e9)
        return self._silences.explained(found.binding.point, begin_ns, ends[found.key])

    def _known(self, found: _Found, kind: EventKind) -> AlertEvent | None:
        if self._records is None:
            return None
        key = event_key(found.key, kind, found.since_ns, retrospective=found.retrospective)
        return self._records.event_by_key(key)

    def _unless_known(self, found: _Found, kind: EventKind) -> _Found | None:
        """Return None for what the journal holds already.

        The same readings find the same cause at the same time. A cause of old that is found at another time
        was carried over a restart across readings that nobody stored: it begins anew, and is never swallowed.
        """
        before = self._known(found, kind)
        if before is None:
            return found
        return None if before.time_ns == found.ts_ns else replace(found, since_ns=found.ts_ns)

    def _covered(self, found: _Found) -> bool:
        """Say whether a live alert stood in the time from cause to finding: a person knows already."""
        spans: Sequence[tuple[int, int]] = tuple(self._spans.get(found.key, ()))
        running = self._since.get((found.key, False))
        return (
            (running is not None and running <= found.ts_ns)
            or any(start <= found.ts_ns and found.since_ns <= end for start, end in spans)
            or self._known(replace(found, retrospective=False), EventKind.RAISED) is not None
        )

    def _span(self, key: int, start_ns: int, end_ns: int) -> None:
        self._spans.setdefault(key, deque(maxlen=SPANS_KEPT)).append((start_ns, end_ns))


def _raised_alert(found: _Found, old: Alert | None) -> Alert:
    why = texts.raised(found.binding, found.value, found.ts_ns - found.since_ns)
    state = AlertState.RETURNED if found.retrospective else AlertState.UNACKNOWLEDGED
    if old is None:
        old = _new_alert(found)
    return replace(
        old,
        state=state,
        active=not found.retrospective,
        changed_ns=found.ts_ns,
        value=found.value,
        why=why,
        acknowledged_by="",
    )


def _new_alert(found: _Found) -> Alert:
    rule, point = found.binding.rule, found.binding.point
    return Alert(
        id=alert_id(rule.id, point.place, found.since_ns, retrospective=found.retrospective),
        rule=rule.id,
        place=point.place,
        site=point.site,
        zone=point.zone,
        quantity=point.quantity,
        priority=rule.priority,
        paged=rule.page and not found.retrospective,
        state=AlertState.NORMAL,
        active=False,
        raised_ns=found.ts_ns,
        changed_ns=found.ts_ns,
        value=found.value,
        unit=texts.statistic_unit(rule.detector, point.unit),
        limit=rule.threshold_at(point),
        detector=rule.detector,
        message=rule.message,
        why=rule.message,
        citation=rule.citation,
        verified=rule.verified,
        retrospective=found.retrospective,
    )


def _event(found: _Found, kind: EventKind, alert: Alert, now_ns: int) -> AlertEvent:
    EVENTS.labels(kind.value).inc()
    return AlertEvent(
        key=event_key(found.key, kind, found.since_ns, retrospective=found.retrospective),
        event=kind,
        alert=alert,
        time_ns=found.ts_ns,
        service_ns=now_ns,
        actor=SYSTEM,
    )
