"""Which messages of a gateway's spool the service holds, so that a repeat is known by its id."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

import numpy as np

from minewatch.contracts import B1, Deliveries, ReadingBatch, Watermark

SpoolName = tuple[str, str]  # gateway as site/gateway, identity of its spool file


class Held:
    """The ids held of one spool: all up to ``upto`` and those in ``above``.

    ``gaps`` are runs above ``upto`` that will never come. They are not stored: the note that told of them is
    not acknowledged before the watermark has passed them, so it comes again.
    """

    __slots__ = ("above", "gaps", "upto")

    def __init__(self, upto: int = 0, above: Sequence[int] = ()) -> None:
        self.upto = upto
        self.above = set(above)
        self.gaps: list[tuple[int, int]] = []

    def holds(self, number: int) -> bool:
        """Tell whether an id is held."""
        return number <= self.upto or number in self.above

    def lacking(self, runs: Sequence[tuple[int, int]]) -> int:
        """Return how many ids of these runs are not held."""
        found = 0
        above = sorted(self.above)
        for first, last in runs:
            first = max(first, self.upto + 1)
            if first <= last:
                found += last - first + 1 - (bisect_right(above, last) - bisect_left(above, first))
        return found

    def skip(self, runs: Sequence[tuple[int, int]]) -> None:
        """Wait no longer for the ids of these runs."""
        self.gaps = sorted({*self.gaps, *runs})
        self._close_up()

    def admit(self, ids: Sequence[int]) -> list[bool]:
        """Note ids in the order they came; True for each that is new."""
        fresh = []
        for number in ids:
            new = number > self.upto and number not in self.above
            fresh.append(new)
            if new:
                self.above.add(number)
        self._close_up()
        return fresh

    def forget_before(self, first: int) -> bool:
        """Take note that the sender no longer has ids below ``first``; True when that moves the watermark."""
        if first - 1 <= self.upto:
            return False
        self.upto = first - 1
        self.above = {number for number in self.above if number > self.upto}
        self._close_up()
        return True

    def _close_up(self) -> None:
        moved = True
        while moved:
            moved = False
            while self.upto + 1 in self.above:
                self.upto += 1
                self.above.discard(self.upto)
            while self.gaps and self.gaps[0][0] <= self.upto + 1:
                last = self.gaps.pop(0)[1]
                if last > self.upto:
                    self.upto, moved = last, True
        if self.above and min(self.above) <= self.upto:
            self.above = {number for number in self.above if number > self.upto}


class Ledger:
    """The ids held of every spool, and which of them changed since they were last stored."""

    def __init__(self, marks: Sequence[Watermark] = ()) -> None:
        self._held = {(mark.gateway, mark.spool): Held(mark.upto, mark.above) for mark in marks}
        self._changed: set[SpoolName] = set()
        self.repeats = 0

    def admit(self, deliveries: Deliveries, names: Mapping[int, SpoolName]) -> B1:
        """Return, per message, whether its rows are new; messages without an id always are."""
        fresh = np.ones(len(deliveries.msg_id), np.bool_)
        spools = deliveries.spool
        for spool in np.unique(spools).tolist():
            where = np.flatnonzero((spools == spool) & (deliveries.msg_id >= 0))
            name = names.get(spool)
            if name is None or not len(where):
                continue  # an id without a spool says nothing
            held = self._held.setdefault(name, Held())
            self._changed.add(name)
            ids = deliveries.msg_id[where]
            if (
                not held.above
                and not held.gaps
                and ids[0] == held.upto + 1
                and bool(np.all(np.diff(ids) == 1))
            ):
                held.upto = int(ids[-1])  # the usual case: nothing lost, nothing repeated
                continue
            fresh[where] = held.admit(ids.tolist())
        self.repeats += int(len(fresh) - np.count_nonzero(fresh))
        return fresh

    def holds(self, name: SpoolName, number: int) -> bool:
        """Tell whether an id of a spool is held."""
        return name in self._held and self._held[name].holds(number)

    def hold(self, name: SpoolName, number: int) -> None:
        """Take note that what came under an id is stored."""
        self._held.setdefault(name, Held()).admit([number])
        self._changed.add(name)

    def lacking(self, name: SpoolName, runs: Sequence[tuple[int, int]]) -> int:
        """Return how many ids of these runs are not held."""
        return self._held.get(name, Held()).lacking(runs)

    def skip(self, name: SpoolName, runs: Sequence[tuple[int, int]]) -> None:
        """Wait no longer for ids that will never come."""
        self._changed.add(name)
        self._held.setdefault(name, Held()).skip(runs)

    def forget_before(self, name: SpoolName, first: int) -> None:
        """Take note of the lowest id that a spool still has (older ones were acknowledged or evicted)."""
        if self._held.setdefault(name, Held()).forget_before(first):
            self._changed.add(name)

    def touch(self, name: SpoolName) -> None:
        """Let a spool's watermark be told again: a sender that came back may have missed it."""
        if name in self._held:
            self._changed.add(name)

    def changed(self) -> tuple[Watermark, ...]:
        """Return the watermarks that moved; they stay changed until ``stored`` says so."""
        return tuple(
            Watermark(name[0], name[1], self._held[name].upto, tuple(sorted(self._held[name].above)))
            for name in sorted(self._changed)
        )

    def stored(self, marks: Sequence[Watermark]) -> None:
        """Take note that these watermarks are in the store, as they stand now."""
        self._changed.difference_update((mark.gateway, mark.spool) for mark in marks)


class Unnumbered:
    """Readings that came without an id from a gateway that has a spool: its disk refused them just then.

    Such a gateway sends live readings at once, so that no alert waits for a disk, and again with an id, as
    history, when its disk is back. Then they are known here by point and time. Bounded: the oldest are
    forgotten first. A gateway whose ids are not believed for a while is one, too.
    """

    def __init__(self, most: int = 500_000) -> None:
        self._most = most
        self._known: dict[tuple[int, int], None] = {}

    def take(self, batch: ReadingBatch, unnumbered: B1) -> B1:
        """Return which readings are new; ``unnumbered`` are the rows of spools that came without an id.

        Their live ones are remembered. Their history is left: it comes again with its ids, by which alone a
        repeat of it would be known.
        """
        if unnumbered.any():
            self._note(batch.take(unnumbered & ~batch.historical))
        fresh = ~(unnumbered & batch.historical)
        again = np.flatnonzero(batch.historical & fresh)
        if self._known and len(again):
            fresh[again] = self._fresh(batch.take(again))
        return fresh

    def _note(self, batch: ReadingBatch) -> None:
        for reading in zip(batch.point.tolist(), batch.ts_ns.tolist(), strict=True):
            self._known[reading] = None
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def _fresh(self, batch: ReadingBatch) -> B1:
        """Return which readings were not noted; those that were are forgotten with that."""
        rows = zip(batch.point.tolist(), batch.ts_ns.tolist(), strict=True)
        return np.array([self._known.pop(row, 0) is not None for row in rows], np.bool_)
