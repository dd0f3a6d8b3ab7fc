"""Figures of the telemetry store, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Histogram

from minewatch.contracts import Written

UNKNOWN_POINT = "unknown point"

ROWS = Counter("minewatch_store_telemetry_rows", "Rows the telemetry store took.", ["store", "table"])
REJECTED = Counter(
    "minewatch_store_telemetry_rejected",
    "Rows the telemetry store did not take, by reason.",
    ["store", "reason"],
)
FAILURES = Counter(
    "minewatch_store_telemetry_failures",
    "Calls that failed: busy (to be repeated) or error (somebody must act).",
    ["store", "kind"],
)
WRITE_SECONDS = Histogram(
    "minewatch_store_telemetry_write_seconds",
    "Time of one write of readings, until it is on disk or the server has answered.",
    ["store"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


def written(
    store: str, table: str, accepted: int, unknown: int, others: Mapping[str, int] | None = None
) -> Written:
    """Count a hand-over and return its answer; ``unknown`` rows were of points never announced."""
    ROWS.labels(store, table).inc(accepted)
    reasons = {UNKNOWN_POINT: unknown, **(others or {})}
    reasons = {reason: rows for reason, rows in reasons.items() if rows}
    for reason, rows in reasons.items():
        REJECTED.labels(store, reason).inc(rows)
    return Written(accepted, sum(reasons.values()), reasons)
