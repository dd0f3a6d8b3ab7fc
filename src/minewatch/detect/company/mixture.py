"""Gases that act together in one zone: the sum of the shares that they take of their limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minewatch.contracts import F8, Text
from minewatch.detect.company.neighbours import Sensor, judged
from minewatch.detect.company.scorer import Scored
from minewatch.detect.kernels.mixture import walk_mixture
from minewatch.detect.parcel import Arrays


class Mixture:
    """Meters of gases that act together; ``gas`` is the place of each meter's gas in ``limits``."""

    def __init__(self, sensors: Sequence[Sensor], gas: Sequence[int], limits: Sequence[float]) -> None:
        self.sensors = tuple(sensors)
        self._gas, self._limits = np.array(gas, np.int64), np.array(limits, np.float64)

    def take(self, rows: F8) -> Scored:
        """Score rows (n, meters), NaN for what was not measured."""
        n, k = rows.shape
        statistic, share, off = np.empty(n), np.empty((n, k)), np.empty((n, k))
        walk_mixture(np.ascontiguousarray(rows), self._gas, self._limits, statistic, share, off)
        return judged(statistic, share, off)

    def reason(self, share: F8, off: F8, row: F8) -> Text:
        """Say what share of its limit each gas takes, and which were not measured."""
        parts = [
            f"{self.sensors[j].name} {self.sensors[j].amount(float(row[j]))} ({share[j]:.0%})"
            for j in np.argsort(-share, kind="stable").tolist()
            if share[j] > 0
        ]
        known = {int(g) for g, x in zip(self._gas, row, strict=True) if np.isfinite(x)}
        missing = [s.name for s, g in zip(self.sensors, self._gas.tolist(), strict=True) if g not in known]
        said, silent, total = ", ".join(parts), ", ".join(missing), f"{share.sum():.3g}"
        return Text(
            kk=f"Газдар бірге әсер етеді, шектеріне қатынастарының қосындысы {total}: {said}"
            + (f"; өлшенбеді: {silent}." if silent else "."),
            ru=f"Газы действуют вместе, сумма их отношений к пределам {total}: {said}"
            + (f"; не измерены: {silent}." if silent else "."),
            en=f"Gases act together, their shares of the limits add up to {total}: {said}"
            + (f"; not measured: {silent}." if silent else "."),
        )

    def state(self) -> Arrays:
        """Return what is remembered: nothing, each row stands by itself."""
        return {}

    def restore(self, arrays: Arrays) -> None:
        """Go on where a snapshot stood."""
