"""Whether a model still fits what it judges: rows beyond the range of its fit, and how often it alarms."""

from __future__ import annotations

import numpy as np

from minewatch.contracts import B1, F8, Text

LEVEL = 0.5  # a model that alarms half of the time says nothing
LEAST_ROWS = 600


class Drift:
    """Exponentially weighted shares over some rows; the statistic is 1 where the model has drifted."""

    def __init__(self, name: str, rows: int, most: float) -> None:
        self.name = name
        self._rows = rows
        self._bounds = np.array([most, LEVEL])
        self.begin()

    def begin(self) -> None:
        """Forget everything: another model judges from now on."""
        self.beyond = 0.0
        self.level = 0.0
        self._seen = 0

    @property
    def shares(self) -> F8:
        """The shares of rows beyond the fit and of rows that alarm; NaN while too few were judged."""
        if self._seen < min(self._rows, LEAST_ROWS):
            return np.full(2, np.nan)
        return np.array([self.beyond, self.level])

    @property
    def drifted(self) -> bool:
        """Whether the model no longer fits what it judges."""
        return bool(self.statistic(self.shares) >= 1.0)

    def statistic(self, shares: F8) -> F8:
        """Return the larger of both shares (..., 2), each over its bound."""
        found: F8 = np.max(shares / self._bounds, axis=-1)
        return found

    def note(self, beyond: B1, score: F8) -> F8:
        """Take note of rows in their order; return the shares (rows, 2) after each."""
        found = np.empty((len(beyond), 2))
        for i, (outside, value) in enumerate(zip(beyond.tolist(), score.tolist(), strict=True)):
            self._seen += 1
            rate = 1.0 / min(self._seen, self._rows)
            self.beyond += rate * (outside - self.beyond)
            self.level += rate * ((value >= 0.5) - self.level)
            found[i] = self.shares
        return found

    def reason(self, shares: F8) -> Text:
        """Say in words how far the model had drifted by these shares."""
        share, level = (f"{each:.0%}" for each in shares)
        return Text(
            kk=f"{self.name} моделі: соңғы жолдардың {share} оқыту ауқымынан тыс, {level} дабыл береді.",
            ru=f"Модель {self.name}: {share} последних строк вне диапазона обучения, {level} тревожны.",
            en=f"The model of {self.name}: {share} of the last rows lie beyond its fit and {level} alarm.",
        )

    def state(self) -> F8:
        """Return what is remembered, for a snapshot."""
        return np.array([self.beyond, self.level, self._seen], np.float64)

    def restore(self, array: F8) -> None:
        """Go on where a snapshot stood."""
        self.beyond, self.level, seen = array.tolist()
        self._seen = int(seen)
