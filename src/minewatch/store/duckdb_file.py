"""One DuckDB file: opened, written in transactions that are wholly kept or not at all, read by cursors."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import structlog
from numpy.typing import NDArray

from minewatch.errors import StoreBusy, StoreError
from minewatch.store import telemetry_metrics as metrics
from minewatch.store.duckdb_errors import translate, unusable
from minewatch.store.telemetry_settings import DuckdbSettings

_COUNTER = """
CREATE TABLE IF NOT EXISTS written (transactions BIGINT NOT NULL);
INSERT INTO written SELECT 0 WHERE NOT EXISTS (FROM written);
"""
_log = structlog.get_logger(__name__)


class DuckdbFile:
    """Holds the connection that writes; hands out transactions and answers queries."""

    def __init__(self, settings: DuckdbSettings, schema: str) -> None:
        """Open or make the file; raises StoreError when it cannot be used."""
        self._settings = settings
        self._schema = schema + _COUNTER
        self._path = settings.file
        self._writing = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._closed = False
        self._transactions = 0  # how many were committed; the file has the same figure
        self._doubtful = -1  # the one of which a fatal error left unknown whether the file has it
        self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.is_file() and self._path.stat().st_size == 0:
                self._path.unlink()  # a full disk leaves this behind: it holds nothing, and DuckDB refuses it
        except OSError as error:
            raise unusable(self._path, error) from error
        try:
            connection = duckdb.connect(
                str(self._path),
                config={
                    "threads": self._settings.threads,
                    "memory_limit": f"{self._settings.memory_mb}MiB",
                    "autoinstall_known_extensions": False,  # nothing is fetched from the internet
                    "autoload_known_extensions": False,
                },
            )
            connection.execute(self._schema)
            self._transactions = int(connection.execute("FROM written").fetchall()[0][0])
        except duckdb.Error as error:
            raise translate(error, self._path) from error
        self._connection = connection
        return connection

    def _opened(self) -> duckdb.DuckDBPyConnection:
        if self._closed:
            raise StoreError(f"{self._path}: the store is closed.")
        if self._connection is not None:
            return self._connection
        connection = self._open()
        if self._transactions == self._doubtful:
            self._connection = None
            connection.close()
            raise StoreError(f"{self._path}: a write that had failed is kept after all. Restart the service.")
        return connection

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run the body in one transaction: all of it is on disk afterwards, or nothing and an error."""
        with self._writing:
            connection = self._opened()
            number = self._transactions + 1
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("UPDATE written SET transactions = ?", [number])
                connection.execute("COMMIT")
            except (duckdb.FatalException, duckdb.InternalException) as error:
                self._reopen(error, number)
            except duckdb.Error as error:
                _roll_back(connection)
                raise self._counted(translate(error, self._path)) from error
            except BaseException:
                _roll_back(connection)
                raise
            self._transactions = number

    def _reopen(self, error: duckdb.Error, number: int) -> None:
        """Open the file again after an error that stopped the database; return if it has the transaction.

        A full disk can break the checkpoint that ends a commit before or after the commit counts: only the
        file can say whether the rows are kept. Raises StoreBusy or StoreError when they are not.
        """
        _log.error("telemetry_database_stopped", file=str(self._path), error=str(error).splitlines()[0])
        if self._connection is not None:
            self._connection.close()
        self._connection, self._doubtful = None, number
        try:
            self._open()
        except StoreError as refused:
            raise self._counted(refused) from error
        _log.info("telemetry_database_opened_again", file=str(self._path))
        if self._transactions != number:
            raise self._counted(translate(error, self._path)) from error

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return the rows of a query as tuples."""
        with self._cursor() as cursor:
            return cursor.execute(sql, list(parameters)).fetchall()

    def columns(self, sql: str, parameters: Sequence[object]) -> dict[str, NDArray[Any]]:
        """Return the columns of a query as arrays, by name."""
        with self._cursor() as cursor:
            return dict(cursor.execute(sql, list(parameters)).fetchnumpy())

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a reader a cursor of its own, so that it never waits for the writer."""
        connection = self._connection
        if self._closed:
            raise StoreError(f"{self._path}: the store is closed.")
        if connection is None:
            raise StoreBusy(f"{self._path}: the database stopped; the next write opens it again.")
        try:
            with connection.cursor() as cursor:
                yield cursor
        except duckdb.Error as error:
            raise self._counted(translate(error, self._path)) from error

    def _counted(self, error: StoreError) -> StoreError:
        metrics.FAILURES.labels("duckdb", "busy" if isinstance(error, StoreBusy) else "error").inc()
        return error

    def close(self) -> None:
        """Write the log into the file and let go of it; a second call does nothing."""
        with self._writing:
            connection, self._connection, self._closed = self._connection, None, True
            if connection is not None:
                connection.close()


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return  # a commit that failed has rolled back by itself
