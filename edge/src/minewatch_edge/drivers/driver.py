"""What every driver is: it says its points, and is asked for readings when it wants to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import GOOD


class Reading(NamedTuple):
    """One value of one point; ``point`` is its index in the driver's ``points()``.

    ``quality`` is Sparkplug's: 192 good, 64 uncertain, 0 bad. A bad reading may carry
    NaN: it goes out as null.
    """

    point: int
    ts_ns: int
    value: float
    quality: int = GOOD


class Batch(list[Reading]):
    """Readings of one poll with ``mark``: how far the source was read with them, in the driver's own words.

    The mark is committed in one transaction with the readings, so that after any end of the agent `resume`
    brings the place after the last reading on the disk, and not one reading comes twice or is missed.
    """

    def __init__(self, readings: Iterable[Reading] = (), mark: str = "") -> None:
        super().__init__(readings)
        self.mark = mark


class CheckResult(NamedTuple):
    """What one sensor said when it was asked once, in words for the installer."""

    place: str
    ok: bool
    text: str


class Driver(Protocol):
    """One source of readings, asked by one thread.

    ``due_ns`` is when it next wants to be polled; ``poll`` raises DriverError when the source does not answer
    and is asked again later; ``check`` asks each sensor once and never raises for a sensor's fault. One that
    keeps a fixed rate (`grid.Grid`) may say in an attribute ``missed`` how many slots nobody came for.
    """

    def points(self) -> Sequence[PointBirth]:
        """Return what it measures, the same for its whole life."""

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return the readings that are due; none is an answer too."""

    def due_ns(self, now_ns: int) -> int:
        """Return when it wants to be polled next."""

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Ask each sensor once and say in words what it answers."""

    def close(self) -> None:
        """Let go of the source."""


@runtime_checkable
class Keeping(Protocol):
    """What a driver has besides when its source holds readings until they are confirmed."""

    def kept(self, polls: int) -> None:
        """Learn that what the first ``polls`` polls brought is on the disk; called from another thread."""


@runtime_checkable
class Resuming(Protocol):
    """What a driver has besides when its source can be read again from a place: a file, a log.

    Its ``poll`` returns a `Batch`; a batch should hold at most 500 readings, so that it is one row.
    """

    def resume(self, mark: str) -> None:
        """Go on after the readings that came with this mark; called once, before the first poll."""
