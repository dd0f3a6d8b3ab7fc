"""Reading quality, told plainly: OPC UA codes, sentinels, range, seconds unchanged."""

import math
import struct


def _single(x):
    """Round to what a 4-byte float on the wire can hold; too large becomes infinite."""
    try:
        return struct.unpack("<f", struct.pack("<f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


def classify(x, given, low, high, sentinels):
    """Return the quality of one value; ``given`` is what the sender said."""
    if given >= 128:
        return given
    if math.isnan(x) or math.isinf(x):
        return 130
    for s in sentinels:
        if x == s or (math.isfinite(s) and _single(x) == _single(s)):
            return 129
    if x < low or x > high:
        return 65
    return given


def unchanged(times, values, resolution, hold):
    """Return for each reading how many seconds the value has not moved by a step of the instrument."""
    out = []
    anchor = None
    began = None
    last = None
    for t, x in zip(times, values, strict=True):
        if not math.isfinite(x):
            out.append(float("nan"))
            continue
        if anchor is None or abs(x - anchor) > resolution / 2:
            anchor, began = x, t
        elif t - last > hold:
            began = t
        last = t
        out.append((t - began) / 1e9)
    return out
