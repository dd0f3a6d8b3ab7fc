"""The ambient of a gas, in rational arithmetic: the list of hours, each with what was measured in it."""

import math
from fractions import Fraction

HOUR = 3_600_000_000_000


def ambients(readings, *, memory_h, free_h, rise, least_s):
    """Return for each (from, to, value) the ambient known by then as a Fraction, None where there is none."""
    out = []
    hours = {}
    newest = None
    for a, b, x in readings:
        hour = b // HOUR
        if newest is not None and hour < newest:
            out.append(None)
            continue
        newest = hour
        if math.isfinite(x):
            seconds = Fraction(b - max(a, hour * HOUR), 10**9)
            hours.setdefault(hour, []).append((Fraction(x) * seconds, seconds))
        level, n = Fraction(0), 0
        for h in sorted(hours):
            weight = sum(w for _, w in hours[h])
            if h == hour or weight < least_s:
                continue
            n = min(n + 1, memory_h)
            step = (sum(v for v, _ in hours[h]) / weight - level) / n
            level += min(step, Fraction(rise)) if n > free_h else step
        out.append(level if n else None)
    return out
