"""How often an alert like this one was real: a logistic of who else of its place says something, too.

The labels are simulated (``models/incident-chance``), so it is said of the kinds of alert that those have:
gas and air. Each fact is told in words. It calls nobody and holds no call back, and is said only where it is
high: a low number would be that of the scenarios, and could talk a person out of a first alarm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minewatch.alerts.rule_file import SIGNAL_DETECTORS
from minewatch.contracts import Alert, EventKind, Text

QUANTITIES = frozenset({"methane", "carbon_monoxide", "air_velocity"})
TREND = frozenset({"rate-of-rise", "ewma", "cusum", "novelty", "forecast"})
SIGNAL = SIGNAL_DETECTORS - TREND | {"test-gas", "link"}  # about a meter, not about the mine
FACTS = ("second-meter", "other-quantity")
LEAST = 0.9  # below it nothing is said
SAID = {
    "second-meter": Text(
        "сол жердегі басқа датчик те", "ещё один датчик места", "another meter of the place"
    ),
    "other-quantity": Text("сол жердегі басқа шама да", "другая величина там же", "another quantity there"),
}
REAL = Text(
    "{x} хабарлайды: модельденген шахталарда мұндай 100 жағдайдың {p} шын болды",
    "о том же — {x}: в моделируемых шахтах из 100 таких случаев настоящих {p}",
    "borne out by {x}: of 100 such cases in simulated mines {p} were real",
)
AND = Text(" және ", " и ", " and ")


@dataclass(frozen=True, slots=True)
class Chance:
    """The logistic: a weight for each of ``FACTS``, and the bias."""

    weights: tuple[float, ...]
    bias: float

    def of(self, facts: Sequence[bool]) -> float:
        """Return the probability that an alert with these facts is real."""
        return 1 / (
            1 + math.exp(-self.bias - sum(w for w, fact in zip(self.weights, facts, strict=True) if fact))
        )

    def words(self, facts: Sequence[bool]) -> Text | None:
        """Say it with the facts that it rests on; None where it is not high."""
        chance = self.of(facts)
        if chance < LEAST or not any(facts):
            return None
        percent = min(99, round(100 * chance))
        return Text(*(_said(facts, percent, one) for one in ("kk", "ru", "en")))


def _said(facts: Sequence[bool], percent: int, language: str) -> str:
    names = [str(getattr(SAID[name], language)) for name, fact in zip(FACTS, facts, strict=True) if fact]
    return str(getattr(REAL, language)).format(x=str(getattr(AND, language)).join(names), p=percent)


def facts_of(alert: Alert, standing: Iterable[Alert]) -> tuple[bool, ...] | None:
    """Return the facts about an alert that is raised among those that stand; None for one without labels."""
    if alert.quantity not in QUANTITIES or alert.detector in SIGNAL or alert.retrospective or not alert.zone:
        return None
    around = (alert.site, alert.zone.partition("/")[0])
    said = [
        a
        for a in standing
        if a.active
        and not a.retrospective
        and (a.site, a.zone.partition("/")[0]) == around
        and a.place != alert.place
        and a.detector not in SIGNAL
    ]
    return (
        any(a.quantity == alert.quantity for a in said),
        any(a.quantity != alert.quantity for a in said),
    )


class Standing:
    """The alerts that stand after each row of a journal, for those who count how alerts came out."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}

    def take(self, kind: EventKind, alert: Alert) -> tuple[bool, ...] | None:
        """Take a row in; return the facts about an alert that it raises, if it has any."""
        facts = facts_of(alert, self._alerts.values()) if kind is EventKind.RAISED else None
        self._alerts[alert.id] = alert
        if not alert.active:
            del self._alerts[alert.id]
        return facts
