"""The rows of the dear detectors, forecast and wear: only points with a limit on them have one.

Rows are sorted by point, so that the same limits always make the same snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minewatch.contracts import I4, I8
from minewatch.detect.kernels import forecast, wear
from minewatch.detect.kernels.layout import FORESEEN, WORN, Rows, State
from minewatch.detect.settings import DetectSettings

SAME_FORECAST = ("point", "horizon_ns", "coverage", "sign")  # else what was learned is of something else
SAME_WEAR = ("point", "baseline_ns")


def place(state: State, settings: Sequence[DetectSettings], phase: I4) -> State:
    """Return the state with a row for each point whose limits ask for one; known rows go on.

    ``settings`` are those of every phase, ``phase`` which of them each point is in.
    """
    return carry(_asked(state, settings, phase), state.forecast, state.wear)


def chosen(settings: DetectSettings) -> tuple[float, ...]:
    """Return the settings that a row is made for: with others it is learned anew."""
    return settings.forecast_horizon_s, settings.forecast_coverage, settings.wear_baseline_s


def carry(state: State, old_forecast: Rows, old_wear: Rows) -> State:
    """Return the state, its rows as the old ones that are of the same point and settings."""
    _carry(state.forecast, old_forecast, SAME_FORECAST)
    _carry(state.wear, old_wear, SAME_WEAR)
    return state


def moved(rows: Rows, target: I8) -> Rows:
    """Return the rows of a snapshot by today's points; ``target`` maps old points to new or -1."""
    found = rows.copy()
    found["point"] = target[rows["point"]]
    found = found[found["point"] >= 0]
    return found[np.argsort(found["point"], kind="stable")]


def forget(state: State, p: int, settings: Sequence[DetectSettings], phase: I4) -> None:
    """Make the rows of point p as new."""
    for rows in (state.forecast, state.wear):
        rows["point"][rows["point"] == p] = -1
    fresh = _asked(state, settings, phase)
    for rows, new in ((state.forecast, fresh.forecast), (state.wear, fresh.wear)):
        rows[rows["point"] == -1] = new[new["point"] == p]


def _asked(state: State, settings: Sequence[DetectSettings], phase: I4) -> State:
    horizon, coverage, baseline = np.array([chosen(each) for each in settings]).T
    limit = state.limit
    of = limit[limit["detector"] == FORESEEN]
    points = np.unique(of["point"]).astype(np.int64)
    foreseen = np.zeros(len(points), forecast.FORECAST)
    forecast.begin(foreseen, 0, 0.0, True)
    foreseen["point"] = points
    foreseen["horizon_ns"] = np.round(horizon[phase[points]] * 1e9)
    foreseen["coverage"] = coverage[phase[points]]
    foreseen["sign"] = np.where(np.isin(points, of["point"][of["comparison"] < 2]), 1, -1)
    worn = np.zeros(len(at := np.unique(limit["point"][limit["detector"] == WORN])), wear.WEAR)
    wear.begin(worn, 0)
    worn["point"], worn["baseline_ns"] = at, np.round(baseline[phase[at]] * 1e9)
    return state._replace(
        forecast=foreseen,
        forecast_at=_at(len(state.point), foreseen),
        wear=worn,
        wear_at=_at(len(state.point), worn),
    )


def _at(points: int, rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    at = np.full(points, -1, np.int32)
    at[rows["point"]] = np.arange(len(rows))
    return at


def _carry(rows: Rows, old: Rows, same: tuple[str, ...]) -> None:
    if len(old) == 0 or len(rows) == 0:
        return
    found = np.minimum(np.searchsorted(old["point"], rows["point"]), len(old) - 1)
    known = np.all([old[name][found] == rows[name] for name in same], axis=0)
    rows[known] = old[found[known]]
