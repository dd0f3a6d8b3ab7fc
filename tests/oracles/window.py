"""Time-weighted sums over a rolling window in rational arithmetic, from what every reading covered."""

from fractions import Fraction

SECOND_NS = 10**9
GRACE_S = Fraction(1, 10**6)
FINEST = 2**1074


def sums(readings, now, bucket, count):
    """Return (integral of value x seconds, seconds covered) of the window that ends at ``now``, exactly.

    ``readings`` are (from, to, value) in ns. The window is ``count`` buckets long and made of whole buckets
    on a fixed grid; of the oldest, cut by the window's edge, the share of time inside counts.
    """
    newest = now // bucket
    oldest = (newest - count) * bucket
    share = Fraction(oldest + bucket - (now - count * bucket), bucket)
    total, weight = _covered(readings, oldest + bucket, now)
    cut = _covered(readings, oldest, oldest + bucket)
    return total + share * cut[0], weight + share * cut[1]


def _covered(readings, begin, end):
    inside = [(min(b, end) - max(a, begin), x) for a, b, x in readings if b > begin and a < end]
    total = sum(ns * whole(x) for ns, x in inside)
    return Fraction(total, FINEST * SECOND_NS), Fraction(sum(ns for ns, _ in inside), SECOND_NS)


def whole(x):
    """Return how many times 2^-1074 a float is: whole for each float, and quick to add."""
    above, below = float(x).as_integer_ratio()
    return above * (FINEST // below)


def mean(readings, now, bucket, count, coverage):
    """Return (mean over the window, share with valid readings); the mean is NaN below the coverage."""
    total, weight = sums(readings, now, bucket, count)
    whole = Fraction(count * bucket, SECOND_NS)
    if weight <= 0 or weight < Fraction(coverage) * whole - GRACE_S:
        return float("nan"), weight / whole
    return total / weight, weight / whole


def twa(readings, now, bucket, count):
    """Return (sum of value x time over the window, divided by the whole window; the share with readings)."""
    total, weight = sums(readings, now, bucket, count)
    whole = Fraction(count * bucket, SECOND_NS)
    return (total / whole if weight > 0 else float("nan")), weight / whole
