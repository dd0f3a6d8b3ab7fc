"""What befalls most points of a gateway or a rack at once: silence, or values that froze at one moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE


@kernel
def silent_share(
    heard_ns: NDArray[np.int64], hold_ns: NDArray[np.int64], now: int, intervals: float
) -> tuple[float, int, int]:
    """Return (share of the members that are silent, since when, how many).

    A member is silent when it was last heard more than ``intervals`` of its own before ``now``; one that was
    never heard is no member. The moment is when the last of the silent ones was heard.
    """
    members = 0
    silent = 0
    since = NONE
    for k in range(heard_ns.shape[0]):
        if heard_ns[k] == NONE:
            continue
        members += 1
        if float(now - heard_ns[k]) > intervals * float(hold_ns[k]):
            silent += 1
            since = max(since, heard_ns[k])
    if members == 0:
        return 0.0, NONE, 0
    return float(silent) / float(members), since, silent


@kernel
def frozen_share(
    since_ns: NDArray[np.int64], heard_ns: NDArray[np.int64], mean_s: NDArray[np.float64],
    hold_ns: NDArray[np.int64], now: int, least_s: float, lively: float, together_s: float,
) -> tuple[float, int, int]:  # fmt: skip
    """Return (share of the members whose values froze at one moment, the moment, how many).

    ``since_ns`` is when the value of a member last changed, ``mean_s`` how long it usually rests. A member
    counts once it rests for ``least_s`` and for ``lively`` times its usual: one that rests by nature proves
    nothing. Of the moments at which they came to rest, the one with most within ``together_s`` is taken. The
    share is of the members whose rest, had it begun at that moment, would count. Silent members are left out.
    """
    n = since_ns.shape[0]
    starts = np.empty(n, np.int64)
    resting = 0
    for k in range(n):
        if since_ns[k] == NONE or now - heard_ns[k] > hold_ns[k]:
            continue
        rest = float(now - since_ns[k]) / 1e9
        if rest >= least_s and rest >= lively * mean_s[k]:
            starts[resting] = since_ns[k]
            resting += 1
    if resting == 0:
        return 0.0, NONE, 0
    ordered = np.sort(starts[:resting])
    best = 0
    moment = NONE
    first = 0
    for last in range(resting):
        while float(ordered[last] - ordered[first]) / 1e9 > together_s:
            first += 1
        if last - first + 1 >= best:
            best = last - first + 1
            moment = ordered[last]
    able = 0
    for k in range(n):
        if since_ns[k] == NONE or now - heard_ns[k] > hold_ns[k]:
            continue
        rest = float(now - moment) / 1e9
        if rest >= lively * mean_s[k]:
            able += 1
    return float(best) / float(max(able, best)), moment, best
