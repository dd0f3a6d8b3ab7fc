"""The median of a few numbers: numpy's own takes seconds to compile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel

NORMAL = 1.4826  # sigmas of a normal noise in one median distance from the median


@kernel
def median_of(values: NDArray[np.float64], count: int) -> float:
    """Return the median of the first ``count`` values, which it sorts in place (few: by insertion)."""
    for i in range(1, count):
        x = values[i]
        j = i
        while j > 0 and values[j - 1] > x:
            values[j] = values[j - 1]
            j -= 1
        values[j] = x
    half = count // 2
    if count % 2 == 1:
        return float(values[half])
    return float((values[half - 1] + values[half]) / 2.0)
