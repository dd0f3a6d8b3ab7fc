"""The language of scenarios: what happens when, and which alerts must and must not come of it.

A scenario reads as a timeline, in minutes::

    Scenario("methane", title, timeline=(
        at(5, ramp("karaganda-demo/ch4-face-60/ch4", 0.2, 1.4, over_min=4)),
        expect(between(5, 11), active("methane-warning")),
    ))

A target with a slash is a point, ``site/device/metric``, and may be a glob; without one it is a cause, an
input of a mine's physics such as ``longwall-7.airflow``. A gateway is named ``site/gateway``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import inf
from typing import TypeAlias

from minewatch.contracts import Text


@dataclass(frozen=True, slots=True)
class Ramp:
    """The target goes from ``start`` to ``end`` in a straight line, stays there a while, and is let go."""

    target: str
    start: float
    end: float
    over_min: float = 5.0
    hold_min: float = inf

    @property
    def for_min(self) -> float:
        """Return how long it lasts."""
        return self.over_min + self.hold_min


@dataclass(frozen=True, slots=True)
class Spike:
    """The target is at once at ``value``, for a while."""

    target: str
    value: float
    for_min: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The target shows more and more too much: ``per_min`` for every minute."""

    target: str
    per_min: float
    for_min: float = inf


@dataclass(frozen=True, slots=True)
class Poison:
    """A point shows less and less of what is there: ``left`` of it after ``over_min``, and so it stays."""

    target: str
    left: float
    over_min: float
    for_min: float = inf


@dataclass(frozen=True, slots=True)
class Cover:
    """A point is covered: it goes on measuring, noise and all, the air that it had then."""

    target: str
    for_min: float = inf


@dataclass(frozen=True, slots=True)
class Stuck:
    """A point repeats the value it had."""

    target: str
    for_min: float = inf


@dataclass(frozen=True, slots=True)
class Dropout:
    """A point sends nothing; with ``bad`` it says of itself that it has no signal."""

    target: str
    for_min: float = inf
    bad: bool = False


@dataclass(frozen=True, slots=True)
class ClockSkew:
    """A gateway's clock goes wrong by ``by_s`` seconds; less than 0 is back."""

    target: str
    by_s: float
    for_min: float = inf


@dataclass(frozen=True, slots=True)
class UplinkLost:
    """A gateway cannot reach the broker; it keeps its readings and sends them afterwards."""

    target: str
    for_min: float


Action: TypeAlias = Ramp | Spike | Drift | Poison | Cover | Stuck | Dropout | ClockSkew | UplinkLost
ACTIONS: dict[str, type[Action]] = {
    "ramp": Ramp,
    "spike": Spike,
    "drift": Drift,
    "poison": Poison,
    "cover": Cover,
    "stuck": Stuck,
    "dropout": Dropout,
    "clock_skew": ClockSkew,
    "uplink_lost": UplinkLost,
}


@dataclass(frozen=True, slots=True)
class At:
    """An action and the minute it begins."""

    minute: float
    action: Action


@dataclass(frozen=True, slots=True)
class Between:
    """A window of the timeline, in minutes."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Active:
    """An alert of a rule at a place; both may be globs."""

    rule: str
    place: str = "*"


@dataclass(frozen=True, slots=True)
class Expect:
    """The alert is active at some moment of the window."""

    window: Between
    alert: Active


@dataclass(frozen=True, slots=True)
class MustNot:
    """The alert is never active in the window."""

    window: Between
    alert: Active


Step: TypeAlias = At | Expect | MustNot


def at(minute: float, action: Action) -> At:
    """Begin an action at a minute."""
    return At(minute, action)


def ramp(target: str, start: float, end: float, *, over_min: float = 5.0, hold_min: float = inf) -> Ramp:
    """Go in a straight line from one value to another and hold it."""
    return Ramp(target, start, end, over_min, hold_min)


def spike(target: str, value: float, *, for_min: float) -> Spike:
    """Be at a value for a while."""
    return Spike(target, value, for_min)


def drift(target: str, per_min: float, *, for_min: float = inf) -> Drift:
    """Show more and more too much."""
    return Drift(target, per_min, for_min)


def poison(target: str, left: float, *, over_min: float, for_min: float = inf) -> Poison:
    """Show less and less of what is there."""
    return Poison(target, left, over_min, for_min)


def cover(target: str, *, for_min: float = inf) -> Cover:
    """Go on with the air of this moment."""
    return Cover(target, for_min)


def stuck(target: str, *, for_min: float = inf) -> Stuck:
    """Repeat the last value."""
    return Stuck(target, for_min)


def dropout(target: str, *, for_min: float = inf, bad: bool = False) -> Dropout:
    """Send nothing, or bad readings."""
    return Dropout(target, for_min, bad)


def clock_skew(gateway: str, by_s: float, *, for_min: float = inf) -> ClockSkew:
    """Put a gateway's clock wrong."""
    return ClockSkew(gateway, by_s, for_min)


def uplink_lost(gateway: str, *, for_min: float) -> UplinkLost:
    """Cut a gateway off from the broker."""
    return UplinkLost(gateway, for_min)


def between(start: float, end: float) -> Between:
    """Name a window of the timeline."""
    return Between(start, end)


def active(rule: str, place: str = "*") -> Active:
    """Name an alert by its rule and place."""
    return Active(rule, place)


def expect(window: Between, alert: Active) -> Expect:
    """Demand an alert within a window."""
    return Expect(window, alert)


def must_not(window: Between, alert: Active) -> MustNot:
    """Forbid an alert within a window."""
    return MustNot(window, alert)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story of the simulated mines. ``repeat_min`` starts its actions over again; 0 plays them once."""

    name: str
    title: Text
    timeline: tuple[Step, ...] = ()
    minutes: float = 10.0
    seed: int = 1
    sites: tuple[str, ...] = ("karaganda-demo", "ekibastuz-demo")
    repeat_min: float = 0.0
    file: str = field(default="", compare=False)

    @property
    def actions(self) -> tuple[At, ...]:
        """Return what happens, in order of time."""
        return tuple(sorted((s for s in self.timeline if isinstance(s, At)), key=lambda s: s.minute))

    @property
    def expected(self) -> tuple[Expect, ...]:
        """Return the alerts that must come."""
        return tuple(s for s in self.timeline if isinstance(s, Expect))

    @property
    def forbidden(self) -> tuple[MustNot, ...]:
        """Return the alerts that must not come."""
        return tuple(s for s in self.timeline if isinstance(s, MustNot))


@dataclass(frozen=True, slots=True)
class Activation:
    """A time in which an alert was active, in minutes of the scenario; still active: ``cleared`` is inf."""

    rule: str
    place: str
    raised: float
    cleared: float = inf

    def is_in(self, window: Between, alert: Active) -> bool:
        """Return whether it is such an alert and active at some moment of the window."""
        named = fnmatchcase(self.rule, alert.rule) and fnmatchcase(self.place, alert.place)
        return named and self.raised <= window.end and self.cleared >= window.start


def judge(scenario: Scenario, activations: Iterable[Activation]) -> Sequence[str]:
    """Return one line for each expectation that was not met; none when the scenario went as it must."""
    found = list(activations)
    faults = []
    for wanted in scenario.expected:
        if not any(a.is_in(wanted.window, wanted.alert) for a in found):
            seen = sorted({f"{a.rule} at {a.place} from {a.raised:.2f}" for a in found}) or [
                "no alert at all"
            ]
            faults.append(f"{_said(wanted.window, wanted.alert)} did not come; there was {'; '.join(seen)}")
    for unwanted in scenario.forbidden:
        for a in found:
            if a.is_in(unwanted.window, unwanted.alert):
                came = f"came as {a.rule} at {a.place} from {a.raised:.2f} to {a.cleared:.2f}"
                faults.append(f"{_said(unwanted.window, unwanted.alert)} must not come; it {came}")
    return faults


def _said(window: Between, alert: Active) -> str:
    return f"{alert.rule} at {alert.place} between {window.start:g} and {window.end:g} min"
