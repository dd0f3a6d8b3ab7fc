"""Tests of meters that people announce: from a command to the journal, from the journal to the detector.

The journal is what counts: a row that it has taken holds at once, and after a restart again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import structlog

from minewatch.alerts import announced
from minewatch.app.points import Points
from minewatch.contracts import (
    AHEAD_MOST_NS,
    KEY_REUSED,
    WINDOW_MOST_NS,
    AlertEvent,
    Announce,
    Announcement,
    PointInfo,
    RecordStore,
)
from minewatch.detect.engine import Engine
from minewatch.errors import CommandRefused, NotFound

log = structlog.get_logger(__name__)

MOST_METERS = 50  # of one command: whoever tests more announces them in turn


class Announcements:
    """What stands, by place; the last word about a place counts, before what is configured for it."""

    def __init__(
        self, records: RecordStore, points: Points, now_ns: int, configured: Iterable[Announcement] = ()
    ) -> None:
        self._records = records
        self._points = points
        self._configured = {said.place: said for said in configured if said.to_ns > now_ns}
        self._standing: dict[str, AlertEvent] = {}
        self._overridden: set[str] = set()
        self.take(records.announced(now_ns - AHEAD_MOST_NS - WINDOW_MOST_NS))

    def take(self, rows: Iterable[AlertEvent], engine: Engine | None = None) -> None:
        """Let what the journal has taken hold, for a detector too."""
        for row in rows:
            if row.announced is not None:
                self._standing[row.announced.place] = row
                if engine is not None:
                    self._tell(row.announced, engine, row.time_ns)

    def tell(self, engine: Engine, now_ns: int) -> None:
        """Tell a detector that knows nothing but the settings."""
        for row in self._standing.values():
            if row.announced is not None:
                self._tell(row.announced, engine, now_ns)

    def rows(self, asked: Announce, engine: Engine, now_ns: int) -> list[AlertEvent]:
        """Return a row for each meter that is meant; of what the journal holds already, its row there.

        A window begins no earlier than it is announced: what was judged stays judged. Raises NotFound where
        there is no such meter, or no window to end; CommandRefused for too many, or a key used for another.
        """
        meters = self._meant(asked, engine)
        before = self._before(asked, meters)
        if before and asked.end:  # what was announced since is not meant
            return list(before.values())
        made = [
            before.get(info.place)
            or self._unchanged(said, asked.comment, now_ns)
            or announced.event(said, info, now_ns, actor=asked.actor, comment=asked.comment, key=asked.key)
            for info in meters
            if (said := self._said(asked, info.place, now_ns)) is not None
        ]
        if not made:
            raise NotFound(f"no test is announced at {asked.place or asked.zone!r}")
        return made

    def _before(self, asked: Announce, meters: Iterable[PointInfo]) -> dict[str, AlertEvent]:
        """Return by place what a command with this key left. Raises CommandRefused if it was another."""
        names = {info.place: announced.row_name(asked.key, info.place) for info in meters if asked.key}
        found = {place: self._records.event_by_key(name) for place, name in names.items()}
        before = {place: row for place, row in found.items() if row is not None}
        if not all(_answers(row, asked) for row in before.values()):
            raise CommandRefused(
                "this Idempotency-Key came with another command before: use a new key for a new command",
                state=KEY_REUSED,
            )
        return before

    def _said(self, asked: Announce, place: str, now_ns: int) -> Announcement | None:
        if not asked.end:
            begin_ns = max(asked.from_ns, now_ns)
            return Announcement(place, begin_ns, asked.to_ns, asked.actor, asked.gas_pct)
        row = self._standing.get(place)
        if row is None or row.announced is None or row.announced.to_ns <= now_ns:
            return None
        return replace(row.announced, to_ns=now_ns)

    def _unchanged(self, said: Announcement, comment: str, now_ns: int) -> AlertEvent | None:
        """Return the row that stands where it says the same from now on: the journal needs no other."""
        row = self._standing.get(said.place)
        if row is None or row.announced is None or row.comment != comment:
            return None
        left = replace(row.announced, from_ns=max(row.announced.from_ns, now_ns))
        return row if _same(left, said) else None

    def _meant(self, asked: Announce, engine: Engine) -> list[PointInfo]:
        testable = engine.trials.meters()
        found = [info for point, info in self._within(asked) if point in testable]
        if not found:
            raise NotFound(f"no methane meter whose test could be told is at {asked.place or asked.zone!r}")
        if len(found) > MOST_METERS:
            raise CommandRefused(
                f"{len(found)} meters are at {asked.place or asked.zone!r}: at most {MOST_METERS} are "
                "announced at once, name a smaller place",
                state="",
            )
        return found

    def _within(self, asked: Announce) -> Iterator[tuple[int, PointInfo]]:
        for point, info in enumerate(self._points.infos):
            where, path = (info.place, asked.place) if asked.place else (info.zone, asked.zone)
            if where == path or where.startswith(f"{path}/"):
                yield point, info

    def _tell(self, standing: Announcement, engine: Engine, now_ns: int) -> None:
        known = self._points.at([standing.place]).tolist()
        point = known[0] if known else -1
        engine.trials.announce(standing, point)
        configured = self._configured.get(standing.place)
        if configured is None:
            return
        if standing.to_ns <= min(now_ns, configured.from_ns):
            engine.trials.announce(configured, point)  # yet to come; what was told is over, and ended first
        elif standing.place not in self._overridden:
            self._overridden.add(standing.place)
            log.warning(
                "an announced test takes the stead of that in detect.test_gas.announced",
                place=standing.place,
            )


def _answers(row: AlertEvent, asked: Announce) -> bool:
    said = row.announced
    if said is None or row.comment != asked.comment:
        return False
    if asked.end:
        return said.to_ns == row.time_ns
    begin_ns = max(asked.from_ns, row.time_ns)
    return _same(said, Announcement(said.place, begin_ns, asked.to_ns, asked.actor, asked.gas_pct))


def _same(one: Announcement, other: Announcement) -> bool:
    gas = one.gas_pct == other.gas_pct or (math.isnan(one.gas_pct) and math.isnan(other.gas_pct))
    return gas and replace(one, gas_pct=0.0) == replace(other, gas_pct=0.0)
