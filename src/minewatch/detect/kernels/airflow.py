"""Airflow against gas: air that falls while methane rises is a loss of ventilation, not a test gas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .median import median_of

LARGEST = 1e15
SLOWER = 0.1  # what departs is learned so much slower


@kernel
def recent(last: NDArray[np.float64], x: float, work: NDArray[np.float64]) -> float:
    """Take a reading into the last three; return their median, NaN where there is none."""
    if abs(x) <= LARGEST:
        last[0] = last[1]
        last[1] = last[2]
        last[2] = x
    count = 0
    for k in range(3):
        if not np.isnan(last[k]):
            work[count] = last[k]
            count += 1
    return median_of(work, count) if count > 0 else np.nan


@kernel
def learn_usual(usual: float, seen: float, x: float, memory: float, departs: bool) -> float:
    """Return the usual value after a reading; a departure from it teaches a tenth."""
    rate = 1.0 / min(seen + 1.0, memory)
    return usual + (SLOWER * rate if departs else rate) * (x - usual)


@kernel
def walk_airflow(
    rows: NDArray[np.float64], air: int, usual: NDArray[np.float64], seen: NDArray[np.float64],
    last: NDArray[np.float64], memory: float, warm_up: float, fall: float, rise: float, least: float,
    statistic: NDArray[np.float64], share: NDArray[np.float64], off: NDArray[np.float64],
) -> None:  # fmt: skip
    """Score rows (n, sensors) of which the first ``air`` are air velocities and the rest gas meters.

    Each sensor's present value (the median of its last three readings) is compared with its usual one
    (over ``memory`` rows, once ``warm_up`` are learned). The fall is the share by which air has fallen, of
    several sensors the lower median; the rise is that of the meter that rose most. ``statistic`` is the
    smaller of fall / ``fall`` and rise / ``rise``, not below 0: both are needed. NaN without either. Air that
    is usually below ``least`` says nothing. ``off`` is present less usual, ``share`` what each sensor says:
    negative where air fell, positive where gas rose. A missing reading leaves a sensor out of its row.
    """
    n, sensors = rows.shape
    falls = np.empty(max(air, 1))
    work = np.empty(3)
    for r in range(n):
        count = 0
        gases = 0
        most = 0.0
        for j in range(sensors):
            share[r, j] = 0.0
            off[r, j] = 0.0
            x = rows[r, j]
            if not abs(x) <= LARGEST:
                continue
            now = recent(last[j], x, work)
            if seen[j] == 0.0:
                usual[j] = now
            departs = False
            if seen[j] >= warm_up:
                off[r, j] = now - usual[j]
                if j < air:
                    size = abs(usual[j])
                    if size >= least:
                        side = 1.0 if usual[j] > 0.0 else -1.0
                        part = (size - side * now) / size
                        falls[count] = part
                        count += 1
                        share[r, j] = -part / fall
                        departs = part >= 0.5 * fall
                else:
                    gases += 1
                    share[r, j] = off[r, j] / rise
                    most = max(most, off[r, j])
                    departs = off[r, j] >= 0.5 * rise
            usual[j] = learn_usual(usual[j], seen[j], now, memory, departs)
            seen[j] = min(seen[j] + 1.0, max(memory, warm_up))
        statistic[r] = np.nan
        if count > 0 and gases > 0:
            median_of(falls, count)  # sorts them
            low = falls[(count - 1) // 2]
            statistic[r] = max(0.0, min(low / fall, most / rise))
