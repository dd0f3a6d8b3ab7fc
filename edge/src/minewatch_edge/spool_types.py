"""What the spool is told and what it tells: caps, counters, points, rejected lines."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Caps of the spool; 0 means no cap. ``full_sync`` waits for the disk at every commit."""

    max_bytes: int = 0
    max_age_ns: int = 0
    full_sync: bool = False
    max_pages: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """Readings since the spool was made; ``sent`` counts repeats too.

    Every reading is in one place: sampled = acked + held + evicted + dropped. ``dropped`` are those that
    never reached the disk, or were lost with it.
    """

    sampled: int = 0
    sent: int = 0
    acked: int = 0
    evicted_size: int = 0
    evicted_age: int = 0
    dropped: int = 0
    rejected: int = 0

    @property
    def evicted(self) -> int:
        """Readings deleted although nobody had acknowledged them."""
        return self.evicted_size + self.evicted_age

    @property
    def held(self) -> int:
        """Readings on the disk that nobody has acknowledged."""
        return self.sampled - self.acked - self.evicted - self.dropped


COUNTERS = tuple(field.name for field in fields(Counters))


@dataclass(frozen=True, slots=True)
class SpoolPoint:
    """A point rows speak of; ``birth`` is what its owner needs to declare it again."""

    device: str
    metric: str
    birth: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A line of a source that could not be used, and why."""

    ts_ns: int
    device: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What a spool remembers of its file; replaced whole, so that a refused commit changes nothing.

    Ids up to ``reserved`` may have been given, those up to ``acked_id`` the host has.
    """

    identity: str = ""
    first_id: int = 1
    last_id: int = 0
    held_rows: int = 0
    reserved: int = 0
    acked_id: int = 0
    bd_seq: int = -1
    last_ms: int = 0
    counters: Counters = Counters()
