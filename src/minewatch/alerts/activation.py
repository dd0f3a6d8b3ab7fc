"""Activations: what the engine or a gateway found, the alerts they leave, and the shelf that holds these."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from prometheus_client import Counter, Gauge

from minewatch.alerts import texts
from minewatch.alerts.lifecycle import Step, after
from minewatch.alerts.rule import Binding
from minewatch.contracts import NO_WORDS, Alert, AlertEvent, AlertState, EventKind, Text

EVENTS = Counter("minewatch_alerts_events_total", "Events in the life of alerts.", ["event"])
IGNORED = Counter("minewatch_alerts_ignored_total", "Transitions without an event, by reason.", ["reason"])
OPEN = Gauge("minewatch_alerts_open", "Alerts that are not normal.")

SYSTEM = "minewatch"  # the actor of events that no person caused
SPANS_KEPT = 32  # recent live activations of a limit, so that history does not raise them again


GATEWAY = "gateway"  # the origin of an alert that a gateway has found and the service has not (yet)
Slot: TypeAlias = tuple[
    int, int
]  # key, and 0 live, 1 from history, or the cause of what a gateway told later


class Span(NamedTuple):
    """An activation that is over, and the alert it belongs to."""

    start_ns: int
    end_ns: int
    alert: str
    by_gateway: bool = False


def alert_id(rule: str, place: str, since_ns: int, *, retrospective: bool = False) -> str:
    """Return the identity of an alert: the same cause gives the same id."""
    cause = f"{rule}|{place}|{since_ns}" + ("|retrospective" if retrospective else "")
    return hashlib.sha256(cause.encode()).hexdigest()[:16]


def key_text(key: int) -> str:
    """Return the key of (rule, place) as it stands in the names of events."""
    return f"{key & (1 << 64) - 1:016x}"


def event_key(key: int, kind: EventKind, since_ns: int, *, retrospective: bool = False) -> str:
    """Return what makes an event happen once: (rule, place) as its key, the kind, the time of the cause."""
    return f"{key_text(key)}|{'retrospective-' if retrospective else ''}{kind.value}|{since_ns}"


def remark(rule: str, place: str, cause_ns: int, time_ns: int, *, detector: str, text: Text) -> Alert:
    """Return what stands in a row that is about no alert: nobody ever sees it in a list."""
    return Alert(
        id=alert_id(rule, place, cause_ns),
        rule=rule,
        place=place,
        site="",
        zone="",
        quantity="",
        priority=4,
        paged=False,
        state=AlertState.NORMAL,
        active=False,
        raised_ns=time_ns,
        changed_ns=time_ns,
        value=0.0,
        unit="",
        limit=0.0,
        detector=detector,
        message=text,
        why=text,
        citation="",
        verified=True,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """One transition, with what its key stands for."""

    key: int
    binding: Binding
    ts_ns: int
    since_ns: int
    value: float
    retrospective: bool = False
    why: Text | None = None  # the detector's own reason


class Shelf:
    """The alerts that are not normal, and which activations run or ran lately."""

    def __init__(self) -> None:
        self.open: dict[Slot, Alert] = {}
        self.place: dict[str, Slot] = {}  # by alert id
        self.since: dict[Slot, int] = {}  # cause of a running activation
        self.found: set[Slot] = set()  # activations that the engine has found
        self.spans: dict[int, deque[Span]] = {}

    def in_order(self) -> list[tuple[Slot, Alert]]:
        """Return slots and alerts as they were raised: the same before and after a restart."""
        return sorted(self.open.items(), key=lambda one: (one[1].raised_ns, one[0]))

    def keep(self, slot: Slot, alert: Alert) -> None:
        """Take an alert as it now stands; one that is normal again is let go."""
        if alert.state is AlertState.NORMAL:
            self.open.pop(slot, None)
            self.place.pop(alert.id, None)
        else:
            self.open[slot] = alert
            self.place[alert.id] = slot
        OPEN.set(len(self.open))

    def span(self, key: int, start_ns: int, end_ns: int, alert: Alert, *, by_gateway: bool = False) -> None:
        """Remember an activation that is over."""
        spans = self.spans.setdefault(key, deque(maxlen=SPANS_KEPT))
        spans.append(Span(start_ns, end_ns, alert.id, by_gateway))

    def clear(self, slot: Slot, old: Alert, found: Found, *, by_gateway: bool = False) -> Alert:
        """End the activation in a slot and return the alert after it."""
        since_ns = self.since.pop(slot)
        self.found.discard(slot)
        alert = replace(
            old,
            state=after(old.state, Step.CLEAR),
            active=False,
            changed_ns=found.ts_ns,
            value=found.value,
            why=texts.cleared(found.binding, found.value, found.ts_ns - since_ns),
            now=NO_WORDS,
            now_ns=0,
            words=(),
        )
        if not found.retrospective:
            self.span(found.key, since_ns, found.ts_ns, alert, by_gateway=by_gateway)
        self.keep(slot, alert)
        return alert


def raised_alert(found: Found, old: Alert | None) -> Alert:
    """Return the alert that an activation makes, or raises again when it is still there."""
    why = texts.raised(found.binding, found.value, found.ts_ns - found.since_ns)
    if found.why is not None:
        why = texts.joined(found.why, why)
    state = AlertState.RETURNED if found.retrospective else AlertState.UNACKNOWLEDGED
    if old is None:
        old = _new_alert(found)
    return replace(
        old,
        state=state,
        active=not found.retrospective,
        paged=found.binding.rule.page and not found.retrospective,
        changed_ns=found.ts_ns,
        value=found.value,
        why=why,
        acknowledged_by="",
        now=NO_WORDS,
        now_ns=0,
        words=(),
    )


def _new_alert(found: Found) -> Alert:
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


def event_of(found: Found, kind: EventKind, alert: Alert, now_ns: int) -> AlertEvent:
    """Return the row of a transition that the engine found."""
    EVENTS.labels(kind.value).inc()
    return AlertEvent(
        key=event_key(found.key, kind, found.since_ns, retrospective=found.retrospective),
        event=kind,
        alert=alert,
        time_ns=found.ts_ns,
        service_ns=now_ns,
        actor=SYSTEM,
    )
