"""The mean since the shift began."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, Row

DAY_NS = 86_400_000_000_000


@kernel
def bounds(t: int, offset_ns: int, starts_ns: NDArray[np.int64]) -> tuple[int, int]:
    """Return (start, end) in ns UTC of the shift that holds t; ``starts_ns`` are local, ascending."""
    n = starts_ns.shape[0]
    midnight = (t + offset_ns) // DAY_NS * DAY_NS
    gone = t + offset_ns - midnight
    k = n - 1
    while k >= 0 and starts_ns[k] > gone:
        k -= 1
    start = starts_ns[k] if k >= 0 else starts_ns[n - 1] - DAY_NS
    end = starts_ns[k + 1] if k + 1 < n else starts_ns[0] + DAY_NS
    return midnight + start - offset_ns, midnight + end - offset_ns


@kernel
def shift_mean(
    shift: Row, x: float, begin: int, end: int, offset_ns: int, starts_ns: NDArray[np.int64],
    coverage: float, least_s: float,
) -> float:  # fmt: skip
    """Let x cover (begin, end] and return the mean of the shift so far; NaN while too little is covered.

    Too little: less than ``least_s`` seconds, or less than the share ``coverage`` of the shift so far.
    A value that is not finite covers nothing; a row of a shift that is over is passed over.
    """
    if end < shift["start_ns"]:
        return np.nan
    if shift["start_ns"] == NONE or end >= shift["end_ns"]:
        first, last = bounds(end, offset_ns, starts_ns)
        shift["start_ns"] = first
        shift["end_ns"] = last
        shift["sum"] = 0.0
        shift["weight"] = 0.0
    if not np.isfinite(x):
        begin, x = end, 0.0
    seconds = float(end - max(begin, shift["start_ns"])) / 1e9
    shift["sum"] += x * seconds
    shift["weight"] += seconds
    weight = shift["weight"] + 1e-6  # a microsecond of grace for rounding
    gone = float(end - shift["start_ns"]) / 1e9
    if shift["weight"] <= 0.0 or weight < least_s or weight < coverage * gone:
        return np.nan
    return float(shift["sum"] / shift["weight"])
