"""Time-weighted sums over a rolling window, from the raw list of what every reading covered."""


def sums(readings, now, bucket, count):
    """Return (integral of value x seconds, seconds covered) of the window that ends at ``now``.

    ``readings`` are (from, to, value) in ns. The window is ``count`` buckets long and made of whole buckets
    on a fixed grid; of the oldest, cut by the window's edge, the share of time inside counts.
    """
    newest = now // bucket
    readings = [r for r in readings if r[1] > (newest - count) * bucket]
    total = weight = 0.0
    for slot in range(newest - count, newest + 1):
        begin, end = slot * bucket, (slot + 1) * bucket
        share = 1.0 if slot > newest - count else (end - (now - count * bucket)) / bucket
        for a, b, x in readings:
            inside = min(b, end) - max(a, begin)
            if inside > 0:
                total += share * x * (inside / 1e9)
                weight += share * (inside / 1e9)
    return total, weight


def mean(readings, now, bucket, count, coverage):
    """Return (mean over the window, share with valid readings); the mean is NaN below the coverage."""
    total, weight = sums(readings, now, bucket, count)
    share = weight / (count * bucket / 1e9)
    if weight <= 0 or weight < coverage * count * bucket / 1e9 - 1e-6:
        return float("nan"), share
    return total / weight, share


def twa(readings, now, bucket, count):
    """Return (sum of value x time over the window, divided by the whole window; the share with readings)."""
    total, weight = sums(readings, now, bucket, count)
    whole = count * bucket / 1e9
    return (total / whole if weight > 0 else float("nan")), weight / whole
