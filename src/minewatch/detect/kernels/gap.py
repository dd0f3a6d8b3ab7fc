"""Silence: seconds since a point was last heard, judged by a clock and by the reading that ends it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, Row, Rows

LONGEST_S = 1e9  # thresholds beyond 31 years would overflow the clock


@kernel
def silence(limit: Row, heard: int, now: int) -> int:
    """Judge a gap limit at ``now``; return NONE, or since when the silence has been too long.

    The silence began at ``heard`` plus the threshold whenever it is looked at, so ticks a second apart, one
    tick an hour later and the next reading all tell the same story.
    """
    if heard == NONE or limit["comparison"] > 1:
        return NONE
    since = heard + int(min(limit["threshold"], LONGEST_S) * 1e9)
    if now < since or (now == since and limit["comparison"] == 0):
        return NONE
    if limit["active"]:
        limit["since_ns"] = NONE
        return NONE
    if now - since < limit["on_delay_ns"]:
        return NONE
    limit["active"] = 1
    limit["since_ns"] = NONE
    return since


@kernel
def note_silence(out: Row, limit: Row, since: int, heard: int) -> None:
    """Write the transition of a gap limit; it became due at since + on-delay."""
    due = since + limit["on_delay_ns"]
    out["key"] = limit["key"]
    out["ts_ns"] = due
    out["since_ns"] = since
    out["active"] = True
    out["value"] = float(due - heard) / 1e9


@kernel
def sweep(
    point: Rows, limit: Rows, rows: NDArray[np.int64], begin: int, now: int, out: Rows
) -> tuple[int, int]:
    """Judge the gap limits ``rows[begin:]`` at ``now``; return (rows done, transitions now in ``out``)."""
    n = 0
    for i in range(begin, rows.shape[0]):
        if n == out.shape[0]:
            return i, n
        k = rows[i]
        heard = point[limit[k]["point"]]["track"]["heard_ns"]
        since = silence(limit[k], heard, now)
        if since != NONE:
            note_silence(out[n], limit[k], since, heard)
            n += 1
    return rows.shape[0], n
