"""The rows of the dear detectors: only points with a limit on such a detector have one.

Rows are sorted by point, so that the same limits always make the same snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from minewatch.contracts import F8, I4, I8
from minewatch.detect.kernels import forecast, level, robust, wear
from minewatch.detect.kernels.layout import FORESEEN, LEVEL_SHIFT, ROBUST_Z, WORN, Rows, State
from minewatch.detect.settings import DetectSettings


@dataclass(frozen=True, slots=True)
class Slot:
    """How the rows of one detector are made: ``make`` takes them, the limits that ask, a column a setting."""

    detector: int
    kind: np.dtype[Any]
    settings: tuple[str, ...]
    same: tuple[str, ...]  # where these differ, what was learned is of something else
    make: Callable[[Rows, Rows, F8], None]


def _forecast(rows: Rows, asking: Rows, chosen: F8) -> None:
    forecast.begin(rows, 0, 0.0, True)
    rows["horizon_ns"], rows["coverage"] = np.round(chosen[0] * 1e9), chosen[1]
    rising = asking["point"][asking["comparison"] < 2]
    rows["sign"] = np.where(np.isin(np.unique(asking["point"]), rising), 1, -1)


def _wear(rows: Rows, asking: Rows, chosen: F8) -> None:
    wear.begin(rows, 0)
    rows["baseline_ns"] = np.round(chosen[0] * 1e9)


def _robust(rows: Rows, asking: Rows, chosen: F8) -> None:
    robust.begin(rows, 0)
    rows["window"] = chosen[0]


def _level(rows: Rows, asking: Rows, chosen: F8) -> None:
    level.begin(rows, 0)
    rows["block_ns"] = np.round(chosen[0] * 1e9 / level.BLOCKS)


SLOTS: Mapping[str, Slot] = MappingProxyType(
    {
        "forecast": Slot(
            FORESEEN, forecast.FORECAST, ("forecast_horizon_s", "forecast_coverage"),
            ("point", "horizon_ns", "coverage", "sign"), _forecast,
        ),
        "wear": Slot(WORN, wear.WEAR, ("wear_baseline_s",), ("point", "baseline_ns"), _wear),
        "robust": Slot(ROBUST_Z, robust.ROBUST, ("robust_readings",), ("point", "window"), _robust),
        "level": Slot(LEVEL_SHIFT, level.LEVEL, ("level_window_s",), ("point", "block_ns"), _level),
    }
)  # fmt: skip
ASKED = tuple(slot.detector for slot in SLOTS.values())


def place(state: State, settings: Sequence[DetectSettings], phase: I4) -> State:
    """Return the state with a row for each point whose limits ask for one; known rows go on.

    ``settings`` are those of every phase, ``phase`` which of them each point is in.
    """
    return carry(_asked(state, settings, phase), {name: getattr(state, name) for name in SLOTS})


def chosen(settings: DetectSettings) -> tuple[float, ...]:
    """Return the settings that a row is made for: with others it is learned anew."""
    return tuple(getattr(settings, key) for slot in SLOTS.values() for key in slot.settings)


def carry(state: State, old: Mapping[str, Rows]) -> State:
    """Return the state, its rows as the old ones that are of the same point and settings."""
    for name, slot in SLOTS.items():
        _carry(getattr(state, name), old[name], slot.same)
    return state


def moved(rows: Rows, target: I8) -> Rows:
    """Return the rows of a snapshot by today's points; ``target`` maps old points to new or -1."""
    found = rows.copy()
    found["point"] = target[rows["point"]]
    found = found[found["point"] >= 0]
    return found[np.argsort(found["point"], kind="stable")]


def forget(state: State, p: int, settings: Sequence[DetectSettings], phase: I4) -> None:
    """Make the rows of point p as new."""
    fresh = _asked(state, settings, phase)
    for name in SLOTS:
        rows, new = getattr(state, name), getattr(fresh, name)
        rows[rows["point"] == p] = new[new["point"] == p]


def _asked(state: State, settings: Sequence[DetectSettings], phase: I4) -> State:
    made: dict[str, Any] = {}
    for name, slot in SLOTS.items():
        asking = state.limit[state.limit["detector"] == slot.detector]
        points = np.unique(asking["point"]).astype(np.int64)
        rows = np.zeros(len(points), slot.kind)
        values = np.array([[getattr(each, key) for each in settings] for key in slot.settings], np.float64)
        slot.make(rows, asking, values[:, phase[points]])
        rows["point"] = points
        made |= {name: rows, f"{name}_at": _at(len(state.point), rows)}
    return state._replace(**made)


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
