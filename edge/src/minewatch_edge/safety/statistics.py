"""What rules compare, worked out as the service's kernels do it, in plain Python."""

from __future__ import annotations

import math
import struct
import sys
from collections import deque
from itertools import islice

_KEPT = 16
_SPACING = 12  # the oldest readings of a window are kept a twelfth of it apart
_RATE_WINDOW_S = 60.0  # the service's default: detect.rate_window_s
_STUCK_AFTER_S = 14_400.0  # detect.stuck_after_s
_DEFAULT_INTERVAL_S = 120.0  # detect.default_interval_s
_MOST = sys.float_info.max  # infinity is no number that could be told
_FLOAT = struct.Struct("<f")


class Sentinels:
    """Values that mean a fault, whether the wire carried eight bytes or four."""

    def __init__(self, values: tuple[float, ...]) -> None:
        self._exact = frozenset(values)
        self._short = frozenset(_short(v) for v in values if math.isfinite(v))

    def __contains__(self, value: float) -> bool:
        return value in self._exact or (bool(self._short) and _short(value) in self._short)


def _short(value: float) -> float:
    try:
        return float(_FLOAT.unpack(_FLOAT.pack(value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


class Unchanged:
    """How long a point has stayed within half a step of its instrument; a long silence proves nothing."""

    def __init__(self, resolution: float, interval_s: float) -> None:
        self._half_step = resolution / 2
        self._hold_ns = round((interval_s if interval_s > 0 else _DEFAULT_INTERVAL_S) * 1e9)
        self._anchor = 0.0
        self._anchor_ns: int | None = None

    def stuck(self, x: float, t: int, before_ns: int | None) -> bool:
        """Take a reading in; say whether the point has not changed for so long that it is doubted."""
        if self._anchor_ns is None or abs(x - self._anchor) > self._half_step:
            self._anchor, self._anchor_ns = x, t
        elif before_ns is not None and t - before_ns > self._hold_ns:
            self._anchor_ns = t
        return (t - self._anchor_ns) / 1e9 >= _STUCK_AFTER_S


class Rise:
    """The rise per minute: median of the newest three less that of the oldest three kept in the window."""

    def __init__(self, interval_s: float) -> None:
        self._window_ns = round(max(_RATE_WINDOW_S, 6 * interval_s) * 1e9)
        self._recent: deque[tuple[int, float]] = deque(maxlen=3)
        self._kept: deque[tuple[int, float]] = deque()

    def rate(self, x: float, t: int) -> float:
        """Take a finite reading in and return the rate; NaN while the window holds too little."""
        recent, kept, window = self._recent, self._kept, self._window_ns
        recent.append((t, x))
        while kept and t - kept[0][0] > window:
            kept.popleft()
        rate = math.nan
        if len(kept) >= 3 and len(recent) == 3:
            oldest = list(islice(kept, 3))
            span = recent[1][0] - oldest[1][0]
            if recent[0][0] > oldest[2][0] and 2 * span >= window:
                new, old = _middle([v for _, v in recent]), _middle([v for _, v in oldest])
                rate = max(-_MOST, min(_MOST, (new - old) / (span / 60e9)))
        if not kept or t - kept[-1][0] >= window // _SPACING:
            kept.append((t, x))
            if len(kept) > _KEPT:
                kept.popleft()
        return rate


def _middle(three: list[float]) -> float:
    return sorted(three)[1]
