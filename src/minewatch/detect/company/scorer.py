"""A model at work: rows in, scores and reasons out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from minewatch.contracts import B1, F8, Text
from minewatch.detect.company.model import Model
from minewatch.detect.kernels.company import standing_rows, walk_forms
from minewatch.detect.kernels.forest import walk_forest
from minewatch.detect.parcel import Arrays

MOST_NAMED = 3  # sensors in a reason
LEAST_NAMED = 0.1  # of the whole; less is not named


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of rows; ``share`` and ``off`` are (rows, sensors of the model), zero where not judged.

    ``statistic`` is 1 where the score is 0.5, NaN where nothing was measured. ``share`` is what a sensor
    adds, signed by the side it lies on; ``off`` is how far it lies from what is expected, in its own unit.
    ``beyond`` says which rows lie outside the range that the fit saw, by more than half of it (of models
    only).
    """

    statistic: F8
    score: F8
    share: F8
    off: F8
    beyond: B1 = field(default_factory=lambda: np.zeros(0, np.bool_))


class Scorer:
    """Scores rows one after the other; the rolling means go on from call to call."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.rows = 0
        self.ring = np.full((model.window, len(model.kept)), np.nan)

    def take(self, rows: F8) -> Scored:
        """Score rows (n, sensors of the model), NaN for what was not measured."""
        model, arrays = self.model, self.model.arrays
        judged = np.ascontiguousarray(rows[:, model.kept], np.float64)
        n, k = judged.shape
        statistic, share, off = np.empty(n), np.zeros((n, k)), np.zeros((n, k))
        ring = self.ring.copy()
        standing = np.empty((n, k))
        standing_rows(judged, self.ring, self.rows, arrays["centre"], arrays["scale"], standing)
        if model.kind == "isolation-forest":
            statistic, share, off = self._forest(standing)
        else:
            walk_forms(
                judged, ring, self.rows, arrays["centre"], arrays["scale"], arrays["fill"],
                arrays["forms"], arrays["top"], statistic, share, off,
            )  # fmt: skip
        self.rows += n
        with np.errstate(invalid="ignore"):
            score = np.where(np.isnan(statistic), 0.0, statistic / (statistic + 1.0))
        margin = 0.5 * (arrays["high"] - arrays["low"])
        with np.errstate(invalid="ignore"):
            outside = (standing < arrays["low"] - margin) | (standing > arrays["high"] + margin)
        return Scored(
            statistic,
            score,
            self._wide(share, n),
            self._wide(off * arrays["scale"], n),
            np.asarray(outside.any(axis=1), np.bool_),
        )

    def state(self) -> Arrays:
        """Return the rows that the rolling means still hold, for a snapshot."""
        return {"ring": self.ring, "judged": np.array([self.rows])}

    def restore(self, arrays: Arrays) -> None:
        """Go on where a scorer of the same model stood."""
        self.ring, self.rows = arrays["ring"].copy(), int(arrays["judged"][0])

    def _wide(self, part: F8, n: int) -> F8:
        out = np.zeros((n, len(self.model.sensors)))
        out[:, self.model.kept] = part
        return out

    def _forest(self, standing: F8) -> tuple[F8, F8, F8]:
        """Score by the forest; a sensor adds what the score loses when it reads as usual."""
        nothing = np.isnan(standing)
        z = np.where(nothing, 0.0, standing)
        raw = self._walk(z)
        statistic = raw / self.model.arrays["top"][0]
        statistic[nothing.all(axis=1)] = np.nan
        share = np.zeros_like(z)
        high = np.flatnonzero(statistic >= 1.0)
        for j in range(z.shape[1]) if len(high) else ():
            without = z[high]
            without[:, j] = 0.0
            share[high, j] = np.maximum(raw[high] - self._walk(without), 0.0) * np.sign(z[high, j])
        return statistic, share, z

    def _walk(self, z: F8) -> F8:
        arrays, parameters = self.model.arrays, self.model.parameters
        score = np.empty(len(z))
        walk_forest(
            z.astype(np.float32), arrays["root"], arrays["feature"], arrays["threshold"], arrays["child"],
            arrays["path"], int(parameters["steps"]), float(parameters["usual"]), score,
        )  # fmt: skip
        return score


def reason(sensors: Model | Sequence[str], share: F8, off: F8) -> Text:
    """Say in words which sensors do not fit the others; ``share`` and ``off`` are one row of ``Scored``."""
    names = sensors.sensors if isinstance(sensors, Model) else sensors
    weight = np.abs(share)
    total = float(weight.sum())
    if not total > 0:
        return Text(
            kk="Датчиктер бір-біріне сай емес.",
            ru="Показания датчиков не согласуются между собой.",
            en="The sensors do not fit each other.",
        )
    first = [j for j in np.argsort(-weight, kind="stable").tolist() if weight[j] >= LEAST_NAMED * total]
    parts = [(names[j], float(off[j]), float(weight[j] / total)) for j in first[:MOST_NAMED]]
    return Text(
        kk="Басқалары бойынша күтілгеннен ауытқу: "
        + ", ".join(f"{n} {abs(d):.3g} {'жоғары' if d > 0 else 'төмен'} ({s:.0%})" for n, d, s in parts),
        ru="Не согласуется с остальными: "
        + ", ".join(
            f"{n} {'выше' if d > 0 else 'ниже'} ожидаемого на {abs(d):.3g} ({s:.0%})" for n, d, s in parts
        ),
        en="Does not fit the others: "
        + ", ".join(
            f"{n} {abs(d):.3g} {'above' if d > 0 else 'below'} what is expected ({s:.0%})"
            for n, d, s in parts
        ),
    )
