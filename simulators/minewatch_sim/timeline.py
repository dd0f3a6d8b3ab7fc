"""What a scenario does to causes, points and gateways at a time of the simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from minewatch_sim.scenario import (
    At,
    ClockSkew,
    Cover,
    Drift,
    Dropout,
    Poison,
    Ramp,
    Scenario,
    Spike,
    Stuck,
    UplinkLost,
)

_Value = Ramp | Spike | Drift | Poison


class Timeline:
    """Answers what is going on; of two actions on one target the one that began last counts."""

    def __init__(self, scenario: Scenario) -> None:
        self._actions = scenario.actions
        self._repeat = scenario.repeat_min
        self._targets: dict[str, tuple[At, ...]] = {}

    def causes(self, rest: Mapping[str, float], time_s: float) -> Mapping[str, float]:
        """Return the causes as the scenario changes them."""
        now = self._minute(time_s)
        return {name: self._value(name, value, now) for name, value in rest.items()}

    def shown(self, place: str, value: float, time_s: float) -> float:
        """Return what a point shows instead of a value: the scenario's, or the value itself."""
        return self._value(place, value, self._minute(time_s))

    def touches(self, place: str) -> bool:
        """Return whether the scenario does anything to a point at any time."""
        return bool(self._about(place))

    def is_stuck(self, place: str, time_s: float) -> bool:
        """Return whether a point repeats its last value."""
        return self._one(place, time_s, Stuck) is not None

    def is_covered(self, place: str, time_s: float) -> bool:
        """Return whether the air no longer reaches a point."""
        return self._one(place, time_s, Cover) is not None

    def dropout(self, place: str, time_s: float) -> Dropout | None:
        """Return the dropout a point is in."""
        found = self._one(place, time_s, Dropout)
        return found if isinstance(found, Dropout) else None

    def skew_s(self, gateway: str, time_s: float) -> float:
        """Return by how much a gateway's clock is wrong."""
        found = self._one(gateway, time_s, ClockSkew)
        return found.by_s if isinstance(found, ClockSkew) else 0.0

    def is_cut_off(self, gateway: str, time_s: float) -> bool:
        """Return whether a gateway cannot reach the broker."""
        return self._one(gateway, time_s, UplinkLost) is not None

    def is_ever_cut_off(self, gateway: str) -> bool:
        """Return whether the scenario cuts a gateway off at all."""
        return any(isinstance(a.action, UplinkLost) for a in self._about(gateway))

    def _minute(self, time_s: float) -> float:
        minute = time_s / 60.0
        return minute % self._repeat if self._repeat else minute

    def _about(self, name: str) -> Sequence[At]:
        found = self._targets.get(name)
        if found is None:
            found = tuple(a for a in self._actions if fnmatchcase(name, a.action.target))
            self._targets[name] = found
        return found

    def _one(self, name: str, time_s: float, *kinds: type) -> object | None:
        now = self._minute(time_s)
        for step in reversed(self._about(name)):
            action = step.action
            if isinstance(action, kinds) and step.minute <= now < step.minute + action.for_min:
                return action
        return None

    def _value(self, name: str, value: float, now: float) -> float:
        for step in reversed(self._about(name)):
            action, since = step.action, now - step.minute
            if isinstance(action, _Value) and 0.0 <= since < action.for_min:
                return _value_of(action, value, since)
        return value


def _value_of(action: _Value, value: float, since_min: float) -> float:
    match action:
        case Ramp():
            share = min(since_min / action.over_min, 1.0) if action.over_min else 1.0
            return action.start + (action.end - action.start) * share
        case Spike():
            return action.value
        case Drift():
            return value + action.per_min * since_min
        case Poison():
            gone = min(since_min / action.over_min, 1.0) if action.over_min else 1.0
            return value * (1.0 - (1.0 - action.left) * gone)
