"""One alert, two witnesses: what a gateway tells and what the engine finds become one life in the journal.

Whichever comes first makes the alert; the other adds a row with its own times. Each step that a gateway tells
has a key of its own, so a note that comes twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from minewatch.alerts import texts
from minewatch.alerts.activation import (
    EVENTS,
    GATEWAY,
    IGNORED,
    SYSTEM,
    Found,
    Shelf,
    Slot,
    event_key,
    key_text,
    raised_alert,
    remark,
)
from minewatch.alerts.held import Held
from minewatch.alerts.lifecycle import Step, after
from minewatch.alerts.rule import Binding, key_of
from minewatch.alerts.told import (
    FAILED_RULE,
    NO_DETECTOR,
    OTHER_VERSION,
    TESTED,
    WITHDRAWN,
    Told,
    of_another_version,
)
from minewatch.contracts import Alert, AlertEvent, AlertState, EventKind, PointInfo, Text
from minewatch.errors import CommandRefused

BOTH = "both"
LIVE, PAST = 0, 1
MOST_OF_A_SITE = 2_000  # open alerts that only gateways tell of: one that invents rules must not fill memory


class Merger:
    """Merges what gateways tell into the alerts of a shelf; ``bindings`` are the rules in force here."""

    def __init__(self, shelf: Shelf, held: Held, worded: Callable[[Slot, Alert, PointInfo], Alert]) -> None:
        self._shelf = shelf
        self._worded = worded  # adds what is known besides to an alert that is being raised
        self._held = held
        self.bindings: Mapping[int, Binding] = {}
        self._other_rule: dict[Slot, int] = {}  # held by a gateway of another version -> its cause
        self._told: dict[str, str] = {}  # alert by key, while nothing is in a journal

    # --- what the engine asks -------------------------------------------------------------------------------

    def found(self, slot: Slot, found: Found, now_ns: int) -> AlertEvent | None:
        """Add that the engine finds a running activation that a gateway told of first."""
        if slot in self._shelf.found:
            return None
        self._shelf.found.add(slot)
        alert = replace(self._shelf.open[slot], origin=BOTH)
        self._shelf.keep(slot, alert)
        return self._also(found, EventKind.ALSO_RAISED, alert, now_ns)

    def over(self, found: Found, now_ns: int) -> AlertEvent | None:
        """Add that the engine finds a live activation that a gateway has told of to its end."""
        if found.retrospective:
            return None
        identity = self._over_by_same_rule(found)
        if identity is None:
            return None
        alert = replace(self._alert(identity), origin=BOTH)
        self._keep(alert)
        return self._also(found, EventKind.ALSO_RAISED, alert, now_ns)

    def _over_by_same_rule(self, found: Found) -> str | None:
        """Return the alert that a gateway has told to its end, if it judged by the rule that holds here."""
        raised, ended = (
            self._held.event(_name(found.key, kind, found.since_ns)) for kind in ("raised", "cleared")
        )
        if raised is not None:
            gone = ended is not None and ended.alert.why == WITHDRAWN
            return None if gone or of_another_version(raised.alert.why) else raised.alert.id
        spans = self._shelf.spans.get(found.key, ())
        return next(
            (
                s.alert
                for s in spans
                if s.by_gateway and s.start_ns <= found.ts_ns and found.since_ns <= s.end_ns
            ),
            None,
        )

    def stands(self, slot: Slot, found: Found, now_ns: int) -> AlertEvent | None:
        """Add that the engine finds the end of what a gateway, by another version of the rule, still sees."""
        if slot not in self._other_rule:
            return None
        self._shelf.found.discard(slot)
        return self._also(found, EventKind.ALSO_CLEARED, self._shelf.open[slot], now_ns)

    def restored(self, slot: Slot, alert: Alert) -> None:
        """Take over a running alert after a start: the engine cannot end what another version sees."""
        if of_another_version(alert.why):
            self._other_rule[slot] = alert.raised_ns

    def resumes(self, slot: Slot) -> bool:
        """Say whether the engine goes on with a running alert as with one of its own."""
        return slot in self._shelf.found or slot not in self._other_rule

    def told(self, key: int, kind: str, cause_ns: int) -> str | None:
        """Return the alert that a step told by a gateway belongs to, None when nobody has told it."""
        name = _name(key, kind, cause_ns)
        if name in self._told:
            return self._told[name]
        event = self._held.event(name)
        return event.alert.id if event else None

    # --- what gateways tell ---------------------------------------------------------------------------------

    def take(self, told: Told, now_ns: int) -> list[AlertEvent]:
        """Return the events that a step causes; none for a repeat."""
        key = key_of(told.rule, told.place)
        kind = "cleared" if told.kind == "withdrawn" else told.kind
        if self.told(key, kind, told.cause_ns) is not None:
            IGNORED.labels("already in the journal").inc()
            return []
        if kind == "test":
            return [self._event(told, key, EventKind.TESTED, _tested(told), now_ns)]
        if kind == "raised":
            return [self._raised(told, key, now_ns)]
        identity = self.told(key, "raised", told.cause_ns) or self._running(key)
        if identity is None:
            IGNORED.labels("the gateway never told that it was raised").inc()
            return []
        alert = self._alert(identity)
        if kind == "cleared":
            return [self._cleared(told, key, alert, now_ns)]
        return [self._acknowledged(told, key, alert, now_ns)]

    def _raised(self, told: Told, key: int, now_ns: int) -> AlertEvent:
        binding = self.bindings.get(key)
        other = binding is not None and bool(told.digest) and binding.rule.digest() != told.digest
        same = self._same(told, key)
        if same is not None:
            slot = self._shelf.place.get(same.id)
            if same.origin != GATEWAY:
                same = replace(same, origin=BOTH)
            if other:
                same = replace(same, why=_joined(same.why, _other_version(told)))
                if slot is not None and slot in self._shelf.since:
                    self._other_rule[slot] = told.cause_ns
            self._keep(same)
            return self._event(told, key, EventKind.ALSO_RAISED, same, now_ns)
        self._refuse_beyond_most(told)
        binding = binding or told.binding()
        found = Found(key, binding, told.time_ns, told.cause_ns, told.value)
        old = self._shelf.open.get((key, LIVE))
        free = (key, LIVE) not in self._shelf.since and (old is None or old.changed_ns <= told.time_ns)
        slot = (key, LIVE) if free else (key, told.cause_ns)
        alert = raised_alert(found, self._shelf.open.get(slot))
        alert = replace(alert, origin=BOTH if alert.origin == BOTH else GATEWAY)
        if other:
            self._other_rule[slot] = told.cause_ns
            alert = replace(alert, why=_joined(alert.why, _other_version(told)))
        if told.rule == FAILED_RULE:
            alert = replace(alert, why=Text(told.why, told.why, told.why))
        alert = self._worded(slot, alert, binding.point)
        self._shelf.since[slot] = told.cause_ns
        self._shelf.keep(slot, alert)
        return self._event(told, key, EventKind.RAISED, alert, now_ns)

    def _refuse_beyond_most(self, told: Told) -> None:
        site = told.place.partition("/")[0]
        crowd = sum(a.origin == GATEWAY and a.site == site for a in self._shelf.open.values())
        if crowd >= MOST_OF_A_SITE:
            raise ValueError(f"{crowd} alerts that only gateways of {site!r} tell of are open already")

    def _same(self, told: Told, key: int) -> Alert | None:
        """Return the alert of the service that is this very activation."""
        for retrospective in (False, True):
            name = event_key(key, EventKind.RAISED, told.cause_ns, retrospective=retrospective)
            event = self._held.event(name)
            if event is not None:
                return self._alert(event.alert.id)
        if (key, LIVE) in self._shelf.since:
            return self._shelf.open[(key, LIVE)]
        for span in self._shelf.spans.get(key, ()):
            if not span.by_gateway and span.start_ns <= told.time_ns and told.cause_ns <= span.end_ns:
                return self._alert(span.alert)
        past = self._shelf.open.get((key, PAST))
        if past is not None and told.cause_ns <= past.raised_ns <= told.time_ns:
            return past
        return None

    def _cleared(self, told: Told, key: int, alert: Alert, now_ns: int) -> AlertEvent:
        slot = self._shelf.place.get(alert.id)
        older = slot in self._shelf.since and self._is_older(told, slot, alert)
        if slot is not None and (not older or self._other_rule.get(slot) == told.cause_ns):
            self._other_rule.pop(slot, None)
        if older:
            alert = self._unacknowledged(told, key, alert)
        if slot is None or slot not in self._shelf.since or slot in self._shelf.found or older:
            return self._event(told, key, EventKind.ALSO_CLEARED, alert, now_ns)
        binding = self.bindings.get(key) or told.binding()
        found = Found(key, binding, told.time_ns, told.cause_ns, told.value)
        withdrawn = told.kind == "withdrawn"
        same_rule = binding.rule.detector_id != NO_DETECTOR and binding.rule.digest() == told.digest
        cleared = self._shelf.clear(slot, alert, found, by_gateway=same_rule and not withdrawn)
        if withdrawn or told.rule == FAILED_RULE:
            cleared = replace(cleared, why=WITHDRAWN if withdrawn else alert.why)
            self._keep(cleared)
        return self._event(told, key, EventKind.CLEARED, cleared, now_ns)

    def _is_older(self, told: Told, slot: Slot, alert: Alert) -> bool:
        """Say whether an end is that of an activation before the one that runs: that one goes on."""
        own = self._shelf.since[slot] == told.cause_ns
        return not own and told.time_ns < alert.changed_ns

    def _unacknowledged(self, told: Told, key: int, alert: Alert) -> Alert:
        """Take back what the panel said of an activation that ended before the running one began."""
        name = _name(key, "acknowledged", told.cause_ns)
        event = self._held.event(name)
        if event is None or event.alert.id != alert.id or event.actor != alert.acknowledged_by:
            return alert
        alert = replace(alert, state=AlertState.UNACKNOWLEDGED, acknowledged_by="")
        self._keep(alert)
        return alert

    def _acknowledged(self, told: Told, key: int, alert: Alert, now_ns: int) -> AlertEvent:
        try:
            state = after(alert.state, Step.ACKNOWLEDGE)
        except CommandRefused:
            state = alert.state  # another person was first: the journal tells of both
        else:
            alert = replace(alert, state=state, acknowledged_by=told.actor)
        self._keep(alert)
        return self._event(told, key, EventKind.ACKNOWLEDGED, alert, now_ns)

    # --- small things ---------------------------------------------------------------------------------------

    def _running(self, key: int) -> str | None:
        return self._shelf.open[(key, LIVE)].id if (key, LIVE) in self._shelf.since else None

    def _alert(self, identity: str) -> Alert:
        slot = self._shelf.place.get(identity)
        if slot is not None:
            return self._shelf.open[slot]
        return self._held.alert(identity)

    def _keep(self, alert: Alert) -> None:
        slot = self._shelf.place.get(alert.id)
        if slot is not None:
            self._shelf.keep(slot, alert)

    def _also(self, found: Found, kind: EventKind, alert: Alert, now_ns: int) -> AlertEvent | None:
        """Return the row by which the engine adds its word."""
        name = event_key(found.key, kind, found.since_ns)
        if self._held.event(name) is not None:
            return None
        EVENTS.labels(kind.value).inc()
        return AlertEvent(name, kind, alert, found.ts_ns, now_ns, SYSTEM)

    def _event(self, told: Told, key: int, kind: EventKind, alert: Alert, now_ns: int) -> AlertEvent:
        said = "cleared" if told.kind == "withdrawn" else told.kind
        name = _name(key, said, told.cause_ns)
        if not self._held.kept:
            self._told[name] = alert.id
        EVENTS.labels(kind.value).inc()
        return AlertEvent(
            key=name,
            event=kind,
            alert=alert,
            time_ns=told.time_ns,
            service_ns=now_ns,
            actor=f"gateway:{told.gateway}" if told.actor == "gateway" else told.actor,
            gateway_ns=told.gateway_ns,
            comment=told.why if told.kind == "raised" and told.rule == FAILED_RULE else "",
            source=told.gateway,
        )


def _name(key: int, kind: str, cause_ns: int) -> str:
    return f"{key_text(key)}|gateway-{kind}|{cause_ns}"


def _other_version(told: Told) -> Text:
    return Text(
        OTHER_VERSION.kk.format(texts.number(told.limit, "kk")),
        OTHER_VERSION.ru.format(texts.number(told.limit, "ru")),
        OTHER_VERSION.en.format(texts.number(told.limit, "en")),
    )


def _joined(a: Text, b: Text) -> Text:
    return a if a.en.endswith(b.en) else Text(a.kk + b.kk, a.ru + b.ru, a.en + b.en)


def _tested(told: Told) -> Alert:
    """Return what stands in the row of a test: never an alert that anybody sees in a list."""
    point = told.binding().point
    row = remark(told.rule, told.place, told.cause_ns, told.time_ns, detector="test", text=TESTED)
    return replace(row, site=point.site, zone=told.zone, quantity=point.quantity, origin=GATEWAY)
