"""Leave-one-out neighbours: each meter against what the others of its quantity say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .median import median_of

LARGEST = 1e15
WIDEST = 1e6


@kernel
def walk_neighbours(
    rows: NDArray[np.float64], offset: NDArray[np.float64], spread: NDArray[np.float64],
    seen: NDArray[np.float64], memory: float, warm_up: float, half: float, clip: float, floor: float,
    statistic: NDArray[np.float64], share: NDArray[np.float64], off: NDArray[np.float64],
) -> None:  # fmt: skip
    """Score rows (n, meters): ``off`` is what a meter reads above the others' median, ``share`` in sigmas.

    Each meter has a learned ``offset`` (where it hangs, methane is always higher) and a learned variance
    ``spread`` of what is left. Both learn over ``memory`` rows, and one row teaches at most ``clip`` sigmas,
    so that a fault is not soon usual. Sigma is never below ``floor``. ``statistic`` is the largest |share|
    over ``half``; NaN while no meter has learned ``warm_up`` rows, or none has a neighbour.
    """
    n, meters = rows.shape
    level = np.empty(meters)
    others = np.empty(meters)
    for r in range(n):
        statistic[r] = np.nan
        there = 0
        for j in range(meters):
            share[r, j] = 0.0
            off[r, j] = 0.0
            x = rows[r, j]
            level[j] = x - offset[j] if abs(x) <= LARGEST and seen[j] > 0.0 else np.nan
            if not np.isnan(level[j]):
                others[there] = level[j]
                there += 1
        for j in range(meters):  # a meter's first row says where it hangs among those that are known
            x = rows[r, j]
            if seen[j] == 0.0 and abs(x) <= LARGEST:
                if there == 0:
                    count = 0
                    for k in range(meters):
                        if abs(rows[r, k]) <= LARGEST:
                            others[count] = rows[r, k]
                            count += 1
                    offset[j] = x - median_of(others, count)
                else:
                    offset[j] = x - median_of(others, there)
                seen[j] = 1.0
        most = -1.0
        for i in range(meters):
            if np.isnan(level[i]):
                continue
            count = 0
            for j in range(meters):
                if j != i and not np.isnan(level[j]):
                    others[count] = level[j]
                    count += 1
            if count == 0:
                continue
            left = level[i] - median_of(others, count)
            sd = max(np.sqrt(spread[i]), floor)
            taught = left
            if seen[i] >= warm_up:
                z = min(max(left / sd, -WIDEST), WIDEST)
                share[r, i] = z
                off[r, i] = left
                most = max(most, abs(z))
                taught = min(max(left, -clip * sd), clip * sd)
            rate = 1.0 / min(seen[i] + 1.0, memory)
            offset[i] += rate * taught
            spread[i] = (1.0 - rate) * (spread[i] + rate * taught * taught)
            seen[i] = min(seen[i] + 1.0, max(memory, warm_up))
        if most >= 0.0:
            statistic[r] = most / half
