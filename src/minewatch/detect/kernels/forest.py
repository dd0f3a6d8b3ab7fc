"""Isolation forests (Liu, Ting and Zhou 2008) as flat arrays, walked without branches.

The children of a node lie side by side, so a step is ``child + (x > threshold)``; a leaf is its own left
child and its threshold is infinite, so that every walk has the same number of steps. Eight walks go side
by side: one alone would wait for memory at each step.

Thresholds are 4-byte floats rounded down: of a 4-byte x, ``x <= threshold`` is then what it was in 8 bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel


@kernel
def walk_forest(
    rows: NDArray[np.float32], root: NDArray[np.int32], feature: NDArray[np.int32],
    threshold: NDArray[np.float32], child: NDArray[np.int32], path: NDArray[np.float64], steps: int,
    usual: float, score: NDArray[np.float64],
) -> None:  # fmt: skip
    """Write 2^(-mean path / usual) of each row into ``score``: about 0.5 is ordinary, 1 alone.

    ``rows`` are (n, features) without NaN; ``path`` is the length of the path to a leaf and beyond; ``usual``
    is the length in a tree of that many ordinary rows.
    """
    n = rows.shape[0]
    trees = root.shape[0]
    r = 0
    while r + 8 <= n:
        d0 = d1 = d2 = d3 = d4 = d5 = d6 = d7 = 0.0
        for t in range(trees):
            c0 = c1 = c2 = c3 = c4 = c5 = c6 = c7 = root[t]
            for _ in range(steps):
                c0 = child[c0] + np.int32(rows[r, feature[c0]] > threshold[c0])
                c1 = child[c1] + np.int32(rows[r + 1, feature[c1]] > threshold[c1])
                c2 = child[c2] + np.int32(rows[r + 2, feature[c2]] > threshold[c2])
                c3 = child[c3] + np.int32(rows[r + 3, feature[c3]] > threshold[c3])
                c4 = child[c4] + np.int32(rows[r + 4, feature[c4]] > threshold[c4])
                c5 = child[c5] + np.int32(rows[r + 5, feature[c5]] > threshold[c5])
                c6 = child[c6] + np.int32(rows[r + 6, feature[c6]] > threshold[c6])
                c7 = child[c7] + np.int32(rows[r + 7, feature[c7]] > threshold[c7])
            d0 += path[c0]
            d1 += path[c1]
            d2 += path[c2]
            d3 += path[c3]
            d4 += path[c4]
            d5 += path[c5]
            d6 += path[c6]
            d7 += path[c7]
        score[r] = 2.0 ** (-d0 / (trees * usual))
        score[r + 1] = 2.0 ** (-d1 / (trees * usual))
        score[r + 2] = 2.0 ** (-d2 / (trees * usual))
        score[r + 3] = 2.0 ** (-d3 / (trees * usual))
        score[r + 4] = 2.0 ** (-d4 / (trees * usual))
        score[r + 5] = 2.0 ** (-d5 / (trees * usual))
        score[r + 6] = 2.0 ** (-d6 / (trees * usual))
        score[r + 7] = 2.0 ** (-d7 / (trees * usual))
        r += 8
    while r < n:
        total = 0.0
        t = 0
        while t + 4 <= trees:
            c0, c1, c2, c3 = root[t], root[t + 1], root[t + 2], root[t + 3]
            for _ in range(steps):
                c0 = child[c0] + np.int32(rows[r, feature[c0]] > threshold[c0])
                c1 = child[c1] + np.int32(rows[r, feature[c1]] > threshold[c1])
                c2 = child[c2] + np.int32(rows[r, feature[c2]] > threshold[c2])
                c3 = child[c3] + np.int32(rows[r, feature[c3]] > threshold[c3])
            total += path[c0]
            total += path[c1]
            total += path[c2]
            total += path[c3]
            t += 4
        while t < trees:
            c0 = root[t]
            for _ in range(steps):
                c0 = child[c0] + np.int32(rows[r, feature[c0]] > threshold[c0])
            total += path[c0]
            t += 1
        score[r] = 2.0 ** (-total / (trees * usual))
        r += 1
