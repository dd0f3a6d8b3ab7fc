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
    only = {"comparison": comparison, "threshold": threshold, "deadband": deadband}
    only |= {"on_delay": on_delay, "off_delay": off_delay, "need": need, "of": of}
    return of_versions(times, statistics, [(-math.inf, only)], hole)


def of_versions(times, statistics, versions, hole=None):
    """Return the transitions of a limit that is another from some times on; None: it is in force no more.

    Each number is judged by the version of its time; what stands or is pending goes on under the next one.
    """
    out = []
    active = False
    last = []
    since = before = version = None
    for t, value in zip(times, statistics, strict=True):
        if math.isnan(value):
            continue
        if hole is not None and before is not None and t - before > hole:
            since, last = None, []
        before = t
        old, version = version, [said for start, said in versions if start <= t][-1:]
        if not version or version[0] is None:
            continue
        if old and old[0]["of"] != version[0]["of"]:
            last = []
        limit = version[0]
        comparison, threshold = limit["comparison"], limit["threshold"]
        if active:
            threshold += -limit["deadband"] if comparison in (0, 1) else limit["deadband"]
        last.append(_beyond(comparison, value, threshold))
        over = sum(last[-limit["of"] :]) >= limit["need"]
        if over == active:
            since = None
            continue
        if since is None or since > t:  # time went backwards: the delay begins anew
            since = t
        if t - since >= limit["off_delay" if active else "on_delay"]:
            active = not active
            out.append((t, since, active, value))
            since = None
    return out
