"""A detector of several columns over rows, for ``minewatch score`` and the benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from minewatch.contracts import B1, F8
from minewatch.detect.company.catalogue import COMPANY, IDS
from minewatch.detect.company.fit import Choice, fit
from minewatch.detect.company.learner import Learner
from minewatch.detect.company.model import Model
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
}


@dataclass(frozen=True, slots=True)
class Rowwise:
    """What a detector of company says of rows; ``why`` gives the reason of a row in words."""

    scored: Scored
    alarm: B1
    model: Model | None

    def why(self, row: int) -> str:
        """Return the reason of a row that alarms, "" for others."""
        if not self.alarm[row] or self.model is None:
            return ""
        return reason(self.model, self.scored.share[row], self.scored.off[row]).en


def score_rows(
    name: str, columns: Sequence[str], rows: F8, parameters: Mapping[str, str | float], train_rows: int = 0
) -> Rowwise:
    """Score rows (n, columns) together; NaN is a missing value.

    The first ``train_rows`` are for fitting and score 0. Without them the detector begins as a new device
    does: robust scaling of each column, then a fit of its first 400 rows. Raises ConfigError for an unknown
    parameter and for rows that nothing can be learned from.
    """
    choice = _choice(name, parameters)
    rows = np.ascontiguousarray(rows, np.float64)
    if train_rows:
        model = fit(name, columns, rows[:train_rows], choice)
        scored = Scorer(model).take(rows)
    else:
        learner = Learner(columns, choice, lambda sensors, seen, how: fit(name, sensors, seen, how))
        scored = learner.take(rows)
        model_now = learner.model
        return Rowwise(scored, scored.score >= 0.5, model_now)
    scored.score[:train_rows] = 0.0
    scored.share[:train_rows] = 0.0
    return Rowwise(scored, scored.score >= 0.5, model)


def _choice(name: str, parameters: Mapping[str, str | float]) -> Choice:
    detector = next(d for d in COMPANY if d.id == IDS[name])
    known = {p.name: p for p in detector.parameters}
    given: dict[str, Any] = {}
    whole = {f.name for f in fields(Choice) if f.type == "int"}
    for key, value in parameters.items():
        if key not in known:
            raise ConfigError(
                f"{name} has no parameter {key!r}", where=f"--set {key}", mend=f"Known: {', '.join(known)}."
            )
        low, high = LIMITS[key]
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high or (key in whole and number != int(number)):
            kind = "a whole number" if key in whole else "a number"
            raise ConfigError(
                f"{value!r} does not fit", where=f"--set {key}", mend=f"Give {kind} from {low:g} to {high:g}."
            )
        given[key] = int(number) if key in whole else number
    return Choice(**given)
