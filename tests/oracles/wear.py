"""Wear in plain Python: everything worked out from the whole past anew at each reading."""

import math
from statistics import median

NAN = float("nan")
HOUR = 3_600_000_000_000


def _baseline(covered, span):
    """Return (baseline, change, where it ended) of [(elapsed, value)], None while it is not whole."""
    parts, total, weight = [], 0.0, 0.0
    for n, (elapsed, x) in enumerate(covered):
        total, weight = total + x * elapsed, weight + elapsed
        if weight >= span / 24:
            parts.append(total / weight)
            total = weight = 0.0
        if len(parts) == 24:
            base = median(parts)
            change = max(abs(base) / 4, 3 * 1.4826 * median(abs(p - base) for p in parts))
            if change > 0:
                return base, change, n + 1
            parts = []
    return None


def assessments(times, values, span):
    """Return (severity, trend a day) at each reading."""
    covered, last, recent, out = [], None, [], []
    for t, x in zip(times, values, strict=True):
        if not abs(x) <= 1e15 or (last is not None and t <= last):
            out.append((NAN, NAN))
            continue
        elapsed = 0 if last is None else min(t - last, HOUR)
        last = t
        recent = [*recent, x][-3:]
        covered.append((elapsed, sorted(recent)[1] if len(recent) == 3 else x))
        learned = _baseline(covered, span)
        if learned is None or learned[2] == len(covered):
            out.append((NAN, NAN))
            continue
        start, change, first = learned
        base = fast = slow = start
        for step, y in covered[first:]:
            if start > 0 and y < 0.3 * base:
                continue
            fast += (1 - math.exp(-step / 1e9 / 43_200)) * (y - fast)
            slow += (1 - math.exp(-step / 1e9 / 172_800)) * (y - slow)
            base = max(min(base, fast), start - 0.8 * change)
        out.append((max((fast - base) / change, 0.0), (fast - slow) / 129_600 / change * 86_400))
    return out
