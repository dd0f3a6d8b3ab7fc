"""The state machine of one limit at one point: comparison, deadband, on-delay, off-delay, by reading time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import GAP, NONE, Row, Rows


@kernel
def beyond(comparison: int, value: float, threshold: float) -> bool:
    """Return whether a value is on the bad side: 0 above, 1 at or above, 2 below, 3 at or below."""
    if comparison == 0:
        return value > threshold
    if comparison == 1:
        return value >= threshold
    if comparison == 2:
        return value < threshold
    return value <= threshold


@kernel
def enough(limit: Row, hit: bool) -> bool:
    """Note whether the newest reading is beyond; return whether ``need`` of the last ``of`` are."""
    hits = (limit["hits"] << 1) & ((1 << int(limit["of"])) - 1)
    if hit:
        hits += 1
    limit["hits"] = hits
    count = 0
    for k in range(limit["of"]):
        count += (hits >> k) & 1
    return bool(count >= limit["need"])


@kernel
def judge(limit: Row, value: float, t: int) -> int:
    """Judge a limit by a statistic at time t; return NONE, or since when the condition that flipped it held.

    NaN holds everything as it is: no reading may clear an alert that it cannot measure. An active limit
    stays so until the value has come back inside by the deadband for the whole off-delay. With ``of`` above 1
    beyond means that ``need`` of the last ``of`` readings were, each by the edge in force when it came.
    """
    if np.isnan(value):
        return NONE
    edge = limit["threshold"]
    delay = limit["on_delay_ns"]
    if limit["active"]:
        edge = edge - limit["deadband"] if limit["comparison"] < 2 else edge + limit["deadband"]
        delay = limit["off_delay_ns"]
    hit = beyond(limit["comparison"], value, edge)
    if limit["of"] > 1:
        hit = enough(limit, hit)
    if hit == (limit["active"] != 0):
        limit["since_ns"] = NONE
        return NONE
    since: int = limit["since_ns"]
    if since == NONE or since > t:  # a clock that stepped back must not stretch the delay by its step
        since = t
    if t - since < delay:
        limit["since_ns"] = since
        return NONE
    limit["active"] = 1 - limit["active"]
    limit["since_ns"] = NONE
    return since


@kernel
def note(out: Row, limit: Row, t: int, since: int, value: float) -> None:
    """Write the transition that a limit has just made."""
    out["key"] = limit["key"]
    out["ts_ns"] = t
    out["since_ns"] = since
    out["active"] = limit["active"] != 0
    out["begins"] = limit["begins"]
    out["value"] = value


@kernel
def in_force(limit: Row, era: int) -> bool:
    """Return whether a limit is in force in an era."""
    return bool(limit["begins"] <= era and era < limit["ends"])


@kernel
def hand_over(limits: Rows, first: int, last: int, era: int, silences: bool) -> None:
    """Let versions that begin with an era go on where those of the same key that end there stand.

    Of rows first to before last; of limits on silence, or of all others.
    """
    for k in range(first, last):
        new = limits[k]
        if new["begins"] != era or (new["detector"] == GAP) != silences:
            continue
        for j in range(first, last):
            old = limits[j]
            if old["key"] == new["key"] and old["ends"] == era:
                new["active"] = old["active"]
                new["since_ns"] = old["since_ns"]
                new["hits"] = old["hits"] if old["of"] == new["of"] else 0
                old["active"] = 0
                old["since_ns"] = NONE
                old["hits"] = 0


@kernel
def enter(
    limits: Rows, limit_first: NDArray[np.int64], points: NDArray[np.int64], before: NDArray[np.int32],
    era: int, silences: bool,
) -> None:  # fmt: skip
    """Take the limits of points from the eras that they stood in to this one."""
    for i in range(points.shape[0]):
        p = points[i]
        for e in range(before[i] + 1, era + 1):
            hand_over(limits, limit_first[p], limit_first[p + 1], e, silences)


@kernel
def era_of(starts_ns: NDArray[np.int64], t: int) -> int:
    """Return how many eras have begun by a time."""
    era = 0
    while era < starts_ns.shape[0] and starts_ns[era] <= t:
        era += 1
    return era


@kernel
def judge_rows(
    limits: Rows, heard_ns: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64],
    hole_ns: int, starts_ns: NDArray[np.int64], out: Rows,
) -> int:  # fmt: skip
    """Judge rows of one subject, in order of time, by its limits; write and count the transitions.

    ``heard_ns`` is when each limit was judged last, the same for all: beyond ``hole_ns`` after that what was
    pending begins anew. ``starts_ns`` are those of the eras. ``out`` has a row for each limit and row, and
    there is a limit.
    """
    made = 0
    era = era_of(starts_ns, heard_ns[0])
    for i in range(ts_ns.shape[0]):
        if np.isnan(value[i]):
            continue
        now = era_of(starts_ns, ts_ns[i])
        while era < now:
            era += 1
            hand_over(limits, 0, limits.shape[0], era, False)
        for k in range(limits.shape[0]):
            if ts_ns[i] - heard_ns[k] > hole_ns:
                limits[k]["since_ns"] = NONE
                limits[k]["hits"] = 0
            heard_ns[k] = ts_ns[i]
            if not in_force(limits[k], era):
                continue
            since = judge(limits[k], value[i], ts_ns[i])
            if since != NONE:
                note(out[made], limits[k], ts_ns[i], since, value[i])
                made += 1
    return made
