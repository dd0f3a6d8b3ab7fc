"""The embedded store when the machine fails it: killed, out of disk, file in use, damaged or misplaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minewatch.contracts import PointInfo, ReadingBatch, Watermark
from minewatch.errors import StoreBusy, StoreError
from minewatch.store.duckdb import DuckdbTelemetry
from minewatch.store.telemetry_settings import DuckdbSettings

POINT = PointInfo("n/m/CH4", "n", "g", "m", "CH4", "methane", "% CH4", "z")
ROWS = 5_000

CHILD = f"""
import itertools, sys
from pathlib import Path
import numpy as np
from minewatch.contracts import PointInfo, ReadingBatch, Watermark
from minewatch.errors import StoreBusy
from minewatch.store.duckdb import DuckdbTelemetry
from minewatch.store.telemetry_settings import DuckdbSettings

def opened():
    store = DuckdbTelemetry(DuckdbSettings(file=Path(sys.argv[1]), threads=1))
    store.add_points({{0: PointInfo("n/m/CH4", "n", "g", "m", "CH4", "methane", "% CH4", "z")}})
    return store

def batch(i):
    noise = np.random.default_rng(i)  # hardly compresses, so that the file grows
    times = np.arange(i * {ROWS}, (i + 1) * {ROWS}) * 10**10 + noise.integers(0, 10**10, {ROWS})
    values = noise.random({ROWS})
    return ReadingBatch.of(np.zeros({ROWS}), times, values)

def write(store, i):
    store.write(batch(i), [Watermark("n/g", "spool", i)])
"""


def opened(file: Path) -> DuckdbTelemetry:
    """Open the store with the one point of these tests."""
    store = DuckdbTelemetry(DuckdbSettings(file=file))
    store.add_points({0: POINT})
    return store


def child(script: str, file: Path) -> subprocess.Popen[str]:
    """Start a process of its own that runs a script on the file."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", CHILD + script, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_kill_9_leaves_rows_and_watermarks_that_agree(tmp_path: Path) -> None:
    """Killed four times in the middle of writing, it holds all that was answered, and whole batches only."""
    file = tmp_path / "t.duckdb"
    script = """
store = opened()
held = store.watermarks()
for i in itertools.count(held[0].upto + 1 if held else 0):
    write(store, i)
    print(i)
"""
    for kill_after in (3, 1, 40, 17):
        process = child(script, file)
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(kill_after)][-1]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        store = opened(file)
        (mark,) = store.watermarks()
        counts = store.counts()
        store.close()
        assert mark.upto >= answered
        assert (counts.stored, counts.distinct) == ((mark.upto + 1) * ROWS,) * 2


@pytest.mark.parametrize(
    ("limit", "batches", "broken"), [(2_000_000, 30, "t.duckdb.wal"), (17_000_000, 320, "checkpoint")]
)
def test_a_full_disk_loses_and_doubles_nothing(tmp_path: Path, limit: int, batches: int, broken: str) -> None:
    """The log (small limit) or a checkpoint (large one) cannot grow: busy, then all goes on by itself."""
    script = f"""
import resource
store = opened()
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, -1))
refused = 0
for i in range({batches}):
    while True:
        try:
            write(store, i)
            break
        except StoreBusy as busy:
            refused += 1
            print("busy", busy)
            if refused == 3:
                resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
print("refused", refused, store.counts(), store.watermarks()[0].upto)
"""
    out, err = child(script, tmp_path / "t.duckdb").communicate()
    rows = batches * ROWS
    assert f"refused 3 Counts(stored={rows}, distinct={rows}) {batches - 1}" in out, out + err
    assert f"{tmp_path}/t.duckdb: the disk is full. Free some space" in out
    assert broken in out


def test_a_file_in_use_names_the_process(tmp_path: Path) -> None:
    """A second service on the same data is told who holds it and what to do."""
    file = tmp_path / "t.duckdb"
    process = child("store = opened(); print('open'); sys.stdin.read()", file)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    try:
        with pytest.raises(StoreError, match=rf"t\.duckdb: in use by pid {process.pid}\. .*another --data"):
            opened(file)
    finally:
        process.kill()
        process.communicate()
    opened(file).close()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """Bytes that are no database are named, left alone, and the mend is said."""
    file = tmp_path / "t.duckdb"
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match=r"t\.duckdb: the file is damaged\. Move it away or restore"):
        opened(file)
    assert file.stat().st_size == 14_000


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    """A block that changed on disk is found by its checksum when it is read, not taken for readings."""
    file = tmp_path / "t.duckdb"
    store = opened(file)
    store.write(ReadingBatch.of([0] * 300_000, range(300_000), [i * 0.37 for i in range(300_000)]))
    store.close()
    data = bytearray(file.read_bytes())
    data[40_000 : len(data) - 300_000] = b"\xa5" * (len(data) - 340_000)
    file.write_bytes(data)
    with pytest.raises(StoreError, match=r"t\.duckdb: the file is damaged"):
        opened(file).counts()


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    """What a full disk leaves behind at the first start does not stop the next one."""
    file = tmp_path / "t.duckdb"
    file.touch()
    store = opened(file)
    assert store.counts().stored == 0
    store.close()


def test_a_path_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A folder in place of the file, or a file in place of the folder, is named with the mend."""
    (tmp_path / "plain").write_text("")
    with pytest.raises(StoreError, match=r"plain/t\.duckdb: cannot be used\. Check the path"):
        opened(tmp_path / "plain" / "t.duckdb")
    with pytest.raises(StoreError, match="cannot be used"):
        opened(tmp_path)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    """A batch the database refuses is rolled back with its watermark, and the next write goes through."""
    store = opened(tmp_path / "t.duckdb")
    words = np.array([1.0, "x"], dtype=object)  # text where numbers belong
    torn = replace(ReadingBatch.of([0, 0], [1, 2], [1.0, 2.0]), value=words)
    with pytest.raises(StoreError):
        store.write(torn, [Watermark("n/g", "s", 1)])
    assert store.counts().stored == 0
    assert list(store.watermarks()) == []
    assert store.write(ReadingBatch.of([0], [1], [1.0]), [Watermark("n/g", "s", 2)]).accepted == 1
    assert [mark.upto for mark in store.watermarks()] == [2]
    store.close()


def test_a_query_beyond_the_memory_limit_is_busy_or_spills(tmp_path: Path) -> None:
    """Counting many distinct readings in 64 MiB gives the right number or says that memory is short."""
    store = DuckdbTelemetry(DuckdbSettings(file=tmp_path / "t.duckdb", memory_mb=64, threads=1))
    store.add_points({0: POINT})
    rows = 1_000_000
    store.write(ReadingBatch.of([0] * rows, range(rows), [0.0] * rows))
    try:
        assert store.counts().distinct == rows
    except StoreBusy as busy:
        assert "memory_mb" in str(busy)  # noqa: PT017 - either is right
    store.close()
