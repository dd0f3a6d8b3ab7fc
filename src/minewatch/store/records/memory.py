"""A RecordStore without a file: for tests, and for a replay that keeps nothing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from minewatch.contracts import Alert, AlertEvent, AlertQuery, CalibrationQuery, PointInfo, Rejected
from minewatch.errors import NotFound
from minewatch.store.records import journal, ledger, listing
from minewatch.store.records.rejects import KEPT, kept


class MemoryRecords:
    """Keeps events, alerts, points and rejects in memory and behaves as the store on disk does."""

    def __init__(self) -> None:
        self._rows: list[tuple[AlertEvent, str, str]] = []  # event, its text, the hash before it
        self._by_key: dict[str, AlertEvent] = {}
        self._alerts: dict[str, Alert] = {}
        self._points: dict[int, PointInfo] = {}
        self._rejects: deque[Rejected] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def append(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Write the events whose key is new and return them with row and hash."""
        with self._lock:
            new: dict[str, AlertEvent] = {}
            for event in events:
                if event.key not in self._by_key:
                    new.setdefault(event.key, event)
            digest = self._rows[-1][0].hash if self._rows else journal.ORIGIN
            rows = journal.append(list(new.values()), len(self._rows), digest)
            for event, _, _ in rows:
                self._by_key[event.key] = event
                if event.event.of_alert:
                    self._alerts[event.alert.id] = event.alert
            self._rows += rows
        return tuple(event for event, _, _ in rows)

    def alert(self, alert_id: str) -> Alert:
        """Return an alert as it stands. Raises NotFound."""
        if alert_id not in self._alerts:
            raise NotFound(f"there is no alert {alert_id}")
        return self._alerts[alert_id]

    def alerts(self, query: AlertQuery) -> tuple[Sequence[Alert], str]:
        """Return a page of alerts and the cursor of the next one, empty at the end. Raises ConfigError."""
        after = listing.order_of(query, listing.Cursor.read(query.cursor)) if query.cursor else None
        found = [alert for alert in list(self._alerts.values()) if listing.selects(query, alert)]
        found.sort(key=lambda alert: listing.order_of(query, alert))
        if after is not None:
            found = [alert for alert in found if listing.order_of(query, alert) > after]
        page = found[: query.limit]
        return page, listing.cursor_after(page[-1]) if len(found) > len(page) else ""

    def events(self, *, alert_id: str = "", after: int = 0, limit: int = 100) -> Sequence[AlertEvent]:
        """Return the journal's rows after a row, in order; with ``alert_id`` those of one alert."""
        found = [event for event, _, _ in self._rows[after:] if not alert_id or event.alert.id == alert_id]
        return found[:limit]

    def event_by_key(self, key: str) -> AlertEvent | None:
        """Return the event with this key, or None."""
        return self._by_key.get(key)

    def calibrations(self, query: CalibrationQuery) -> tuple[Sequence[AlertEvent], str]:
        """Return a page of tests of meters and the cursor of the next one. Raises ConfigError."""
        return ledger.page(ledger.tests([row for row, _, _ in self._rows], query), query.limit)

    def announced(self, since_ns: int) -> Sequence[AlertEvent]:
        """Return the last row about each place whose test was announced since a time, oldest first."""
        return ledger.last_of_each(row for row, _, _ in self._rows if row.service_ns >= since_ns)

    def save_points(self, points: Mapping[int, PointInfo]) -> None:
        """Keep points by their index, replacing what was known of them."""
        self._points |= points

    def points(self) -> Mapping[int, PointInfo]:
        """Return every point by its index."""
        return dict(sorted(self._points.items()))

    def reject(self, rows: Sequence[Rejected]) -> None:
        """Keep what was not taken, the newest rows of it."""
        with self._lock:
            last = self._rejects[-1].row if self._rejects else 0
            self._rejects.extend(replace(kept(row), row=last + n) for n, row in enumerate(rows, 1))

    def rejects(self, *, after: int = 0, limit: int = 100) -> Sequence[Rejected]:
        """Return the rejects after a row, in order."""
        with self._lock:
            return list(islice((row for row in self._rejects if row.row > after), limit))

    def verify(self) -> int:
        """Walk the journal and return its rows. Raises StoreError naming the first bad row."""
        walk = journal.Walk()
        for event, text, previous in self._rows:
            walk.step(event.row, event.key, event.alert.id, text, previous, event.hash)
        return walk.row

    def close(self) -> None:
        """Do nothing: there is no file to let go of."""
