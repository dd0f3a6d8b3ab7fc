"""Calibration gas: what the detector says of a rise at one meter, and a test that somebody announces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WINDOW_MOST_NS = 12 * 3600 * 1_000_000_000  # of an announced test
KEY_REUSED = "key-reused"  # the state of a refusal: the idempotency key came with another command before
AHEAD_MOST_NS = 7 * 24 * 3600 * 1_000_000_000  # how long before its begin it may be announced


class TrialStage(StrEnum):
    """How far it is known that a rise is a test."""

    SUSPECTED = "suspected"  # a step as of test gas; decided within seconds
    TESTED = "tested"
    REFUTED = "refuted"  # a witness, the shape, the level or the time says otherwise
    OVER = "over"
    CLOSED = "closed"  # long over: whatever still stands since then was no test


@dataclass(frozen=True, slots=True)
class Announcement:
    """A calibration that somebody announces at a place: a window, and what the bottle holds (NaN: unsaid)."""

    place: str
    from_ns: int
    to_ns: int
    actor: str
    gas_pct: float = float("nan")


@dataclass(frozen=True, slots=True)
class TrialChange:
    """One change of a trial at a point. ``reason`` is a stable word, "" where nothing speaks against a test.

    ``announcement`` is what somebody said of it, where it lies in the window of one.

    ``base`` is what the meter showed before, ``level`` what it was found to show of the gas, ``t90_s`` how
    long it took to nine tenths of that, ``recovery_s`` from there back; NaN where it was not seen.
    ``witness`` is the point that speaks against a test, -1 where none does, with its value and what was
    usual there.
    """

    point: int
    stage: TrialStage
    reason: str
    announced: bool
    ts_ns: int
    since_ns: int
    until_ns: int
    value: float
    base: float
    level: float
    t90_s: float
    recovery_s: float
    witness: int = -1
    witness_value: float = float("nan")
    witness_usual: float = float("nan")
    announcement: Announcement | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line of the ledger: what a test of a meter showed, as far as it went. NaN is what was not seen.

    ``stage`` is tested (it runs), over, or refuted: then it was no test, for ``reason``. ``before`` is what
    the meter showed before the gas, ``found`` what it was found to show of it.
    """

    stage: TrialStage
    reason: str
    from_ns: int
    to_ns: int
    before: float
    found: float
    t90_s: float
    recovery_s: float
    announced_by: str = ""
    gas_pct: float = float("nan")


@dataclass(frozen=True, slots=True)
class Announce:
    """What a person asks: expect tests of every methane meter at or within ``place`` or ``zone``.

    With ``end`` the windows that stand there end now; ``to_ns`` and ``gas_pct`` then say nothing.
    """

    place: str
    zone: str
    from_ns: int
    to_ns: int
    actor: str
    gas_pct: float = float("nan")
    comment: str = ""
    key: str = ""
    end: bool = False
