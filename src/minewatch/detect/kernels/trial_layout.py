"""Rows and constants of the detector of calibration gas; no compiler is needed to read them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

IDLE, SUSPECTED, TESTED, REFUTED, AFTER = range(5)
METER, AIR, BAROMETER = range(3)
(
    NO_DOUBT, NEIGHBOUR, AIR_LOW, AIR_FELL, PRESSURE, LEVEL, CREEP, BOUND, SHAPE, NO_AIR, NO_NEIGHBOUR,
    SILENT, RISES, HOLE, RECOVERED,
) = range(15)  # fmt: skip

RING = 12
RING_NS = 400_000_000  # readings nearer than this are not kept apart: all of them span more than the onset
CURVE = 12
AIR_MEMORY_NS = 600_000_000_000
MEMORY_NS = 60_000_000_000
AFTER_STEP_NS = 10_000_000_000
AFTER_NS = 600_000_000_000
HOLD_NS = 3_000_000_000  # how long air must have failed before it is evidence
CALM_NS = 30_000_000_000
PLACE_QUIET, PLACE_STANDS = range(2)
MOST_MEMBERS = 512  # a place with more points is none: nobody walks so many at a reading
NEAR = 1e-9  # thresholds are whole steps of an instrument: 0.3 must not be missed by a rounding of 1.1 - 0.8

TRIAL = np.dtype(
    [
        ("kind", "u1"),
        ("group", "i4"),
        ("interval_ns", "i8"),
        ("announced_from", "i8"),
        ("announced_to", "i8"),
        ("gas", "f8"),  # what the bottle holds, NaN where nobody said
        ("last_ns", "i8"),  # from here on: learned
        ("before_ns", "i8"),
        ("good_ns", "i8"),
        ("heard_ns", "i8"),
        ("bad", "u1"),
        ("last", "f8"),
        ("ref", "f8"),  # what is usual
        ("mark", "f8"),  # what was usual when a trial of the group began
        ("kept", "i8"),
        ("ring_ns", "i8", (RING,)),
        ("ring", "f8", (RING,)),
        ("sign", "u1"),  # whether the point is not as usual
        ("counted", "u1"),
        ("sign_ns", "i8"),
        ("sign_usual", "f8"),
        ("stage", "u1"),
        ("told", "u1"),  # whether it is an announced trial
        ("trial_to", "i8"),  # its window and bottle, as announced when it began
        ("bottle", "f8"),
        ("onset_ns", "i8"),
        ("onset_heard", "i8"),
        ("base", "f8"),
        ("mid", "f8"),
        ("count", "i8"),
        ("level", "f8"),  # the highest plateau of the trial so far
        ("found", "f8"),  # what the meter showed of the first bottle
        ("high_ns", "i8"),
        ("low_ns", "i8"),
        ("low", "f8"),
        ("after_ns", "i8"),
        ("curves", "i8"),
        ("curve_ns", "i8", (CURVE,)),
        ("curve", "f8", (CURVE,)),
    ]
)
PLACE = np.dtype(
    [("airs", "i8"), ("gases", "i8"), ("stage", "u1"), ("since_ns", "i8"), ("calm_ns", "i8")]
)  # of a group: how many signs of air and gas stand, and the evidence they make
CHANGE = np.dtype(
    [
        ("slot", "i8"),
        ("stage", "u1"),
        ("reason", "u1"),
        ("told", "u1"),
        ("ts_ns", "i8"),
        ("since_ns", "i8"),
        ("until_ns", "i8"),
        ("value", "f8"),
        ("base", "f8"),
        ("level", "f8"),
        ("t90_s", "f8"),
        ("recovery_s", "f8"),
        ("witness", "i8"),
        ("witness_value", "f8"),
        ("witness_usual", "f8"),
    ]
)


class Signs(NamedTuple):
    """What makes a test gas, and what speaks against it; see the settings of the room for the figures."""

    onset_rise: float
    onset_ns: int
    decide_ns: int
    flat: float
    least: float
    least_level: float
    most: float
    creep: float
    settle_ns: int
    bound_ns: int
    announced_ns: int
    recovered_ns: int
    neighbour: float
    air_least: float
    air_fall: float
    pressure: float
    fresh_ns: int
    alive_ns: int
    hole_ns: int
