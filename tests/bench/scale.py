"""Print how the engine grows: pauses, memory, what ten times the sensors cost, and a snapshot under load.

Each size runs in a process of its own (``python -m tests.bench.scale SIZE``), so that memory is its own.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minewatch.alerts import packs
from minewatch.alerts.book import AlertBook
from minewatch.alerts.rules import RuleSet, load
from minewatch.alerts.settings import AlertSettings
from minewatch.app.pipeline import Pipeline
from minewatch.app.snapshot import Saver
from minewatch.contracts import PointInfo, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.engine import Engine
from minewatch.detect.kernels.forecast import FORECAST
from minewatch.detect.kernels.layout import LIMIT
from minewatch.detect.kernels.wear import WEAR
from minewatch.detect.settings import DetectSettings
from minewatch.testing import MemoryRecords, MemoryTelemetry
from tests.bench.detect import LIMITED, START, S, engine, rows

SIZES = (10_000, 100_000, 1_000_000)
BIRTH = 1_000  # sensors that come at once
KINDS = (("methane", "% CH4"), ("air_velocity", "m/s"), ("carbon_monoxide", "ppm"), ("temperature", "°C"))
OFTEN = 1_000  # readings of the one sensor for each of the others


def info(number: int, quantity: str = "methane", unit: str = "% CH4") -> PointInfo:
    """Return one of many sensors, in places of a hundred."""
    place = f"longwall-{number // 100}/face"
    return PointInfo(
        f"mine/device-{number}/value", "mine", "gateway-1", f"device-{number}", "value", quantity, unit,
        place, 0.0, 40.0, (-2.0,), 5.0, 0.01,
    )  # fmt: skip


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grow(until: int, made: Engine) -> float:
    """Add sensors to ``until`` and return the longest that one birth kept the processor, in seconds."""
    longest = 0.0
    for first in range(len(made.points), until, BIRTH):
        born = [info(first + k) for k in range(BIRTH)]
        began = time.process_time()
        made.add_points(born)
        made.step(ReadingBatch.of([first], [START], [0.5]))  # what waits behind the birth
        longest = max(longest, time.process_time() - began)
    return longest


def service_birth() -> float:
    """Return the longest that ``BIRTH`` points among 19,000 kept the service, in seconds."""
    rules = load(packs.paths(AlertSettings()), BY_NAME)
    book, records = AlertBook(), MemoryRecords()
    mine = Pipeline(DetectSettings(), rules, book, MemoryTelemetry(), records, now_ns=START)
    born = [info(k, *KINDS[k % len(KINDS)]) for k in range(19 * BIRTH + 3 * BIRTH)]
    mine.register(born[: 19 * BIRTH], START)
    longest = 0.0
    for first in range(19 * BIRTH, len(born), BIRTH):
        began = time.process_time()
        mine.register(born[first : first + BIRTH], START)
        longest = max(longest, time.process_time() - began)
    return longest


def bytes_of(quantity: str, unit: str, *more: np.dtype[np.void]) -> float:
    """Return the bytes of state a sensor with three limits, its own description and dear rows included."""
    made = Engine(DetectSettings())
    made.add_points([info(k, quantity, unit) for k in range(1000)])
    return len(made.snapshot()) / 1000 + 3 * LIMIT.itemsize + sum(kind.itemsize for kind in more)


def of_size(size: int) -> None:
    """Print what so many sensors cost."""
    Engine.warm_up()
    before = resident()
    made = engine(size, LIMITED[:3])
    spans = []
    for k in range(max(6, 500_000 // size)):
        batch = rows(np.arange(size), START + k * S, k)
        began = time.process_time()
        made.step(batch)
        spans.append(time.process_time() - began)
    print(f"step {min(spans[2:])}")
    print(f"memory {resident() - before}")
    flooded(made)
    spans = [
        (flooded(made), flooded(made, OFTEN)) for _ in range(3)
    ]  # in turn: the machine is not ours alone
    print(f"flood {min(more for _, more in spans) / min(quiet for quiet, _ in spans)}")


def flooded(made: Engine, often: int = 0) -> float:
    """Return the seconds of a reading of each sensor, one of them ``often`` times more."""
    at, size = int(made.last_ns().max()), len(made.points)
    spans = []
    for k in range(1, 3):
        one = [at + k * S + (1 + n) * S // (often + 1) for n in range(often)]
        each = rows(np.arange(size), at + k * S, k)
        batch = ReadingBatch.join([each, ReadingBatch.of([size // 2] * often, one, [0.5] * often)])
        began = time.process_time()
        made.step(batch)
        spans.append(time.process_time() - began)
    return min(spans)


def sizes() -> dict[int, dict[str, float]]:
    """Return what each size printed."""
    found = {}
    for size in SIZES:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.scale", str(size)], capture_output=True, text=True, check=True
        )
        found[size] = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}
    return found


def snapshot_under_load(size: int) -> tuple[float, float]:
    """Return how long the readings of so many sensors waited for a snapshot, and how long it took (s)."""
    records = MemoryRecords()
    mine = Pipeline(DetectSettings(), RuleSet(()), AlertBook(), MemoryTelemetry(), records, now_ns=START)
    mine.engine = engine(size, LIMITED[:3])
    mine.engine.step(rows(np.arange(size), START, 0))
    with tempfile.TemporaryDirectory() as folder:
        saver = Saver(mine, Path(folder) / "state.bin")
        began = time.perf_counter()
        saver.start(START)
        pause = time.perf_counter() - began
        saver.look(wait=True)
        return pause, time.perf_counter() - began


def main() -> None:
    """Print every figure."""
    # first: the collector of garbage would look through a million points of the figures below
    print(f"detect.scale.birth_of_1000.service {service_birth() * 1e3:.0f} ms")
    for name, of in (
        ("water", ("water_level", "m")),
        ("gas", ("methane", "% CH4")),
        ("machine", ("vibration", "mm/s", WEAR)),
        ("machine_foreseen", ("temperature", "°C", FORECAST)),
    ):
        print(f"detect.scale.state.{name} {bytes_of(*of):.0f} B")
    pause, took = snapshot_under_load(100_000)
    print(f"detect.scale.snapshot.100000.pause {pause * 1e3:.0f} ms")
    print(f"detect.scale.snapshot.100000.whole {took:.2f} s")
    found = sizes()
    for size in SIZES:
        print(f"detect.scale.step.{size} {found[size]['step'] / size * 1e9:.0f} ns/reading")
    for less, more in itertools.pairwise(SIZES):
        print(f"detect.scale.ten_times.{more} {found[more]['step'] / found[less]['step']:.2f} times")
    largest = found[SIZES[-1]]
    print(f"detect.scale.memory.{SIZES[-1]} {largest['memory'] / 1e9:.2f} GB")
    print(f"detect.scale.one_at_1000_times {largest['flood']:.3f} times")
    made = Engine(DetectSettings())
    grow(SIZES[0], made)
    print(f"detect.scale.birth_of_1000.to_{SIZES[-1]} {grow(SIZES[-1], made) * 1e3:.0f} ms")


if __name__ == "__main__":
    of_size(int(sys.argv[1])) if len(sys.argv) > 1 else main()
