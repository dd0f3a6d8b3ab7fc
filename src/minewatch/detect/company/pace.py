"""How far the gateways of a group have come, each by its own clock: when a row has all that it will get."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minewatch.contracts import B1, I8, PointInfo

RESET_NS = 60_000_000_000  # a clock that goes back by more begins anew
FOR_EVER_NS = 1 << 62


class Pace:
    """The newest reading of each gateway that the sensors of a group hang on."""

    def __init__(self, infos: Sequence[PointInfo], hold: I8, grace_ns: int, wait_ns: int) -> None:
        names = list(dict.fromkeys(info.gateway for info in infos))
        self._of = np.array([names.index(info.gateway) for info in infos])
        self._grace_ns, self._wait_ns = grace_ns, wait_ns
        self._newest, self._fed = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
        # a sensor that speaks when it has something to say keeps no row waiting
        regular = np.array([info.interval_s > 0 for info in infos])
        held = np.where(regular, hold, FOR_EVER_NS)
        self._reach = np.array([held[self._of == number].min() for number in range(len(names))])

    @property
    def due(self) -> bool:
        """Whether readings came since the last step."""
        return bool(self._fed.any())

    @property
    def latest_ns(self) -> int:
        """The time of the clock that is furthest ahead; 0 before the first reading."""
        return int(self._newest.max())

    @property
    def horizon_ns(self) -> int:
        """Up to when rows have all that they will get.

        The grace behind the clock that is furthest ahead; where that of another gateway is behind, no further
        than its values are held. A gateway further behind than the wait is away, and waited for no more.
        """
        awake = self._newest > self.latest_ns - self._wait_ns
        reach = int((self._newest + self._reach)[awake].min(initial=FOR_EVER_NS))
        return min(self.latest_ns - self._grace_ns, reach)

    def note(self, slot: int, newest_ns: int) -> None:
        """Hear of readings of a sensor up to a time."""
        gateway = self._of[slot]
        self._newest[gateway] = max(self._newest[gateway], newest_ns)
        self._fed[gateway] = max(self._fed[gateway], newest_ns)

    def step(self) -> tuple[B1, I8]:
        """Begin a step; return whose clocks were set back, and the newest time, of each sensor."""
        back = (self._fed > 0) & (self._fed < self._newest - RESET_NS)
        self._newest[back] = self._fed[back]
        self._fed[:] = 0
        return back[self._of], self._newest[self._of]

    def state(self) -> I8:
        """Return what is remembered, for a snapshot."""
        return np.concatenate([self._newest, self._fed])

    def restore(self, state: I8) -> None:
        """Go on where the pace of the same sensors stood."""
        self._newest[:], self._fed[:] = np.split(state, 2)
