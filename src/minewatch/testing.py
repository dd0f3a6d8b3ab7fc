"""The fakes of the house, in one place: one for each Protocol, and each passes the suite of the real ones.

They keep everything in memory, ask no clock and start no thread, so that a test says when things happen.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable, Sequence

from minewatch.contracts import Watermark
from minewatch.ingest.intake import Intake
from minewatch.serve.fake import FakeCore
from minewatch.store.memory import MemoryTelemetry
from minewatch.store.records.memory import MemoryRecords

__all__ = ["FakeClock", "FakeCore", "ListSource", "MemoryRecords", "MemoryTelemetry"]

SECOND = 1_000_000_000


class FakeClock:
    """A Clock that goes only when it is told to."""

    def __init__(self, now_ns: int = 1_769_828_400 * SECOND) -> None:
        self._now_ns = now_ns
        self._steady_ns = SECOND

    def now_ns(self) -> int:
        """Return nanoseconds since 1970-01-01 UTC."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return nanoseconds of the clock that ``step`` does not touch."""
        return self._steady_ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now_ns += round(seconds * SECOND)
        self._steady_ns += round(seconds * SECOND)

    def step(self, seconds: float) -> None:
        """Set the wall clock otherwise, as a person or NTP does: the steady clock does not notice."""
        self._now_ns += round(seconds * SECOND)


class ListSource:
    """A source that brings what a list holds, one intake a poll; ``acknowledged`` is what it was told."""

    def __init__(self, intakes: Iterable[Intake] = ()) -> None:
        self.waiting = deque(intakes)
        self.acknowledged: list[Watermark] = []
        self.problem = ""
        self.closed = False

    @property
    def online(self) -> bool:
        """Whether anything can come: it has no problem and is not closed."""
        return not self.problem and not self.closed

    def poll(self, timeout_s: float, wake: socket.socket | None = None) -> Intake | None:
        """Return the next intake at once, None when there is none or the source is not online."""
        return self.waiting.popleft() if self.waiting and self.online else None

    def acknowledge(self, marks: Sequence[Watermark]) -> None:
        """Keep what the store holds, in the order it was told."""
        self.acknowledged += marks

    def close(self) -> None:
        """Bring nothing any more."""
        self.closed = True
