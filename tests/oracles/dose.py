"""Noise dose of a shift in rational arithmetic; only the power of two is rounded, to forty digits."""

import math
from decimal import Context, Decimal
from fractions import Fraction

CONTEXT = Context(prec=40)


def share(level, criterion, exchange, threshold):
    """Return 2^((L - criterion) / exchange), 0 below the threshold: a dose per eight hours."""
    if level < threshold:
        return Fraction(0)
    level = min(level, 194)  # no sound in air is louder
    power = (Decimal(level) - Decimal(criterion)) / Decimal(exchange)
    return Fraction(CONTEXT.power(Decimal(2), power))


def dose(pairs, criterion, exchange, threshold):
    """Return the dose in per cent of (level, seconds) pairs."""
    total = Fraction(0)
    for level, seconds in pairs:
        if math.isfinite(level) and seconds > 0:
            total += 100 * share(level, criterion, exchange, threshold) * Fraction(seconds) / 28800
    return total
