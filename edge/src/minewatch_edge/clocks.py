"""Clocks that go back, made steady: times of readings rise, and at nearly the right pace."""

from __future__ import annotations

from typing import NamedTuple

# A clock that was set back is waited for at nine tenths of its pace: averages, rates and delays of the
# service stay right within a tenth, and an hour is made up for in ten.
_PACE = 0.9
_JUMP_MS = 1_000  # less is jitter: the reading is only moved behind the one before
NOTICEABLE_NS = 2_000_000_000


class Moment(NamedTuple):
    """One instant on two clocks: the wall's, which people set, and one that never goes back."""

    wall_ns: int
    mono_ns: int


class SteadyClock:
    """The wall clock, except that it never goes back."""

    def __init__(self, start: Moment, floor_ns: int = 0) -> None:
        """Begin at the wall's time, or at ``floor_ns`` if that is later (what an earlier run had reached)."""
        self._mono_ns = start.mono_ns
        self.now_ns = max(start.wall_ns, floor_ns)
        self.ahead_ns = self.now_ns - start.wall_ns

    def advance(self, moment: Moment) -> int:
        """Return the steady time in nanoseconds; ``ahead_ns`` says how far it is before the wall's."""
        gone = max(0, moment.mono_ns - self._mono_ns)
        self._mono_ns = moment.mono_ns
        self.now_ns = max(moment.wall_ns, self.now_ns + int(gone * _PACE))
        self.ahead_ns = self.now_ns - moment.wall_ns
        return self.now_ns


class Stamps:
    """The times of one device's readings, strictly rising for each point, in whole milliseconds."""

    def __init__(self, points: int) -> None:
        self.last = [-(2**62)] * points
        self._polled_ms = 0
        self._elapsed_ms = 0
        self.shift_ms = 0

    def begin(self, now_ms: int) -> None:
        """Begin the readings of one poll."""
        self._elapsed_ms = max(1, now_ms - self._polled_ms) if self._polled_ms else 1
        self._polled_ms = now_ms
        if self.shift_ms:
            self.shift_ms = max(0, self.shift_ms - max(1, int(self._elapsed_ms * (1 - _PACE))))

    def stamp(self, point: int, ts_ns: int) -> int:
        """Return the time of a reading in milliseconds, after that of the one before."""
        at = ts_ns // 1_000_000 + self.shift_ms
        last = self.last[point]
        if at <= last:
            if last - at > _JUMP_MS:  # the device's clock went back: all its points go on from here
                self.shift_ms += last - at + self._elapsed_ms
                at = last + self._elapsed_ms
            else:
                at = last + 1
        self.last[point] = at
        return at
