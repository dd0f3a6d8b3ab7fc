"""Known faults of mine_cooling and mine_dust found, and quality alerts that are none.

The faults come from ``known_faults``, which knows no detector. Parameters were chosen on the first half of
each recording (``chosen``); the second half judges (``judged``). A fault is found when an alert of its point,
or of its gateway, overlaps it. An alert that overlaps no known fault of its point or of most points is false;
it is told per point and month, the mean over the points and the worst point.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from minewatch.contracts import LimitTable, PointInfo, ReadingBatch
from minewatch.detect.catalogue import index
from minewatch.detect.engine import Engine
from minewatch.detect.gateways import CLOCK, Gateways
from minewatch.detect.settings import DetectSettings
from tests.bench.known_faults import Fault, Recording, cooling, dust, faults

S = 1_000_000_000
START = 1_700_000_000 * S
MONTH_S = 365.25 / 12 * 86400
QUANTITIES = {"U": ("valve", "%"), "H": ("humidity", "%"), "T": ("temperature", "°C"), "L": ("level", "%")}
SHARE = 0.4  # as rules/signal.toml has it
SHOW = os.environ.get("SHOW") == "1"
Alert = tuple[str, int, int]  # column or "", first row, last row


def point(name: str, recording: Recording) -> PointInfo:
    """Return a column as its recording's map describes it: three rows are a normal interval."""
    quantity, unit = QUANTITIES.get(name[0] if name[1:2] == "_" else "", ("value", "1"))
    low, high = (0.0, 100.0) if quantity == "humidity" else (-math.inf, math.inf)
    return PointInfo(
        f"r/{name}", "r", "g", "d", name, quantity, unit, "z", low, high, (), 3.0 * recording.interval_s
    )


def alerts(recording: Recording) -> list[Alert]:
    """Return what the engine and the outages say over the whole recording, as rows."""
    names = list(recording.columns)
    table = np.array([recording.columns[name] for name in names])
    engine = Engine(DetectSettings())
    engine.add_points([point(name, recording) for name in names])
    n = len(names)
    zeros = np.zeros(n, np.int64)
    engine.set_limits(
        LimitTable(
            np.arange(n), np.arange(n, dtype=np.int32), np.full(n, index("gap"), np.uint16),
            np.zeros(n, np.uint8), np.full(n, 1.4 * 3 * recording.interval_s), np.zeros(n), zeros, zeros,
        )
    )  # fmt: skip
    gateways = Gateways()
    gateways.set_points(engine.points)
    bad = np.zeros(table.shape, np.bool_)
    open_: dict[str, int] = {}
    found: list[Alert] = []
    step = 5 if recording.interval_s < 300 else 1
    for begin in range(0, table.shape[1], step):
        part = table[:, begin : begin + step]
        p, i = np.nonzero(~np.isnan(part))
        ts = START + (begin + i) * recording.interval_s * S
        findings = engine.step(
            ReadingBatch(
                p.astype(np.int32), ts, part[p, i], np.zeros(len(p), np.uint8), np.zeros(len(p), bool)
            )
        )
        bad[p, begin + i] = findings.quality > 0
        # a service's clock ticks on: the last tick before the next row is what it would have said by then
        now = START + (begin + part.shape[1]) * recording.interval_s * S - S
        moved = findings.transitions
        told = [(moved.key, moved.active, moved.since_ns)]
        silent = engine.tick(now)
        told.append((silent.key, silent.active, silent.since_ns))
        for keys, actives, _ in told:
            for key, active in zip(keys.tolist(), actives.tolist(), strict=True):
                if active:
                    open_[names[key]] = begin
                elif names[key] in open_:
                    found.append((names[key], open_.pop(names[key]), begin))
        for said in gateways.look(engine.state.point, now):
            if said.detector == CLOCK:
                continue
            if said.value[0] >= SHARE:
                open_.setdefault(str(said.detector), begin)
            elif str(said.detector) in open_:
                found.append(("", open_.pop(str(said.detector)), begin))
    for row, name in enumerate(names):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], bad[row].astype(np.int8), [0]])))
        found += [(name, int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
    return found


def rest_began(values: list[float], row: int) -> int:
    """Return where the rest that holds a row began: an alert is about all of it."""
    while row > 0 and values[row - 1] == values[row]:
        row -= 1
    return row


def judge(recording: Recording, known: list[Fault], found: list[Alert], half: str) -> None:
    """Print the figures of one half of a recording."""
    rows = len(next(iter(recording.columns.values())))
    low, high = (0, rows // 2) if half == "chosen" else (rows // 2, rows)
    spread = [(c, rest_began(recording.columns[c], a) if c else a, b) for c, a, b in found]
    mine = [f for f in known if low <= f.first < high]
    missed = [
        f
        for f in mine
        if not any(c in ("", f.column) and a <= f.last + 2 and b >= f.first for c, a, b in spread)
    ]
    wrong = [
        (c, a, b)
        for c, a, b in spread
        if low <= b < high
        and not any((c == "" or f.column in ("", c)) and a <= f.last + 2 and b >= f.first for f in known)
    ]
    months = (high - low) * recording.interval_s / MONTH_S
    each = [sum(c == name for c, _, _ in wrong) for name in ("", *recording.columns)]
    name = f"accuracy.quality.{recording.name}.{half}"
    print(f"{name}.known {len(mine)} faults")
    print(f"{name}.missed {len(missed)} faults")
    print(f"{name}.false {len(wrong)} alerts")
    print(f"{name}.false_mean {len(wrong) / len(recording.columns) / months:.3f} 1/point/month")
    print(f"{name}.false_worst {max(each) / months:.3f} 1/point/month")
    if SHOW:
        for fault in missed:
            print("missed", fault)
        for alert in wrong:
            print("false", alert)


def main() -> None:
    """Print every figure, or why there is none."""
    folder = Path(os.environ.get("MINEWATCH_DATA", "../shared/data"))
    if not (folder / "mine_cooling").is_dir():
        print(f"accuracy.quality skipped: no recordings in {folder}; set MINEWATCH_DATA")
        return
    for recording in (dust(folder), cooling(folder)):
        known = faults(recording)
        found = alerts(recording)
        for half in ("chosen", "judged"):
            judge(recording, known, found, half)


if __name__ == "__main__":
    main()
