"""The SQLite file behind the records: connections, schema, and errors a person can act on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from minewatch.errors import StoreBusy, StoreError
from minewatch.store.records.schema import REVISION

MIGRATIONS = Path(__file__).parent / "migrations"
WRITES = {"begin": "IMMEDIATE"}


def connect(path: Path, *, busy_timeout_s: float, writer: bool, durable: bool = True) -> Engine:
    """Open the file. The writer creates it and migrates it; a reader asks for a file that is up to date.

    What a commit wrote is on the disk when it returns, unless the writer asks for one that is not
    ``durable``. Raises StoreError, StoreBusy.
    """
    if writer:
        _make_folder(path)
    elif not path.is_file():
        raise StoreError(f"{path}: there is no record store yet. Start the core first, it creates it.")
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": busy_timeout_s})
    event.listen(engine, "connect", _preparation(writer=writer, durable=durable))
    event.listen(engine, "begin", _begin)
    try:
        with explained(path):
            _bring_up_to_date(engine, path, writer=writer)
    except StoreError:
        engine.dispose()
        raise
    return engine


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the database says into StoreBusy (again later) or StoreError (somebody must act)."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DatabaseError) else None
        raise _said(path, cause if isinstance(cause, sqlite3.Error) else error) from error


def _said(path: Path, error: Exception) -> StoreError:
    # extended codes carry the primary one in their lowest byte (https://sqlite.org/rescode.html)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{path}: another process holds the records ({error}). It is tried again.")
    mend = {
        sqlite3.SQLITE_FULL: "The disk is full: free some space; nothing was half-written.",
        sqlite3.SQLITE_IOERR: "The disk does not answer: look at its health; nothing was half-written.",
        sqlite3.SQLITE_READONLY: "The file cannot be written: give its owner the right, or open the writer.",
        sqlite3.SQLITE_CANTOPEN: "The file cannot be opened: check folder and rights.",
        sqlite3.SQLITE_CORRUPT: "The file is damaged: restore a backup.",
        sqlite3.SQLITE_NOTADB: "This is no record store: choose another path, or restore a backup.",
    }.get(code, "Look at the file and the disk.")
    return StoreError(f"{path}: {error}. {mend}")


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path.parent}: cannot be created ({error.strerror}). Choose another data folder."
        ) from None


def _preparation(*, writer: bool, durable: bool) -> Callable[[sqlite3.Connection, Any], None]:
    synchronous = "FULL" if durable else "NORMAL"
    pragmas = ("journal_mode = WAL", f"synchronous = {synchronous}", "recursive_triggers = ON")

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see _begin
        for pragma in pragmas if writer else ("query_only = ON",):
            connection.execute(f"PRAGMA {pragma}")

    return prepare


def _begin(connection: Connection) -> None:
    kind = connection.get_execution_options().get("begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")


def _bring_up_to_date(engine: Engine, path: Path, *, writer: bool) -> None:
    with engine.connect() as connection:
        found = _revision(connection)
    if found == REVISION:
        return
    if not writer:
        raise StoreError(
            f"{path}: the records are of revision {found or 'none'}, this program needs {REVISION}. "
            "Start the core of the same version first."
        )
    with engine.connect().execution_options(**WRITES) as connection, connection.begin():
        _migrate(connection, path)


def _revision(connection: Connection) -> str:
    there = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.exec_driver_sql(there).first() is None:
        return ""
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return str(row[0]) if row else ""


def _migrate(connection: Connection, path: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, REVISION)
    except CommandError as error:
        raise StoreError(
            f"{path}: the records are of another version of minewatch ({error}). Install that version, "
            "or restore a backup."
        ) from None
