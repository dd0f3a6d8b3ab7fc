"""How much history the link may carry now: a share of what it takes, and never a queue before live rows.

What the link takes is seen only while it is busy: bytes that left while more were waiting, by the time that
took. A link that never keeps anything waiting has room to spare, and history is bounded by its rate alone.
"""

from __future__ import annotations

from dataclasses import dataclass

_SPARE_BYTES = 16_384  # may wait unsent on a link of unknown speed
_LEAST_BYTES = 2_048
_QUEUE_S = 0.2  # at most so much of the link's time may wait before a live row
_WINDOW_NS = 200_000_000
_FORGET_NS = 30_000_000_000  # a link that was idle that long may have become another one
_SMOOTH = 0.3


@dataclass(slots=True)
class Link:
    """The state of one connection's link; ``share`` is history's part of it, 0 to 1."""

    share: float = 0.5
    rate: float = 0.0  # bytes a second that it was seen to take; 0 = never busy
    _taken: int = 0
    _since_ns: int = 0
    _busy_ns: int = 0
    _room: float = 0.0
    _filled_ns: int = 0
    _waiting: int = 0

    def begin(self, mono_ns: int, share: float) -> None:
        """Begin with a new connection."""
        self.share = share
        self.rate, self._room, self._waiting = 0.0, 0.0, 0
        self._since_ns = 0
        self._filled_ns = self._busy_ns = mono_ns

    def observe(self, mono_ns: int, taken: int, waiting: int) -> None:
        """Note how many bytes the link has taken so far, and how many wait for it."""
        if waiting <= 0 or self._waiting <= 0:
            self._since_ns, self._taken = mono_ns, taken
        elif mono_ns - self._since_ns >= _WINDOW_NS:
            seen = (taken - self._taken) / ((mono_ns - self._since_ns) / 1e9)
            self.rate = seen if not self.rate else self.rate + _SMOOTH * (seen - self.rate)
            self._since_ns, self._taken = mono_ns, taken
        self._waiting = waiting
        if waiting > 0:
            self._busy_ns = mono_ns
        elif self.rate and mono_ns - self._busy_ns > _FORGET_NS:
            self.rate = 0.0
        self._fill(mono_ns)

    def room(self) -> int:
        """Return how many bytes of history may be handed to the connection now."""
        if not self.rate:
            return max(0, _SPARE_BYTES - self._waiting)
        queue = max(_LEAST_BYTES, self.rate * _QUEUE_S) - self._waiting
        return max(0, int(min(queue, self._room)))

    def spend(self, size: int) -> None:
        """Note that bytes of history were handed over; they may be more than the room, and the next wait."""
        self._room -= size
        self._waiting += size

    def _fill(self, mono_ns: int) -> None:
        gone = max(0, mono_ns - self._filled_ns) / 1e9
        self._filled_ns = mono_ns
        most = max(_LEAST_BYTES, self.rate * self.share * _QUEUE_S)
        self._room = min(self._room + gone * self.rate * self.share, most)
