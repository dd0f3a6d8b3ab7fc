"""How far the gateways of a group have come, each by its own clock: when a row has all that it will get."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minewatch.contracts import B1, I8, PointInfo

RESET_NS = 60_000_000_000  # a clock that goes back by more begins anew
FOR_EVER_NS = 1 << 62


class Pace:
    """The newest reading of each gateway that the sensors of a group hang on.

    Plain numbers: a group hangs on one gateway or two, and is asked with every row.
    """

    def __init__(self, infos: Sequence[PointInfo], hold: I8, grace_ns: int, wait_ns: int) -> None:
        names = list(dict.fromkeys(info.gateway for info in infos))
        self._of = np.array([names.index(info.gateway) for info in infos])
        self._grace_ns, self._wait_ns = grace_ns, wait_ns
        self._newest, self._fed = [0] * len(names), [0] * len(names)
        # a sensor that speaks when it has something to say keeps no row waiting
        regular = np.array([info.interval_s > 0 for info in infos])
        held = np.where(regular, hold, FOR_EVER_NS)
        self._reach = [int(held[self._of == number].min()) for number in range(len(names))]

    @property
    def due(self) -> bool:
        """Whether readings came since the last step."""
        return any(self._fed)

    @property
    def latest_ns(self) -> int:
        """The time of the clock that is furthest ahead; 0 before the first reading."""
        return max(self._newest)

    @property
    def horizon_ns(self) -> int:
        """Up to when rows have all that they will get.

        The grace behind the clock that is furthest ahead; where that of another gateway is behind, no further
        than its values are held. A gateway further behind than the wait is away, and waited for no more.
        """
        latest_ns = self.latest_ns
        awake = [
            newest + reach
            for newest, reach in zip(self._newest, self._reach, strict=True)
            if newest > latest_ns - self._wait_ns
        ]
        return min([latest_ns - self._grace_ns, *awake])

    def note(self, slot: I8, ts_ns: I8) -> None:
        """Hear of readings of these sensors, in order of time."""
        for gateway in range(len(self._newest)):
            mine = ts_ns if len(self._newest) == 1 else ts_ns[self._of[slot] == gateway]
            if len(mine):
                newest = int(mine[-1])
                self._newest[gateway] = max(self._newest[gateway], newest)
                self._fed[gateway] = max(self._fed[gateway], newest)

    def step(self) -> tuple[B1, I8] | None:
        """Begin a step; where clocks were set back return whose, and the newest time, of each sensor."""
        back = [0 < fed < newest - RESET_NS for fed, newest in zip(self._fed, self._newest, strict=True)]
        if any(back):
            self._newest = [f if b else n for f, b, n in zip(self._fed, back, self._newest, strict=True)]
        self._fed = [0] * len(self._fed)
        return (np.array(back)[self._of], np.array(self._newest)[self._of]) if any(back) else None

    def state(self) -> I8:
        """Return what is remembered, for a snapshot."""
        return np.array([*self._newest, *self._fed], np.int64)

    def restore(self, state: I8) -> None:
        """Go on where the pace of the same sensors stood."""
        both = state.tolist()
        self._newest, self._fed = both[: len(both) // 2], both[len(both) // 2 :]
