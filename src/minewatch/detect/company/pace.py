"""How far the gateways of a group have come, each by its own clock: when a row has all that it will get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from minewatch.contracts import B1, I8, PointInfo

RESET_NS = 60_000_000_000  # a clock that goes back by more begins anew
PART = 4  # of the wait one step adds to a silence at most: a clock that leaps makes nobody silent


class Pace:
    """The newest reading of each gateway that the sensors of a group hang on, and how far it lags.

    Plain numbers: a group hangs on one gateway or two, and is asked with every row.
    """

    def __init__(
        self, infos: Sequence[PointInfo], hold_ns: int, step_ns: int, grace_ns: int, wait_ns: int
    ) -> None:
        """Begin; ``hold_ns`` is the longest time that a value is held, so how seldom a sensor may speak."""
        sensors = Counter(info.gateway for info in infos)
        names = list(sensors)
        self._of = np.array([names.index(info.gateway) for info in infos])
        self._sensors = [sensors[name] for name in names]
        self._step_ns, self._grace_ns, self._wait_ns = step_ns, grace_ns, wait_ns
        self._away_ns = max(wait_ns, hold_ns)  # who is silent for longer is away
        self._most_ns = max(wait_ns // PART, hold_ns, step_ns)  # of silence in one step
        self._newest, self._fed = [0] * len(names), [0] * len(names)
        self._lag = [0] * len(names)  # behind the clock that is followed, when it was heard last
        self._silence = [0] * len(names)  # how far others went on since then
        self.latest_ns = 0  # the time of the clock that is followed

    @property
    def due(self) -> bool:
        """Whether readings came since the last step."""
        return any(self._fed)

    @property
    def horizon_ns(self) -> int:
        """Up to when rows have all that they will get.

        The grace behind the clock that is followed, and as much more as the slowest of the others lagged when
        it was heard last: a gateway that falls silent keeps no row waiting.
        """
        waited = [
            lag for lag, here in zip(self._lag, self._here(), strict=True) if here and lag <= self._wait_ns
        ]
        return self.latest_ns - self._grace_ns - max(waited, default=0)

    @property
    def bound_ns(self) -> int:
        """The time from which readings are too far ahead of the clock that is followed to be waited for."""
        return self.latest_ns + 2 * self._away_ns  # while nobody knows yet who is away they are kept

    def note(self, slot: I8, ts_ns: I8) -> None:
        """Hear of readings of these sensors, in order of time."""
        for gateway in range(len(self._fed)):
            mine = ts_ns if len(self._fed) == 1 else ts_ns[self._of[slot] == gateway]
            if len(mine):
                self._fed[gateway] = max(self._fed[gateway], int(mine[-1]))

    def step(self) -> tuple[B1, I8] | None:
        """Begin a step; where clocks were set back return whose, and the newest time, of each sensor."""
        before, fed = self._newest, self._fed
        back = [0 < f < n - RESET_NS for f, n in zip(fed, before, strict=True)]
        self._newest = [f if b else max(f, n) for f, b, n in zip(fed, back, before, strict=True)]
        self._fed = [0] * len(fed)
        if len(fed) == 1:
            self.latest_ns = self._newest[0]
        else:
            self._compare(before, [f > 0 for f in fed])
        return (np.array(back)[self._of], np.array(self._newest)[self._of]) if any(back) else None

    def state(self) -> I8:
        """Return what is remembered, for a snapshot."""
        rows = [self._newest, self._fed, self._lag, self._silence]
        return np.array([self.latest_ns, *(x for row in rows for x in row)], np.int64)

    def restore(self, state: I8) -> None:
        """Go on where the pace of the same sensors stood."""
        self.latest_ns = int(state[0])
        self._newest, self._fed, self._lag, self._silence = state[1:].reshape(4, -1).tolist()

    def _compare(self, before: Sequence[int], heard: Sequence[bool]) -> None:
        """Choose the clock that is followed, and take the lag of the gateways that were heard.

        Followed is the latest clock not further than the wait ahead of the middle one, by sensors: one that
        is wrong alone leads nobody astray. Of two halves that far apart the one ahead is followed: a wrong
        clock is behind more often, after a power cut for instance.
        """
        went = max((n - b for n, b, h in zip(self._newest, before, heard, strict=True) if h and b), default=0)
        went = min(max(went, 0), self._most_ns)
        self._silence = [0 if h else s + went for h, s in zip(heard, self._silence, strict=True)]
        here = [(n, w) for n, w, h in zip(self._newest, self._sensors, self._here(), strict=True) if h]
        left = sum(w for _, w in here) // 2 + 1
        for middle, weight in sorted(here):
            left -= weight
            if left <= 0:
                self.latest_ns = max(n for n, _ in here if n <= middle + self._wait_ns)
                break
        self._lag = [
            max(self.latest_ns - n - self._step_ns, 0) if h else lag
            for n, h, lag in zip(self._newest, heard, self._lag, strict=True)
        ]

    def _here(self) -> list[bool]:
        return [n > 0 and s <= self._away_ns for n, s in zip(self._newest, self._silence, strict=True)]
