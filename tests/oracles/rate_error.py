"""Standard error of the rate of rise: what the kept readings scatter about the line of the rate."""

import math
from statistics import median

from oracles import rate


def errors(times, values, window, step):
    """Return the standard error per minute at each reading, NaN where there is no rate."""
    slopes = rate.rates(times, values, window)
    kept, finite, out = [], [], []
    for t, x, slope in zip(times, values, slopes, strict=True):
        if not math.isfinite(x):
            out.append(float("nan"))
            continue
        finite.append(t)
        seen = kept = [(u, y) for u, y in kept if t - u <= window]
        if not kept or t - kept[-1][0] >= window // 12:
            kept = [*kept, (t, x)]
        out.append(float("nan") if math.isnan(slope) else _error(seen[:3], kept, finite[-2], slope, step))
    return out


def _error(oldest, kept, newest, slope, step):
    if len(kept) <= 4:
        return math.nan
    level, begin = median(x for _, x in oldest), oldest[1][0]
    off = [abs(x - level - slope * ((u - begin) / 60e9)) for u, x in kept]
    most = 4 * max(1.4826 * median(off), step)
    scatter = sum(min(d, most) ** 2 for d in off) / (len(off) - 4)
    return math.sqrt(2 * 0.4487) * math.sqrt(scatter + step**2 / 12) / ((newest - begin) / 60e9)
