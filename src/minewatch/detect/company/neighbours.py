"""Each meter against its neighbours, and airflow against gas: no fit, they learn as rows come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minewatch.contracts import F8, Text
from minewatch.detect.company.scorer import Scored
from minewatch.detect.kernels.airflow import walk_airflow
from minewatch.detect.kernels.neighbours import walk_neighbours
from minewatch.detect.parcel import Arrays


@dataclass(frozen=True, slots=True)
class Sensor:
    """What is said of a column: its name and its unit."""

    name: str
    unit: str = ""

    def amount(self, value: float) -> str:
        """Return a number with the unit."""
        return f"{value:.3g} {self.unit}".rstrip()


def judged(statistic: F8, share: F8, off: F8) -> Scored:
    """Return the score of a statistic over its threshold: s / (s + 1), 0 where it says nothing."""
    with np.errstate(invalid="ignore"):
        score = np.where(np.isnan(statistic), 0.0, statistic / (statistic + 1.0))
    return Scored(statistic, score, share, off)


class Neighbours:
    """Leave-one-out neighbours of one quantity in one zone."""

    DEFAULTS: Mapping[str, float] = {
        "memory": 600.0,
        "warm_up": 60.0,
        "half": 8.0,
        "clip": 4.0,
        "floor": 0.0,
    }

    def __init__(self, sensors: Sequence[Sensor], **parameters: float) -> None:
        self.sensors = tuple(sensors)
        self.parameters = {**self.DEFAULTS, **parameters}
        n = len(self.sensors)
        self.offset, self.spread, self.seen = np.zeros(n), np.zeros(n), np.zeros(n)

    def take(self, rows: F8) -> Scored:
        """Score rows (n, meters), NaN for what was not measured."""
        n, k = rows.shape
        statistic, share, off = np.empty(n), np.empty((n, k)), np.empty((n, k))
        p = self.parameters
        floor = max(p["floor"], 1e-9)
        walk_neighbours(
            np.ascontiguousarray(rows, np.float64), self.offset, self.spread, self.seen,
            p["memory"], p["warm_up"], p["half"], p["clip"], floor, statistic, share, off,
        )  # fmt: skip
        return judged(statistic, share, off)

    def state(self) -> Arrays:
        """Return what was learned, for a snapshot."""
        return {"offset": self.offset, "spread": self.spread, "seen": self.seen}

    def restore(self, arrays: Arrays) -> None:
        """Go on where a snapshot stood."""
        self.offset, self.spread, self.seen = (arrays[name].copy() for name in ("offset", "spread", "seen"))

    def reason(self, share: F8, off: F8, row: F8) -> Text:
        """Say which meter disagrees with how many others, and by how much."""
        j = int(np.abs(share).argmax())
        meter, above = self.sensors[j], off[j] > 0
        others = int(np.count_nonzero(share)) - 1
        by = meter.amount(abs(float(off[j])))
        return Text(
            kk=f"{meter.name} көршілерінің ({others}) айтқанынан {by} {'жоғары' if above else 'төмен'}.",
            ru=f"{meter.name} показывает на {by} {'больше' if above else 'меньше'}, чем"
            f" говорят соседи ({others}).",
            en=f"{meter.name} reads {by} {'above' if above else 'below'} what its {others} neighbours say.",
        )


class AirflowGas:
    """Air that falls while methane rises, in one zone; the first ``air`` sensors are air velocities."""

    DEFAULTS: Mapping[str, float] = {
        "memory": 600.0,
        "warm_up": 60.0,
        "fall": 0.3,
        "rise": 0.3,
        "least": 0.2,
    }

    def __init__(self, sensors: Sequence[Sensor], air: int, **parameters: float) -> None:
        self.sensors = tuple(sensors)
        self.air = air
        self.parameters = {**self.DEFAULTS, **parameters}
        n = len(self.sensors)
        self.usual, self.seen, self.last = np.zeros(n), np.zeros(n), np.full((n, 3), np.nan)

    def take(self, rows: F8) -> Scored:
        """Score rows (n, sensors), NaN for what was not measured."""
        n, k = rows.shape
        statistic, share, off = np.empty(n), np.empty((n, k)), np.empty((n, k))
        p = self.parameters
        walk_airflow(
            np.ascontiguousarray(rows, np.float64), self.air, self.usual, self.seen, self.last,
            p["memory"], p["warm_up"], p["fall"], p["rise"], p["least"], statistic, share, off,
        )  # fmt: skip
        return judged(statistic, share, off)

    def state(self) -> Arrays:
        """Return what was learned, for a snapshot."""
        return {"usual": self.usual, "seen": self.seen, "last": self.last}

    def restore(self, arrays: Arrays) -> None:
        """Go on where a snapshot stood."""
        self.usual, self.seen, self.last = (arrays[name].copy() for name in ("usual", "seen", "last"))

    def reason(self, share: F8, off: F8, row: F8) -> Text:
        """Say from what to what air fell and methane rose, and how many meters follow."""
        air = int(share[: self.air].argmin())
        gas = self.air + int(share[self.air :].argmax())
        follow = int((share[self.air :] >= 0.5).sum())
        fell, rose = self.sensors[air], self.sensors[gas]
        a0, a1 = fell.amount(float(row[air] - off[air])), fell.amount(float(row[air]))
        g0, g1 = rose.amount(float(row[gas] - off[gas])), rose.amount(float(row[gas]))
        meters = len(self.sensors) - self.air
        return Text(
            kk=f"Ауа {fell.name}: {a0} → {a1}, сонымен бірге метан {rose.name}: {g0} → {g1};"
            f" өсуде {follow}/{meters}.",
            ru=f"Скорость воздуха {fell.name} упала с {a0} до {a1}, а метан {rose.name} вырос с {g0} до {g1};"
            f" растут {follow} из {meters}.",
            en=f"Airflow at {fell.name} fell from {a0} to {a1} while methane at {rose.name} rose"
            f" from {g0} to {g1}; {follow} of {meters} meters rise.",
        )
