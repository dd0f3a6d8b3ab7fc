"""Robust z: how far a reading lies from the median of the readings before it, in their robust sigmas."""

from statistics import median


def scores(values, window, floor):
    """Return z at each reading, NaN until ``window`` readings came before it and for what is no reading."""
    seen, out = [], []
    for x in values:
        if not abs(x) <= 1e15:
            out.append(float("nan"))
            continue
        before = seen[-window:]
        z = float("nan")
        if len(before) == window:
            middle = median(before)
            sigma = 1.4826 * median(abs(y - middle) for y in before)
            z = min(max((x - middle) / max(sigma, floor, 1e-12), -1e6), 1e6)
        out.append(z)
        seen.append(x)
    return out
