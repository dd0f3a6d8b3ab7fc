"""Whether a model still fits what it judges: rows beyond the range of its fit, and how often it alarms."""

from __future__ import annotations

import structlog

from minewatch.contracts import B1, F8, Text

log = structlog.get_logger(__name__)
LEVEL = 0.5  # a model that alarms half of the time says nothing


class Drift:
    """Exponentially weighted shares over some rows; told once when it begins and once when it ends."""

    def __init__(self, name: str, rows: int, most: float) -> None:
        self.name = name
        self.beyond = 0.0
        self.level = 0.0
        self.told = False
        self._rows = rows
        self._most = most
        self._seen = 0

    def note(self, beyond: B1, score: F8) -> None:
        """Take note of rows in their order."""
        for outside, value in zip(beyond.tolist(), score.tolist(), strict=True):
            self._seen += 1
            rate = 1.0 / min(self._seen, self._rows)
            self.beyond += rate * (outside - self.beyond)
            self.level += rate * ((value >= 0.5) - self.level)
        if self._seen < min(self._rows, 600):
            return
        drifted = self.beyond > self._most or self.level > LEVEL
        calm = self.beyond < self._most / 2 and self.level < LEVEL / 2
        if drifted and not self.told:
            self.told = True
            log.warning("a model has drifted", device=self.name, beyond=self.beyond, level=self.level)
        elif calm and self.told:
            self.told = False
            log.info("a model fits again", device=self.name)

    def reason(self) -> Text:
        """Say it in words; empty texts while the model fits."""
        if not self.told:
            return Text("", "", "")
        share, level = f"{self.beyond:.0%}", f"{self.level:.0%}"
        return Text(
            kk=f"{self.name} моделі ескірді: соңғы жолдардың {share} оқыту ауқымынан тыс,"
            f" {level} дабыл береді.",
            ru=f"Модель {self.name} устарела: {share} последних строк вне диапазона обучения,"
            f" {level} тревожны.",
            en=f"The model of {self.name} has drifted: {share} of the last rows lie beyond its fit and"
            f" {level} alarm. Fit it anew.",
        )
