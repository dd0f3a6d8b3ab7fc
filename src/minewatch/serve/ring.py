"""The bounded memory of the push stream: one ring of frames, a cursor per viewer, no queue per viewer.

A slow viewer, a late one and a returning one are the same thing: a cursor that is behind. One that the ring
has moved past gets its journal rows from ``Tail``, then from the records, and at last a ``reset``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from minewatch.serve import metrics

PIECE = 262_144  # bytes handed to one viewer at a time: more would only wait in the socket's memory


class Piece(NamedTuple):
    """Frames joined: their bytes, the number to go on at, the last journal row in them."""

    data: bytes
    next: int
    row: int


class Ring:
    """Encoded frames, numbered from 0; the oldest go when there are too many frames or bytes.

    Frames become visible with the next ``wake``, so that viewers in step are all sent the same piece.
    """

    def __init__(self, frames: int, size: int) -> None:
        self._room = frames
        self._room_bytes = size
        self._frames: deque[tuple[bytes, int]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._joined: tuple[int, int, Piece] = (-1, -1, Piece(b"", 0, 0))
        self.base = 0
        self.visible = 0
        self.closed = False
        metrics.RING_CAPACITY.set(frames)

    @property
    def head(self) -> int:
        """Return the number that the next frame gets."""
        return self.base + len(self._frames)

    def append(self, frame: bytes, row: int) -> None:
        """Add a frame; ``row`` is the last journal row that whoever has read it has seen."""
        self._frames.append((frame, row))
        self._bytes += len(frame)
        while len(self._frames) > self._room or (self._bytes > self._room_bytes and len(self._frames) > 1):
            self._bytes -= len(self._frames.popleft()[0])
            self.base += 1

    def wake(self) -> None:
        """Make all frames visible and let every waiting viewer read them."""
        self.visible = self.head
        self._wake.set()
        self._wake = asyncio.Event()
        metrics.WAKES.inc()
        metrics.RING_FRAMES.set(len(self._frames))

    def close(self) -> None:
        """End every viewer's stream."""
        self.closed = True
        self.wake()

    async def moved(self) -> None:
        """Wait until the next wake."""
        await self._wake.wait()

    def since(self, at: int) -> Piece | None:
        """Return the visible frames from number ``at`` on, PIECE bytes or a little more.

        None when frame ``at`` is gone. Viewers in step ask for the same piece, so the last one is kept.
        """
        if at < self.base:
            return None
        if self._joined[:2] != (at, self.visible):
            self._joined = (at, self.visible, self._piece(at))
        return self._joined[2]

    def _piece(self, at: int) -> Piece:
        parts: list[bytes] = []
        size = row = 0
        for frame, row in islice(self._frames, at - self.base, self.visible - self.base):  # noqa: B007
            parts.append(frame)
            size += len(frame)
            if size >= PIECE:
                break
        return Piece(b"".join(parts), at + len(parts), row)


class Tail:
    """The latest journal rows as encoded frames, without gaps; ``head`` is the last row known to serve."""

    def __init__(self, room: int, head: int) -> None:
        self._room = room
        self._frames: deque[bytes] = deque()
        self.head = head

    @property
    def first(self) -> int:
        """Return the oldest row held; ``head + 1`` when none is."""
        return self.head - len(self._frames) + 1

    def append(self, row: int, frame: bytes) -> None:
        """Add the next row."""
        if row != self.head + 1:
            raise ValueError(f"journal row {row} does not follow {self.head}")
        self._frames.append(frame)
        self.head = row
        if len(self._frames) > self._room:
            self._frames.popleft()

    def after(self, row: int) -> Sequence[bytes] | None:
        """Return the frames of all rows after ``row``; None when some are not held (or not known at all)."""
        if row > self.head or row + 1 < self.first:
            return None
        skip = row + 1 - self.first
        return list(islice(self._frames, skip, None))


class Pacer:
    """When to wake the viewers: at once as long as it is quiet, joined while it is not.

    A wake costs one write per viewer. There is credit for ``burst`` wakes, refilled ``per_s`` times a second,
    and never two wakes within ``join_ns``: a single alert is sent at once, a flood is joined per 100 ms.
    """

    def __init__(self, *, burst: int = 10, per_s: int = 10, join_ns: int = 20_000_000) -> None:
        self._burst = burst
        self._refill_ns = 1_000_000_000 // per_s
        self._join_ns = join_ns
        self._credit_ns = burst * self._refill_ns
        self._counted_ns = 0
        self._last_ns = -join_ns

    def delay_ns(self, now_ns: int) -> int:
        """Return how long to wait before the next wake; 0 is now. ``now_ns`` is monotonic."""
        self._count(now_ns)
        credit = max(self._refill_ns - self._credit_ns, 0)
        return max(credit, self._last_ns + self._join_ns - now_ns, 0)

    def woken(self, now_ns: int) -> None:
        """Take note of a wake."""
        self._count(now_ns)
        self._credit_ns -= self._refill_ns
        self._last_ns = now_ns

    def _count(self, now_ns: int) -> None:
        gained = max(now_ns - self._counted_ns, 0)
        self._credit_ns = min(self._credit_ns + gained, self._burst * self._refill_ns)
        self._counted_ns = now_ns
