"""What detectors outside the walk say of their subjects, judged by the limits of rules as readings are.

A detector of one point is judged where its readings are walked. What looks at several points, at a gateway
or at a model gives rows of a statistic instead, each with words; here they meet the same state machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minewatch.contracts import F8, I8, LimitTable, NewReason, Subject, Text, Transitions
from minewatch.detect import limits, parcel
from minewatch.detect.kernels.layout import LIMIT, NONE, TRANSITION, Rows
from minewatch.detect.kernels.limits import judge_rows

KINDS: Mapping[str, np.dtype[Any]] = {
    "limit": LIMIT,
    **dict.fromkeys(("heard", "lead"), np.dtype(np.int64)),
}
NOBODY = -1  # leads


@dataclass(frozen=True, slots=True)
class Statistics:
    """Rows of one detector's statistic for one subject, in order of time, NaN where it says nothing.

    ``say`` gives the reason of a row in words, and is asked only for rows that raise something or say
    something new. ``lead`` gives which part of the subject adds most in a row, NOBODY where none does; None
    where there is but one. What was pending before ``hole_ns`` without a row begins anew.
    """

    detector: int
    place: str
    ts_ns: I8
    value: F8
    hole_ns: int
    say: Callable[[int], Text]
    lead: Callable[[int], int] | None = None


class Judge:
    """The limits of every subject, for one thread at a time."""

    def __init__(self) -> None:
        self._limit: Rows = np.zeros(0, LIMIT)
        self._heard: I8 = np.zeros(0, np.int64)
        self._lead: I8 = np.zeros(0, np.int64)  # which part led when an active limit was last told of
        self._of: dict[tuple[int, str], slice] = {}

    def set_limits(self, table: LimitTable, subjects: Sequence[Subject]) -> None:
        """Judge by these limits from now on; a limit with a known key goes on where it stood.

        Raises ConfigError for a limit that no row could be judged by.
        """
        old, heard, lead = self._limit, self._heard, self._lead
        self._limit = limits.rows_of(table, range(len(subjects)), {s.detector for s in subjects})
        self._heard = np.zeros(len(self._limit), np.int64)
        self._lead = np.full(len(self._limit), NOBODY)
        edges = np.searchsorted(self._limit["point"], np.arange(len(subjects) + 1)).tolist()
        self._of = {
            (s.detector, s.about.place): slice(begin, end)
            for s, (begin, end) in zip(subjects, itertools.pairwise(edges), strict=True)
            if begin < end
        }
        self._go_on(old, heard, lead)

    def take(self, said: Iterable[Statistics]) -> tuple[Transitions, tuple[NewReason, ...]]:
        """Judge what was said; return what became active or inactive, in order of time, with its reasons.

        And the newer reasons of limits that stand: where another part of the subject leads than before.
        """
        parts: list[Rows] = []
        why: list[Text | None] = []
        newer: list[NewReason] = []
        for rows in said:
            mine = self._of.get((rows.detector, rows.place))
            if mine is None or not len(rows.ts_ns):
                continue
            out = np.zeros(len(rows.ts_ns) * (mine.stop - mine.start), TRANSITION)
            limit, heard = self._limit[mine], self._heard[mine]
            out = out[: judge_rows(limit, heard, rows.ts_ns, rows.value, rows.hole_ns, out)]
            if len(out):
                parts.append(out)
                at = np.searchsorted(rows.ts_ns, out["ts_ns"])
                why += [rows.say(int(k)) if up else None for k, up in zip(at, out["active"], strict=True)]
            if rows.lead is not None and limit["active"].any():
                newer += self._led(mine, rows, rows.lead, out)
        if not parts:
            return limits.transitions([]), tuple(newer)
        found = np.concatenate(parts)
        order = np.argsort(found["ts_ns"], kind="stable")
        return limits.transitions([found[order]], tuple(why[i] for i in order.tolist())), tuple(newer)

    def _led(self, mine: slice, rows: Statistics, lead: Callable[[int], int], out: Rows) -> list[NewReason]:
        """Return the newer reasons of a subject, by its last row that says something."""
        known = np.flatnonzero(np.isfinite(rows.value))
        if not len(known) or (leads := lead(int(known[-1]))) == NOBODY:
            return []
        k, newer = int(known[-1]), []
        for i in range(mine.start, mine.stop):
            key = int(self._limit["key"][i])
            if not self._limit["active"][i]:
                self._lead[i] = NOBODY
            elif (raised := out["ts_ns"][(out["key"] == key) & (out["active"] != 0)]).size:
                self._lead[i] = lead(int(np.searchsorted(rows.ts_ns, raised[-1])))
            elif self._lead[i] == NOBODY:
                self._lead[i] = leads
            if self._limit["active"][i] and self._lead[i] != leads:
                self._lead[i] = leads
                newer.append(NewReason(key, int(rows.ts_ns[k]), rows.say(k)))
        return newer

    def resume(self, keys: I8) -> None:
        """Take these limits as active, and no others: what the alert book says after a restart."""
        active = np.isin(self._limit["key"], keys)
        self._limit["since_ns"][active != (self._limit["active"] != 0)] = NONE
        self._limit["active"] = active

    def state(self) -> parcel.Arrays:
        """Return what is remembered, for a snapshot."""
        return {"limit": self._limit, "heard": self._heard, "lead": self._lead}

    def restore(self, arrays: parcel.Arrays) -> None:
        """Go on where a snapshot stood, limit by limit."""
        self._go_on(arrays["limit"], arrays["heard"], arrays["lead"])

    def _go_on(self, old: Rows, heard: I8, lead: I8) -> None:
        if not len(old):
            return
        limits.carry(self._limit, old)
        keys = self._limit["key"].tolist()
        for mine, kept, unknown in ((self._heard, heard, 0), (self._lead, lead, NOBODY)):
            before = dict(zip(old["key"].tolist(), kept.tolist(), strict=True))
            mine[:] = [before.get(key, unknown) for key in keys]
