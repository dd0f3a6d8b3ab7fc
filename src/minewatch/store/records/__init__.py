"""Alerts, their journal and the list of points: small, transactional, read by any process."""

from __future__ import annotations

from pathlib import Path

from minewatch.contracts import RecordStore
from minewatch.store.record_settings import RecordSettings


def open_records(settings: RecordSettings, folder: Path = Path(), *, writer: bool) -> RecordStore:
    """Open the record store; only the writer creates the file and brings its schema up to date.

    A relative ``settings.path`` starts at ``folder``. Raises StoreError, StoreBusy.
    """
    from minewatch.store.records.sqlite import SqliteRecords  # SQLAlchemy is slow to import

    return SqliteRecords(folder / settings.path, busy_timeout_s=settings.busy_timeout_s, writer=writer)
