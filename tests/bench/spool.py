"""Figures of the gateway's spool: rows a second committed and drained, waiting for the disk and not."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from minewatch_edge.rows import Columns, NewRow
from minewatch_edge.spool import Spool, SpoolLimits, SpoolPoint

READINGS = 50  # of a row
AT_ONCE = 10  # rows of a commit, as at 10,000 readings a second and 20 ms
ROWS = {"normal": 40_000, "full": 10_000}
S = 1_000_000_000


def row(number: int) -> NewRow:
    times = [number * 20] * READINGS
    return NewRow(
        "d", Columns(range(READINGS), times, [number + i / 64 for i in range(READINGS)], [192] * READINGS)
    )


def measure(path: Path, sync: str) -> None:
    spool = Spool(path, SpoolLimits(full_sync=sync == "full"), boot="bench")
    spool.open([SpoolPoint("d", f"m{i}", "{}") for i in range(READINGS)])
    total = ROWS[sync]
    rows = [row(i) for i in range(total)]
    began = time.perf_counter()
    for at in range(0, total, AT_ONCE):
        spool.append(rows[at : at + AT_ONCE], at * S // 50)
    spent = time.perf_counter() - began
    print(f"edge.spool.append_{sync} {total / spent:.0f} rows/s", flush=True)
    print(f"edge.spool.append_{sync}_readings {total * READINGS / spent:.0f} readings/s", flush=True)
    print(f"edge.spool.bytes_{sync} {spool.figures()[0] / total / READINGS:.1f} B/reading", flush=True)
    began, cursor = time.perf_counter(), 0
    while found := spool.unacknowledged(cursor, 100):
        cursor = found[-1].id
        spool.acknowledge(spool.identity, cursor)
    spent = time.perf_counter() - began
    print(f"edge.spool.drain_{sync} {total / spent:.0f} rows/s", flush=True)
    spool.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for sync in ROWS:
            measure(Path(folder) / sync, sync)


if __name__ == "__main__":
    main()
