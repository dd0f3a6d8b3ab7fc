"""A lasting shift of level: the medians of two windows that follow each other, in robust sigmas."""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import NONE, Row, Rows
from .median import NORMAL, median_of

BLOCKS = 24  # of a window
LEAST = 18  # of them measured, in either window
LARGEST = 1e15  # no instrument reads more: passed over like NaN
TINY = 1e-12  # no sigma is less
WIDEST = 1e6  # what is said stays within +-1e6, so that it is always finite

LEVEL = np.dtype(
    [
        ("point", "i8"),
        ("block_ns", "i8"),
        ("slot", "i8"),  # the block of the newest reading
        ("sum", "f8"),  # of this block
        ("count", "f8"),
        ("shift", "f8"),  # of the blocks before this one
        ("mean", "f8", (2 * BLOCKS,)),  # a ring of blocks, NaN where nothing was measured
    ]
)


def begin(rows: Rows, block_ns: int) -> None:
    """Make rows that know nothing yet."""
    rows[:] = np.zeros(1, LEVEL)[0]
    rows["block_ns"], rows["slot"] = block_ns, NONE
    rows["shift"] = rows["mean"] = np.nan


@kernel
def shift_of(row: Row, slot: int, floor: float) -> float:
    """Return how far the median of the newest window lies from that of the window before; ``slot`` is next.

    Sigma is 1.4826 times the median distance of the blocks from the median of their own window.
    """
    means = row["mean"]
    kept = np.empty(2 * BLOCKS)
    ordered = np.empty(BLOCKS)
    middle = np.empty(2)
    n = 0
    for window in range(2):
        begin = n
        for k in range(BLOCKS):
            x = means[(slot - 1 - window * BLOCKS - k) % (2 * BLOCKS)]
            if not np.isnan(x):
                ordered[n - begin] = x
                kept[n] = x
                n += 1
        if n - begin < LEAST:
            return np.nan
        middle[window] = median_of(ordered, n - begin)
        for k in range(begin, n):
            kept[k] = abs(kept[k] - middle[window])
    sigma = max(NORMAL * median_of(kept, n), floor, TINY)
    return float(min(max((middle[0] - middle[1]) / sigma, -WIDEST), WIDEST))


@kernel
def level_shift(row: Row, x: float, t: int, floor: float) -> float:
    """Take a reading; return by how many robust sigmas of its blocks the level has shifted, signed.

    A window is ``BLOCKS`` blocks of ``block_ns`` on a fixed grid, a block the mean of its readings. The block
    of the reading is still open: those before it count. NaN while either window has too few, for what is no
    number, and for a reading of a block that is over. Sigma is never below ``floor``.
    """
    if not abs(x) <= LARGEST:
        return np.nan
    slot = t // row["block_ns"]
    last = row["slot"]
    if last == NONE:
        row["slot"] = slot
    elif slot < last:
        return np.nan
    elif slot > last:
        row["mean"][last % (2 * BLOCKS)] = row["sum"] / row["count"]
        for k in range(1, min(slot - last, 2 * BLOCKS + 1)):
            row["mean"][(last + k) % (2 * BLOCKS)] = np.nan
        row["slot"] = slot
        row["sum"] = 0.0
        row["count"] = 0.0
        row["shift"] = shift_of(row, slot, floor)
    row["sum"] += x
    row["count"] += 1.0
    return float(row["shift"])
