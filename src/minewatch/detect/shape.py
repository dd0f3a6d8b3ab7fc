"""The shape of a series, on demand: the left matrix profile as a detector of ``minewatch score``.

It costs microseconds a row and remembers thousands of readings, so it is not among those of every point.
Reading this needs no numba; scoring does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from minewatch.contracts import B1, F8, Text
from minewatch.detect.catalogue import Detector, Parameter
from minewatch.errors import ConfigError

WARM_UP = 100  # windows compared before one is judged

SHAPE = Detector(
    50,
    "matrix-profile",
    Text(kk="Бұрын болмаған пішін", ru="Небывалая форма", en="Shape not seen before"),
    Text(
        kk="Соңғы өлшемдердің пішіні бұрынғы ең ұқсас пішіннен әдеттегіге қарағанда қаншалықты алыс.",
        ru="Насколько форма последних измерений дальше обычного от самой похожей из прежних.",
        en="How much farther than usual the last readings' shape lies from the most similar earlier one.",
    ),
    "1",
    (
        Parameter("window", "readings", 16, "The readings that make a shape."),
        Parameter("history", "readings", 4000, "The earlier shapes that one is compared with."),
        Parameter(
            "sigmas", "σ", 4.0, "The bar: the mean of distances so far and so many of their deviations."
        ),
        Parameter("least", "1", 0.25, "The least bar, as a share of the distance of unrelated shapes."),
        Parameter("gate", "rows", 100, "So many rows after an alarm there is no other."),
    ),
)
DEFAULTS = {p.name: float(p.default) for p in SHAPE.parameters if isinstance(p.default, int | float)}
LEAST = {"window": 3.0, "history": 1.0, "sigmas": 0.0, "least": 1e-3, "gate": 0.0}


def score_shape(values: F8, parameters: Mapping[str, str | float], train_rows: int = 0) -> tuple[F8, B1]:
    """Return (score, alarm) of each row, as ``score_series`` does; h is the bar, a score of 0.5.

    Raises ConfigError for an unknown or impossible parameter.
    """
    from minewatch.detect.kernels.shape import left_profile

    par = _parameters(parameters)
    window = int(par["window"])
    distance, nearest = np.zeros(len(values)), np.zeros(len(values), np.int64)
    left_profile(
        np.ascontiguousarray(values, np.float64), window, int(par["history"]), 256, distance, nearest
    )
    distance /= math.sqrt(2 * window)  # 1 for shapes that have nothing to do with each other
    known = ~np.isnan(distance)
    counted = np.where(known, distance, 0.0)
    before = np.cumsum(known) - known
    share = np.maximum(before, 1)
    mean = (np.cumsum(counted) - counted) / share
    square = (np.cumsum(counted * counted) - counted * counted) / share
    bar = np.maximum(mean + par["sigmas"] * np.sqrt(np.maximum(square - mean * mean, 0.0)), par["least"])
    judged = known & (before >= WARM_UP)
    score = np.where(judged, counted / (counted + bar), 0.0)
    score[:train_rows] = 0.0
    alarm = np.zeros(len(values), np.bool_)
    free = 0
    for row in np.flatnonzero(score >= 0.5).tolist():
        if row >= free:
            alarm[row] = True
            free = row + int(par["gate"]) + 1
    return score, alarm


def _parameters(given: Mapping[str, str | float]) -> dict[str, float]:
    found = dict(DEFAULTS)
    for key, text in given.items():
        if key not in found:
            raise ConfigError(
                f"{SHAPE.name} has no parameter {key!r}",
                where=f"--set {key}",
                mend=f"Known: {', '.join(found)}.",
            )
        try:
            found[key] = float(text)
        except ValueError:
            raise ConfigError(
                f"{text!r} is not a number", where=f"--set {key}", mend="Give a number."
            ) from None
        if not LEAST[key] <= found[key] <= 1e6:
            raise ConfigError(
                f"{text} does not fit", where=f"--set {key}", mend=f"Give {LEAST[key]:g} to 1000000."
            )
    return found
