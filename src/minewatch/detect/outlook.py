"""When a point will reach the next of its limits, where its forecast pays: along lines from the reading."""

from __future__ import annotations

import math
from collections.abc import Iterable

from minewatch.contracts import Outlook
from minewatch.detect.forecast import REACH
from minewatch.detect.kernels.layout import FORESEEN, VALUE, State


def outlooks(state: State, points: Iterable[int], now_ns: int) -> tuple[Outlook, ...]:
    """Return what the forecast of each of these points that has one says of its next limit.

    It is the nearest limit on the value or its forecast that the newest reading has not reached. A forecast
    whose newest reading is a horizon old says nothing.
    """
    return tuple(_outlook(state, p, now_ns) for p in points if state.forecast_at[p] >= 0)


def _outlook(state: State, p: int, now_ns: int) -> Outlook:
    row = state.forecast[state.forecast_at[p]]
    sign, reading, ts_ns = int(row["sign"]), float(row["latest"]), int(row["last_ns"])
    limits = state.limit[state.limit_first[p] : state.limit_first[p + 1]]
    of = ((limits["detector"] == VALUE) | (limits["detector"] == FORESEEN)) & (
        (limits["comparison"] < 2) == (sign > 0)
    )
    ahead = [limit for limit in (sign * limits["threshold"][of]).tolist() if limit > reading]
    silent = row["skill"] <= 0 or now_ns - ts_ns > row["horizon_ns"]
    if silent or not ahead:
        return Outlook(p, ts_ns, math.nan, math.inf, math.inf, math.inf)
    limit, horizon = min(ahead), float(row["horizon_ns"]) / 60e9
    ends = (float(row[name]) for name in ("expected", "upper", "lower"))
    return Outlook(p, ts_ns, sign * limit, *(_minutes(limit, reading, end, horizon) for end in ends))


def _minutes(limit: float, reading: float, end: float, horizon: float) -> float:
    """Return the minutes to a limit along the line to ``end`` at the horizon; infinite where out of sight."""
    if not end > reading:
        return math.inf
    horizons = (limit - reading) / (end - reading)
    return horizons * horizon if horizons <= REACH else math.inf
