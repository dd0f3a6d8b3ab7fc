"""A detector of several columns over rows, for ``minewatch score`` and the benchmarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minewatch.contracts import B1, F8, Text
from minewatch.detect.company.catalogue import COMPANY, TRUST
from minewatch.detect.company.fit import Choice, fit
from minewatch.detect.company.learner import Learner
from minewatch.detect.company.mixture import Mixture
from minewatch.detect.company.neighbours import AirflowGas, Neighbours, Sensor
from minewatch.detect.company.scorer import Scored, Scorer, reason
from minewatch.errors import ConfigError

LIMITS: Mapping[str, tuple[float, float]] = {
    "window": (1, 100_000),
    "slow_share": (0, 1e9),
    "half": (1e-9, 1e9),
    "explained": (1e-9, 1 - 1e-9),
    "trees": (1, 10_000),
    "sample": (2, 1_000_000),
    "seed": (0, 2**32 - 1),
    "memory": (2, 1e9),
    "warm_up": (1, 1e9),
    "clip": (1e-9, 1e9),
    "floor": (0, 1e15),
    "fall": (1e-9, 1e9),
    "rise": (1e-9, 1e15),
    "least": (0, 1e15),
    "air": (0, 10_000),
    "step_s": (1e-3, 1e9),
    "drift_warm_up": (2, 1e9),
    "drift_half": (1e-9, 1e9),
    "event_steps": (1, 1e9),
    "response_warm_up": (2, 1e9),
    "response_tie": (1e-9, 1 - 1e-9),
    "response_memory": (2, 1e9),
    "response_recent": (1, 1e9),
    "response_sure": (1e-9, 1e9),
}
WHOLE = {"window", "trees", "sample", "seed", "air"}


@dataclass(frozen=True, slots=True)
class Rowwise:
    """What a detector of company says of rows; ``left_out`` are the columns it does not judge, and why."""

    scored: Scored
    alarm: B1
    left_out: Mapping[str, str]
    explain: Callable[[int], Text]

    def why(self, row: int) -> str:
        """Return the reason of a row that alarms, "" for others."""
        return self.explain(row).en if self.alarm[row] else ""


def score_rows(
    name: str, columns: Sequence[str], rows: F8, parameters: Mapping[str, str | float], train_rows: int = 0
) -> Rowwise:
    """Score rows (n, columns) together; NaN is a missing value.

    The first ``train_rows`` are for fitting and score 0. Without them the detector begins as a new device
    does: robust scaling of each column, then a fit of its first 400 rows. Raises ConfigError for an unknown
    parameter and for rows that nothing can be learned from.
    """
    _check_names(name, parameters)
    given = {} if name == "mixture" else _given(parameters)
    rows = np.ascontiguousarray(rows, np.float64)
    if name == "mixture":
        scored, left_out, explain = _mixed(columns, rows, parameters)
    elif name in ("neighbours", "airflow-gas"):
        scored, left_out, explain = _learning(name, columns, rows, given)
    elif train_rows:
        model = fit(name, columns, rows[:train_rows], _choice(given))
        scored, left_out = Scorer(model).take(rows), model.left_out

        def explain(row: int) -> Text:
            return reason(model, scored.share[row], scored.off[row])
    else:
        learner = Learner(columns, _choice(given), lambda *how: fit(name, *how))
        scored = learner.take(rows)
        left_out = learner.model.left_out if learner.model else {}

        def explain(row: int) -> Text:
            return reason(columns, scored.share[row], scored.off[row])

    scored.score[:train_rows] = 0.0
    return Rowwise(scored, scored.score >= 0.5, left_out, explain)


def _learning(
    name: str, columns: Sequence[str], rows: F8, given: dict[str, float]
) -> tuple[Scored, Mapping[str, str], Callable[[int], Text]]:
    sensors = [Sensor(column) for column in columns]
    watch: Neighbours | AirflowGas
    if name == "neighbours":
        least, watch = 2, Neighbours(sensors, **given)
    else:
        air = int(given.pop("air", 0))
        least, watch = air + 1, AirflowGas(sensors, air, **given)
        if air < 1:
            raise ConfigError(
                "airflow-gas must know its columns",
                where="--set air",
                mend="Name air velocities first in --columns, then gas, and say how many: --set air=2.",
            )
    if len(columns) < least:
        raise ConfigError(
            f"{name} needs {least} columns, there are {len(columns)}", where="--columns", mend="Name more."
        )
    scored = watch.take(rows)
    return scored, {}, lambda row: watch.reason(scored.share[row], scored.off[row], rows[row])


def _choice(given: Mapping[str, float]) -> Choice:
    values: dict[str, Any] = {key: int(value) if key in WHOLE else value for key, value in given.items()}
    return Choice(**values)


def _mixed(
    columns: Sequence[str], rows: F8, parameters: Mapping[str, str | float]
) -> tuple[Scored, Mapping[str, str], Callable[[int], Text]]:
    try:
        limits = [float(part) for part in str(parameters.get("limits", "")).split(",")]
    except ValueError:
        limits = []
    if len(limits) != len(columns) or not all(0 < limit < math.inf for limit in limits):
        raise ConfigError(
            f"mixture needs a limit above 0 for each of {len(columns)} columns",
            where="--set limits",
            mend="Write them in the order of --columns: --set limits=20,5.",
        )
    watch = Mixture([Sensor(column) for column in columns], range(len(columns)), limits)
    scored = watch.take(rows)
    return scored, {}, lambda row: watch.reason(scored.share[row], scored.off[row], rows[row])


def _check_names(name: str, parameters: Mapping[str, str | float]) -> None:
    """Raise ConfigError for an unknown parameter."""
    known = [p.name for p in next(d for d in (*COMPANY, *TRUST) if d.name == name).parameters]
    for key in parameters:
        if key not in known:
            raise ConfigError(
                f"{name} has no parameter {key!r}", where=f"--set {key}", mend=f"Known: {', '.join(known)}."
            )


def given_of(name: str, parameters: Mapping[str, str | float]) -> dict[str, float]:
    """Return every number of a detector's parameters, given or default.

    Raises ConfigError for an unknown one, or one out of bounds.
    """
    _check_names(name, parameters)
    own = next(d for d in (*COMPANY, *TRUST) if d.name == name).parameters
    return {p.name: float(p.default) for p in own if isinstance(p.default, int | float)} | _given(parameters)


def _given(parameters: Mapping[str, str | float]) -> dict[str, float]:
    """Return the parameters as numbers. Raises ConfigError for one out of bounds."""
    given: dict[str, float] = {}
    for key, value in parameters.items():
        low, high = LIMITS[key]
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high or (key in WHOLE and number != int(number)):
            kind = "a whole number" if key in WHOLE else "a number"
            raise ConfigError(
                f"{value!r} does not fit", where=f"--set {key}", mend=f"Give {kind} from {low:g} to {high:g}."
            )
        given[key] = number
    return given
