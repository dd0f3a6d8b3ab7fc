"""The robust z: a reading against the exact median and MAD of the readings before it (Hampel 1974)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import Row, Rows
from .median import NORMAL

MOST = 63  # readings that can be kept
LARGEST = 1e15  # no instrument reads more: passed over like NaN
TINY = 1e-12  # no sigma is less
WIDEST = 1e6  # z is reported within +-1e6, so that it is always finite

ROBUST = np.dtype(
    [
        ("point", "i8"),
        ("window", "i4"),  # readings
        ("head", "i2"),  # where the next one goes
        ("kept", "i2"),
        ("value", "f8", (MOST,)),  # a ring of them
        ("order", "u1", (MOST,)),  # their places in the ring, the least value first
        ("spare", "u1"),
    ]
)


def begin(rows: Rows, window: int) -> None:
    """Make rows that know nothing yet."""
    rows[:] = np.zeros(1, ROBUST)[0]
    rows["window"] = window


@kernel
def middle_of(value: NDArray[np.float64], order: NDArray[np.uint8], count: int) -> float:
    """Return the median of ``count`` values in order."""
    half = count // 2
    if count % 2 == 1:
        return float(value[order[half]])
    return float((value[order[half - 1]] + value[order[half]]) / 2.0)


@kernel
def spread_about(
    value: NDArray[np.float64], order: NDArray[np.uint8], count: int, middle: float
) -> float:  # fmt: skip
    """Return the median distance of ``count`` values in order from their middle.

    Distances grow to either side of it, so they are merged as far as half of them.
    """
    up = 0
    while value[order[up]] < middle:
        up += 1
    down = up - 1
    before = 0.0
    here = 0.0
    for _ in range(count // 2 + 1):
        before = here
        if down < 0 or (up < count and value[order[up]] - middle < middle - value[order[down]]):
            here = value[order[up]] - middle
            up += 1
        else:
            here = middle - value[order[down]]
            down -= 1
    return here if count % 2 == 1 else (before + here) / 2.0


@kernel
def keep(row: Row, x: float) -> None:
    """Put x in the place of the oldest reading, and in order."""
    value = row["value"]
    order = row["order"]
    head = row["head"]
    at = row["kept"]
    if at == row["window"]:
        at = 0
        while order[at] != head:
            at += 1
        while at + 1 < row["window"]:
            order[at] = order[at + 1]
            at += 1
    else:
        row["kept"] = at + 1
    value[head] = x
    while at > 0 and value[order[at - 1]] > x:
        order[at] = order[at - 1]
        at -= 1
    order[at] = head
    row["head"] = (head + 1) % row["window"]


@kernel
def robust_z(row: Row, x: float, floor: float) -> float:
    """Take a reading; return (x - median) / (1.4826 MAD) of the ``window`` readings before it, signed.

    NaN until there are so many, and for what is no number. Sigma is never below ``floor``. The reading does
    not judge itself, and a few wild ones before it move neither median nor MAD.
    """
    if not abs(x) <= LARGEST:
        return np.nan
    z = np.nan
    if row["kept"] == row["window"]:
        middle = middle_of(row["value"], row["order"], row["kept"])
        sigma = NORMAL * spread_about(row["value"], row["order"], row["kept"], middle)
        z = min(max((x - middle) / max(sigma, floor, TINY), -WIDEST), WIDEST)
    keep(row, x)
    return z
