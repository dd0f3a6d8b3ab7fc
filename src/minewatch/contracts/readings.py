"""The hot path: readings, what detectors make of them, limits; numpy columns of equal length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from minewatch.contracts.alerts import Text

from minewatch.contracts.evidence import PlaceEvidence
from minewatch.contracts.trials import TrialChange

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
    GOOD_HOLDOVER = 1  # stamped by a clock that goes on without its source, not long ago synchronised
    UNCERTAIN = 64
    UNCERTAIN_RANGE = 65  # outside the instrument's range: shown and checked against limits, fed to no model
    UNCERTAIN_STUCK = 66
    UNCERTAIN_CLOCK = 67
    UNCERTAIN_RATE = 68  # faster than the instrument can move
    BAD = 128
    BAD_SENTINEL = 129
    BAD_NOT_A_NUMBER = 130
    BAD_NO_SIGNAL = 131  # the driver says the device did not answer


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
class Note:
    """What a gateway tells beside readings: JSON with a ``kind``, as it came, under an id of its spool.

    ``spool`` indexes the sender's spools, as in Deliveries.
    """

    spool: int
    msg_id: int
    received_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Watermark:
    """What the store holds of one spool: every id up to ``upto``, and the ids in ``above``."""

    gateway: str
    spool: str
    upto: int
    above: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """One gateway's session, as the host side sees it.

    ``bd_seq`` is -1 where births give none; ``clock`` is what the gateway says of its own clock
    ("synchronised", "holdover", "unknown", "" = it does not say); ``problems`` are stable words.
    """

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
    births: int = 0
    bd_seq: int = -1
    duplicates: int = 0
    clock: str = ""
    spool_oldest_ns: int = 0
    points: int = 0
    problems: tuple[str, ...] = ()


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
    need: I4 | None = None  # readings beyond, of the last ``of``; None is 1 of 1
    of: I4 | None = None
    sigmas: F8 | None = None  # standard errors added to a rate of rise before it is judged; None is 0


@dataclass(frozen=True, slots=True)
class Transitions:
    """Limits that became active or inactive, sparse, in order.

    ``ts_ns`` is the reading that decided, ``since_ns`` when the condition began (the cause), ``value`` the
    statistic; ``why`` has words for each where a detector gives reasons, and else nothing.
    """

    key: I8
    ts_ns: I8
    since_ns: I8
    active: B1
    value: F8
    why: tuple[Text | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What one step of the engine found; ``quality`` has a row for each reading of the batch."""

    quality: U1
    transitions: Transitions
    scores: ScoreBatch
    trials: tuple[TrialChange, ...] = ()
    places: tuple[PlaceEvidence, ...] = ()
