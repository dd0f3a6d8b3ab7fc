"""Silence: seconds since a point was last heard, judged by a clock and by the reading that ends it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, Rows

LONGEST_S = 1e9  # thresholds beyond 31 years would overflow the clock


@kernel
def silence(limit: Rows, k: int, heard: int, now: int) -> int:
    """Judge gap limit k at ``now``; return NONE, or since when the silence has been too long.

    The silence began at ``heard`` plus the threshold whenever it is looked at, so ticks a second apart, one
    tick an hour later and the next reading all tell the same story.
    """
    r = limit[k]
    if heard == NONE or r["comparison"] > 1:
        return NONE
    since = heard + int(min(r["threshold"], LONGEST_S) * 1e9)
    if now < since or (now == since and r["comparison"] == 0):
        return NONE
    if r["active"]:
        r["since_ns"] = NONE
        return NONE
    if now - since < r["on_delay_ns"]:
        return NONE
    r["active"] = 1
    r["since_ns"] = NONE
    return since


@kernel
def note_silence(out: Rows, n: int, limit: Rows, k: int, since: int, heard: int) -> None:
    """Write the transition of gap limit k to row n; it became due at since + on-delay."""
    due = since + limit[k]["on_delay_ns"]
    out[n]["key"] = limit[k]["key"]
    out[n]["ts_ns"] = due
    out[n]["since_ns"] = since
    out[n]["active"] = True
    out[n]["value"] = float(due - heard) / 1e9


@kernel
def sweep(
    track: Rows, limit: Rows, rows: NDArray[np.int64], begin: int, now: int, out: Rows
) -> tuple[int, int]:
    """Judge the gap limits ``rows[begin:]`` at ``now``; return (rows done, transitions now in ``out``)."""
    n = 0
    for i in range(begin, rows.shape[0]):
        if n == out.shape[0]:
            return i, n
        k = rows[i]
        heard = track[limit[k]["point"]]["heard_ns"]
        since = silence(limit, k, heard, now)
        if since != NONE:
            note_silence(out, n, limit, k, since, heard)
            n += 1
    return rows.shape[0], n
