"""Level shift: the medians of two windows that follow each other, apart in robust sigmas of their blocks."""

import math
from statistics import median


def shifts(times, values, block, floor, blocks=24, least=18):
    """Return the shift at each reading; NaN while either window holds fewer than ``least`` measured blocks.

    A block is ``block`` ns of a fixed grid, its value the mean of its readings. At a reading the
    blocks before its own count: the newest ``blocks`` and as many before.
    """
    seen, out = {}, []
    for t, x in zip(times, values, strict=True):
        slot = t // block
        if not abs(x) <= 1e15 or (seen and slot < max(seen)):
            out.append(float("nan"))
            continue
        seen.setdefault(slot, []).append(x)
        out.append(_shift(seen, slot, floor, blocks, least))
    return out


def _shift(seen, slot, floor, blocks, least):
    new = [_mean(seen[k]) for k in range(slot - blocks, slot) if k in seen]
    old = [_mean(seen[k]) for k in range(slot - 2 * blocks, slot - blocks) if k in seen]
    if len(new) < least or len(old) < least:
        return math.nan
    middle, before = median(new), median(old)
    off = [abs(x - middle) for x in new] + [abs(x - before) for x in old]
    sigma = max(1.4826 * median(off), floor, 1e-12)
    return min(max((middle - before) / sigma, -1e6), 1e6)


def _mean(values):
    total = 0.0
    for x in values:
        total += x
    return total / len(values)
