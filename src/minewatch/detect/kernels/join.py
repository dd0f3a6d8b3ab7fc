"""Rows of several points on a grid of times: the last value is held, for so long and no longer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel


@kernel
def join_rows(
    slot: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64], horizon: int, step: int,
    hold: NDArray[np.int64], last_ns: NDArray[np.int64], last: NDArray[np.float64], tick: NDArray[np.int64],
    rows: NDArray[np.float64], times: NDArray[np.int64],
) -> tuple[int, int]:  # fmt: skip
    """Write a row for each tick up to ``horizon`` with something new; return (readings used, rows written).

    Readings are in order of time; ``tick[0]`` is the earliest next tick, a multiple of ``step``. A row has
    each point's newest value not after the tick and not older than its ``hold``, else NaN. A tick before
    which nothing new came is no row: points that speak once a minute give one row a minute, and a gap of
    days costs nothing. A reading older than its point's last is passed over. It stops when ``rows`` is full:
    call again with the readings left.
    """
    n, points = slot.shape[0], last.shape[0]
    used = 0
    made = 0
    while made < rows.shape[0] and used < n:
        t = max(tick[0], -(-ts_ns[used] // step) * step)
        if t > horizon:
            break
        while used < n and ts_ns[used] <= t:
            j = slot[used]
            if ts_ns[used] >= last_ns[j]:
                last_ns[j] = ts_ns[used]
                last[j] = value[used]
            used += 1
        there = 0
        for j in range(points):
            held = last_ns[j] > 0 and t - last_ns[j] <= hold[j]
            rows[made, j] = last[j] if held else np.nan
            if held:
                there += 1
        if there > 0:
            times[made] = t
            made += 1
            tick[0] = t + step
    return used, made
