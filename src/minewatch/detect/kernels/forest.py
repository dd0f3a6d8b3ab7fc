"""Isolation forests (Liu, Ting and Zhou 2008) as flat arrays, walked without branches.

The children of a node lie side by side, so a step is ``child + (x > threshold)``; a leaf is its own left
child and its threshold is infinite, so that every walk has the same number of steps. Eight walks go side
by side: one alone would wait for memory at each step. A block of rows goes through one tree after the other:
tree and block fit into the nearest cache, so what else the machine does costs little. Indices have no sign:
else each of them would be tested for counting from the end, which costs more than the walk.

Thresholds are 4-byte floats rounded down: of a 4-byte x, ``x <= threshold`` is then what it was in 8 bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel

BLOCK = 512  # rows, a multiple of eight


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
    start, below, of = root.view(np.uint32), child.view(np.uint32), feature.view(np.uint32)
    whole = n - n % 8
    for first in range(0, whole, BLOCK):
        last = min(first + BLOCK, whole)
        score[first:last] = 0.0
        for t in range(trees):
            for r in range(first, last, 8):
                x0, x1, x2, x3 = rows[r], rows[r + 1], rows[r + 2], rows[r + 3]
                x4, x5, x6, x7 = rows[r + 4], rows[r + 5], rows[r + 6], rows[r + 7]
                c0 = c1 = c2 = c3 = c4 = c5 = c6 = c7 = start[t]
                for _ in range(steps):
                    c0 = below[c0] + np.uint32(x0[of[c0]] > threshold[c0])
                    c1 = below[c1] + np.uint32(x1[of[c1]] > threshold[c1])
                    c2 = below[c2] + np.uint32(x2[of[c2]] > threshold[c2])
                    c3 = below[c3] + np.uint32(x3[of[c3]] > threshold[c3])
                    c4 = below[c4] + np.uint32(x4[of[c4]] > threshold[c4])
                    c5 = below[c5] + np.uint32(x5[of[c5]] > threshold[c5])
                    c6 = below[c6] + np.uint32(x6[of[c6]] > threshold[c6])
                    c7 = below[c7] + np.uint32(x7[of[c7]] > threshold[c7])
                score[r] += path[c0]
                score[r + 1] += path[c1]
                score[r + 2] += path[c2]
                score[r + 3] += path[c3]
                score[r + 4] += path[c4]
                score[r + 5] += path[c5]
                score[r + 6] += path[c6]
                score[r + 7] += path[c7]
        for r in range(first, last):
            score[r] = 2.0 ** (-score[r] / (trees * usual))
    r = whole
    while r < n:
        x0 = rows[r]
        total = 0.0
        t = 0
        while t + 4 <= trees:
            c0, c1, c2, c3 = start[t], start[t + 1], start[t + 2], start[t + 3]
            for _ in range(steps):
                c0 = below[c0] + np.uint32(x0[of[c0]] > threshold[c0])
                c1 = below[c1] + np.uint32(x0[of[c1]] > threshold[c1])
                c2 = below[c2] + np.uint32(x0[of[c2]] > threshold[c2])
                c3 = below[c3] + np.uint32(x0[of[c3]] > threshold[c3])
            total += path[c0]
            total += path[c1]
            total += path[c2]
            total += path[c3]
            t += 4
        while t < trees:
            c0 = start[t]
            for _ in range(steps):
                c0 = below[c0] + np.uint32(x0[of[c0]] > threshold[c0])
            total += path[c0]
            t += 1
        score[r] = 2.0 ** (-total / (trees * usual))
        r += 1
