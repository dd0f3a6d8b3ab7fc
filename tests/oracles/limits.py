"""One limit at one point: comparison, deadband, on-delay, off-delay, by reading time."""

import math


def _beyond(comparison, value, threshold):
    if comparison == 0:
        return value > threshold
    if comparison == 1:
        return value >= threshold
    if comparison == 2:
        return value < threshold
    return value <= threshold


def transitions(
    times, statistics, *, comparison, threshold, deadband, on_delay, off_delay, need=1, of=1, hole=None
):
    """Return [(time, since, active, value)]; a NaN statistic holds everything as it is.

    With a ``hole`` what was pending before so long without a number begins anew.
    """
    out = []
    active = False
    last = []
    since = before = None
    inner = threshold - deadband if comparison in (0, 1) else threshold + deadband
    for t, value in zip(times, statistics, strict=True):
        if math.isnan(value):
            continue
        if hole is not None and before is not None and t - before > hole:
            since, last = None, []
        before = t
        last.append(_beyond(comparison, value, inner if active else threshold))
        over = sum(last[-of:]) >= need
        wants = over != active
        delay = off_delay if active else on_delay
        if not wants:
            since = None
            continue
        if since is None or since > t:  # time went backwards: the delay begins anew
            since = t
        if t - since >= delay:
            active = not active
            out.append((t, since, active, value))
            since = None
    return out
