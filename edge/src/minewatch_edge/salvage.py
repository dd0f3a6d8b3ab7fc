"""What can still be read of a spool file that was given up: its state, points, and each row that is whole."""

from __future__ import annotations

import logging
import sqlite3
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from minewatch_edge import gaps
from minewatch_edge.errors import SpoolError
from minewatch_edge.gaps import Gap
from minewatch_edge.rows import unpack
from minewatch_edge.spool_types import COUNTERS, Counters, Mark

log = logging.getLogger(__name__)

_AT_ONCE = 500
_ROOM_FOR_COPY = 2.2  # the log of the database holds it all once more until it is committed
_VERSION = 2
_BEYOND = 1_000_000
SavedRow = tuple[int, int, int, str, int, bytes, str | None]


@dataclass(frozen=True, slots=True)
class Former:
    """What a file that was given up says of itself; ``identity`` is "" when that cannot be read."""

    identity: str = ""
    last_id: int = 0
    reserved: int = 0
    acked_id: int = 0
    bd_seq: int = -1
    last_ms: int = 0
    counters: Counters = field(default_factory=Counters)
    tables: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)


def read(db: sqlite3.Connection) -> Former:
    """Return what a file says of itself, as far as it can be read; another version is not interpreted."""
    try:
        if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            return Former()
        identity, *marks = db.execute(
            f"SELECT identity, last_id, reserved, acked_id, bd_seq, last_ms, {', '.join(COUNTERS)} FROM state"  # noqa: S608
        ).fetchone()
        tables: dict[str, list[tuple[Any, ...]]] = {}
        for name in ("point", "mark", "gap", "reject"):
            tables[name] = []
            with suppress(sqlite3.DatabaseError):  # rows need their points; what follows is worth less
                tables[name] = db.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 (our names)
        last_id, reserved, acked_id, bd_seq, last_ms, *counts = marks
        return Former(str(identity), last_id, reserved, acked_id, bd_seq, last_ms, Counters(*counts), tables)
    except (sqlite3.DatabaseError, TypeError) as error:
        log.error("nothing of the old spool file can be read: %s", error)
        return Former()


def size_of(source: sqlite3.Connection) -> int:
    """Return the bytes that the file holds; 0 when it cannot say."""
    with suppress(sqlite3.DatabaseError):
        total, size = (source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return int(total * size)
    return 0


def take_over(
    source: sqlite3.Connection,
    db: sqlite3.Connection,
    mark: Mark,
    *,
    free: int,
    working: Callable[[], None] = lambda: None,
) -> tuple[Gap | None, str]:
    """Put what can be read of ``source`` into a new file, under the same name and ids.

    ``mark`` is what is remembered of it, if anything. With too few bytes ``free`` on the disk its rows stay
    where they are, and are lost to the host. ``working`` is called now and then: a large file takes minutes.
    Returns what is lost, and in words what was done.
    """
    former, room = read(source), free >= _ROOM_FOR_COPY * size_of(source)
    mark = mark if mark.identity else mark_of(former)
    ids, held = array("q"), 0
    if former.identity == mark.identity != "":
        copy_tables(former, db)
        held = copy_rows(source, former, db, ids, working) if room else 0
    acked_id = max(former.acked_id, mark.acked_id)
    lost = max(0, mark.counters.held - held) if mark.identity else None
    gap = None
    if lost or lost is None or len(ids) < mark.held_rows:
        runs = gaps.missing(ids, acked_id + 1, mark.reserved) if mark.identity else ()
        gap = Gap(gaps.DISK, runs, lost, to_ms=mark.last_ms)
    counters = replace(mark.counters, dropped=mark.counters.dropped + (lost or 0))
    names = ("identity", "last_id", "reserved", "acked_id", "bd_seq", "last_ms", *COUNTERS)
    db.execute(
        f"UPDATE state SET {', '.join(f'{name} = ?' for name in names)}",  # noqa: S608 (our names)
        (
            mark.identity, mark.reserved, mark.reserved, acked_id, max(mark.bd_seq, former.bd_seq),
            mark.last_ms, *astuple(counters),
        ),
    )  # fmt: skip
    said = "an unknown number of" if lost is None else lost
    why = "" if room else ": the disk has no room for its rows a second time"
    return gap, f"{len(ids)} rows of it were taken over, {said} readings are lost{why}"


def mark_of(former: Former) -> Mark:
    """Return where to go on after a file of which nothing is remembered but what it says itself.

    Its last commits may be destroyed: ids far beyond those it knows of may have been given.
    """
    beyond = max(former.last_id, former.reserved) + _BEYOND if former.identity else 0
    held = former.counters.held
    return Mark(
        former.identity, 1, beyond, 1 if held else 0, beyond, former.acked_id, former.bd_seq, former.last_ms,
        former.counters,
    )  # fmt: skip


def copy_tables(former: Former, db: sqlite3.Connection) -> None:
    """Copy what the rows speak of, how far sources were read, losses and rejects into a new file."""
    for name, found in former.tables.items():
        for row in found:
            places = ", ".join("?" * len(row))
            with suppress(sqlite3.IntegrityError, sqlite3.InterfaceError):
                db.execute(f"INSERT INTO {name} VALUES ({places})", row)  # noqa: S608 (our names)


def copy_rows(
    source: sqlite3.Connection,
    former: Former,
    db: sqlite3.Connection,
    ids: array[int],
    working: Callable[[], None],
) -> int:
    """Copy the rows that are whole into a new file, note their ids, and return their readings."""
    readings = 0

    def counted() -> Iterator[SavedRow]:
        nonlocal readings
        for row in rows(source, former, working):
            if not ids or row[0] > ids[-1]:
                ids.append(row[0])
                readings += row[4]
                yield row

    db.executemany("INSERT INTO row VALUES (?, ?, ?, ?, ?, ?, ?)", counted())
    return readings


def rows(db: sqlite3.Connection, former: Former, working: Callable[[], None]) -> Iterator[SavedRow]:
    """Yield the rows that are whole, in order of their ids; a destroyed page costs only the rows in it."""
    points = {row[0] for row in former.tables["point"]}
    first, last = former.acked_id + 1, max(former.last_id, former.reserved)
    while first <= last:
        working()
        found, first = _some(db, first, min(first + _AT_ONCE, last + 1))
        yield from (row for row in found if _whole(row, points))


def _some(db: sqlite3.Connection, first: int, end: int) -> tuple[list[SavedRow], int]:
    """Return rows from ``first`` on and where to go on; at destroyed pages each row is asked for alone."""
    try:
        found = db.execute(
            "SELECT id, ts, priority, device, n, body, note FROM row WHERE id >= ? ORDER BY id LIMIT ?",
            (first, _AT_ONCE),
        ).fetchall()
        return found, (found[-1][0] + 1 if len(found) == _AT_ONCE else 1 << 62)
    except sqlite3.DatabaseError:
        return [row for number in range(first, end) for row in _one(db, number)], end


def _one(db: sqlite3.Connection, number: int) -> list[SavedRow]:
    try:
        return db.execute(
            "SELECT id, ts, priority, device, n, body, note FROM row WHERE id = ?", (number,)
        ).fetchall()
    except sqlite3.DatabaseError:
        return []


def _whole(row: SavedRow, points: set[int]) -> bool:
    """Tell whether a row's cells are what they should be: a destroyed page may still look like one."""
    number, ts, priority, device, n, body, note = row
    if not (
        all(type(v) is int for v in (number, ts, priority, n)) and type(device) is str and type(body) is bytes
    ):
        return False
    if note is not None:
        return type(note) is str and not n
    try:
        columns = unpack(body)
    except SpoolError:
        return False
    return len(columns.points) == n and points.issuperset(columns.points)
