"""The record store's file: what cannot be rewritten, who may read, what happens when it cannot be written."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conformance.record_examples import alert, event, point, rejected
from minewatch.contracts import AlertQuery, AlertState, CalibrationQuery
from minewatch.errors import StoreBusy, StoreError
from minewatch.store.record_settings import RecordSettings
from minewatch.store.records import journal, ledger, open_records
from minewatch.store.records.listing import cursor_after
from minewatch.store.records.sqlite import SqliteRecords, listed

FILE = "records.sqlite"


def opened(folder: Path, *, writer: bool = True, busy_timeout_s: float = 5.0) -> SqliteRecords:
    """Open the store's file in a folder."""
    return SqliteRecords(folder / FILE, busy_timeout_s=busy_timeout_s, writer=writer)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteRecords]:
    """Give the writer of a new file."""
    made = opened(tmp_path)
    yield made
    made.close()


def tamper(folder: Path, statement: str, *values: str) -> None:
    """Do to the file what somebody with a database tool would."""
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        for what in ("UPDATE", "DELETE"):
            connection.execute(f"DROP TRIGGER alert_event_no_{what}")
        connection.execute(statement, values)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alert_event SET text = '{}' WHERE row = 1",
        "DELETE FROM alert_event WHERE row = 1",
        "DELETE FROM alert_event",
    ],
)
def test_the_journal_refuses_update_and_delete(store: SqliteRecords, tmp_path: Path, statement: str) -> None:
    """The database itself refuses to change or remove a row, whoever asks."""
    store.append([event(alert(1))])
    with (
        closing(sqlite3.connect(tmp_path / FILE)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement)
    assert store.verify() == 1


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alert_event SET text = replace(text, '1.2', '0.2') WHERE row = 3", "row 3 was altered"),
        ("UPDATE alert_event SET alert_id = 'x' WHERE row = 3", "row 3 was altered"),
        ("UPDATE alert_event SET key = 'x' WHERE row = 3", "row 3 was altered"),
        ("DELETE FROM alert_event WHERE row = 3", "row 3 is missing"),
        ("DELETE FROM alert_event WHERE row = 5", "row 5 is missing"),
        ("UPDATE alert_event SET previous = hash WHERE row = 3", "row 3 does not follow row 2"),
        ("UPDATE alert_event SET hash = previous WHERE row = 3", "row 3 was altered"),
    ],
)
def test_verification_names_the_first_bad_row(
    store: SqliteRecords, tmp_path: Path, statement: str, said: str
) -> None:
    """Whatever is altered or removed behind the store's back is found, with its row."""
    store.append([event(alert(n)) for n in range(5)])
    tamper(tmp_path, statement)
    with pytest.raises(StoreError, match=said):
        store.verify()


def test_a_row_rewritten_with_a_fitting_hash_breaks_the_next(store: SqliteRecords, tmp_path: Path) -> None:
    """Somebody who also recomputes the hash of a row is found at the row after it."""
    store.append([event(alert(n)) for n in range(3)])
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        text, previous = connection.execute("SELECT text, previous FROM alert_event WHERE row = 2").fetchone()
    forged = text.replace("1.2", "0.2")
    digest = journal.chain(previous, forged)
    tamper(tmp_path, "UPDATE alert_event SET text = ?, hash = ? WHERE row = 2", forged, digest)
    with pytest.raises(StoreError, match="row 3 does not follow row 2"):
        store.verify()


READER = """
import sys
from pathlib import Path
from minewatch.contracts import AlertQuery
from minewatch.store.record_settings import RecordSettings
from minewatch.store.records import open_records
records = open_records(RecordSettings(), Path(sys.argv[1]), writer=False)
for _ in sys.stdin:
    print(len(records.events()), len(records.alerts(AlertQuery())[0]), len(records.points()), flush=True)
"""


def test_a_reader_in_another_process_sees_every_commit(store: SqliteRecords, tmp_path: Path) -> None:
    """What the writer has committed is there for the next question of another process."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        answers = []
        for n in range(3):
            store.append([event(alert(n))])
            store.save_points({n: point(n)})
            print(file=reader.stdin, flush=True)
            answers.append(reader.stdout.readline().split())
        reader.stdin.close()
    assert answers == [["1", "1", "1"], ["2", "2", "2"], ["3", "3", "3"]]


def test_a_reader_cannot_write(store: SqliteRecords, tmp_path: Path) -> None:
    """A process that opened the store to read is refused when it writes, with the mend."""
    with (
        closing(opened(tmp_path, writer=False)) as reader,
        pytest.raises(StoreError, match="open the writer"),
    ):
        reader.append([event(alert(1))])
    assert store.verify() == 0


def test_a_reader_without_a_file_is_told_who_makes_it(tmp_path: Path) -> None:
    """Reading before the core has ever run says so, and makes no empty file."""
    with pytest.raises(StoreError, match="Start the core first"):
        opened(tmp_path, writer=False)
    assert not (tmp_path / FILE).exists()


def test_a_locked_file_is_busy_and_keeps_nothing_of_the_attempt(store: SqliteRecords, tmp_path: Path) -> None:
    """While another process holds the file the writer says busy; the same call goes through later."""
    store.close()
    with closing(opened(tmp_path, busy_timeout_s=0.05)) as writer:
        with closing(sqlite3.connect(tmp_path / FILE)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy, match="tried again"):
                writer.append([event(alert(1))])
            other.rollback()
        assert len(writer.append([event(alert(1))])) == 1
        assert writer.verify() == 1


def test_a_full_disk_is_said_and_nothing_is_half_written(store: SqliteRecords) -> None:
    """When the disk takes no more the whole call is undone, and the journal goes on once there is room."""
    store.append([event(alert(1))])
    with store.engine.connect() as connection:  # the pool hands the same connection to the writer
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    many = [event(alert(n)) for n in range(2, 200)]
    with pytest.raises(StoreError, match="disk is full"):
        store.append(many)
    assert len(store.events(limit=1000)) == 1
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert len(store.append(many)) == 198
    assert store.verify() == 199


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    """A file of something else is refused with its name and a mend."""
    (tmp_path / FILE).write_text("this is not a database, it is a text that is long enough" * 20)
    with pytest.raises(StoreError, match=r"records\.sqlite.*no record store"):
        opened(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A data folder below a file is refused with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Choose another data folder"):
        opened(tmp_path / "file" / "data")


def test_records_of_a_later_version_are_refused(store: SqliteRecords, tmp_path: Path) -> None:
    """Neither writer nor reader touches a schema it does not know."""
    store.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for writer in (True, False):
        with pytest.raises(StoreError, match=r"version"):
            opened(tmp_path, writer=writer)


def test_everything_survives_closing_and_opening(store: SqliteRecords, tmp_path: Path) -> None:
    """A new process goes on with the row and the hash where the old one stopped."""
    store.append([event(alert(1))])
    store.close()
    with closing(opened(tmp_path)) as again:
        assert again.append([event(alert(2))])[0].row == 2
        assert again.verify() == 2
        assert again.alert(alert(1).id).state is AlertState.UNACKNOWLEDGED


def test_a_commit_is_on_the_disk_before_the_call_returns(store: SqliteRecords) -> None:
    """The file is in WAL mode with synchronous FULL, so that a power cut takes nothing that was returned."""
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_rejects_are_a_transaction_that_does_not_wait(tmp_path: Path) -> None:
    """While another process holds the file rejects give up at once, however patient the journal is."""
    with closing(opened(tmp_path, busy_timeout_s=60.0)) as writer:
        with closing(sqlite3.connect(tmp_path / FILE)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy, match="tried again"):
                writer.reject([rejected()])
            other.rollback()
        writer.reject([rejected()])
        assert len(writer.rejects()) == 1


def test_a_reader_sees_rejects_and_cannot_write_them(store: SqliteRecords, tmp_path: Path) -> None:
    """Any process reads the table, only the writer adds to it."""
    store.reject([rejected()])
    with closing(opened(tmp_path, writer=False)) as reader:
        assert list(reader.rejects()) == [rejected(row=1)]
        with pytest.raises(StoreError, match="open the writer"):
            reader.reject([rejected()])


def test_records_of_the_first_version_are_brought_up_to_date(store: SqliteRecords, tmp_path: Path) -> None:
    """A file of old gets what it lacks, and keeps its journal; until then a reader is told to wait."""
    store.append([event(alert(1))])
    store.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("DROP TABLE rejected")
        for index in ("alert_event_calibration", "alert_event_announced"):
            connection.execute(f"DROP INDEX {index}")
        for column in ("origin", "now_kk", "now_ru", "now_en", "now_ns", "words"):
            connection.execute(f"ALTER TABLE alert DROP COLUMN {column}")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(StoreError, match="of revision 0001"):
        opened(tmp_path, writer=False)
    with closing(opened(tmp_path)) as again:
        again.reject([rejected()])
        assert (len(again.rejects()), again.verify()) == (1, 1)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (ledger.calibrations(CalibrationQuery(from_ns=5, to_ns=9)), "alert_event_calibration (<expr>>"),
        (ledger.announced(5), "alert_event_announced (<expr>>"),
    ],
)
def test_the_ledger_is_found_by_an_index(store: SqliteRecords, statement: Any, index: str) -> None:
    """Tests of meters are found without reading the journal, whose rows are nearly all about others."""
    sql = statement.compile(store.engine, compile_kwargs={"literal_binds": True})
    with store.engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert any(index in line for line in plan)
    assert not any(line.startswith("SCAN") for line in plan)


def test_a_relative_path_starts_at_the_folder(tmp_path: Path) -> None:
    """The setting names the file within the data folder, unless it is absolute."""
    for path in (Path("sub/a.sqlite"), tmp_path / "b.sqlite"):
        open_records(RecordSettings(path=path), tmp_path, writer=True).close()
    assert (tmp_path / "sub/a.sqlite").is_file()
    assert (tmp_path / "b.sqlite").is_file()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("live", "alert_live"),
        ("history", "alert_history"),
        ("page", "alert_history"),
    ],
)
def test_lists_are_read_in_the_order_of_an_index(store: SqliteRecords, query: str, index: str) -> None:
    """No list of alerts is sorted when asked for: pages stay fast however long the journal is."""
    cursor = cursor_after(alert(1)) if query == "page" else ""
    asked = AlertQuery(history=query != "live", cursor=cursor)
    sql = listed(asked).limit(10).compile(store.engine, compile_kwargs={"literal_binds": True})
    with store.engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(plan) == 1
    assert index in plan[0]
