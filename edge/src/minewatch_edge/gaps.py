"""Gaps: what a spool will never deliver, told to the host in a note: it does not wait, and says why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from minewatch_edge.rows import NewRow, note_row

KIND = "gap"
RANGES_MOST = 500  # of one note; more become a note of their own
_DEVICES_MOST = 50

SIZE, AGE, MEMORY, POWER_CUT, DISK = "size", "age", "memory", "power-cut", "disk"


@dataclass(frozen=True, slots=True)
class Gap:
    """Ids that will never come (first and last of each run), and what is known of the readings in them.

    ``readings`` is None when nobody knows; times are the agent's clock in ms, 0 = not known yet.
    """

    reason: str
    ids: tuple[tuple[int, int], ...] = ()
    readings: int | None = 0
    notes: int = 0
    from_ms: int = 0
    to_ms: int = 0
    devices: tuple[str, ...] = ()

    def joined(self, other: Gap) -> Gap:
        """Return both as one; runs that touch become one run."""
        known = self.readings is not None and other.readings is not None
        return Gap(
            self.reason,
            runs([*self.ids, *other.ids]),
            (self.readings or 0) + (other.readings or 0) if known else None,
            self.notes + other.notes,
            min(filter(None, (self.from_ms, other.from_ms)), default=0),
            max(self.to_ms, other.to_ms),
            tuple(sorted({*self.devices, *other.devices})[:_DEVICES_MOST]),
        )

    def ended(self, now_ms: int) -> Gap:
        """Return the gap with an end, if it had none."""
        return self if self.to_ms else replace(self, to_ms=max(now_ms, self.from_ms))

    def parts(self) -> list[Gap]:
        """Return the gap in pieces of a size that one message carries; the first one has the figures."""
        most = RANGES_MOST
        first = replace(self, ids=self.ids[:most])
        rest = [
            replace(self, ids=self.ids[at : at + most], readings=0, notes=0)
            for at in range(most, len(self.ids), most)
        ]
        return [first, *rest]

    def content(self) -> dict[str, Any]:
        """Return the note's content, ``kind`` first."""
        return {
            "kind": KIND,
            "reason": self.reason,
            "ids": [list(run) for run in self.ids],
            "readings": self.readings,
            "notes": self.notes,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            "devices": list(self.devices),
        }

    def row(self) -> NewRow:
        """Return the row that tells the host."""
        return note_row(self.content())

    def text(self) -> str:
        """Return the gap as it is kept in the file."""
        return json.dumps(self.content())


def read(text: str) -> Gap:
    """Return a gap from its text."""
    said = json.loads(text)
    return Gap(
        said["reason"],
        tuple((first, last) for first, last in said["ids"]),
        said["readings"],
        said["notes"],
        said["from_ms"],
        said["to_ms"],
        tuple(said["devices"]),
    )


def runs(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return ranges in order, those that touch or overlap as one."""
    made: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if made and first <= made[-1][1] + 1:
            made[-1] = made[-1][0], max(made[-1][1], last)
        else:
            made.append((first, last))
    return tuple(made)


def of_rows(reason: str, rows: Sequence[tuple[int, int, str, int]]) -> Gap:
    """Return the gap that rows (id, time ms, device, readings) leave; one without a device is a note."""
    return Gap(
        reason,
        runs((row[0], row[0]) for row in rows),
        sum(row[3] for row in rows),
        sum(not row[2] for row in rows),
        min(row[1] for row in rows),
        max(row[1] for row in rows),
        tuple(sorted({row[2] for row in rows if row[2]})[:_DEVICES_MOST]),
    )


def missing(held: Iterable[int], first: int, last: int) -> tuple[tuple[int, int], ...]:
    """Return the runs of ``first..last`` in which no id of ``held`` (rising) lies."""
    made = []
    for number in held:
        if number > first:
            made.append((first, min(number - 1, last)))
        first = max(first, number + 1)
    if first <= last:
        made.append((first, last))
    return tuple(made)
