"""The stretches of time in which the same limits are in force, and which of them each row is judged in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import B1, I4, I8, LimitTable
from minewatch.detect.kernels.layout import ALWAYS, NONE
from minewatch.detect.memory import extended
from minewatch.errors import ConfigError

FOREVER = np.iinfo(np.int64).max
TRUSTED_NS = 24 * 3600 * 1_000_000_000  # a live time further from our clock does not say what is in force


class Eras:
    """One era before the first date of a limit, and one from each date on."""

    def __init__(self, table: LimitTable | None = None) -> None:
        self.starts_ns: I8 = np.zeros(0, np.int64)
        if table is not None and table.dates_ns is not None:
            self.starts_ns = table.dates_ns
        if len(self) >= ALWAYS:
            raise ConfigError(
                f"limits have {len(self) - 1} dates, at most {ALWAYS - 2} can be judged",
                where="rules, key effective_from",
                mend="Take out versions that no reading can be late enough for.",
            )

    def __len__(self) -> int:
        return len(self.starts_ns) + 1

    def at(self, ts_ns: int | NDArray[np.int64]) -> I4:
        """Return the era of a time, or of each."""
        return np.searchsorted(self.starts_ns, ts_ns, side="right").astype(np.int32)

    def start_ns(self, era: int) -> int:
        """Return when an era begins, NONE for the first."""
        return int(self.starts_ns[era - 1]) if era else NONE


class Reached:
    """Up to which date the limits of each point stand: no point goes back behind it."""

    def __init__(self) -> None:
        self.start_ns: I8 = np.zeros(0, np.int64)

    def grow(self, points: int) -> None:
        """Let there be so many points; new ones stand before every date."""
        used = len(self.start_ns)
        self.start_ns = extended(self.start_ns, points)
        self.start_ns[used:] = NONE

    def runs(
        self, eras: Eras, point: I4, ts_ns: I8, doubted: B1, heard_ns: int, now_ns: int
    ) -> Iterator[tuple[int, int, int]]:
        """Yield (begin, end, era) of rows that one era judges: that of their own time.

        A live row (``heard_ns`` is not NONE) whose clock is doubted or is a day off is judged by what is in
        force when it is heard, a doubted one of history as its point is, or else by what is in force now.
        """
        if len(eras) == 1 or not len(ts_ns):
            yield 0, len(ts_ns), 0
            return
        before = self.start_ns[point]
        least, most = int(ts_ns.min()), int(ts_ns.max())
        near = heard_ns == NONE or max(heard_ns - least, most - heard_ns) <= TRUSTED_NS
        of_all = int(eras.at(least))
        if near and of_all == eras.at(most) and not doubted.any():  # as nearly always
            start = eras.start_ns(of_all)
            if (before <= start).all():
                yield 0, len(ts_ns), of_all
                return
        if heard_ns != NONE:
            odd = doubted | (np.abs(ts_ns - heard_ns) > TRUSTED_NS)
            when = np.where(odd, heard_ns, ts_ns)
        else:
            when = np.where(doubted, np.where(before == NONE, now_ns, before), ts_ns)
        era = np.maximum(eras.at(when), eras.at(before))
        if era.min() < era.max():
            order = np.argsort(point, kind="stable")
            base = point[order].astype(np.int64) * len(eras)
            era[order] = np.maximum.accumulate(base + era[order]) - base
        edges = np.flatnonzero(np.diff(era, prepend=-1, append=-1)).tolist()
        for begin, end in itertools.pairwise(edges):
            yield begin, end, int(era[begin])
