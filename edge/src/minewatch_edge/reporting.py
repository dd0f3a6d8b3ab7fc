"""Report by exception: which readings of a point go out, when the rest would say the same again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Sample: TypeAlias = tuple[int, float, int]  # time ms, value, quality


@dataclass(frozen=True, slots=True)
class Reporting:
    """When a point says something: when it is further than ``deadband`` (in its unit) from what it said last.

    After ``heartbeat_s`` of silence it says its present reading.
    """

    deadband: float
    heartbeat_s: float


class Reporter:
    """The filter of one point.

    Every reading that does not go out lies within the deadband of the last one that did. With a change goes
    the last reading before it, at its own time: else the change would be taken for a slope, or averaged back
    over the silence (to the service a reading stands for the time before it).
    """

    __slots__ = ("_beat_ms", "_deadband", "_held", "_sent")

    def __init__(self, reporting: Reporting, interval_s: float) -> None:
        """``interval_s`` is between two readings; one that is a little early does not miss the heartbeat."""
        self._deadband = reporting.deadband
        self._beat_ms = int((reporting.heartbeat_s - min(interval_s, reporting.heartbeat_s) / 2) * 1_000)
        self._sent: Sample | None = None
        self._held: Sample | None = None

    def take(self, at_ms: int, value: float, quality: int) -> tuple[Sample, ...]:
        """Return what goes out now that this reading came: nothing, it, or the one before and it."""
        sent = self._sent
        now = (at_ms, value, quality)
        if sent is None:
            self._sent = now
            return (now,)
        if quality == sent[2] and self._same(value, sent[1]):
            if at_ms - sent[0] < self._beat_ms:
                self._held = now
                return ()
            self._sent, self._held = now, None
            return (now,)
        before, self._sent, self._held = self._held, now, None
        return (now,) if before is None else (before, now)

    def _same(self, value: float, sent: float) -> bool:
        if value == sent or abs(value - sent) <= self._deadband:
            return True
        return value != value and sent != sent  # neither is a number
