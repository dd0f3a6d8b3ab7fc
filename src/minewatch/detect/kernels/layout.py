"""The state of all points, one row per point, and the constants that every kernel shares.

A kernel takes rows, not arrays: numba counts references of every array that is handed on, and that alone
cost more than the detectors.

``LAYOUT`` is the version of these rows in a snapshot: raise it with every change of a dtype or a ring.
About 4.8 kB a point: 976 B for the 15-minute ring, 1,552 B for the 8-hour ring, 256 B for the rate of rise,
1,704 B for novelty.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

LAYOUT = 14
NONE = -(2**63)  # a time that never was

VALUE, MEAN_15MIN, TWA_8H, SHIFT_MEAN, RATE, EWMA, CUSUM, RANGE, SENTINEL, STUCK, GAP = range(11)
NOVELTY, FORESEEN, WORN = range(11, 14)
FROZEN, LEAP, COVER_15MIN, COVER_8H, COVER_SHIFT, AMBIENT_LEVEL, ABOVE_AMBIENT, DOSE_5DB, DOSE_3DB = range(
    14, 23
)
RATE_ERROR, ROBUST_Z, LEVEL_SHIFT = range(23, 26)
DETECTORS = 26

UNCERTAIN = 64  # from here on; below it good, whatever the reason
UNCERTAIN_RANGE = 65
UNCERTAIN_STUCK = 66
UNCERTAIN_CLOCK = 67
UNCERTAIN_RATE = 68
BAD = 128
BAD_SENTINEL = 129
BAD_NOT_A_NUMBER = 130
BAD_NO_SIGNAL = 131

HAS_AMBIENT, IS_NOISE, RESTS = 1, 2, 4  # kinds of a point, added up

STEL_BUCKET_NS = 15_000_000_000
STEL_BUCKETS = 60
TWA_BUCKET_NS = 300_000_000_000
TWA_BUCKETS = 96
RATE_KEPT = 16
NOVEL_BINS = 256
NOVEL_KEPT = 12  # values kept exactly
NOVEL_BLOCKS = 50  # of memory: what is forgotten is forgotten a fiftieth at a time
NOVEL_HOURS = 168
RATE_SPACING = 12  # the oldest readings of a rate window are kept a twelfth of the window apart


def window_of(buckets: int) -> np.dtype[np.void]:
    """Return the row of a rolling window: a ring of (value x seconds, seconds) one longer than the window."""
    return np.dtype([("slot", "i8"), ("sum", "f8"), ("weight", "f8"), ("ring", "f8", (buckets + 1, 2))])


TRACK = np.dtype(
    [
        ("last_ns", "i8"),
        ("judged_ns", "i8"),  # of the last row that limits were judged by, its clock doubted or not
        ("heard_ns", "i8"),
        ("anchor", "f8"),
        ("anchor_ns", "i8"),
    ]
)
SHIFT = np.dtype([("start_ns", "i8"), ("end_ns", "i8"), ("sum", "f8"), ("weight", "f8")])
RISE = np.dtype(
    [
        ("head", "i8"),
        ("kept", "i8"),
        ("recent", "i8"),
        ("t0", "i8"),
        ("t1", "i8"),
        ("t2", "i8"),
        ("x0", "f8"),
        ("x1", "f8"),
        ("x2", "f8"),
        ("kept_ns", "i8", (RATE_KEPT,)),
        ("kept_value", "f8", (RATE_KEPT,)),
    ]
)
VIEW = np.dtype(
    [
        ("low", "f8"),  # where the grid begins
        ("width", "f8"),  # of a bin; 0 while there is no grid
        ("least", "i4"),  # the first marked bin
        ("most", "i4"),  # the last one
        ("kept", "f8", (NOVEL_KEPT,)),
        ("when", "u1", (NOVEL_KEPT,)),  # the marks of the kept values
        ("seen", "u1", (NOVEL_BINS,)),  # the marks of the bins
        ("spare", "u1", (4,)),
    ]
)
NOVEL = np.dtype(
    [
        ("count", "i8"),  # readings remembered
        ("first_ns", "i8"),
        ("last_ns", "i8"),
        ("now", "i8"),  # the mark of this block of memory
        ("block_at", "i8"),  # the count when it began
        ("block_ns", "i8"),
        ("alarm_at", "i8"),
        ("alarm_ns", "i8"),
        ("alarm_size", "f8"),  # 0 before the first alarm
        ("base", "f8"),  # the first reading
        ("usual", "f4", (NOVEL_HOURS,)),  # by hour of the week, less the base
        ("readings", "u1", (NOVEL_HOURS,)),  # that taught it, at most 255
        ("view", VIEW, (2,)),
    ]
)
RUNS = np.dtype(
    [
        ("value", "f8"),  # at which it rests
        ("latest", "f8"),
        ("since_ns", "i8"),
        ("last_ns", "i8"),
        ("readings", "f8"),  # of this rest
        ("lowest", "f8"),
        ("highest", "f8"),
        ("within", "f8"),  # seconds of the longest usual rest between the ends of what was seen, fading
        ("at_end", "f8"),  # and at them
        ("mean", "f8"),  # seconds of an ordinary rest
        ("learned", "f8"),  # rests that ended
    ]
)
AMBIENT = np.dtype([("hour", "i8"), ("sum", "f8"), ("weight", "f8"), ("level", "f8"), ("hours", "f8")])
DOSE = np.dtype([("start_ns", "i8"), ("sum", "f8", (2,)), ("rest", "f8", (2,))])
POINT = np.dtype(
    [
        ("low", "f8"),  # up to the least range: what the birth says, never carried over
        ("high", "f8"),
        ("half_step", "f8"),
        ("hold_ns", "i8"),
        ("fastest", "f8"),  # units a second
        ("wet", "f8"),  # from here on the instrument is saturated
        ("kind", "i8"),
        ("rate_window_ns", "i8"),
        ("least_range", "f8"),
        ("track", TRACK),
        ("shift", SHIFT),
        ("rise", RISE),
        ("stel", window_of(STEL_BUCKETS)),
        ("twa", window_of(TWA_BUCKETS)),
        ("novel", NOVEL),
        ("runs", RUNS),
        ("ambient", AMBIENT),
        ("dose", DOSE),
    ]
)
LIMIT = np.dtype(
    [
        ("key", "i8"),
        ("point", "i4"),
        ("detector", "u2"),
        ("comparison", "u1"),
        ("active", "u1"),
        ("threshold", "f8"),
        ("deadband", "f8"),
        ("on_delay_ns", "i8"),
        ("off_delay_ns", "i8"),
        ("since_ns", "i8"),
        ("need", "u1"),  # of the last ``of`` readings must be beyond; 1 of 1 but where a limit says so
        ("of", "u1"),
        ("spare", "u2"),
        ("sigmas", "f4"),  # so many standard errors are added to the statistic before it is judged
        ("hits", "i8"),  # the last ``of`` readings, a bit each, the newest lowest
    ]
)
TRANSITION = np.dtype([("key", "i8"), ("ts_ns", "i8"), ("since_ns", "i8"), ("active", "?"), ("value", "f8")])
SCORE = np.dtype([("point", "i4"), ("ts_ns", "i8"), ("detector", "u2"), ("score", "f4"), ("evidence", "f8")])

Rows = NDArray[np.void]
Row: TypeAlias = Any  # one row of a structured array: numpy cannot say of which


class Chart(NamedTuple):
    """The change chart as columns, 36 bytes a point: a loop over neighbours becomes vector instructions."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float32]
    high: NDArray[np.float32]
    low: NDArray[np.float32]
    floor: NDArray[np.float32]  # the least sigma
    seen: NDArray[np.float32]  # readings learned, as far as it matters
    lag: NDArray[np.float32]  # how far the reading before lay from the mean
    echo: NDArray[np.float32]  # covariance of neighbouring readings


class State(NamedTuple):
    """Everything the engine remembers of ``n`` points and their limits.

    ``limit_first[p] .. limit_first[p + 1]`` are the rows of ``limit`` that belong to point p.
    """

    point: Rows
    sentinel: NDArray[np.float64]  # (n, most sentinels of a point), NaN where there are fewer
    chart: Chart
    limit_first: NDArray[np.int64]
    limit: Rows
    forecast: Rows  # of those points alone that a limit on the forecast names, sorted by point
    forecast_at: NDArray[np.int32]  # (n,) its row of a point, -1 where it has none
    wear: Rows
    wear_at: NDArray[np.int32]
    robust: Rows
    robust_at: NDArray[np.int32]
    level: Rows
    level_at: NDArray[np.int32]


class Parameters(NamedTuple):
    """The settings of the detectors, in the units that the kernels use."""

    stuck_after_s: float
    coverage: float
    shift_offset_ns: int
    shift_starts_ns: NDArray[np.int64]  # local times of day, ascending
    shift_least_s: float
    frozen_factor: float
    frozen_least_s: float
    frozen_least_readings: float
    frozen_warm_up: float
    frozen_fade_s: float
    frozen_growth: float
    saturated_after_s: float
    ambient_memory_h: float
    ambient_free_h: float
    ambient_rise: float
    ambient_least_s: float
    noise_5db_criterion: float
    noise_5db_threshold: float
    noise_3db_criterion: float
    memory: float
    warm_up: float
    clip: float
    slack: float
    cap: float
    ewma_half: float
    cusum_half: float
    novel_weight: float  # of the second view
    novel_usual_ns: int
    novel_share: float
    novel_block: int  # readings
    novel_block_ns: int
    novel_warm: int  # readings
    novel_warm_ns: int
    novel_threshold: float
    novel_again: float
    novel_gate: int  # readings
    novel_gate_ns: int
