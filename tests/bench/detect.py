"""Print what the detectors cost: ``NAME VALUE UNIT`` a line. Best of several runs, one thread."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from minewatch.contracts import LimitTable, PointInfo, ReadingBatch
from minewatch.detect.catalogue import index
from minewatch.detect.engine import Engine
from minewatch.detect.kernels.change import change_rows
from minewatch.detect.kernels.forecast import begin, forecaster_of, foresee_series
from minewatch.detect.kernels.layout import Chart
from minewatch.detect.kernels.wear import WEAR, assess_series
from minewatch.detect.kernels.wear import begin as begin_wear
from minewatch.detect.settings import DetectSettings

S = 1_000_000_000
START = 1_700_000_000 * S
LIMITED = ("value", "mean-15min", "rate-of-rise", "cusum", "gap")
TIERS = ("value", "mean-15min", "rate-of-rise", "cusum", "novelty", "forecast")  # 1 to 5; 1 is in each


def best(run: Callable[[], object], times: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the shortest of several runs in seconds."""
    spans = []
    for _ in range(times):
        began = clock()
        run()
        spans.append(clock() - began)
    return min(spans)


def chart_ns(sensors: int, seen: int = 600, step: int = 1) -> float:
    """Return ns a reading of the change chart (memory 600), sensors ``step`` apart, each with ``seen``.

    The engine judges reading by reading, whatever the order: as here with a ``step`` above 1.
    """
    chart = Chart(*(np.zeros(sensors, kind) for kind in ("f8", "f4", "f4", "f4", "f4", "f4", "f4", "f4")))
    chart.floor[:] = 0.01
    point = np.arange(0, sensors, step, dtype=np.int32)
    values = np.random.default_rng(1).normal(1, 0.1, (8, len(point)))
    z, cusum = np.empty((2, len(point)), np.float32)

    def run() -> None:
        for value in values:
            change_rows(chart, point, value, 600.0, 60.0, 4.0, 0.5, 32.0, z, cusum)

    run()
    chart.seen[:] = seen
    rounds = max(1, 125_000 // sensors)

    def many() -> None:
        for _ in range(rounds):
            run()

    return best(many, 60 if sensors <= 100_000 else 10, time.thread_time) / (rounds * 8 * len(point)) * 1e9


def forecast_ns(step_s: float, horizon_s: float, helpers: int) -> float:
    """Return ns a reading of one forecast."""
    n = 100_000
    noise = np.random.default_rng(1).normal(0, 0.02, (n, 1 + helpers)).cumsum(0)
    ts = (np.arange(n) * step_s * 1e9).astype(np.int64)
    value, others = np.ascontiguousarray(noise[:, 0]), np.ascontiguousarray(noise[:, 1:])
    out = np.empty((n, 4))
    rows = np.zeros(1, forecaster_of(helpers))

    def run() -> None:
        begin(rows, round(horizon_s * 1e9), 0.9, True)
        foresee_series(rows[0], ts, value, others, out)

    run()
    return best(run, 5, time.thread_time) / n * 1e9


def wear_ns() -> float:
    """Return ns a reading of one machine's wear."""
    n = 1_000_000
    value = np.random.default_rng(1).normal(2, 0.1, n)
    ts = np.arange(n) * S
    out = np.empty((n, 3))
    rows = np.zeros(1, WEAR)

    def run() -> None:
        begin_wear(rows, 3600 * S)
        assess_series(rows[0], ts, value, 6.0, out)

    run()
    return best(run, 5, time.thread_time) / n * 1e9


def engine(points: int, detectors: Sequence[str]) -> Engine:
    """Return an engine of so many points with a limit on each of the detectors, none of them active."""
    made = Engine(DetectSettings())
    info = [
        PointInfo(f"s/d/{p}", "s", "g", "d", str(p), "methane", "% CH4", "z", 0.0, 40.0, (-2.0,), 5.0, 0.01)
        for p in range(points)
    ]
    made.add_points(info)
    limits = len(detectors)
    n = points * limits
    made.set_limits(
        LimitTable(
            key=np.arange(n),
            point=np.repeat(np.arange(points, dtype=np.int32), limits),
            detector=np.tile(np.array([index(name) for name in detectors], np.uint16), points),
            comparison=np.zeros(n, np.uint8),
            threshold=np.full(n, 1e5),
            deadband=np.full(n, 0.05),
            on_delay_ns=np.zeros(n, np.int64),
            off_delay_ns=np.full(n, 30 * S),
        )
    )
    return made


def rows(points: np.ndarray, at: int, seed: int) -> ReadingBatch:
    """Return a reading of each point."""
    n = len(points)
    value = np.random.default_rng(seed).normal(0.6, 0.05, n)
    return ReadingBatch(
        points.astype(np.int32), np.full(n, at), value, np.zeros(n, np.uint8), np.zeros(n, np.bool_)
    )


def grouped(points: int, each: int, detectors: Sequence[str]) -> float:
    """Return readings a second, batches grouped by point ``each`` readings of a point in a row."""
    made = engine(points, detectors)
    batches = []
    for k in range(8):
        batch = rows(np.repeat(np.arange(points), each), 0, k)
        ts = START + (np.tile(np.arange(each), points) + each * k) * S
        batches.append(ReadingBatch(batch.point, ts, batch.value, batch.quality, batch.historical))
    spans = []
    for batch in batches:
        began = time.perf_counter()
        made.step(batch)
        spans.append(time.perf_counter() - began)
    return points * each / min(spans[2:])


def shuffled(points: int) -> float:
    """Return readings a second, one reading of each point a batch, points in random order."""
    made = engine(points, LIMITED[:3])
    order = np.random.default_rng(0).permutation(points)
    spans = []
    for k in range(10):
        batch = rows(order, START + k * S, k)
        began = time.perf_counter()
        made.step(batch)
        spans.append(time.perf_counter() - began)
    return points / min(spans[2:])


def step_us(size: int) -> float:
    """Return microseconds of one step of so many rows."""
    made = engine(size, LIMITED[:3])
    batches = [rows(np.arange(size), START + k * S, k) for k in range(300)]
    for batch in batches[:20]:
        made.step(batch)
    spans = []
    for batch in batches[20:]:
        began = time.perf_counter()
        made.step(batch)
        spans.append(time.perf_counter() - began)
    return float(np.median(spans)) * 1e6


def main() -> None:
    """Print every figure."""
    began = time.perf_counter()
    Engine.warm_up()
    print(f"detect.warm_up {time.perf_counter() - began:.2f} s")
    for sensors in (10_000, 100_000, 1_000_000, 4_000_000):
        print(f"detect.change.{sensors} {chart_ns(sensors):.2f} ns/reading")
    print(f"detect.change.learning {chart_ns(100_000, 0):.2f} ns/reading")
    print(f"detect.change.one_by_one {chart_ns(10_000, step=3):.2f} ns/reading")
    print(f"detect.forecast.1s_ahead_600s {forecast_ns(1, 600, 0):.0f} ns/reading")
    print(f"detect.forecast.30s_ahead_180s {forecast_ns(30, 180, 0):.0f} ns/reading")
    print(f"detect.forecast.30s_ahead_180s_5_helpers {forecast_ns(30, 180, 5):.0f} ns/reading")
    print(f"detect.forecast.state {forecaster_of(0).itemsize} B")
    print(f"detect.wear {wear_ns():.0f} ns/reading")
    print(f"detect.wear.state {WEAR.itemsize} B")
    print(f"detect.engine.1000x200 {grouped(1000, 200, LIMITED[:3]) / 1e6:.2f} M/s")
    print(f"detect.engine.20000x10 {grouped(20_000, 10, LIMITED[:3]) / 1e6:.2f} M/s")
    print(f"detect.tiers.1000x200 {grouped(1000, 200, TIERS) / 1e6:.2f} M/s")
    print(f"detect.engine.20000x1.random {shuffled(20_000) / 1e6:.2f} M/s")
    for size in (1, 100, 1000):
        print(f"detect.step.{size} {step_us(size):.0f} us")
    made = engine(10_000, LIMITED)
    made.step(rows(np.arange(10_000), START, 0))
    print(f"detect.tick.10000 {best(lambda: made.tick(START + S), 5) * 1e6:.0f} us")
    data = made.snapshot()
    print(f"detect.state.point {len(data) / 10_000:.0f} B")
    print(f"detect.snapshot.10000 {best(made.snapshot, 3) * 1e3:.1f} ms")
    print(f"detect.restore.10000 {best(lambda: engine(10_000, LIMITED).restore(data), 1) * 1e3:.1f} ms")


if __name__ == "__main__":
    sys.exit(main())
