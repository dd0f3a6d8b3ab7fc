"""Frozen values and impossible leaps: how long a point usually rests, and how fast its instrument can move.

A quantised quiet sensor rests for hours and is well; a lively one that rests for ten minutes is not. So a
point is judged by its own past: the longest rest it has had, apart for rests at an end of all it has shown
(a pump that stands, a valve that is open) and for rests between.
"""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import NONE, Row

CLOSE = 1e-9  # values nearer than this share of their size are the same: rounding, not change


@kernel
def usual(runs: Row, ended: bool, factor: float, least_s: float, first_s: float, warm_up: float) -> float:
    """Return for how many seconds a rest is still usual; ``first_s`` until enough rests are known."""
    if runs["learned"] < warm_up:
        return first_s
    longest = runs["at_end"] if ended else runs["within"]
    return float(max(factor * longest, least_s))


@kernel
def frozen(
    runs: Row, x: float, t: int, half_step: float, wet: float, hold_ns: int,
    factor: float, least_s: float, least_readings: float, first_s: float, warm_up: float, fade_s: float,
    growth: float, wet_s: float,
) -> float:  # fmt: skip
    """Return how long the point has rested, in multiples of what is usual for it; NaN for no number.

    A rest ends when the value leaves ``half_step`` around its first reading. A silence longer than
    ``hold_ns`` proves nothing: the rest begins anew. It counts in seconds and in readings; the lesser
    multiple is told. What is learned from one rest is at most ``growth`` times what was usual, so a fault
    cannot teach that it is usual in one lesson; what was learned fades over ``fade_s``. A value of at least
    ``wet`` (the stop of an instrument that saturates) is judged by ``wet_s`` and teaches nothing. Zero, where
    it is the lowest ever shown, proves nothing before enough rests are known: a line that was never opened.
    """
    if not np.isfinite(x):
        return np.nan
    if runs["since_ns"] == NONE:
        runs["value"] = x
        runs["latest"] = x
        runs["since_ns"] = t
        runs["last_ns"] = t
        runs["readings"] = 1.0
        runs["lowest"] = x
        runs["highest"] = x
        return 0.0
    value = runs["value"]
    step = max(half_step, CLOSE * abs(value))
    silent = t - runs["last_ns"] > hold_ns
    ended = value <= runs["lowest"] + step or value >= runs["highest"] - step
    runs["last_ns"] = t
    runs["latest"] = x
    if abs(x - value) > step:
        if not silent and value < wet:
            length = float(t - runs["since_ns"]) / 1e9
            share = min(length / fade_s, 1.0)
            length = min(length, growth * usual(runs, ended, factor, least_s, first_s, warm_up))
            if ended:
                runs["at_end"] = max(runs["at_end"] * (1.0 - share), length)
            else:
                runs["within"] = max(runs["within"] * (1.0 - share), length)
            runs["mean"] += (length - runs["mean"]) / min(runs["learned"] + 1.0, 2.0 * warm_up + 1.0)
            runs["learned"] += 1.0
        runs["value"] = x
        runs["since_ns"] = t
        runs["readings"] = 1.0
        runs["lowest"] = min(runs["lowest"], x)
        runs["highest"] = max(runs["highest"], x)
        return 0.0
    if silent:
        runs["since_ns"] = t
        runs["readings"] = 1.0
        return 0.0
    runs["readings"] += 1.0
    rest = float(t - runs["since_ns"]) / 1e9
    if value >= wet:
        return rest / wet_s
    if runs["learned"] < warm_up and abs(value) <= step and runs["lowest"] >= value - step:
        return 0.0
    allowed = usual(runs, ended, factor, least_s, first_s, warm_up)
    return float(min(rest / allowed, runs["readings"] / least_readings))


@kernel
def leap(before: float, before_ns: int, x: float, t: int, fastest: float, step: float) -> float:
    """Return how many times faster than its instrument can move a point has moved; NaN if that is not known.

    ``fastest`` is in units a second, infinite where nobody knows it; one ``step`` is free. Readings closer
    than a second are taken as a second apart: a timestamp's rounding is no speed.
    """
    if not np.isfinite(x) or before_ns == NONE or not fastest < np.inf or t <= before_ns:
        return np.nan
    seconds = max(float(t - before_ns) / 1e9, 1.0)
    return max(abs(x - before) - step, 0.0) / (fastest * seconds)
