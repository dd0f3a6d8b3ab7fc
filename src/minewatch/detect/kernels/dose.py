"""Noise dose of a shift: time at a level over the time allowed at it, by the 5 dB and the 3 dB exchange."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import Row

LOUDEST = 194.0  # dB: no sound in air is louder
ALLOWED_S = 28_800.0  # eight hours at the criterion level are 100 %


@kernel
def allowed_share(level: float, criterion: float, exchange: float, threshold: float) -> float:
    """Return which share of a dose an 8-hour day at this level is: 2^((L - criterion) / exchange)."""
    if level < threshold:
        return 0.0
    return float(2.0 ** ((min(level, LOUDEST) - criterion) / exchange))


@kernel
def dose(
    row: Row, which: int, level: float, seconds: float, criterion: float, exchange: float, threshold: float
) -> float:
    """Add ``seconds`` at a level to dose 0 or 1 of the row; return the dose so far in per cent.

    The sum is kept with its rounding error (Neumaier 1974), so order and number of readings do not matter.
    Levels that are not finite or not a time add nothing.
    """
    if np.isfinite(level) and seconds > 0.0:
        x = 100.0 * allowed_share(level, criterion, exchange, threshold) * seconds / ALLOWED_S
        total = row["sum"][which]
        new = total + x
        row["rest"][which] += (total - new) + x if abs(total) >= abs(x) else (x - new) + total
        row["sum"][which] = new
    return float(row["sum"][which] + row["rest"][which])
