"""The left matrix profile by comparing every window with every earlier one."""

import math


def _shape(window):
    """Return the window with mean 0 and deviation 1; () for a constant one, None where one is no number."""
    if any(not abs(x) <= 1e15 for x in window):
        return None
    mean = sum(window) / len(window)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in window) / len(window))
    if deviation <= 1e-13 * max(abs(x) for x in window):
        return ()
    return [(x - mean) / deviation for x in window]


def left_profile(values, m, most):
    """Return [distance to the most similar earlier window] per row, NaN where there is none."""
    shapes = [None] * min(m - 1, len(values)) + [
        _shape(values[i - m + 1 : i + 1]) for i in range(m - 1, len(values))
    ]
    apart = math.ceil(m / 4) + 1
    out = []
    for row, own in enumerate(shapes):
        earlier = [
            s for s in shapes[max(m - 1, row - apart - most + 1) : max(0, row - apart + 1)] if s is not None
        ]
        if own is None or not earlier:
            out.append(math.nan)
            continue
        out.append(min(_distance(own, other, m) for other in earlier))
    return out


def _distance(a, b, m):
    if not a and not b:
        return 0.0
    if not a or not b:
        return math.sqrt(m)
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))
