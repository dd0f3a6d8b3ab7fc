"""The mean since the shift began, in rational arithmetic and by the calendar of the standard library."""

import datetime as dt
from fractions import Fraction

from oracles.window import FINEST, GRACE_S, SECOND_NS, whole

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def bounds(t, offset_h, starts_h):
    """Return (start, end) in ns of the shift that holds the moment ``t`` (ns)."""
    local = _EPOCH + dt.timedelta(microseconds=t // 1000) + dt.timedelta(hours=offset_h)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = sorted(midnight + dt.timedelta(days=day, hours=h) for day in (-1, 0, 1) for h in starts_h)
    begin = max(s for s in starts if s <= local)
    end = min(s for s in starts if s > local)
    shift = dt.timedelta(hours=offset_h)

    def to_ns(moment):
        gone = moment - shift - _EPOCH
        return (gone.days * 86400 + gone.seconds) * 1_000_000_000 + gone.microseconds * 1000

    return to_ns(begin), to_ns(end)


def mean(readings, now, offset_h, starts_h, coverage, least_s):
    """Return the mean of what was covered since the shift began, NaN when that is too little.

    ``readings`` are (from, to, value); a reading belongs to the shift that holds its end.
    """
    begin, end = bounds(now, offset_h, starts_h)
    inside = [(b - max(a, begin), x) for a, b, x in readings if begin <= b < end]
    covered = sum(ns for ns, _ in inside)
    weight = Fraction(covered, SECOND_NS)
    enough = max(Fraction(least_s), Fraction(coverage) * Fraction(now - begin, SECOND_NS))
    if weight < enough - GRACE_S or weight <= 0:
        return float("nan")
    return Fraction(sum(ns * whole(x) for ns, x in inside), covered * FINEST)
