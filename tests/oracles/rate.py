"""Rate of rise: the median of the newest three readings against the median of three old ones."""

import math


def rates(times, values, window):
    """Return the rate per minute at each reading, NaN where the window holds too little."""
    kept = []
    recent = []
    out = []
    for t, x in zip(times, values, strict=True):
        if not math.isfinite(x):
            out.append(float("nan"))
            continue
        recent = [*recent, (t, x)][-3:]
        kept = [(u, y) for u, y in kept if t - u <= window]
        old = kept[:3]
        rate = float("nan")
        if len(old) == 3 and len(recent) == 3 and recent[0][0] > old[2][0]:
            span = recent[1][0] - old[1][0]
            if 2 * span >= window:
                rise = sorted(y for _, y in recent)[1] - sorted(y for _, y in old)[1]
                rate = rise / (span / 60e9)
        out.append(rate)
        if not kept or t - kept[-1][0] >= window // 12:
            kept.append((t, x))
    return out
