"""The file under the spool: one SQLite database in WAL mode, locked for one agent, set aside when corrupt."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from minewatch_edge.errors import SpoolInUse, SpoolUnavailable

log = logging.getLogger(__name__)

_STATE = """
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), identity TEXT NOT NULL DEFAULT '',
    last_id INTEGER NOT NULL DEFAULT 0, reserved INTEGER NOT NULL DEFAULT 0,
    acked_id INTEGER NOT NULL DEFAULT 0, bd_seq INTEGER NOT NULL DEFAULT -1,
    last_ms INTEGER NOT NULL DEFAULT 0, boot TEXT NOT NULL DEFAULT '', clean INTEGER NOT NULL DEFAULT 1,
    sampled INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0, acked INTEGER NOT NULL DEFAULT 0,
    evicted_size INTEGER NOT NULL DEFAULT 0, evicted_age INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0);
INSERT INTO state (one) VALUES (1);
"""
_NOTES = """
CREATE INDEX row_note ON row (id) WHERE note IS NOT NULL;
CREATE TABLE gap (id INTEGER PRIMARY KEY, reason TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
PRAGMA user_version = 2;
"""
_SCHEMA = f"""
BEGIN;
{_STATE}
CREATE TABLE point (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, birth TEXT NOT NULL,
    UNIQUE (device, metric));
CREATE TABLE row (
    id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, priority INTEGER NOT NULL,
    device TEXT NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL, note TEXT);
CREATE TABLE reject (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ts INTEGER NOT NULL, device TEXT NOT NULL,
    reason TEXT NOT NULL, text TEXT NOT NULL);
{_NOTES}
COMMIT;
"""
# Version 1 numbered rows from `base` on and knew neither notes nor reserved ids. Its counter `sampled` left
# out what was dropped before it reached the disk.
_KEPT = "identity, bd_seq, last_ms, boot, clean, sent, acked, evicted_size, evicted_age, dropped, rejected"
_FROM_1 = f"""
BEGIN;
ALTER TABLE row ADD COLUMN note TEXT;
ALTER TABLE state RENAME TO state_1;
UPDATE row SET id = id - (SELECT base FROM state_1) WHERE (SELECT base FROM state_1) > 0;
{_STATE}
UPDATE state SET ({_KEPT}, sampled) = (SELECT {_KEPT}, sampled + dropped FROM state_1);
UPDATE state SET last_id = max(
    coalesce((SELECT max(id) FROM row), 0),
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'row'), 0) - (SELECT base FROM state_1), 0);
UPDATE state SET acked_id = coalesce((SELECT min(id) FROM row) - 1, last_id), reserved = last_id + 1000000;
DROP TABLE state_1;
{_NOTES}
COMMIT;
"""  # noqa: S608 (our own names)
# Asked for at every start: files of version 1 exist that lack it.
_MARKS = "CREATE TABLE IF NOT EXISTS mark (device TEXT PRIMARY KEY, mark TEXT NOT NULL)"
_VERSION = 2
_TAKEN = ".taken"
_LOG_PAGES = 500
_ROOM = ".room"
_ROOM_BYTES = 3_000_000  # more than the log of the database takes, which is 2 MB
_BUSY, _CORRUPT, _FULL, _NOT_A_DATABASE = 5, 11, 13, 26


class SpoolFile:
    """The connection of one thread; every error of the disk becomes SpoolUnavailable."""

    def __init__(self, path: Path, *, full_sync: bool, max_pages: int) -> None:
        self.path = path
        self.moved_aside: Path | None = None
        self.full_sync = full_sync
        self._max_pages = max_pages
        self._db: sqlite3.Connection | None = None
        self._lock: sqlite3.Connection | None = None
        self._full_now = False
        self._vanished: sqlite3.Connection | None = None
        self._inode = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._db is not None

    @property
    def db(self) -> sqlite3.Connection:
        """The connection."""
        if self._db is None:
            raise SpoolUnavailable(f"{self.path}: the spool is not open")
        return self._db

    def open(self) -> None:
        """Open the file, or make it; what is no spool is moved aside and a new one begun.

        Raises SpoolInUse when another agent holds it.
        """
        self._take_lock()
        try:
            self._connect()
        except sqlite3.DatabaseError as error:
            self._drop()
            if _is_corrupt(error):
                self._move_aside(str(error))
            elif _primary_code(error) == _FULL and _beside(self.path, _ROOM).exists():
                with suppress(OSError):
                    _beside(self.path, _ROOM).unlink()
            else:
                raise SpoolUnavailable(f"{self.path}: {error}") from error
            with self.guard():
                self._connect()

    def _connect(self) -> None:
        db = self._db = sqlite3.connect(self.path, isolation_level=None, timeout=5.0)
        if self._max_pages:
            db.execute(f"PRAGMA max_page_count = {self._max_pages:d}")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        self.synchronous(full=self.full_sync)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._build(_SCHEMA)
        elif version == 1:
            self._build(_FROM_1)
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"malformed: version {version}, this agent reads {_VERSION}")
        db.execute(_MARKS)
        if db.execute("SELECT count(*) FROM state").fetchone()[0] != 1:
            raise sqlite3.DatabaseError("malformed: no state")
        with suppress(OSError):
            self._inode = self.path.stat().st_ino

    def _build(self, script: str) -> None:
        """Make or change tables, all of it or nothing, and on the disk when this returns."""
        self.synchronous(full=True)
        try:
            self.db.executescript(script)
        except BaseException:
            self.db.rollback()
            raise
        self.synchronous(full=False)

    def synchronous(self, *, full: bool) -> None:
        """Wait for the disk at every commit, or only for the operating system."""
        self.db.execute(f"PRAGMA synchronous = {'FULL' if full or self.full_sync else 'NORMAL'}")
        self._full_now = full

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turn errors of the database into SpoolUnavailable; move the file aside if it turns out corrupt."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if _is_corrupt(error):
                self._move_aside(str(error))
            raise SpoolUnavailable(f"{self.path}: {error}") from error

    @contextmanager
    def transaction(self, *, full: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing; with ``full`` it is on the disk itself when this returns."""
        with self.guard():
            db = self.db
            if full != self._full_now:
                self.synchronous(full=full)
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    with suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                raise

    def keep_room(self) -> None:
        """Hold a little of the disk back: on a full one even the deleting of rows needs room."""
        room = _beside(self.path, _ROOM)
        if room.exists():
            return
        with suppress(OSError):
            disk = os.statvfs(self.path.parent)
            size = min(_ROOM_BYTES, disk.f_bavail * disk.f_frsize // 3)
            with room.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(4096, size))

    def use_room(self) -> None:
        """Give the room held back to the database, and what its log takes."""
        with suppress(OSError):
            _beside(self.path, _ROOM).unlink()
        with self.guard():
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def free_bytes(self) -> int:
        """Return what the disk has free for us."""
        try:
            disk = os.statvfs(self.path.parent)
        except OSError as error:
            raise SpoolUnavailable(f"{self.path}: {error}") from error
        return disk.f_bavail * disk.f_frsize

    def give_up(self, why: str) -> NoReturn:
        """Move a file aside that holds what no spool holds; raises SpoolUnavailable."""
        self._move_aside(why)
        raise SpoolUnavailable(f"{self.path}: {why}")

    def look_for_it(self) -> None:
        """Raise SpoolUnavailable when the file is no more where it was opened; it can still be read."""
        try:
            there = self.path.stat().st_ino == self._inode
        except OSError:
            there = False
        if there or self._db is None:
            return
        self._vanished, self._db = self._db, None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        log.error("spool %s has vanished: a new one is begun with what it held", self.path)
        raise SpoolUnavailable(f"{self.path}: the file has vanished")

    @contextmanager
    def former(self) -> Iterator[sqlite3.Connection | None]:
        """Give the connection to a file that was given up and not taken over yet; afterwards it is."""
        aside = self._newest_aside()
        if self._vanished is not None:
            yield self._vanished
        elif aside is None or _beside(aside, _TAKEN).exists():
            yield None
        else:
            with closing(sqlite3.connect(aside, isolation_level=None, timeout=5.0)) as db:
                yield db

    def taken_over(self) -> None:
        """Take note that what a file given up held is in the new one."""
        if self._vanished is not None:
            with suppress(sqlite3.Error):
                self._vanished.close()
            self._vanished = None
        elif (aside := self._newest_aside()) is not None:
            with suppress(OSError):
                _beside(aside, _TAKEN).touch()

    def _newest_aside(self) -> Path | None:
        number = 1
        while _beside(self.path, f".corrupt-{number}").exists():
            number += 1
        return _beside(self.path, f".corrupt-{number - 1}") if number > 1 else None

    def oldest_ms(self) -> int:
        """Return when the oldest row was taken, in milliseconds; 0 when there is none."""
        with self.guard():
            found = self.db.execute("SELECT ts FROM row ORDER BY id LIMIT 1").fetchone()
        return int(found[0]) if found else 0

    def used_bytes(self) -> int:
        """Return the bytes in use inside the file; free pages do not count."""
        with self.guard():
            total, free, size = (
                self.db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((total - free) * size)

    def shrink(self, pages: int) -> None:
        """Give at most that many free pages back to the disk."""
        with self.guard():
            self.db.execute(f"PRAGMA incremental_vacuum({pages:d})").fetchall()

    def close(self) -> None:
        """Close the connection and let go of the lock."""
        self._drop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _drop(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _take_lock(self) -> None:
        """Hold a lock that the operating system lets go of, however the process ends."""
        if self._lock is not None:
            return
        lock = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = sqlite3.connect(_beside(self.path, ".lock"), isolation_level=None, timeout=0)
            lock.execute("BEGIN EXCLUSIVE")
        except (sqlite3.Error, OSError) as error:
            if lock is not None:
                lock.close()
            if isinstance(error, sqlite3.Error) and _primary_code(error) == _BUSY:
                raise SpoolInUse(f"{self.path}: another agent works on this spool") from error
            raise SpoolUnavailable(f"{self.path}: {error}") from error
        self._lock = lock

    def _move_aside(self, why: str) -> None:
        self._drop()
        number = 1
        while (aside := _beside(self.path, f".corrupt-{number}")).exists():
            number += 1
        try:
            for suffix in ("", "-wal", "-shm"):
                part = _beside(self.path, suffix)
                if part.exists():
                    part.rename(_beside(aside, suffix))
        except OSError as error:
            raise SpoolUnavailable(f"{self.path}: {why}, and it cannot be moved aside: {error}") from error
        self.moved_aside = aside
        log.error("spool %s cannot be read (%s): kept as %s, a new one is begun", self.path, why, aside)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _primary_code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def _is_corrupt(error: sqlite3.Error) -> bool:
    return _primary_code(error) in (_CORRUPT, _NOT_A_DATABASE) or "malformed" in str(error)
