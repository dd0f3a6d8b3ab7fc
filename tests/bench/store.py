"""Figures of the telemetry stores, one `NAME VALUE UNIT` line each.

`python -m tests.bench.store [--rows N]` from the root of the project; N is the size of the large table.
The readings look like a mine's: 1 Hz with a few milliseconds of jitter, values with two decimals.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from minewatch.contracts import PointInfo, ReadingBatch, TelemetryStore, Watermark
from minewatch.store.telemetry import open_telemetry
from minewatch.store.telemetry_settings import DuckdbSettings, InfluxSettings, TelemetrySettings
from tests.servers import Absent, influxd

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000
POINTS = 230


def point(i: int) -> PointInfo:
    return PointInfo(f"n/d{i}/m", "n", "g", f"d{i}", "m", "methane", "% CH4", "z", interval_s=1.0)


def batches(rows: int, size: int, start_s: int = 0) -> Iterator[ReadingBatch]:
    """Yield `rows` readings in batches of about `size`, each second of all points after the other."""
    rng = np.random.default_rng(1)
    level = rng.normal(5, 2, POINTS)
    seconds = max(1, size // POINTS)
    n = min(size, POINTS) if size < POINTS else seconds * POINTS
    ids = np.tile(np.arange(POINTS, dtype=np.int32), seconds)[:n]
    offset = np.repeat(np.arange(seconds), POINTS)[:n]
    for batch in range(-(-rows // n)):
        second = start_s + batch * seconds + offset
        yield ReadingBatch(
            ids,
            T0 + second * S + rng.integers(0, 20, n) * 1_000_000,
            np.round(level[ids] + rng.normal(0, 0.1, n), 2),
            np.zeros(n, np.uint8),
            np.zeros(n, np.bool_),
        )


def show(name: str, value: float, unit: str) -> None:
    print(name, f"{value:.4g}" if value < 1000 else f"{value:.0f}", unit, flush=True)


def fill(store: TelemetryStore, rows: int, size: int) -> tuple[int, float, float]:
    """Write; return the rows, the seconds inside the store, the longest write."""
    spent, longest, written = 0.0, 0.0, 0
    for i, batch in enumerate(batches(rows, size)):
        begin = time.perf_counter()
        written += store.write(batch, [Watermark("n/g", "spool", i)]).accepted
        took = time.perf_counter() - begin
        spent, longest = spent + took, max(longest, took)
    return written, spent, longest


def best_ms(call: Callable[[], object], rounds: int = 7) -> float:
    """Return the median of several calls, in ms."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return float(np.median(times)) * 1e3


def duckdb(folder: Path, rows: int) -> None:
    for size, part in ((20_000, rows), (50_000, rows // 4), (2_000, rows // 20), (1_000, rows // 50)):
        file = folder / f"{size}.duckdb"
        settings = TelemetrySettings(duckdb=DuckdbSettings(file=file))
        store = open_telemetry(settings)
        store.add_points({i: point(i) for i in range(POINTS)})
        written, spent, longest = fill(store, part, size)
        show(f"store.duckdb.write_{size}", written / spent, "rows/s")
        show(f"store.duckdb.longest_write_{size}", longest * 1e3, "ms")
        store.close()
        show(f"store.duckdb.row_{size}", file.stat().st_size / written, "B/row")
        if part == rows:
            store = open_telemetry(settings)
            reads(store, written)
            store.close()
        file.unlink()


def reads(store: TelemetryStore, rows: int) -> None:
    """Ask for the last day of one point among all the others, and for the last minute of all."""
    end = T0 + rows // POINTS * S
    start = max(T0, end - 86_400 * S)
    show("store.duckdb.rows", rows, "rows")
    show("store.duckdb.bucket_readings", (end - start) // S, "readings")
    show("store.duckdb.buckets", best_ms(lambda: store.buckets(7, start, end, 1000)), "ms")
    show("store.duckdb.readings_1000", best_ms(lambda: store.readings(7, start, end, 1000)), "ms")
    show("store.duckdb.since_1_min", best_ms(lambda: list(store.since(end - 60 * S))), "ms")
    show("store.duckdb.counts", best_ms(store.counts, 1), "ms")


def influx(rows: int) -> None:
    try:
        with influxd.running() as server:
            address = f"http://127.0.0.1:{server.port}"
            store = open_telemetry(TelemetrySettings(kind="influxdb", influxdb=InfluxSettings(url=address)))
            store.add_points({i: point(i) for i in range(POINTS)})
            written, spent, _ = fill(store, rows, 20_000)
            show("store.influxdb.write_20000", written / spent, "rows/s")
            end = T0 + written // POINTS * S
            show("store.influxdb.buckets", best_ms(lambda: store.buckets(7, T0, end, 1000)), "ms")
            store.close()
    except Absent as absent:
        print("store.influxdb.write_20000 skipped:", absent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of the large table")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as folder:
        duckdb(Path(folder), rows)
    influx(rows // 20)
    return 0


if __name__ == "__main__":
    sys.exit(main())
