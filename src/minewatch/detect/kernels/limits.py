"""The state machine of one limit at one point: comparison, deadband, on-delay, off-delay, by reading time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, Row, Rows


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
    out["value"] = value


@kernel
def judge_rows(
    limits: Rows, heard_ns: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64],
    hole_ns: int, out: Rows,
) -> int:  # fmt: skip
    """Judge rows of one subject, in order of time, by its limits; write and count the transitions.

    ``heard_ns`` is when each limit was judged last: beyond ``hole_ns`` after that what was pending begins
    anew. ``out`` has a row for each limit and row.
    """
    made = 0
    for i in range(ts_ns.shape[0]):
        if np.isnan(value[i]):
            continue
        for k in range(limits.shape[0]):
            if ts_ns[i] - heard_ns[k] > hole_ns:
                limits[k]["since_ns"] = NONE
                limits[k]["hits"] = 0
            heard_ns[k] = ts_ns[i]
            since = judge(limits[k], value[i], ts_ns[i])
            if since != NONE:
                note(out[made], limits[k], ts_ns[i], since, value[i])
                made += 1
    return made
