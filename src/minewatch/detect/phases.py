"""The settings over time: one phase before the first change of them, and one from each change on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import B1, I4, I8
from minewatch.detect.settings import DetectSettings
from minewatch.detect.state import parameters
from minewatch.detect.trial_settings import signs


class Phases:
    """Settings by phase, also in the units of the kernels."""

    def __init__(self, settings: DetectSettings) -> None:
        self.settings = settings.phases()
        self.parameters = tuple(parameters(each) for each in self.settings)
        self.signs = tuple(signs(each.test_gas) for each in self.settings)
        self._starts_ns: I8 = np.array([change.from_ns for change in settings.changes], np.int64)

    def __len__(self) -> int:
        return len(self.settings)

    def at(self, ts_ns: int | NDArray[np.int64]) -> I4:
        """Return the phase of a time, or of each."""
        return np.searchsorted(self._starts_ns, ts_ns, side="right").astype(np.int32)

    def of_rows(self, point: I4, ts_ns: I8, doubted: B1, reached: I4) -> I4:
        """Return by which phase each row is judged: that of its time.

        No point goes back: a row that is late, or whose clock is doubted, is judged as its point is.
        ``reached`` is the phase of every point before these rows.
        """
        phase = np.maximum(np.where(doubted, np.int32(0), self.at(ts_ns)), reached[point])
        if len(phase) and phase.min() < phase.max():
            order = np.argsort(point, kind="stable")
            base = point[order].astype(np.int64) * len(self)
            phase[order] = np.maximum.accumulate(base + phase[order]) - base
        return phase
