"""The record store on SQLite: one writer, readers in any process, a journal nobody can rewrite unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import Counter
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from minewatch.contracts import Alert, AlertEvent, AlertQuery, CalibrationQuery, PointInfo, Rejected
from minewatch.errors import NotFound, StoreError
from minewatch.store.records import journal, ledger, listing
from minewatch.store.records.database import WRITES, connect, explained
from minewatch.store.records.rejects import KEPT, kept
from minewatch.store.records.rows import ALERT_COLUMNS, alert_of, info_of, point_of, row_of
from minewatch.store.records.schema import ALERT, ALERT_EVENT, POINT, REJECTED

WRITTEN = Counter("minewatch_records_events_total", "Events offered to the journal.", ["result"])
OPEN = ALERT.c.state != literal_column("'normal'")  # as the partial index has it, else it does not serve
KEYS_AT_ONCE = 500  # SQLite takes 999 parameters in its oldest builds
ROWS_AT_ONCE = 10_000
REJECTS_WAIT_S = 0.05  # for another process that holds the file: alerts come first


class SqliteRecords:
    """A RecordStore in one SQLite file."""

    def __init__(self, path: Path, *, busy_timeout_s: float, writer: bool) -> None:
        self._path = path
        self.engine = connect(path, busy_timeout_s=busy_timeout_s, writer=writer)
        # rejects need no wait for the disk: a power cut may take the last of them, never an alert's time
        self._loose = (
            connect(path, busy_timeout_s=min(busy_timeout_s, REJECTS_WAIT_S), writer=True, durable=False)
            if writer
            else self.engine
        )

    def append(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Write events and the alerts they leave behind, in one transaction.

        Returns the new ones, with row and hash; events whose key is in the journal are left out.
        """
        if not events:
            return ()
        with (
            explained(self._path),
            self.engine.connect().execution_options(**WRITES) as connection,
            connection.begin(),
        ):
            held = _held(connection, [event.key for event in events])
            new: dict[str, AlertEvent] = {}
            for event in events:
                if event.key not in held:
                    new.setdefault(event.key, event)
            last = connection.execute(
                select(ALERT_EVENT.c.row, ALERT_EVENT.c.hash).order_by(ALERT_EVENT.c.row.desc()).limit(1)
            ).first()
            row, digest = (last[0], last[1]) if last else (0, journal.ORIGIN)
            rows = journal.append(list(new.values()), row, digest)
            if rows:
                connection.execute(insert(ALERT_EVENT), [_event_row(*each) for each in rows])
                latest = {e.alert.id: e.alert for e, _, _ in rows if e.event.of_alert}
                statement = upsert(ALERT)
                values = {c.name: c for c in statement.excluded if c.name != "id"}
                if latest:
                    connection.execute(
                        statement.on_conflict_do_update(index_elements=["id"], set_=values),
                        [row_of(alert) for alert in latest.values()],
                    )
        WRITTEN.labels("written").inc(len(rows))
        WRITTEN.labels("repeated").inc(len(events) - len(rows))
        return tuple(event for event, _, _ in rows)

    def alert(self, alert_id: str) -> Alert:
        """Return an alert as it stands. Raises NotFound."""
        with explained(self._path), self.engine.connect() as connection:
            row = connection.execute(select(*ALERT_COLUMNS).where(ALERT.c.id == alert_id)).first()
        if row is None:
            raise NotFound(f"there is no alert {alert_id}")
        return alert_of(row)

    def alerts(self, query: AlertQuery) -> tuple[Sequence[Alert], str]:
        """Return a page of alerts and the cursor of the next one, empty at the end. Raises ConfigError."""
        statement = listed(query).limit(query.limit + 1)
        with explained(self._path), self.engine.connect() as connection:
            found = [alert_of(row) for row in connection.execute(statement)]
        page = found[: query.limit]
        return page, listing.cursor_after(page[-1]) if len(found) > len(page) else ""

    def events(self, *, alert_id: str = "", after: int = 0, limit: int = 100) -> Sequence[AlertEvent]:
        """Return the journal's rows after a row, in order; with ``alert_id`` those of one alert."""
        statement = select(ALERT_EVENT.c.text, ALERT_EVENT.c.hash).where(ALERT_EVENT.c.row > after)
        if alert_id:
            statement = statement.where(ALERT_EVENT.c.alert_id == alert_id)
        return self._journal(statement.order_by(ALERT_EVENT.c.row).limit(limit))

    def event_by_key(self, key: str) -> AlertEvent | None:
        """Return the event with this key, or None."""
        statement = select(ALERT_EVENT.c.text, ALERT_EVENT.c.hash).where(ALERT_EVENT.c.key == key)
        with explained(self._path), self.engine.connect() as connection:
            row = connection.execute(statement).first()
        return journal.event_of(*row) if row else None

    def calibrations(self, query: CalibrationQuery) -> tuple[Sequence[AlertEvent], str]:
        """Return a page of tests of meters and the cursor of the next one. Raises ConfigError."""
        return ledger.page(self._journal(ledger.calibrations(query)), query.limit)

    def announced(self, since_ns: int) -> Sequence[AlertEvent]:
        """Return the last row about each place whose test was announced since a time, oldest first."""
        return self._journal(ledger.announced(since_ns))

    def _journal(self, statement: Select[tuple[Any, ...]]) -> list[AlertEvent]:
        with explained(self._path), self.engine.connect() as connection:
            return [journal.event_of(*row) for row in connection.execute(statement)]

    def save_points(self, points: Mapping[int, PointInfo]) -> None:
        """Keep points by their index, replacing what was known of them."""
        if not points:
            return
        rows = [{"id": i, "place": point.place, "info": info_of(point)} for i, point in points.items()]
        statement = upsert(POINT)
        new = {"place": statement.excluded.place, "info": statement.excluded.info}
        with (
            explained(self._path),
            self.engine.connect().execution_options(**WRITES) as connection,
            connection.begin(),
        ):
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), rows)

    def points(self) -> Mapping[int, PointInfo]:
        """Return every point by its index."""
        with explained(self._path), self.engine.connect() as connection:
            rows = connection.execute(select(POINT.c.id, POINT.c.info).order_by(POINT.c.id)).all()
        return {index: point_of(info) for index, info in rows}

    def reject(self, rows: Sequence[Rejected]) -> None:
        """Keep what was not taken, the newest rows of it; not yet on the disk when it returns."""
        if not rows:
            return
        values = [
            {"time_ns": row.time_ns, "source": row.source, "reason": row.reason, "detail": row.detail}
            for row in map(kept, rows)
        ]
        oldest = select(func.max(REJECTED.c.row) - KEPT).scalar_subquery()
        with (
            explained(self._path),
            self._loose.connect().execution_options(**WRITES) as connection,
            connection.begin(),
        ):
            connection.execute(insert(REJECTED), values)
            connection.execute(delete(REJECTED).where(REJECTED.c.row <= oldest))

    def rejects(self, *, after: int = 0, limit: int = 100) -> Sequence[Rejected]:
        """Return the rejects after a row, in order."""
        columns = REJECTED.c
        statement = (
            select(columns.time_ns, columns.source, columns.reason, columns.detail, columns.row)
            .where(columns.row > after)
            .order_by(columns.row)
            .limit(limit)
        )
        with explained(self._path), self.engine.connect() as connection:
            return [Rejected(*row) for row in connection.execute(statement)]

    def verify(self) -> int:
        """Walk the whole journal and return its rows. Raises StoreError naming the first bad row.

        The chain proves that no row was altered, removed or put in between; that rows were cut from its
        end is seen only while an alert remembers a later row.
        """
        columns = ALERT_EVENT.c
        statement = select(
            columns.row, columns.key, columns.alert_id, columns.text, columns.previous, columns.hash
        ).order_by(columns.row)
        walk = journal.Walk()
        with explained(self._path), self.engine.connect() as connection, connection.begin():
            for row in connection.execute(statement.execution_options(yield_per=ROWS_AT_ONCE)):
                walk.step(*row)
            last = connection.execute(select(func.max(ALERT.c.row))).scalar() or 0
        if last > walk.row:
            raise StoreError(
                f"journal row {walk.row + 1} is missing: an alert was last changed in row {last}"
            )
        return walk.row

    def close(self) -> None:
        """Let go of the file."""
        self._loose.dispose()
        self.engine.dispose()


def _held(connection: Connection, keys: Sequence[str]) -> set[str]:
    held: set[str] = set()
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[start : start + KEYS_AT_ONCE]
        held.update(connection.scalars(select(ALERT_EVENT.c.key).where(ALERT_EVENT.c.key.in_(some))))
    return held


def _event_row(event: AlertEvent, body: str, previous: str) -> dict[str, object]:
    return {
        "row": event.row,
        "key": event.key,
        "alert_id": event.alert.id,
        "text": body,
        "previous": previous,
        "hash": event.hash,
    }


def listed(query: AlertQuery) -> Select[tuple[object, ...]]:
    """Return the statement that lists what a query selects, in order."""
    wanted = [*_filters(query)]
    if query.cursor:
        wanted.append(_beyond(listing.Cursor.read(query.cursor), history=query.history))
    order: list[ColumnElement[object]] = [ALERT.c.raised_ns.desc(), ALERT.c.id]
    if not query.history:
        order.insert(0, ALERT.c.priority)
    return select(*ALERT_COLUMNS).where(*wanted).order_by(*order)


def _filters(query: AlertQuery) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if query.states:
        wanted.append(ALERT.c.state.in_([state.value for state in query.states]))
    elif not query.history:
        wanted.append(OPEN)
    if query.priorities:
        wanted.append(ALERT.c.priority.in_(query.priorities))
    if query.rule:
        wanted.append(ALERT.c.rule == query.rule)
    wanted += [_within(ALERT.c.zone, query.zone)] if query.zone else []
    wanted += [_within(ALERT.c.place, query.place)] if query.place else []
    if query.from_ns:
        wanted.append(ALERT.c.raised_ns >= query.from_ns)
    if query.to_ns:
        wanted.append(ALERT.c.raised_ns < query.to_ns)
    if query.text:
        wanted.append(func.instr(ALERT.c.search, query.text.casefold()) > 0)
    return wanted


def _within(column: Column[str], path: str) -> ColumnElement[bool]:
    return or_(column == path, and_(column >= f"{path}/", column < f"{path}0"))  # 0 comes after /


def _beyond(cursor: listing.Cursor, *, history: bool) -> ColumnElement[bool]:
    # the first term of each level lets the index be entered at the cursor
    raised, identity, priority = ALERT.c.raised_ns, ALERT.c.id, ALERT.c.priority
    later = and_(raised <= cursor.raised_ns, or_(raised < cursor.raised_ns, identity > cursor.id))
    if history:
        return later
    return and_(priority >= cursor.priority, or_(priority > cursor.priority, later))
