"""The spool: readings stay on the gateway's disk until the host says that its store holds them.

Rows are numbered without a gap and always the oldest are deleted, so the rows held are one run of ids,
``first_id`` to ``last_id``. ``identity`` names such a run towards the host. When ids could be given twice
(after a power cut) the rows that are left get a new identity and are numbered from 1 again, by moving
``base`` and not by touching the rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from sqlite3 import Connection

from minewatch_edge.errors import SpoolUnavailable
from minewatch_edge.rows import Columns, NewRow, Row, pack, unpack
from minewatch_edge.spool_file import SpoolFile

_REJECTS_KEPT = 1000
_EVICT_SHARE = 0.02  # of the rows at a time: a little room, so that not every commit evicts
_SHRINK_PAGES = 256
_AHEAD_MS = 60_000  # a point that gives very many readings runs ahead of the clock


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Caps of the spool; 0 means no cap. ``full_sync`` waits for the disk at every commit."""

    max_bytes: int = 0
    max_age_ns: int = 0
    full_sync: bool = False
    max_pages: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """Readings since the spool was made; ``sent`` counts repeats too, ``dropped`` never reached the disk."""

    sampled: int = 0
    sent: int = 0
    acked: int = 0
    evicted_size: int = 0
    evicted_age: int = 0
    dropped: int = 0
    rejected: int = 0

    @property
    def evicted(self) -> int:
        """Readings deleted although nobody had acknowledged them."""
        return self.evicted_size + self.evicted_age

    @property
    def held(self) -> int:
        """Readings on the disk that nobody has acknowledged."""
        return self.sampled - self.acked - self.evicted


_COUNTERS = tuple(field.name for field in fields(Counters))


@dataclass(frozen=True, slots=True)
class SpoolPoint:
    """A point rows speak of; ``birth`` is what its owner needs to declare it again."""

    device: str
    metric: str
    birth: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A line of a source that could not be used, and why."""

    ts_ns: int
    device: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the object remembers of the file; replaced whole, so that a refused commit changes nothing."""

    identity: str = ""
    base: int = 0
    first_id: int = 1
    last_id: int = 0
    bd_seq: int = -1
    last_ms: int = 0
    counters: Counters = Counters()


class Spool:
    """One spool, used by one thread; columns speak of points by their index in ``points``.

    Every call may raise SpoolUnavailable: the disk refuses, nothing has changed, the same call may go through
    later. ``boot`` names the present run of the machine, so that a power cut is told from a killed process.
    """

    def __init__(self, path: Path, limits: SpoolLimits | None = None, *, boot: str = "") -> None:
        self.limits = limits or SpoolLimits()
        self.points: tuple[SpoolPoint, ...] = ()
        self._file = SpoolFile(path, full_sync=self.limits.full_sync, max_pages=self.limits.max_pages)
        self._boot = boot
        self._mark = _Mark()
        self._ids: list[int] = []
        self._indexes: dict[int, int] = {}

    @property
    def path(self) -> Path:
        """Where the spool is."""
        return self._file.path

    @property
    def identity(self) -> str:
        """The name of the present run of ids; "" before the file could be opened."""
        return self._mark.identity

    @property
    def first_id(self) -> int:
        """The oldest row held."""
        return self._mark.first_id

    @property
    def last_id(self) -> int:
        """The newest row."""
        return self._mark.last_id

    @property
    def held_rows(self) -> int:
        """Rows that nobody has acknowledged."""
        return self._mark.last_id - self._mark.first_id + 1

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
            with self._file.transaction() as db:
                self._load(db)
                self._register(db)
                db.execute("UPDATE state SET boot = ?, clean = 0", (self._boot,))
        except BaseException:
            self._file.close()
            raise

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
        identity, base, bd_seq, last_ms, boot, clean, *counts = db.execute(
            f"SELECT identity, base, bd_seq, last_ms, boot, clean, {', '.join(_COUNTERS)} FROM state"  # noqa: S608
        ).fetchone()
        low, high, top = db.execute(
            "SELECT min(id), max(id), (SELECT seq FROM sqlite_sequence WHERE name = 'row') FROM row"
        ).fetchone()
        newest = max(high or 0, top or 0, base)
        first = (low or newest + 1) - base
        self._mark = _Mark(identity, base, first, newest - base, bd_seq, last_ms, Counters(*counts))
        power_cut = not clean and (not boot or boot != self._boot)
        if not identity or (power_cut and not self.limits.full_sync):
            # After a power cut the last commits may be gone while the host already knows their ids.
            self._rename(db)

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
                self._file.db.execute("UPDATE state SET clean = 1")
        self._file.close()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One transaction; what this object remembers goes back too when the disk refuses."""
        self._ready()
        before = self._mark
        try:
            with self._file.transaction() as db:
                yield db
        except BaseException:
            self._mark = before
            raise

    def _ready(self) -> None:
        if not self._file.is_open:
            self.open()

    # --- rows -----------------------------------------------------------------------------------------------

    def append(self, rows: Sequence[NewRow], now_ns: int, *, sent: int = 0, dropped: int = 0) -> int:
        """Commit rows together and return the id of the first.

        ``sent`` and ``dropped`` are readings counted since the last call, kept in the same transaction. A row
        with a priority waits for the disk itself.
        """
        self._ready()
        if not any(row.priority for row in rows):
            return self._append(rows, now_ns, sent, dropped)
        with self._file.guard():
            self._file.synchronous(full=True)
        try:
            return self._append(rows, now_ns, sent, dropped)
        finally:
            if self._file.is_open:
                self._file.synchronous(full=False)

    def _append(self, rows: Sequence[NewRow], now_ns: int, sent: int, dropped: int) -> int:
        with self._transaction() as db:
            mark, ids, ts = self._mark, self._ids, now_ns // 1_000_000
            key = mark.base + mark.last_id
            values = []
            for row in rows:
                key += 1
                body = pack(row.columns._replace(points=[ids[p] for p in row.columns.points]))
                values.append((key, ts, row.priority, row.device, len(row.columns.points), body))
            db.executemany("INSERT INTO row VALUES (?, ?, ?, ?, ?, ?)", values)
            marks = [(row.device, row.mark) for row in rows if row.mark]
            if marks:
                db.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", marks)
            # A source's own time may be wrong by years: it must not draw the agent's clock after it.
            latest = max(max(row.columns.times) for row in rows)
            last_ms = max(mark.last_ms, min(latest, ts + _AHEAD_MS))
            self._mark = replace(mark, last_id=mark.last_id + len(rows), last_ms=last_ms)
            self._count(db, last_ms=last_ms, sampled=sum(v[4] for v in values), sent=sent, dropped=dropped)
            return mark.last_id + 1

    def unacknowledged(self, after: int, limit: int, *, upto: int | None = None) -> list[Row]:
        """Return the oldest held rows with ``after < id <= upto``, at most ``limit``."""
        self._ready()
        base = self._mark.base
        last = self.last_id if upto is None else upto
        with self._file.guard():
            found = self._file.db.execute(
                "SELECT id, device, body FROM row WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
                (base + after, base + last, limit),
            ).fetchall()
        return [Row(key - base, device, self._columns(body)) for key, device, body in found]

    def _columns(self, body: bytes) -> Columns:
        columns, indexes = unpack(body), self._indexes
        return columns._replace(points=[indexes[p] for p in columns.points])

    def acknowledge(self, identity: str, upto: int) -> int:
        """Delete the rows up to ``upto`` and return how many readings that were; 0 for another spool's."""
        upto = min(upto, self.last_id)
        if identity != self.identity or upto < self.first_id:
            return 0
        with self._transaction() as db:
            readings = self._delete(db, upto)
            self._count(db, acked=readings)
        return readings

    def _delete(self, db: Connection, upto: int) -> int:
        key = (self._mark.base + upto,)
        readings = db.execute("SELECT total(n) FROM row WHERE id <= ?", key).fetchone()[0]
        db.execute("DELETE FROM row WHERE id <= ?", key)
        self._mark = replace(self._mark, first_id=upto + 1)
        return int(readings)

    def _rename(self, db: Connection) -> None:
        """Begin a new run of ids with the oldest row held."""
        mark = self._mark
        base = mark.base + mark.first_id - 1
        last = mark.last_id - mark.first_id + 1
        self._mark = replace(mark, identity=str(uuid.uuid4()), base=base, first_id=1, last_id=last)
        db.execute("UPDATE state SET identity = ?, base = ?", (self._mark.identity, base))

    def _count(self, db: Connection, *, last_ms: int | None = None, **more: int) -> None:
        changed = {name: n for name, n in more.items() if n}
        counters = replace(
            self._mark.counters, **{k: getattr(self._mark.counters, k) + n for k, n in changed.items()}
        )
        self._mark = replace(self._mark, counters=counters)
        settings: Mapping[str, int] = {k: getattr(counters, k) for k in changed}
        if last_ms is not None:
            settings = {**settings, "last_ms": last_ms}
        if settings:
            names = ", ".join(f"{k} = ?" for k in settings)
            db.execute(f"UPDATE state SET {names}", tuple(settings.values()))  # noqa: S608 (our names)

    # --- caps -----------------------------------------------------------------------------------------------

    def evict(self, now_ns: int, *, by_age: bool = True) -> int:
        """Delete the oldest rows beyond the caps and return how many readings that cost."""
        self._ready()
        gone = self._evict_old(now_ns) if by_age and self.limits.max_age_ns else 0
        while self.limits.max_bytes and self.held_rows and self._file.used_bytes() > self.limits.max_bytes:
            chunk = max(1, int(self.held_rows * _EVICT_SHARE))
            gone += self._evict_upto(self.first_id + chunk - 1, "evicted_size")
        return gone

    def _evict_old(self, now_ns: int) -> int:
        """Delete rows that are too old; ids follow time, so only the oldest run is looked at."""
        before = (now_ns - self.limits.max_age_ns) // 1_000_000
        with self._file.guard():
            young = self._file.db.execute(
                "SELECT id FROM row WHERE ts >= ? ORDER BY id LIMIT 1", (before,)
            ).fetchone()
        upto = young[0] - 1 - self._mark.base if young else self.last_id
        return self._evict_upto(upto, "evicted_age") if upto >= self.first_id else 0

    def _evict_upto(self, upto: int, reason: str) -> int:
        with self._transaction() as db:
            readings = self._delete(db, upto)
            self._count(db, **{reason: readings})
        return readings

    def used_bytes(self) -> int:
        """Return the bytes in use inside the file."""
        self._ready()
        return self._file.used_bytes()

    def shrink(self) -> None:
        """Give a little of the free room back to the disk; meant to be called now and then."""
        self._ready()
        self._file.shrink(_SHRINK_PAGES)

    # --- small things ---------------------------------------------------------------------------------------

    def count(self, *, sent: int = 0, dropped: int = 0) -> None:
        """Keep counts when no row is appended that could carry them."""
        if sent or dropped:
            with self._transaction() as db:
                self._count(db, sent=sent, dropped=dropped)

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
