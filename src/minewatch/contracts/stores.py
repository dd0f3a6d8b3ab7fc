"""What stores promise, and the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from minewatch.contracts.alerts import Alert, AlertEvent, AlertQuery, CalibrationQuery, Rejected
from minewatch.contracts.readings import F8, I8, PointInfo, ReadingBatch, ScoreBatch, Watermark


@dataclass(frozen=True, slots=True)
class Buckets:
    """Readings of one point in equal time buckets; empty buckets have count 0 and NaN values."""

    start_ns: I8
    low: F8
    high: F8
    mean: F8
    count: I8
    coverage: float


@dataclass(frozen=True, slots=True)
class Written:
    """The answer to every hand-over: what was taken, what was not, and why not."""

    accepted: int
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a telemetry store holds, counted by a query; ``distinct`` counts (point, time)."""

    stored: int
    distinct: int


class TelemetryStore(Protocol):
    """Readings and scores, written by one process.

    Raises StoreBusy (the same call may go through later) or StoreError (somebody must act).
    ``write`` keeps batch and watermarks in one transaction; ``since`` yields live readings in time order;
    ``readings`` and ``buckets`` may be called from another thread while ``write`` runs.
    """

    def add_points(self, points: Mapping[int, PointInfo]) -> None: ...
    def write(self, batch: ReadingBatch, watermarks: Sequence[Watermark] = ()) -> Written: ...
    def write_scores(self, scores: ScoreBatch, names: Sequence[str]) -> Written: ...
    def write_events(self, events: Sequence[AlertEvent]) -> Written: ...
    def watermarks(self) -> Sequence[Watermark]: ...
    def readings(self, point: int, from_ns: int, to_ns: int, limit: int) -> ReadingBatch: ...
    def buckets(self, point: int, from_ns: int, to_ns: int, buckets: int) -> Buckets: ...
    def since(self, ts_ns: int) -> Iterator[ReadingBatch]: ...
    def counts(self) -> Counts: ...
    def close(self) -> None: ...


class RecordStore(Protocol):
    """Alerts, journal, points, rejects: small, transactional, read by any process.

    ``calibrations`` has one row of each test, the last one, newest first; ``announced`` the last row about
    each place whose test was announced since a time of the service, oldest first.
    The newest 10,000 rejects are kept. ``reject`` is a transaction of its own that need not be on the disk
    when it returns, and gives up soon when another process holds the store: it never delays an ``append``.
    """

    def append(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]: ...
    def alert(self, alert_id: str) -> Alert: ...
    def alerts(self, query: AlertQuery) -> tuple[Sequence[Alert], str]: ...
    def events(self, *, alert_id: str = "", after: int = 0, limit: int = 100) -> Sequence[AlertEvent]: ...
    def event_by_key(self, key: str) -> AlertEvent | None: ...
    def calibrations(self, query: CalibrationQuery) -> tuple[Sequence[AlertEvent], str]: ...
    def announced(self, since_ns: int) -> Sequence[AlertEvent]: ...
    def save_points(self, points: Mapping[int, PointInfo]) -> None: ...
    def points(self) -> Mapping[int, PointInfo]: ...
    def reject(self, rows: Sequence[Rejected]) -> None: ...
    def rejects(self, *, after: int = 0, limit: int = 100) -> Sequence[Rejected]: ...
    def verify(self) -> int: ...
    def close(self) -> None: ...


class Clock(Protocol):
    """The only source of time; everything else is told the time."""

    def now_ns(self) -> int: ...
    def monotonic_ns(self) -> int: ...
