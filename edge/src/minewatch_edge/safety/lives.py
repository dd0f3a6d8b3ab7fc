"""The alerts of this gateway: raised and cleared by limits, acknowledged at a panel; each step an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from minewatch_edge.safety import globs
from minewatch_edge.safety.judge import Limit, Transition

AGENT = "gateway"  # the actor of what no person did
Event = dict[str, Any]  # as it goes out: see docs/local-safety.md


@dataclass(slots=True)
class Life:
    """One alert: the newest activation of a rule at a place; ``cause_ns`` is when its condition began."""

    rule: str
    place: str
    zone: str
    priority: int
    cause_ns: int
    raised_ns: int
    value: float
    active: bool = True
    acknowledged: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Return (rule, place): the gateway has at most one alert of each."""
        return self.rule, self.place


class Lives:
    """The alerts that are not over: active, or not yet acknowledged."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._limits: dict[tuple[str, str], Limit] = {}
        self.held: dict[tuple[str, str], Life] = {}

    def watch(self, limits: Iterable[Limit]) -> None:
        """Take the limits that are judged from now on; one that has an alert goes on where that stands."""
        self._limits = {(limit.rule.id, limit.place.name): limit for limit in limits}
        for life in self.held.values():
            self._resume(life)

    def take(self, moved: Transition, gateway_ns: int) -> Event:
        """Raise or clear the alert of a limit and return the event."""
        limit = moved.limit
        key = (limit.rule.id, limit.place.name)
        life = self.held.get(key)
        if moved.active or life is None:  # a limit that clears has an alert, unless its file was taken away
            life = self.held[key] = Life(
                *key, limit.place.birth.zone, limit.rule.priority, moved.since_ns, moved.ts_ns, moved.value
            )
        if not moved.active:
            life.active, life.value = False, moved.value
            self._end(life)
        return self._event("raised" if moved.active else "cleared", life, moved.ts_ns, gateway_ns, limit)

    def acknowledge(
        self, actor: str, rules: Sequence[str], zones: Sequence[str], time_ns: int
    ) -> list[Event]:
        """Acknowledge what nobody has yet, of these rules and zones; return an event for each."""
        events = []
        for life in list(self.held.values()):
            if life.acknowledged or not (globs.matches(rules, life.rule) and globs.matches(zones, life.zone)):
                continue
            life.acknowledged = True
            self._end(life)
            limit = self._limits.get(life.key)
            events.append(self._event("acknowledged", life, time_ns, time_ns, limit, actor))
        return events

    def withdraw(self, time_ns: int) -> list[Event]:
        """Clear what no rule watches any more since the files were changed; nobody else would."""
        events = []
        for life in list(self.held.values()):
            if life.active and life.key not in self._limits:
                life.active = False
                self._end(life)
                events.append(self._event("withdrawn", life, time_ns, time_ns, None))
        return events

    def save(self) -> list[dict[str, Any]]:
        """Return everything as JSON can hold it."""
        return [asdict(life) for life in self.held.values()]

    def restore(self, saved: Iterable[Mapping[str, Any]]) -> None:
        """Go on with what was saved: limits that were active are so again."""
        for row in saved:
            life = Life(**row)
            self.held[life.key] = life
            self._resume(life)

    def _resume(self, life: Life) -> None:
        limit = self._limits.get(life.key)
        if limit is not None:
            limit.active = life.active

    def _end(self, life: Life) -> None:
        if life.acknowledged and not life.active:
            self.held.pop(life.key, None)

    def _event(
        self, kind: str, life: Life, time_ns: int, gateway_ns: int, limit: Limit | None, actor: str = AGENT
    ) -> Event:
        event: Event = {
            "kind": "alert",
            "event": kind,
            "rule": life.rule,
            "place": life.place,
            "zone": life.zone,
            "priority": life.priority,
            "cause_ns": life.cause_ns,
            "time_ns": time_ns,
            "gateway_ns": gateway_ns,
            "value": life.value,
            "actor": actor,
            "gateway": self._gateway,
        }
        if limit is not None:
            event |= _of_the_rule(limit)
        return event


def _of_the_rule(limit: Limit) -> Event:
    rule, birth = limit.rule, limit.place.birth
    return {
        "digest": rule.digest(),
        "limit": rule.threshold,
        "comparison": rule.comparison,
        "detector": rule.detector,
        "quantity": birth.quantity,
        "unit": birth.unit,
        "page": rule.page,
        **rule.about,
    }
