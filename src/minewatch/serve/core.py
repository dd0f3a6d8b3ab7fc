"""What serve needs of the core process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from minewatch.contracts import (
    AlertEvent,
    Announce,
    Buckets,
    Command,
    Comparison,
    Push,
    ReadingBatch,
    SystemState,
)


@dataclass(frozen=True, slots=True)
class PointLimit:
    """A limit that a rule binds to a point, as a person reads it."""

    rule: str
    detector: str
    comparison: Comparison
    threshold: float
    priority: int
    citation: str
    verified: bool


class Core(Protocol):
    """The core process, seen from serve.

    Every coroutine raises CoreUnavailable when the core does not answer in time. ``state`` never does: it is
    the last known state, with what is wrong now in its problems.
    """

    async def command(self, command: Command) -> AlertEvent:
        """Carry out a command; raises CommandRefused (the state forbids it) or NotFound."""
        ...

    async def announce(self, asked: Announce) -> Sequence[AlertEvent]:
        """Let tests of meters be expected, a row for each.

        Raises NotFound (no such meter, no window to end) or CommandRefused (too many of them).
        """
        ...

    async def readings(self, point: int, from_ns: int, to_ns: int, limit: int) -> ReadingBatch:
        """Return the first ``limit`` readings with from <= time < to, in time order."""
        ...

    async def buckets(self, point: int, from_ns: int, to_ns: int, buckets: int) -> Buckets:
        """Return the readings of a span in equal time buckets."""
        ...

    async def latest(self) -> ReadingBatch:
        """Return the newest live reading of each point, one row a point."""
        ...

    async def limits(self) -> Mapping[int, Sequence[PointLimit]]:
        """Return the limits in force, by point."""
        ...

    def state(self) -> SystemState:
        """Return the last known state of the system."""
        ...

    def follow(self) -> AsyncIterator[Push]:
        """Yield what happens, as it happens; the first push of each connection carries state and latest.

        Ends or raises CoreUnavailable when the core goes away; the caller calls again.
        """
        ...
