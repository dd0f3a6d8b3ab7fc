"""What was not taken, from the frame of ingest to the table: kept with its reason, in bounds, never fatal."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from minewatch.app.ingest import pack_intake
from minewatch.app.link import Unpacker, read
from minewatch.app.rejects import REJECTS, ROWS, SECOND, Rejects
from minewatch.app.replay import replay
from minewatch.contracts import ReadingBatch, RecordStore, Rejected
from minewatch.ingest.intake import Intake, Reject, no_deliveries
from minewatch.store.record_settings import RecordSettings
from minewatch.store.records import open_records

T0 = 1_700_000_000 * SECOND


def rubbish(count: int, first: int = 0) -> list[Rejected]:
    """Return payloads that could not be read."""
    return [Rejected(T0, "spBv1.0/s/DDATA/g/d", "payload", f"no {n}") for n in range(first, first + count)]


def figure(result: str) -> float:
    """Return how many rows had this result so far."""
    return float(REJECTS.labels(result)._value.get())


@pytest.fixture
def records(tmp_path: Path) -> Iterator[RecordStore]:
    """Give a record store on the disk."""
    made = open_records(RecordSettings(), tmp_path, writer=True)
    yield made
    made.close()


def test_rows_are_written_once_a_second(records: RecordStore) -> None:
    """The first rows go at once, the next ones wait for their second; a clock set back holds up nothing."""
    desk = Rejects(records)
    desk.take(rubbish(1))
    desk.write(T0)
    desk.take(rubbish(2))
    desk.write(T0 + SECOND // 2)
    assert len(records.rejects()) == 1
    desk.write(T0 + SECOND)
    assert len(records.rejects()) == 3
    desk.take(rubbish(1))
    desk.write(T0 - 3600 * SECOND)
    assert len(records.rejects()) == 4


def test_a_flood_is_bounded_and_counted(records: RecordStore) -> None:
    """Of what comes within a second the first 500 are kept; each of the others is counted."""
    desk, kept, beyond = Rejects(records), figure("kept"), figure("beyond")
    for first in range(0, 2_000, 200):
        desk.take(rubbish(200, first))
    desk.write(T0)
    assert [r.detail for r in records.rejects(limit=1_000)] == [f"no {n}" for n in range(ROWS)]
    assert (figure("kept") - kept, figure("beyond") - beyond) == (ROWS, 2_000 - ROWS)


def test_a_store_that_refuses_is_asked_again(records: RecordStore, tmp_path: Path) -> None:
    """While another process holds the file rows wait, in bounds; loss and recovery are logged once."""
    desk = Rejects(records)
    desk.take(rubbish(3))
    with capture_logs() as logged:
        with closing(sqlite3.connect(tmp_path / "records.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            desk.write(T0)
            desk.take(rubbish(ROWS, 3))
            desk.write(T0 + SECOND)
            other.rollback()
        desk.write(T0 + 2 * SECOND)
    assert [r.detail for r in records.rejects(limit=1_000)] == [f"no {n}" for n in range(ROWS)]
    assert [entry["log_level"] for entry in logged] == ["error", "info"]


def test_readings_that_the_telemetry_refuses_have_a_row_for_each_reason(records: RecordStore) -> None:
    """Thousands of refused readings are one row a second with their sum."""
    desk = Rejects(records)
    desk.refused({"unknown-point": 70_000})
    desk.refused({"unknown-point": 1, "retention": 2})
    desk.flush(T0)
    assert list(records.rejects()) == [
        Rejected(T0, "telemetry", "unknown-point", "70001 readings", 1),
        Rejected(T0, "telemetry", "retention", "2 readings", 2),
    ]


@pytest.mark.parametrize("text", ["plain", "a\x1b[2J\x00", "half \ud800", "x" * 100_000], ids=lambda t: t[:5])
def test_no_text_of_a_stranger_breaks_a_frame(text: str) -> None:
    """Whatever a topic or a metric is called, the core can read the frame that tells of it."""
    reject = Reject(text, "payload", text)
    intake = Intake({}, {}, (), ReadingBatch.empty(), no_deliveries(), (reject,))
    unpacker = Unpacker()
    unpacker.feed(pack_intake(intake, T0))
    (frame,) = unpacker.frames()
    (row,) = [read(Rejected, body) for body in frame.body["rejects"]]
    assert (row.time_ns, row.reason) == (T0, "payload")
    assert row.source == row.detail
    assert row.detail.isprintable()
    assert len(row.detail) <= 200


MAP = """
[file]
gateway = "rec"
time = "t"
format = "%Y-%m-%d %H:%M:%S"
zone = "UTC"
[[point]]
column = "a"
place = "s/d/a"
quantity = "methane"
unit = "% CH4"
"""


def test_a_replay_keeps_the_rows_it_left_out(tmp_path: Path) -> None:
    """Each bad row of a recording is in the table: file, kind, line, in the recording's time."""
    map_file, file, folder = tmp_path / "map.toml", tmp_path / "r.csv", tmp_path / "kept"
    map_file.write_text(MAP)
    good = "".join(f"2026-01-31 08:{m:02d}:00,0.5\n" for m in range(30))
    file.write_text(f"t,a\n{good}2026-01-31 08:30:00,wet\nnever,0.5\n2026-01-31 08:31:00,0.5\nshort\n")
    said: list[str] = []
    found = replay(
        [file],
        map_file,
        rule_dirs=[],
        speed=None,
        folder=folder,
        as_json=False,
        out=said.append,
        note=said.append,
    )
    with closing(open_records(RecordSettings(), folder, writer=False)) as records:
        rows = records.rejects()
    assert [(r.reason, r.detail.split(":")[0]) for r in rows] == [
        ("fields", "line 35"),
        ("time", "line 33"),
        ("number", "line 32, column a"),
    ]
    assert {r.source for r in rows} == {str(file)}
    assert found["summary"]["readings"]["rejected"] == 3, json.dumps(found)
