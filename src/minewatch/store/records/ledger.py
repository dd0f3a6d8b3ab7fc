"""The calibration ledger and announced tests: rows of the journal, found by what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, not_, or_, select

from minewatch.contracts import AlertEvent, CalibrationQuery
from minewatch.errors import ConfigError
from minewatch.store.records.listing import within
from minewatch.store.records.schema import ALERT_EVENT

# as the partial indexes have them, else these do not serve
BEGAN: ColumnElement[int] = literal_column("json_extract(text, '$.calibration.from_ns')")
TOLD: ColumnElement[int] = literal_column("json_extract(text, '$.service_ns')")
ANNOUNCED: ColumnElement[int] = literal_column("json_extract(text, '$.announced.to_ns')")
ABOUT: ColumnElement[str] = literal_column("json_extract(text, '$.announced.place')")
PLACE: ColumnElement[str] = literal_column("json_extract(text, '$.alert.place')")
ZONE: ColumnElement[str] = literal_column("json_extract(text, '$.alert.zone')")
LAST_NS = 2**63 - 1  # what a column of SQLite holds
RUNS, ENDED = "|tagged|", "|cleared|"  # in the keys of the two rows of a test


def calibrations(query: CalibrationQuery) -> Select[tuple[Any, ...]]:
    """Return the statement that lists tests, newest first, each by its last row. Raises ConfigError."""
    later = ALERT_EVENT.alias("later")
    ended = select(later.c.row).where(later.c.key == func.replace(ALERT_EVENT.c.key, RUNS, ENDED))
    wanted: list[ColumnElement[bool]] = [
        BEGAN.is_not(None),
        not_(and_(func.instr(ALERT_EVENT.c.key, RUNS) > 0, ended.exists())),
    ]
    if query.from_ns:
        wanted.append(query.from_ns <= BEGAN)
    if query.to_ns:
        wanted.append(query.to_ns > BEGAN)
    for column, path in ((PLACE, query.place), (ZONE, query.zone)):
        if path:
            wanted.append(or_(column == path, and_(column >= f"{path}/", column < f"{path}0")))
    if query.cursor:
        began, key = read_cursor(query.cursor)
        wanted += [began >= BEGAN, or_(began > BEGAN, ALERT_EVENT.c.key < key)]
    columns = select(ALERT_EVENT.c.text, ALERT_EVENT.c.hash).where(*wanted)
    return columns.order_by(BEGAN.desc(), ALERT_EVENT.c.key.desc()).limit(query.limit + 1)


def announced(since_ns: int) -> Select[tuple[Any, ...]]:
    """Return the statement that lists the last row about each place announced since a time, oldest first."""
    told = select(func.max(ALERT_EVENT.c.row)).where(ANNOUNCED.is_not(None), since_ns <= TOLD)
    last = told.group_by(ABOUT)
    columns = select(ALERT_EVENT.c.text, ALERT_EVENT.c.hash)
    return columns.where(ALERT_EVENT.c.row.in_(last)).order_by(ALERT_EVENT.c.row)


def last_of_each(rows: Iterable[AlertEvent]) -> Sequence[AlertEvent]:
    """Return what ``announced`` selects, without a database."""
    ordered = sorted(rows, key=lambda row: row.row)
    last = {row.announced.place: row for row in ordered if row.announced is not None}
    return sorted(last.values(), key=lambda row: row.row)


def tests(rows: Iterable[AlertEvent], query: CalibrationQuery) -> list[AlertEvent]:
    """Return what ``calibrations`` selects, without a database and without its limit."""
    last = {(row.alert.place, row.calibration.from_ns): row for row in rows if row.calibration is not None}
    found = {order(row): row for row in last.values() if _selects(query, row)}
    after = read_cursor(query.cursor) if query.cursor else None
    return [found[key] for key in sorted(found, reverse=True) if after is None or key < after]


def order(row: AlertEvent) -> tuple[int, str]:
    """Return what the ledger is sorted by."""
    return (row.calibration.from_ns if row.calibration else 0), row.key


def page(rows: Sequence[AlertEvent], limit: int) -> tuple[Sequence[AlertEvent], str]:
    """Return the first rows, and the cursor of those that follow, empty at the end."""
    shown = rows[:limit]
    began, key = order(shown[-1]) if shown else (0, "")
    return shown, f"{began}~{key}" if len(rows) > limit else ""


def read_cursor(text: str) -> tuple[int, str]:
    """Return where a page of the ledger goes on. Raises ConfigError."""
    began, between, key = text.partition("~")
    if between and began.isascii() and began.isdigit() and len(began) < 20 and int(began) <= LAST_NS:
        return int(began), key
    raise ConfigError(
        "this is no cursor of ours", where="cursor", mend="Use the value of `next` as it came, or none."
    )


def _selects(query: CalibrationQuery, row: AlertEvent) -> bool:
    began = order(row)[0]
    return (
        within(query.place, row.alert.place)
        and within(query.zone, row.alert.zone)
        and (not query.from_ns or began >= query.from_ns)
        and (not query.to_ns or began < query.to_ns)
    )
