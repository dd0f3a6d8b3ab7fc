"""A model that grows with the data, for a device that nobody has fitted a model for.

First each sensor is scaled by its own median and spread (``robust``), anew whenever the rows have doubled;
after ``LEARNED`` rows the wished-for kind is fitted once and stays. Rows that were judged are learned too: a
fault in the first rows is taken for usual, which is why a model fitted under change control replaces this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from minewatch.contracts import B1, F8
from minewatch.detect.company.fit import LEAST, Choice, fit
from minewatch.detect.company.model import Model, from_text, to_text
from minewatch.detect.company.scorer import Scored, Scorer
from minewatch.detect.parcel import Arrays
from minewatch.errors import ModelError

LEARNED = 400
NOBODY: B1 = np.zeros(0, np.bool_)  # watches the drift of what a device has learned by itself

log = structlog.get_logger(__name__)

Fit = Callable[[Sequence[str], F8, Choice], Model]


class Learner:
    """Scores rows by what the rows before have taught; the same in one piece or in many."""

    def __init__(self, sensors: Sequence[str], choice: Choice, final: Fit, later: int = 0) -> None:
        """Wait ``later`` rows more for the fits, so that devices born at once do not fit at once."""
        self.sensors = tuple(sensors)
        self.choice = choice
        self.scorer: Scorer | None = None
        self._final = final
        self._rows = np.empty((0, len(self.sensors)))
        self._next = max(LEAST, 2 * choice.window) + later
        self._learned = LEARNED + later

    @property
    def model(self) -> Model | None:
        """The model in force, None while there is too little to judge by."""
        return self.scorer.model if self.scorer else None

    def take(self, rows: F8) -> Scored:
        """Score rows (n, sensors), then learn them; NaN and 0 while there is no model."""
        if self.scorer and not self._next:  # it has learned
            return replace(self.scorer.take(rows), beyond=NOBODY)
        n, k = len(rows), len(self.sensors)
        found = Scored(np.full(n, np.nan), np.zeros(n), np.zeros((n, k)), np.zeros((n, k)))
        at = 0
        while at < n:
            upto = min(n, at + self._next - len(self._rows)) if self._next else n
            part = rows[at:upto]
            if self.scorer:
                scored = self.scorer.take(part)
                for name in ("statistic", "score", "share", "off"):
                    getattr(found, name)[at:upto] = getattr(scored, name)
            if self._next:
                self._rows = np.concatenate([self._rows, part])
                if len(self._rows) == self._next:
                    self._learn()
            at = upto
        return found

    def state(self) -> Arrays:
        """Return what was learned and what is still to be learned from, for a snapshot."""
        found: dict[str, NDArray[Any]] = {"taught": self._rows, "next": np.array([self._next])}
        if self.scorer:
            text = to_text(self.scorer.model)
            found |= {"model": np.frombuffer(text.encode(), np.uint8), **self.scorer.state()}
        return found

    def restore(self, arrays: Arrays) -> None:
        """Go on where a snapshot stood; learn anew where its model cannot be used."""
        scorer = None
        if "model" in arrays:
            try:
                scorer = Scorer(from_text(arrays["model"].tobytes().decode(), "detector snapshot"))
            except ModelError as error:
                log.warning("a device learns anew", sensors=self.sensors, problem=str(error))
                return
            scorer.restore(arrays)
        self.scorer = scorer
        self._rows, self._next = arrays["taught"], int(arrays["next"][0])

    def _learn(self) -> None:
        rows = self._rows
        done = len(rows) >= self._learned
        try:
            model = (self._final if done else _robust)(self.sensors, rows, self.choice)
        except (ModelError, np.linalg.LinAlgError):  # too much is missing or constant as yet: learn on
            model = None
        if model is not None:
            self.scorer = Scorer(model)
            self.scorer.take(rows[-model.window :])
        if done and model is not None:
            self._next, self._rows = 0, rows[:0]
        elif done:
            self._rows = rows[len(rows) // 2 :]
            self._next = max(self._learned, len(rows))
        else:
            self._next = min(2 * self._next, self._learned)


def _robust(sensors: Sequence[str], rows: F8, choice: Choice) -> Model:
    return fit("robust", sensors, rows, choice)
