"""One rule as the gateway understands it, and the point it may hold for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from minewatch_edge.safety import globs
from minewatch_edge.sparkplug.births import PointBirth

EVERY = "*"
# What a gateway can judge exactly as the service does, from a point's own readings alone.
JUDGED = ("value", "rate-of-rise", "range", "sentinel")
_MEMORY = "averages need the memory of hours that only the service keeps over restarts"
_LEARNED = "what is usual is learned at the service"
WHY_NOT = {
    "mean-15min": _MEMORY,
    "twa-8h": _MEMORY,
    "shift-mean": "the hours of shifts are set at the service",
    "ewma": _LEARNED,
    "cusum": _LEARNED,
    "stuck": "it takes hours, and is judged at the service",
    "gap": "silence is judged by the service's clock; here outputs have on_no_signal",
    **dict.fromkeys(("coverage-15min", "coverage-8h", "coverage-shift"), _MEMORY),
    **dict.fromkeys(("noise-dose-5db", "noise-dose-3db"), _MEMORY),
    **dict.fromkeys(
        ("mahalanobis", "pca", "isolation-forest", "neighbours", "airflow-gas", "model-drift", "mixture"),
        "it judges several points together, as only the service does",
    ),
    **dict.fromkeys(("drift", "response"), "it compares sensors for days, as only the service does"),
    **dict.fromkeys(
        ("gateway-silent", "gateway-frozen", "gateway-clock"),
        "a gateway is looked at from outside, by the service",
    ),
    **dict.fromkeys(("ambient", "above-ambient", "novelty", "forecast", "wear", "frozen", "leap"), _LEARNED),
    **dict.fromkeys(("robust-z", "level-shift"), _LEARNED),
    "rate-error": "how sure a rate is, is judged at the service",
}
COUNTS = "it counts readings, or weighs their uncertainty, as only the service does"


@dataclass(frozen=True, slots=True)
class Place:
    """A point as rules see it: what it measures, where; ``name`` is ``site/device/metric``."""

    name: str
    site: str
    birth: PointBirth

    @staticmethod
    def of(site: str, birth: PointBirth) -> Place:
        """Return the place of a point, named exactly as the service names it."""
        return Place(f"{site}/{birth.device}/{birth.metric}", site, birth)


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit: a statistic of a point's readings compared with a threshold.

    ``match`` holds patterns by zone, place, site, metric; ``about`` is what only people read.
    """

    id: str
    quantity: str
    unit: str
    detector: str
    comparison: str
    threshold: float
    deadband: float
    on_delay_s: float
    off_delay_s: float
    priority: int
    page: bool
    match: Mapping[str, tuple[str, ...]]
    about: Mapping[str, object]
    intervals: float = 0.0
    except_quantities: tuple[str, ...] = ()
    counts: bool = False

    def concerns(self, place: Place) -> bool:
        """Say whether it speaks of the point's quantity at the point's place, whatever its unit."""
        birth = place.birth
        if birth.quantity in self.except_quantities or self.quantity not in (EVERY, birth.quantity):
            return False
        where = {"zone": birth.zone, "place": place.name, "site": place.site, "metric": birth.metric}
        return all(globs.matches(patterns, where[key]) for key, patterns in self.match.items())

    def applies(self, place: Place) -> bool:
        """Say whether it holds for a point: the unit must be the same too."""
        return self.unit in (EVERY, place.birth.unit) and self.concerns(place)

    @property
    def judged(self) -> bool:
        """Whether a gateway can judge it."""
        return not self.why_not

    @property
    def why_not(self) -> str:
        """Why a gateway leaves it to the centre; empty when it judges it."""
        if self.detector not in JUDGED:
            return WHY_NOT[self.detector]
        return COUNTS if self.counts else ""

    def digest(self) -> str:
        """Return the version of what decides, 16 hex digits: the same at gateway and service."""
        return digest(
            self.id, self.quantity, self.unit, self.detector, self.comparison, self.threshold, self.deadband,
            self.on_delay_s, self.off_delay_s,
        )  # fmt: skip


def digest(*decides: str | float) -> str:
    """Return 16 hex digits of the SHA-256 of a JSON list."""
    text = json.dumps(decides, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
