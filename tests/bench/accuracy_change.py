"""Print what the change chart's stated rate of false alarms comes to in simulated noise, and its delays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from minewatch.contracts import LimitTable, ReadingBatch
from minewatch.detect.catalogue import index
from minewatch.detect.engine import Engine
from minewatch.detect.run_length import threshold
from minewatch.detect.settings import DetectSettings
from tests.bench.accuracy_quality import point
from tests.bench.known_faults import Recording, cooling, dust
from tests.bench.run_length import (
    Bank,
    Noise,
    between_alarms,
    beyond,
    chart,
    delays,
    level,
    page_hinkley,
    robust,
)

TIES = (0.0, 0.5, 0.9)
SHIFTS = (1.0, 2.0, 3.0, 5.0)
SENSORS = 1000
FEWER = 200  # of the dear ones, judged one at a time
S = 1_000_000_000
SHIPPED = {"ewma": 8.0, "cusum": 24.0}  # rules/change.toml
CENTURY = {"ewma": 6.2, "cusum": 20.8}  # one in a hundred years of a reading a second, by the formulas
EQUAL = 10_000.0  # readings between false alarms at which delays are compared


def calibrated(tie: float) -> float:
    """Return the threshold at which the plain test has EQUAL readings between false alarms, by simulation."""
    low, high = 4.0, 150.0
    for _ in range(9):
        middle = (low + high) / 2
        found, _ = between_alarms(page_hinkley(SENSORS), Noise(SENSORS, tie, 1), middle, 15_000)
        low, high = (middle, high) if found < EQUAL else (low, middle)
    return high


def tell_delays(name: str, bank: Bank, tie: float, bar: float, shift: float, sensors: int = SENSORS) -> None:
    """Print how soon a shift is found, and by which share of sensors within 2,000 readings."""
    found = delays(bank, Noise(sensors, tie, 3), bar, shift, 2_000)
    stem = f"accuracy.change.delay.{name}.tie_{tie:g}.shift_{shift:g}"
    print(f"{stem}.median {np.median(found):.0f} readings" if np.isfinite(np.median(found)) else
          f"{stem}.median skipped: found by fewer than half")  # fmt: skip
    print(f"{stem}.found {np.isfinite(found).mean() * 100:.1f} %", flush=True)


def tell_robust() -> None:
    """Print the same of the robust z and of the level shift, a reading a block."""
    for name, bank in (("robust-z", robust), ("level-shift", level)):
        for wanted, steps in ((1e3, 3_000), (1e4, 20_000)):
            bar = threshold(name, wanted)
            for tie in TIES:
                found, alarms = between_alarms(bank(FEWER), Noise(FEWER, tie, 2), bar, steps)
                stem = f"accuracy.change.{name}.{wanted:.0f}.tie_{tie:g}"
                print(f"{stem}.measured_to_stated {found / wanted:.3f} x")
                print(f"{stem}.alarms {alarms} alarms", flush=True)
        for tie in TIES:
            for shift in SHIFTS:
                tell_delays(name, bank(FEWER), tie, threshold(name, EQUAL), shift, FEWER)


def tell_sureness() -> None:
    """Print in which share of windows without a rise a rate is called surely above 0."""
    for confidence, sigmas in ((95, 1.645), (99, 2.326)):
        for interval_s in (1, 5, 10):
            for tie in TIES:
                share = 100 * beyond(tie, interval_s, sigmas, 4000)
                stem = f"accuracy.change.rate.sure_{confidence}.every_{interval_s}s.tie_{tie:g}"
                print(f"{stem} {share:.1f} %", flush=True)


def crossings(recording: Recording, name: str, bar: float) -> int:
    """Return how often the limit of a shipped rule would begin at any column, its delays as shipped."""
    columns = {column: np.asarray(x, np.float64) for column, x in recording.columns.items()}
    engine = Engine(DetectSettings())
    engine.add_points([point(column, recording) for column in columns])
    n = len(columns)
    ewma = name == "ewma"
    engine.set_limits(
        LimitTable(
            np.arange(n), np.arange(n, dtype=np.int32), np.full(n, index(name), np.uint16),
            np.full(n, 0 if ewma else 1, np.uint8), np.full(n, bar), np.full(n, 2.0 if ewma else 8.0),
            np.full(n, (60 if ewma else 300) * S), np.full(n, 300 * S),
        )
    )  # fmt: skip
    began = 0
    for p, value in enumerate(columns.values()):
        (row,) = np.nonzero(~np.isnan(value))
        many = len(row)
        findings = engine.step(
            ReadingBatch(
                np.full(many, p, np.int32), row * recording.interval_s * S, value[row],
                np.zeros(many, np.uint8), np.zeros(many, np.bool_),
            )
        )  # fmt: skip
        began += int(findings.transitions.active.sum())
    return began


def tell_recordings() -> None:
    """Print how often real readings cross the limits; most of it is a level that was changed on purpose."""
    folder = Path(os.environ.get("MINEWATCH_DATA", "../shared/data"))
    if not folder.is_dir():
        print("accuracy.change.recordings skipped: no recordings")
        return
    for recording in (cooling(folder), dust(folder)):
        for name in ("ewma", "cusum"):
            for bars, said in ((SHIPPED, "shipped"), (CENTURY, "century")):
                found = crossings(recording, name, bars[name])
                print(f"accuracy.change.{recording.name}.{name}.{said} {found} crossings", flush=True)


def main() -> None:
    """Print every figure."""
    tell_recordings()
    tell_robust()
    tell_sureness()
    for name in ("ewma", "cusum"):
        for wanted, steps in ((1e3, 3_000), (1e4, 20_000), (1e5, 60_000)):
            bar = threshold(name, wanted)
            for tie in TIES:
                found, alarms = between_alarms(chart(SENSORS, name), Noise(SENSORS, tie, 2), bar, steps)
                stem = f"accuracy.change.{name}.{wanted:.0f}.tie_{tie:g}"
                print(f"{stem}.measured_to_stated {found / wanted:.2f} x")
                print(f"{stem}.alarms {alarms} alarms", flush=True)
    bar = threshold("cusum", EQUAL)
    for tie in TIES:
        plain = calibrated(tie)
        print(f"accuracy.change.page_hinkley.tie_{tie:g}.threshold {plain:.1f} sigmas")
        fixed, _ = between_alarms(page_hinkley(SENSORS), Noise(SENSORS, tie, 2), bar, 5_000)
        print(f"accuracy.change.page_hinkley.tie_{tie:g}.measured_to_stated {fixed / EQUAL:.4f} x")
        for shift in SHIFTS:
            tell_delays("cusum", chart(SENSORS, "cusum"), tie, bar, shift)
            tell_delays("page_hinkley", page_hinkley(SENSORS), tie, plain, shift)


if __name__ == "__main__":
    sys.exit(main())
