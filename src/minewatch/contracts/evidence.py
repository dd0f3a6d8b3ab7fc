"""What is known of a place as a whole: the signs that make one evidence, each with its point and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minewatch.contracts.alerts import Text
    from minewatch.contracts.readings import PointInfo

OUTSIDE = 100  # detectors from this id on judge subjects, not the readings of one point


@dataclass(frozen=True, slots=True)
class Sign:
    """One point that is not as usual: air that failed or gas that rose, since when, from what to what."""

    point: int
    since_ns: int
    usual: float
    value: float


@dataclass(frozen=True, slots=True)
class PlaceEvidence:
    """The evidence of a place began or ended; ``signs`` stand now, the air first, then the oldest."""

    site: str
    zone: str
    active: bool
    ts_ns: int
    since_ns: int
    signs: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a point reaches its next limit: minutes from ``ts_ns`` on, between soonest and latest.

    Infinite where it is not in sight; ``limit`` is NaN where there is nothing to say.
    """

    point: int
    ts_ns: int
    limit: float
    minutes: float
    soonest: float
    latest: float


@dataclass(frozen=True, slots=True)
class NewReason:
    """A limit that stands has another reason than the one it was last told of."""

    key: int
    ts_ns: int
    why: Text


@dataclass(frozen=True, slots=True)
class Subject:
    """What a detector outside the walk judges (a device, a zone, a gateway), described as a point is."""

    detector: int
    about: PointInfo
