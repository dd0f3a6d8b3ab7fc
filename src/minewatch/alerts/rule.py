"""One rule: what limit holds where, on whose word, and what a person is told when it is crossed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist

from minewatch.alerts import globs
from minewatch.contracts import Comparison, PointInfo, Text

SIGNS = {
    Comparison.ABOVE: ">",
    Comparison.AT_OR_ABOVE: ">=",
    Comparison.BELOW: "<",
    Comparison.AT_OR_BELOW: "<=",
}
MEASURED = "rate-of-rise"  # its standard error is measured with it
EVERY = "*"  # a rule about signals, not about one quantity


@dataclass(frozen=True, slots=True)
class Match:
    """Where a rule applies: globs on the point's zone, place, site and metric; all four must fit."""

    zone: tuple[str, ...] = globs.ANY
    place: tuple[str, ...] = globs.ANY
    site: tuple[str, ...] = globs.ANY
    metric: tuple[str, ...] = globs.ANY

    def fits(self, point: PointInfo) -> bool:
        """Say whether a point lies where the rule applies."""
        return (
            globs.matches(self.zone, point.zone)
            and globs.matches(self.place, point.place)
            and globs.matches(self.site, point.site)
            and globs.matches(self.metric, point.metric)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit: a detector's statistic compared with a threshold, and who says so.

    ``threshold`` and ``deadband`` are in the unit of the statistic; ``intervals`` > 0 raises the threshold to
    that many normal intervals of a point (loss of signal); ``except_quantities`` leaves some out of a rule
    about every quantity. ``need`` of the last ``of`` readings must be beyond. ``decision`` shifts the limit
    by the ``uncertainty`` (one relative standard deviation of the statistic) at the ``confidence``: "surely"
    beyond, or "possibly". A rate of rise that names no uncertainty brings its own: then the end of its
    interval is compared with the limit as it is. ``page`` says whether a person is called.
    """

    id: str
    quantity: str
    unit: str
    detector: str
    detector_id: int
    comparison: Comparison
    threshold: float
    deadband: float
    on_delay_s: float
    off_delay_s: float
    priority: int
    page: bool
    jurisdiction: str
    citation: str
    verified: bool
    evidence: str
    effective_from: date
    match: Match
    message: Text
    intervals: float = 0.0
    need: int = 1
    of: int = 1
    decision: str = ""
    uncertainty: float = 0.0
    confidence: float = 0.95
    except_quantities: tuple[str, ...] = ()
    where: str = ""

    def concerns(self, point: PointInfo) -> bool:
        """Say whether the rule speaks of the point's quantity at the point's place, whatever its unit."""
        if point.quantity in self.except_quantities:
            return False
        return self.quantity in (EVERY, point.quantity) and self.match.fits(point)

    def applies(self, point: PointInfo) -> bool:
        """Say whether the rule holds for a point."""
        return self.unit in (EVERY, point.unit) and self.concerns(point) and not self.lacks_interval(point)

    def lacks_interval(self, point: PointInfo) -> bool:
        """Say whether the rule counts in normal intervals and the point gives none."""
        return self.intervals > 0 and point.interval_s <= 0

    def threshold_at(self, point: PointInfo) -> float:
        """Return the threshold in force at a point."""
        if self.intervals:
            return max(self.threshold, self.intervals * point.interval_s)
        return self.decision_value()

    def decision_value(self) -> float:
        """Return the threshold that a measured value is compared with: threshold x (1 +- k x uncertainty).

        k is the one-sided quantile of the normal distribution: 1.645 at 0.95. As 30 CFR 70 Table 70-1 does
        with its excessive concentration values: 1.5 mg/m3 are exceeded for sure above 1.79.
        """
        if not self.decision or self.measured():
            return self.threshold
        shift = NormalDist().inv_cdf(self.confidence) * self.uncertainty * abs(self.threshold)
        above = self.comparison in (Comparison.ABOVE, Comparison.AT_OR_ABOVE)
        return self.threshold + (shift if (self.decision == "surely") == above else -shift)

    def measured(self) -> bool:
        """Say whether the statistic brings the standard error that its limit is judged with."""
        return bool(self.decision) and self.detector == MEASURED and self.uncertainty == 0

    def sigmas(self) -> float:
        """Return how many standard errors are added to the statistic before it is judged."""
        if not self.measured():
            return 0.0
        sigmas = NormalDist().inv_cdf(self.confidence)
        above = self.comparison in (Comparison.ABOVE, Comparison.AT_OR_ABOVE)
        return -sigmas if (self.decision == "surely") == above else sigmas

    def digest(self) -> str:
        """Return the version of what decides, 16 hex digits: a gateway with the same rule says the same."""
        decides = [
            self.id, self.quantity, self.unit, self.detector, SIGNS[self.comparison], self.threshold,
            self.deadband, self.on_delay_s, self.off_delay_s,
        ]  # fmt: skip
        text = json.dumps(decides, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Binding:
    """A rule in force at a point."""

    rule: Rule
    point: PointInfo


def key_of(rule_id: str, place: str) -> int:
    """Return the stable key of (rule, place): the first 8 bytes of their SHA-256, signed, big-endian."""
    digest = hashlib.sha256(f"{rule_id}\0{place}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
