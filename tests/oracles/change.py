"""EWMA baseline with z, and a two-sided CUSUM of what is new in z."""

import math


def _clip(x, most):
    return max(-most, min(most, x))


def chart(values, *, memory, warm_up, clip, slack, cap, floor):
    """Return [(z, cusum)] per value; NaN until ``warm_up`` values were learned."""
    mean = variance = high = low = lag = echo = 0.0
    seen = 0
    out = []
    for x in values:
        if not abs(x) <= 1e15:
            out.append((float("nan"), float("nan")))
            continue
        if seen == 0:
            mean = x
        d = x - mean
        sd = max(math.sqrt(variance), floor, 1e-9 * abs(mean) + 1e-12)
        z = _clip(d / sd, 1e6)
        alpha = 1.0 / min(seen + 1, memory)
        if seen < warm_up:
            out.append((float("nan"), float("nan")))
        else:
            tie = _clip(max(0.0, echo / variance if variance > 0 else 0.0), 0.99)
            alone = max(sd * math.sqrt(1.0 - tie * tie), floor, 1e-9 * abs(mean) + 1e-12)
            news = _clip((d - tie * lag) / alone, clip)
            high = min(cap, max(0.0, high + news - slack))
            low = min(cap, max(0.0, low - news - slack))
            out.append((z, max(high, low)))
            d = _clip(z, clip) * sd
        echo = (1.0 - alpha) * (echo + alpha * d * lag)
        lag = (1.0 - alpha) * d
        variance = (1.0 - alpha) * (variance + alpha * d * d)
        mean += alpha * d
        seen += 1
    return out
