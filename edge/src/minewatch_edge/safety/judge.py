"""Judge every reading of the points that rules watch: which limits became active or inactive, and since when.

The service's engine does the same over columns; a test holds the two together. Time comes with the readings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite, isnan, nan
from typing import NamedTuple, TypeAlias

from minewatch_edge.safety.rule import Place, Rule
from minewatch_edge.safety.statistics import Rise, Sentinels, Unchanged
from minewatch_edge.sparkplug.codec import BAD, GOOD

Watch: TypeAlias = Callable[[int, float, int], None]
VALUE, RATE, RANGE, SENTINEL = range(4)
_STATISTICS = {"value": VALUE, "rate-of-rise": RATE, "range": RANGE, "sentinel": SENTINEL}
_SIDES = {">": 0, ">=": 1, "<": 2, "<=": 3}


class Transition(NamedTuple):
    """A limit that became active or inactive: by which reading, since when it was so, at what value."""

    limit: Limit
    ts_ns: int
    since_ns: int
    active: bool
    value: float


class Limit:
    """One rule at one point: comparison, deadband, on-delay and off-delay by the time of readings."""

    __slots__ = (
        "_inner", "_off_ns", "_on_ns", "_side", "_threshold",
        "active", "place", "rule", "since_ns", "statistic",
    )  # fmt: skip

    def __init__(self, rule: Rule, place: Place) -> None:
        self.rule = rule
        self.place = place
        self.statistic = _STATISTICS[rule.detector]
        self._side = _SIDES[rule.comparison]
        self._threshold = rule.threshold
        self._inner = rule.threshold + (rule.deadband if self._side >= 2 else -rule.deadband)
        self._on_ns = round(rule.on_delay_s * 1_000_000_000)
        self._off_ns = round(rule.off_delay_s * 1_000_000_000)
        self.active = False
        self.since_ns: int | None = None

    def judge(self, value: float, t: int) -> int | None:
        """Judge a statistic; return None, or since when the condition that flipped the limit held.

        NaN holds everything as it is: no reading may clear what it cannot measure.
        """
        if isnan(value):
            return None
        active = self.active
        if _beyond(self._side, value, self._inner if active else self._threshold) == active:
            self.since_ns = None
            return None
        since = self.since_ns
        if since is None or since > t:  # a clock that stepped back must not stretch the delay by its step
            since = t
        if t - since < (self._off_ns if active else self._on_ns):
            self.since_ns = since
            return None
        self.active = not active
        self.since_ns = None
        return since


def _beyond(side: int, value: float, edge: float) -> bool:
    if side == 0:
        return value > edge
    if side == 1:
        return value >= edge
    return value < edge if side == 2 else value <= edge


class PointJudge:
    """The limits of one point; ``usable_count`` goes up with each reading that can be judged."""

    def __init__(self, limits: Sequence[Limit], found: Callable[[Transition], None]) -> None:
        birth = limits[0].place.birth
        self.limits = tuple(limits)
        self.place = limits[0].place
        self.usable_count = 0
        self._found = found
        self._low = birth.low if not isnan(birth.low) else -inf
        self._high = birth.high if not isnan(birth.high) else inf
        self._sentinels = Sentinels(birth.sentinels) if birth.sentinels else None
        self._last_ns: int | None = None
        rated = any(limit.statistic == RATE for limit in limits)
        self._rise = Rise(birth.interval_s) if rated else None
        self._unchanged = Unchanged(birth.resolution, birth.interval_s)

    def take(self, ts_ns: int, value: float, quality: int, *, doubted: bool = False) -> None:
        """Judge one reading; ``quality`` is Sparkplug's. A bad one is no measurement and clears nothing.

        One whose clock is ``doubted``, or that is not newer than the last, is judged by its value only.
        """
        late = doubted or (self._last_ns is not None and ts_ns <= self._last_ns)
        measured = False
        rate = outside = nan
        fault = nan if isnan(value) else 1.0
        if quality != BAD and isfinite(value) and (self._sentinels is None or value not in self._sentinels):
            measured, fault = True, 0.0
            inside = self._low <= value <= self._high
            outside = 0.0 if inside else 1.0
            if self._rise is not None and not late:
                stuck = self._unchanged.stuck(value, ts_ns, self._last_ns)
                if quality == GOOD and inside and not stuck:
                    rate = self._rise.rate(value, ts_ns)
            self.usable_count += 1
        if late and (quality == BAD or isnan(value)):
            return
        if not late:
            self._last_ns = ts_ns
        for limit in self.limits:
            kind = limit.statistic
            if kind == VALUE:
                judged = value if measured else nan
            else:
                judged = rate if kind == RATE else outside if kind == RANGE else fault
            since = limit.judge(judged, ts_ns)
            if since is not None:
                self._found(Transition(limit, ts_ns, since, limit.active, judged))


def judges(
    rules: Sequence[Rule], places: Sequence[Place], found: Callable[[Transition], None]
) -> list[PointJudge | None]:
    """Return the judge of each point, None where no rule watches it: such a point costs nothing."""
    made: list[PointJudge | None] = []
    for place in places:
        limits = [Limit(rule, place) for rule in rules if rule.judged and rule.applies(place)]
        made.append(PointJudge(limits, found) if limits else None)
    return made
