"""EWMA baseline with z, and a two-sided CUSUM of the clipped z."""

import math


def chart(values, *, memory, warm_up, clip, slack, cap, floor):
    """Return [(z, cusum)] per value; NaN until ``warm_up`` values were learned."""
    mean = variance = high = low = 0.0
    out = []
    seen = 0
    for x in values:
        if not abs(x) <= 1e100:
            out.append((float("nan"), float("nan")))
            continue
        d = x - mean if seen else 0.0
        z = cusum = float("nan")
        if seen == 0:
            mean = x
        if seen >= warm_up:
            sd = max(math.sqrt(variance), floor, 1e-9 * abs(mean) + 1e-12)
            z = max(-1e6, min(1e6, d / sd))
            clipped = max(-clip, min(clip, z))
            high = min(cap, max(0.0, high + clipped - slack))
            low = min(cap, max(0.0, low - clipped - slack))
            cusum = max(high, low)
            d = clipped * sd
        alpha = 1.0 / min(seen + 1, memory)
        new_mean = mean + alpha * d
        new_variance = (1.0 - alpha) * (variance + alpha * d * d)
        mean, variance = new_mean, new_variance
        seen += 1
        out.append((z, cusum))
    return out
