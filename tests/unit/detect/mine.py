"""A small mine for the tests of this room: points, limits, rows."""

import numpy as np

from minewatch.contracts import LimitTable, PointInfo, ReadingBatch
from minewatch.detect.settings import DetectSettings

S = 1_000_000_000
START = 1_700_000_000 * S
SETTINGS = DetectSettings(
    memory_readings=40,
    warm_up_readings=10,
    coverage=0.1,
    shift_least_s=60,
    stuck_after_s=100,
    novelty_memory_readings=150,
    novelty_memory_s=300,
    novelty_warm_up_readings=10,
    novelty_warm_up_s=60,
    novelty_gate_readings=10,
    novelty_gate_s=20,
    novelty_floor=0.001,
    novelty_floor_steps=5,
    robust_readings=15,
    level_window_s=24,
    forecast_horizon_s=20,
    wear_baseline_s=30,
    frozen_least_s=20,
    frozen_least_readings=3,
    frozen_warm_up_rests=5,
    saturated_after_s=30,
    ambient_least_s=10,
    ambient_memory_h=5,
    ambient_free_h=1,
)


def point(name, **fields):
    """Return a methane point that reports every five seconds."""
    given = {"low": 0.0, "high": 40.0, "sentinels": (-2.0,), "interval_s": 5.0, "resolution": 0.01} | fields
    return PointInfo(f"s/d/{name}", "s", "g", "d", name, "methane", "% CH4", "z", **given)


def limits(*rows):
    """Return a table of (key, point, detector, threshold[, comparison, deadband, on_delay_s, off_s])."""
    full = [(*row, *(0, 0.0, 0, 0)[len(row) - 4 :]) for row in rows]
    full.sort(key=lambda row: row[1])
    key, at, detector, threshold, comparison, deadband, on, off = (
        zip(*full, strict=True) if full else [()] * 8
    )
    return LimitTable(
        key=np.array(key, np.int64),
        point=np.array(at, np.int32),
        detector=np.array(detector, np.uint16),
        comparison=np.array(comparison, np.uint8),
        threshold=np.array(threshold, np.float64),
        deadband=np.array(deadband, np.float64),
        on_delay_ns=np.array(on, np.int64) * S,
        off_delay_ns=np.array(off, np.int64) * S,
    )


def batch(rows):
    """Return rows of (point, time, value[, quality]) as a batch."""
    made = ReadingBatch.of([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    made.quality[:] = [r[3] if len(r) > 3 else 0 for r in rows]
    return made


def told(transitions):
    """Return transitions as plain tuples (key, ts, since, active, value)."""
    columns = (
        transitions.key,
        transitions.ts_ns,
        transitions.since_ns,
        transitions.active,
        transitions.value,
    )
    return list(zip(*(c.tolist() for c in columns), strict=True))
