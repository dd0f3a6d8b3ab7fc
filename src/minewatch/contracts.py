"""Every type and Protocol that crosses a room boundary.

The hot path is columnar (numpy arrays of equal length), the cold path is frozen dataclasses.
Times are integers in nanoseconds since 1970-01-01 UTC; a quantity carries its unit beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

I4: TypeAlias = NDArray[np.int32]
I8: TypeAlias = NDArray[np.int64]
F4: TypeAlias = NDArray[np.float32]
F8: TypeAlias = NDArray[np.float64]
U1: TypeAlias = NDArray[np.uint8]
U2: TypeAlias = NDArray[np.uint16]
B1: TypeAlias = NDArray[np.bool_]


class Quality(IntEnum):
    """OPC UA good / uncertain / bad in the two upper bits (OPC 10000-8, A.3), the reason in the lower six."""

    GOOD = 0
    UNCERTAIN = 64
    UNCERTAIN_RANGE = 65  # outside the instrument's range: shown and checked against limits, fed to no model
    UNCERTAIN_STUCK = 66
    UNCERTAIN_CLOCK = 67
    BAD = 128
    BAD_SENTINEL = 129
    BAD_NOT_A_NUMBER = 130
    BAD_NO_SIGNAL = 131  # the driver says the device did not answer


@dataclass(frozen=True, slots=True)
class Text:
    """A text a person reads, in the three languages of the house."""

    kk: str
    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class PointInfo:
    """One metric of one device, as its birth or a map describes it.

    ``place`` is its identity and path, ``site/device/metric`` unless a map says otherwise.
    ``interval_s`` is the longest time between two readings that is still normal; 0 = unknown.
    """

    place: str
    site: str
    gateway: str
    device: str
    metric: str
    quantity: str
    unit: str
    zone: str
    low: float = float("-inf")
    high: float = float("inf")
    sentinels: tuple[float, ...] = ()
    interval_s: float = 0.0
    resolution: float = 0.0
    calibration_due_ns: int = 0
    valid_from_ns: int = 0


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Readings as columns of equal length; ``point`` is the dense index the core gave the point."""

    point: I4
    ts_ns: I8
    value: F8
    quality: U1
    historical: B1

    def __len__(self) -> int:
        return len(self.point)

    @staticmethod
    def empty() -> ReadingBatch:
        """Return a batch of no readings."""
        return ReadingBatch.of([], [], [])

    @staticmethod
    def of(
        point: Sequence[int], ts_ns: Sequence[int], value: Sequence[float], *, historical: bool = False
    ) -> ReadingBatch:
        """Build a batch of good readings from plain sequences (tests, cold paths)."""
        n = len(point)
        return ReadingBatch(
            np.asarray(point, np.int32),
            np.asarray(ts_ns, np.int64),
            np.asarray(value, np.float64),
            np.zeros(n, np.uint8),
            np.full(n, historical, np.bool_),
        )

    def take(self, rows: I8 | B1) -> ReadingBatch:
        """Return the rows that an index or a mask selects."""
        return ReadingBatch(
            self.point[rows], self.ts_ns[rows], self.value[rows], self.quality[rows], self.historical[rows]
        )

    @staticmethod
    def join(batches: Sequence[ReadingBatch]) -> ReadingBatch:
        """Return the batches one after the other."""
        if not batches:
            return ReadingBatch.empty()
        if len(batches) == 1:
            return batches[0]
        return ReadingBatch(
            np.concatenate([b.point for b in batches]),
            np.concatenate([b.ts_ns for b in batches]),
            np.concatenate([b.value for b in batches]),
            np.concatenate([b.quality for b in batches]),
            np.concatenate([b.historical for b in batches]),
        )


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The messages a batch came in, in row order: message i brought the next ``rows[i]`` readings.

    ``spool`` indexes the sender's spools; ``msg_id`` is the spool id of a message, -1 where there is none.
    """

    spool: I4
    msg_id: I8
    rows: I4


@dataclass(frozen=True, slots=True)
class Watermark:
    """What the store holds of one spool: every id up to ``upto``, and the ids in ``above``."""

    gateway: str
    spool: str
    upto: int
    above: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """One gateway's session, as the host side sees it."""

    site: str
    gateway: str
    online: bool
    since_ns: int
    last_seen_ns: int
    clock_offset_ms: float = 0.0
    spool_rows: int = 0
    spool: str = ""
    spool_first: int = 0
    version: str = ""
    sequence_gaps: int = 0
    rebirths: int = 0
    interval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ScoreBatch:
    """What detectors say: score 0 usual .. 1 certain anomaly; ``evidence`` is the statistic behind it."""

    point: I4
    ts_ns: I8
    detector: U2
    score: F4
    evidence: F8


class Comparison(IntEnum):
    """How a limit compares a detector's statistic with its threshold."""

    ABOVE = 0  # >
    AT_OR_ABOVE = 1  # >=
    BELOW = 2  # <
    AT_OR_BELOW = 3  # <=


@dataclass(frozen=True, slots=True)
class LimitTable:
    """Limits bound to points, sorted by point; ``key`` names (rule, point) for life.

    ``deadband`` is how far the statistic must come back inside before the limit is no longer active.
    """

    key: I8
    point: I4
    detector: U2
    comparison: U1
    threshold: F8
    deadband: F8
    on_delay_ns: I8
    off_delay_ns: I8


@dataclass(frozen=True, slots=True)
class Transitions:
    """Limits that became active or inactive, sparse, in order.

    ``ts_ns`` is the reading that decided, ``since_ns`` when the condition began (the cause), ``value`` the
    statistic.
    """

    key: I8
    ts_ns: I8
    since_ns: I8
    active: B1
    value: F8


@dataclass(frozen=True, slots=True)
class Findings:
    """What one step of the engine found; ``quality`` has a row for each reading of the batch."""

    quality: U1
    transitions: Transitions
    scores: ScoreBatch


class AlertState(StrEnum):
    """ISA-18.2 / IEC 62682 states that an alert goes through."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned-unacknowledged"


class EventKind(StrEnum):
    """Every transition and remark in the life of an alert."""

    RAISED = "raised"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    COMMENTED = "commented"


@dataclass(frozen=True, slots=True)
class Alert:
    """One activation of a rule at a place, as it stands now; ``row`` is its last row in the journal."""

    id: str
    rule: str
    place: str
    site: str
    zone: str
    quantity: str
    priority: int
    paged: bool
    state: AlertState
    active: bool
    raised_ns: int
    changed_ns: int
    value: float
    unit: str
    limit: float
    detector: str
    message: Text
    why: Text
    citation: str
    verified: bool
    retrospective: bool = False
    acknowledged_by: str = ""
    row: int = 0


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One row of the journal. ``key`` makes it idempotent: (alert, kind, cause) or the caller's own key."""

    key: str
    event: EventKind
    alert: Alert
    time_ns: int
    service_ns: int
    actor: str
    gateway_ns: int = 0
    comment: str = ""
    row: int = 0
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """What was not taken: from which topic or file, a stable word for why, and what was wrong with it.

    ``source`` and ``detail`` come from outside: a store keeps at most 200 printable characters of each.
    """

    time_ns: int
    source: str
    reason: str
    detail: str
    row: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asks of an alert: ``acknowledge`` or ``comment``."""

    name: str
    alert: str
    actor: str
    comment: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Filters of the alert list; empty means any. Without ``history`` only what is not normal."""

    states: tuple[AlertState, ...] = ()
    priorities: tuple[int, ...] = ()
    zone: str = ""
    place: str = ""
    rule: str = ""
    from_ns: int = 0
    to_ns: int = 0
    text: str = ""
    history: bool = False
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class SystemState:
    """How the parts are; ``problems`` maps a part (ingest, core, store, ...) to what is wrong with it."""

    ready: bool
    problems: Mapping[str, str]
    gateways: tuple[GatewayInfo, ...]
    telemetry: str
    time_ns: int
    metrics: str = ""  # Prometheus text of core and ingest


@dataclass(frozen=True, slots=True)
class Push:
    """What the core hands to serve as it happens; ``latest`` holds one row per point that changed."""

    time_ns: int
    events: tuple[AlertEvent, ...] = ()
    latest: ReadingBatch | None = None
    state: SystemState | None = None


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

    The newest 10,000 rejects are kept. ``reject`` is a transaction of its own that need not be on the disk
    when it returns, and gives up soon when another process holds the store: it never delays an ``append``.
    """

    def append(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]: ...
    def alert(self, alert_id: str) -> Alert: ...
    def alerts(self, query: AlertQuery) -> tuple[Sequence[Alert], str]: ...
    def events(self, *, alert_id: str = "", after: int = 0, limit: int = 100) -> Sequence[AlertEvent]: ...
    def event_by_key(self, key: str) -> AlertEvent | None: ...
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
