"""The spool: readings stay on the gateway's disk until the host says that its store holds them.

Rows are numbered from 1 on and no number is ever given twice under one ``identity``, the name of the file
towards the host. Numbers are reserved ahead, by commits that wait for the disk: after a power cut numbering
goes on beyond the reservation, and a gap note tells the host which numbers will never come. A full spool
gives up the oldest rows of the lowest priority: the rows held may have holes, each told by a gap note.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection
from typing import TypeAlias

from minewatch_edge import gaps, salvage
from minewatch_edge.errors import SpoolError, SpoolUnavailable
from minewatch_edge.gaps import Gap
from minewatch_edge.rows import NO_READINGS, NOTE_PRIORITY, Columns, NewRow, Row, pack, unpack
from minewatch_edge.spool_file import SpoolFile
from minewatch_edge.spool_types import COUNTERS, Counters, Mark, Reject, SpoolLimits, SpoolPoint

__all__ = ["Counters", "Reject", "Spool", "SpoolLimits", "SpoolPoint"]

log = logging.getLogger(__name__)

_REJECTS_KEPT = 1000
_EVICT_SHARE = 0.02  # of the rows at a time: a little room, so that not every commit evicts
_EVICT_MOST = 20_000
_EVICT_A_CALL = 60_000  # rows; the agent's loop must go on
_SHRINK_PAGES = 256
_AHEAD_MS = 60_000  # a point that gives very many readings runs ahead of the clock
_BLOCK = 10_000  # ids reserved at a time
_GAP_TEXT = '{"kind":"gap"'
_Given: TypeAlias = tuple[int, int, str, int]


class Spool:
    """One spool, used by one thread; columns speak of points by their index in ``points``.

    Every call may raise SpoolUnavailable: the disk refuses, nothing has changed, the same call may go through
    later. ``boot`` names the present run of the machine, so that a power cut is told from a killed process.
    """

    def __init__(
        self, path: Path, limits: SpoolLimits | None = None, *, boot: str = "",
        working: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """``working`` is called while a call takes long, so that whoever waits knows that it goes on."""
        self.limits = limits or SpoolLimits()
        self.points: tuple[SpoolPoint, ...] = ()
        self.salvaged = ""  # what became of the rows of a file that was given up
        self._file = SpoolFile(path, full_sync=self.limits.full_sync, max_pages=self.limits.max_pages)
        self._boot = boot
        self._working = working
        self._mark = Mark()
        self._ids: list[int] = []
        self._indexes: dict[int, int] = {}
        self.untold_runs = 0  # pieces of the largest loss that no note tells yet, as far as seen
        self._lowest = [0] * (NOTE_PRIORITY + 1)  # rows up to here of that priority are gone

    @property
    def path(self) -> Path:
        """Where the spool is."""
        return self._file.path

    @property
    def identity(self) -> str:
        """The name of the file towards the host; "" before it could be opened."""
        return self._mark.identity

    @property
    def first_id(self) -> int:
        """The oldest row held."""
        return self._mark.first_id

    @property
    def last_id(self) -> int:
        """The newest id given."""
        return self._mark.last_id

    @property
    def held_rows(self) -> int:
        """Rows that nobody has acknowledged."""
        return self._mark.held_rows

    @property
    def owed_from(self) -> int:
        """The first id the host has not acknowledged: it will come, or a note tells that it will not."""
        return self._mark.acked_id + 1

    @property
    def counters(self) -> Counters:
        """Readings counted since the spool was made."""
        return self._mark.counters

    @property
    def bd_seq(self) -> int:
        """The last bdSeq used, -1 before the first."""
        return self._mark.bd_seq

    @property
    def last_ms(self) -> int:
        """The latest time reached: of any reading ever spooled, as far as our own clock had come."""
        return self._mark.last_ms

    @property
    def moved_aside(self) -> Path | None:
        """The file that could not be read and was kept under another name."""
        return self._file.moved_aside

    # --- open and close -------------------------------------------------------------------------------------

    def open(self, points: Sequence[SpoolPoint] = ()) -> None:
        """Open the file and register points; ``points`` afterwards ends with those only old rows speak of.

        Raises SpoolInUse when another agent holds the file.
        """
        if points:
            self.points = tuple(points)
        self._file.open()
        try:
            try:
                self._begin()
            except SpoolUnavailable:
                if not self._file.is_open:
                    raise
                self._file.use_room()
                self._begin()
        except BaseException:
            self._file.close()
            raise
        self._file.keep_room()

    def _begin(self) -> None:
        with self._file.transaction(full=True) as db:
            fresh = not db.execute("SELECT identity FROM state").fetchone()[0]
            if fresh:
                self._take_over(db)
            self._load(db)
            self._register(db)
            db.execute("UPDATE state SET boot = ?, clean = 0", (self._boot,))
        if fresh:
            self._file.taken_over()

    def _take_over(self, db: Connection) -> None:
        """Begin a new file with what can be read of the one that was given up, and note what cannot."""
        with self._file.former() as source:
            if source is None:
                return
            free = self._file.free_bytes()
            gap, self.salvaged = salvage.take_over(source, db, self._mark, free=free, working=self._working)
        if gap is not None:
            self._note_gap(db, gap)
        log.error("spool %s was given up: %s", self.path, self.salvaged)

    def declare(self, points: Sequence[SpoolPoint]) -> None:
        """Register other points while the file is open; no row may be pending that speaks of the old ones."""
        before = self.points, self._ids, self._indexes
        self.points = tuple(points)
        try:
            if self._file.is_open:
                with self._file.transaction() as db:
                    self._register(db)
            else:
                self.open()
        except BaseException:
            self.points, self._ids, self._indexes = before
            raise

    def _load(self, db: Connection) -> None:
        identity, last, reserved, acked_id, bd_seq, last_ms, boot, clean, *counts = db.execute(
            "SELECT identity, last_id, reserved, acked_id, bd_seq, last_ms, boot, clean,"  # noqa: S608
            f" {', '.join(COUNTERS)} FROM state"
        ).fetchone()
        low, held = db.execute("SELECT min(id), count(*) FROM row").fetchone()
        power_cut = bool(identity) and not clean and (not boot or boot != self._boot)
        if power_cut and reserved > last:
            # The last commits may be gone while the host already knows their ids.
            self._note_gap(db, Gap(gaps.POWER_CUT, ((last + 1, reserved),), None, from_ms=last_ms))
            last = reserved
        identity = identity or str(uuid.uuid4())
        self._mark = Mark(
            identity, low or last + 1, last, held, last, acked_id, bd_seq, last_ms, Counters(*counts)
        )
        self._reserve(last)
        db.execute(
            "UPDATE state SET identity = ?, last_id = ?, reserved = ?",
            (identity, last, self._mark.reserved),
        )

    def _reserve(self, last: int) -> None:
        """Reserve ids ahead; a spool whose every commit is on the disk needs none ahead."""
        self._mark = replace(self._mark, reserved=last + (0 if self._file.full_sync else _BLOCK))

    def _register(self, db: Connection) -> None:
        if not self.held_rows:
            db.execute("DELETE FROM point")
        db.executemany(
            "INSERT INTO point (device, metric, birth) VALUES (?, ?, ?)"
            " ON CONFLICT (device, metric) DO UPDATE SET birth = excluded.birth",
            [(p.device, p.metric, p.birth) for p in self.points],
        )
        known = {(d, m): (i, b) for i, d, m, b in db.execute("SELECT id, device, metric, birth FROM point")}
        ids = [known.pop((p.device, p.metric))[0] for p in self.points]
        retired = sorted((i, SpoolPoint(d, m, b)) for (d, m), (i, b) in known.items()) if known else []
        self.points += tuple(point for _, point in retired)
        self._ids = ids + [i for i, _ in retired]
        self._indexes = {i: index for index, i in enumerate(self._ids)}

    def close(self) -> None:
        """Close in order; rows held are there again at the next start."""
        if self._file.is_open:
            with suppress(SpoolUnavailable), self._file.guard():
                self._file.db.execute("UPDATE state SET clean = 1, reserved = last_id")
        self._file.close()

    @contextmanager
    def _transaction(self, *, full: bool = False) -> Iterator[Connection]:
        """One transaction; what this object remembers goes back too when the disk refuses."""
        self._ready()
        before = self._mark
        try:
            with self._file.transaction(full=full) as db:
                yield db
        except BaseException:
            self._mark = before
            raise

    def _ready(self) -> None:
        if not self._file.is_open:
            self.open()

    # --- rows -----------------------------------------------------------------------------------------------

    def append(self, rows: Sequence[NewRow], now_ns: int, *, sent: int = 0, lost: Gap | None = None) -> int:
        """Commit rows together and return the id of the first.

        ``sent`` are readings counted since the last call, ``lost`` those that never reached the disk; both
        are kept in the same transaction. Rows with a priority wait for the disk itself.
        """
        self._ready()
        last = self._mark.last_id + len(rows)
        full = last > self._mark.reserved or any(row.priority for row in rows)
        with self._transaction(full=full) as db:
            return self._append(db, rows, now_ns, sent, lost)

    def _append(
        self, db: Connection, rows: Sequence[NewRow], now_ns: int, sent: int, lost: Gap | None
    ) -> int:
        mark, ids, ts = self._mark, self._ids, now_ns // 1_000_000
        first, last = mark.last_id + 1, mark.last_id + len(rows)
        values = []
        for key, row in enumerate(rows, first):
            body = (
                b"" if row.note else pack(row.columns._replace(points=[ids[p] for p in row.columns.points]))
            )
            values.append(
                (key, ts, row.priority, row.device, len(row.columns.points), body, row.note or None)
            )
        db.executemany("INSERT INTO row VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        marks = [(row.device, row.mark) for row in rows if row.mark]
        if marks:
            db.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", marks)
        # A source's own time may be wrong by years: it must not draw the agent's clock after it.
        latest = max((max(row.columns.times) for row in rows if row.columns.times), default=0)
        last_ms = max(mark.last_ms, min(latest, ts + _AHEAD_MS))
        self._mark = replace(
            mark, last_id=last, last_ms=last_ms, held_rows=mark.held_rows + len(rows),
            first_id=mark.first_id if mark.held_rows else first,
        )  # fmt: skip
        if last > mark.reserved:
            self._reserve(last)
            db.execute("UPDATE state SET reserved = ?", (self._mark.reserved,))
        dropped = (lost.readings or 0) if lost is not None else 0
        if lost is not None:
            self._note_gap(db, lost)
        sampled = sum(v[4] for v in values) + dropped
        self._count(db, last_ms=last_ms, last_id=last, sampled=sampled, sent=sent, dropped=dropped)
        return first

    def unacknowledged(self, after: int, limit: int, *, upto: int | None = None) -> list[Row]:
        """Return the oldest held rows with ``after < id <= upto``, at most ``limit``."""
        return self._rows("", after, limit, upto)

    def notes(self, after: int, limit: int, *, upto: int | None = None) -> list[Row]:
        """Return the oldest held notes with ``after < id <= upto``, at most ``limit``."""
        return self._rows("AND note IS NOT NULL", after, limit, upto)

    def _rows(self, which: str, after: int, limit: int, upto: int | None) -> list[Row]:
        self._ready()
        last = self.last_id if upto is None else upto
        with self._file.guard():
            found = self._file.db.execute(
                "SELECT id, device, body, note FROM row"  # noqa: S608 (our own words)
                f" WHERE id > ? AND id <= ? {which} ORDER BY id LIMIT ?",
                (after, last, limit),
            ).fetchall()
        try:
            return [
                Row(key, device, NO_READINGS if note else self._columns(body), note or "")
                for key, device, body, note in found
            ]
        except (SpoolError, KeyError) as error:
            self._file.give_up(f"it holds what is no row: {error}")

    def _columns(self, body: bytes) -> Columns:
        columns, indexes = unpack(body), self._indexes
        return columns._replace(points=[indexes[p] for p in columns.points])

    def acknowledge(self, identity: str, upto: int) -> int:
        """Delete the rows up to ``upto`` and return how many readings that were; 0 for another spool's."""
        upto = min(upto, self.last_id)
        if identity != self.identity or upto <= self._mark.acked_id:
            return 0
        try:
            return self._acknowledge(upto)
        except SpoolUnavailable:
            if not self._file.is_open:
                raise
            self._file.use_room()  # a disk that is full by us must not stay so for ever
            return self._acknowledge(upto)

    def _acknowledge(self, upto: int) -> int:
        with self._transaction() as db:
            readings = db.execute("SELECT total(n) FROM row WHERE id <= ?", (upto,)).fetchone()[0]
            rows = db.execute("DELETE FROM row WHERE id <= ?", (upto,)).rowcount
            self._mark = replace(self._mark, acked_id=upto)
            self._forget(db, rows)
            self._count(db, acked_id=upto, acked=int(readings))
        return int(readings)

    def _forget(self, db: Connection, rows: int) -> None:
        """Take note that rows are gone."""
        low = db.execute("SELECT min(id) FROM row").fetchone()[0]
        self._mark = replace(
            self._mark, first_id=low or self._mark.last_id + 1, held_rows=self._mark.held_rows - rows
        )

    def _count(
        self, db: Connection, *, last_ms: int | None = None, last_id: int | None = None,
        acked_id: int | None = None, **more: int,
    ) -> None:  # fmt: skip
        changed = {name: n for name, n in more.items() if n}
        counters = replace(
            self._mark.counters, **{k: getattr(self._mark.counters, k) + n for k, n in changed.items()}
        )
        self._mark = replace(self._mark, counters=counters)
        settings: dict[str, int] = {k: getattr(counters, k) for k in changed}
        others: Mapping[str, int | None] = {"last_ms": last_ms, "last_id": last_id, "acked_id": acked_id}
        settings |= {name: value for name, value in others.items() if value is not None}
        if settings:
            names = ", ".join(f"{k} = ?" for k in settings)
            db.execute(f"UPDATE state SET {names}", tuple(settings.values()))  # noqa: S608 (our names)

    # --- gaps -----------------------------------------------------------------------------------------------

    def _note_gap(self, db: Connection, gap: Gap) -> None:
        """Keep what was lost until it becomes a note; losses of one reason become one note."""
        before = db.execute("SELECT body FROM gap WHERE reason = ?", (gap.reason,)).fetchone()
        if before is not None:
            gap = gaps.read(before[0]).joined(gap)
        self.untold_runs = max(self.untold_runs, len(gap.ids))
        db.execute(
            "INSERT INTO gap (reason, body) VALUES (?, ?)"
            " ON CONFLICT (reason) DO UPDATE SET body = excluded.body",
            (gap.reason, gap.text()),
        )

    def has_gaps(self) -> bool:
        """Tell whether something was lost that no note tells yet."""
        self._ready()
        with self._file.guard():
            return bool(self._file.db.execute("SELECT EXISTS (SELECT 1 FROM gap)").fetchone()[0])

    def tell_gaps(self, now_ns: int) -> list[tuple[int, NewRow]]:
        """Turn what was lost since the last call into notes, on the disk at once; return them with their ids.

        While nobody listens a caller waits with this, so that one note tells of many losses.
        """
        if not self.has_gaps():
            return []
        with self._transaction(full=True) as db:
            found = [gaps.read(body) for (body,) in db.execute("SELECT body FROM gap ORDER BY id")]
            rows = [part.ended(now_ns // 1_000_000).row() for gap in found for part in gap.parts()]
            db.execute("DELETE FROM gap")
            first = self._append(db, rows, now_ns, 0, None)
        self.untold_runs = 0
        return list(enumerate(rows, first))

    # --- caps -----------------------------------------------------------------------------------------------

    def evict(self, now_ns: int, *, by_age: bool = True) -> int:
        """Delete rows beyond the caps, oldest of the lowest priority first; return the readings that cost.

        One call deletes a bounded number, the next ones the rest. Notes have no age; those of gaps stay.
        """
        self._ready()
        self._file.look_for_it()
        gone = self._evict_old(now_ns) if by_age and self.limits.max_age_ns else 0
        left = _EVICT_A_CALL
        for priority in range(NOTE_PRIORITY + 1):
            while left > 0 and self.limits.max_bytes and self._file.used_bytes() > self.limits.max_bytes:
                most = min(_EVICT_MOST, max(1, int(self.held_rows * _EVICT_SHARE)))
                rows = self._oldest(priority, most)
                if not rows:
                    break
                left -= len(rows)
                gone += self._give_up(rows, gaps.SIZE, "evicted_size")
                self._lowest[priority] = rows[-1][0]
        return gone

    def _oldest(self, priority: int, limit: int) -> list[_Given]:
        """Return (id, time, device, readings) of the oldest rows of a priority."""
        which = f"AND note NOT LIKE '{_GAP_TEXT}%'" if priority == NOTE_PRIORITY else ""
        with self._file.guard():
            return self._file.db.execute(
                "SELECT id, ts, device, n FROM row"  # noqa: S608 (our own words)
                f" WHERE id > ? AND priority = ? {which} ORDER BY id LIMIT ?",
                (self._lowest[priority], priority, limit),
            ).fetchall()

    def _evict_old(self, now_ns: int) -> int:
        """Delete readings that are too old; ids follow time, so only the oldest run is looked at."""
        before = (now_ns - self.limits.max_age_ns) // 1_000_000
        gone = 0
        for _ in range(_EVICT_A_CALL // _EVICT_MOST):
            with self._file.guard():
                young = self._file.db.execute(
                    "SELECT id FROM row WHERE ts >= ? ORDER BY id LIMIT 1", (before,)
                ).fetchone()
                rows = self._file.db.execute(
                    "SELECT id, ts, device, n FROM row WHERE id < ? AND note IS NULL ORDER BY id LIMIT ?",
                    (young[0] if young else self.last_id + 1, _EVICT_MOST),
                ).fetchall()
            gone += self._give_up(rows, gaps.AGE, "evicted_age") if rows else 0
        return gone

    def _give_up(self, rows: list[_Given], reason: str, counter: str) -> int:
        gap = gaps.of_rows(reason, rows)
        with self._transaction() as db:
            db.executemany("DELETE FROM row WHERE id = ?", [(row[0],) for row in rows])
            self._forget(db, len(rows))
            self._note_gap(db, gap)
            self._count(db, **{counter: gap.readings or 0})
        return gap.readings or 0

    def figures(self) -> tuple[int, int]:
        """Return the bytes in use inside the file, and when the oldest row held was taken (ms, 0: none)."""
        self._ready()
        return self._file.used_bytes(), self._file.oldest_ms()

    def shrink(self) -> None:
        """Give a little of the free room back to the disk; meant to be called now and then."""
        self._ready()
        self._file.shrink(_SHRINK_PAGES)
        self._file.keep_room()

    # --- small things ---------------------------------------------------------------------------------------

    def count(self, now_ns: int, *, sent: int = 0, lost: Gap | None = None) -> None:
        """Keep counts and losses when no row is appended that could carry them."""
        if sent or lost is not None:
            with self._transaction() as db:
                self._append(db, (), now_ns, sent, lost)

    def marks(self) -> dict[str, str]:
        """Return how far the source of each device was read with the rows committed, by device."""
        self._ready()
        with self._file.guard():
            return dict(self._file.db.execute("SELECT device, mark FROM mark").fetchall())

    def save_bd_seq(self, bd_seq: int) -> None:
        """Put the bdSeq of a connection on the disk before the broker sees it."""
        with self._transaction() as db:
            self._mark = replace(self._mark, bd_seq=bd_seq)
            db.execute("UPDATE state SET bd_seq = ?", (bd_seq,))

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Keep the newest rejected lines, and count them all."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO reject (ts, device, reason, text) VALUES (?, ?, ?, ?)",
                [(r.ts_ns // 1_000_000, r.device, r.reason, r.text[:500]) for r in rejects],
            )
            db.execute("DELETE FROM reject WHERE id <= (SELECT max(id) FROM reject) - ?", (_REJECTS_KEPT,))
            self._count(db, rejected=len(rejects))

    def rejects(self, limit: int = 100) -> list[Reject]:
        """Return the newest rejected lines, newest first."""
        self._ready()
        with self._file.guard():
            rows = self._file.db.execute(
                "SELECT ts, device, reason, text FROM reject ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [Reject(ts * 1_000_000, device, reason, text) for ts, device, reason, text in rows]
