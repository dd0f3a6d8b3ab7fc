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


def transitions(times, statistics, *, comparison, threshold, deadband, on_delay, off_delay):
    """Return [(time, since, active, value)]; a NaN statistic holds everything as it is."""
    out = []
    active = False
    since = None
    inner = threshold - deadband if comparison in (0, 1) else threshold + deadband
    for t, value in zip(times, statistics, strict=True):
        if math.isnan(value):
            continue
        if active:
            wants = not _beyond(comparison, value, inner)
            delay = off_delay
        else:
            wants = _beyond(comparison, value, threshold)
            delay = on_delay
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
