"""`minewatch replay`: what it prints, keeps and refuses."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from unit.app.calling import Done, Shell, one_line

FIELDS = [
    "time", "event", "alert", "rule", "place", "zone", "priority", "paged", "state", "value", "unit", "limit",
    "retrospective", "verified", "why",
]  # fmt: skip
MAP = """
[file]
time = "time"
zone = "Europe/Warsaw"
[[point]]
column = "CH4"
place = "mine/gas/CH4"
quantity = "methane"
unit = "% CH4"
range = [0, 40]
zone = "longwall-7/face"
interval_s = 3
[[point]]
column = "AIR"
place = "mine/air/AIR"
quantity = "air_velocity"
unit = "m/s"
zone = "longwall-7/face"
interval_s = 3
"""
START = datetime(2014, 4, 26, 13, 0, 0)  # noqa: DTZ001  # local time, as recordings have it


def rows(values: list[tuple[float | str, float | str]], start: datetime = START) -> str:
    """Return a recording with a row a second."""
    lines = [f"{start + timedelta(seconds=i)},{a},{b}" for i, (a, b) in enumerate(values)]
    return "\n".join(["time,CH4,AIR", *lines, ""])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a map and an hour in which methane rises for two minutes."""
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    values = [(1.7 if 600 <= i < 720 else 0.3, 2.0) for i in range(3600)]
    (tmp_path / "hour.csv").write_text(rows(values), encoding="utf-8")  # type: ignore[arg-type]
    return tmp_path


def played(done: Done) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the events and the summary of a replay."""
    assert done.code == 0, done
    *events, last = [json.loads(line) for line in done.out.splitlines()]
    return events, last["summary"]


def test_events_have_the_promised_fields_in_the_zone_of_the_map(minewatch: Shell, folder: Path) -> None:
    """Names and order of the fields are public; times carry the offset of the recording's zone."""
    events, _ = played(minewatch("replay", folder / "hour.csv", "--map", folder / "map.toml", "--json"))
    raised = next(e for e in events if e["rule"] == "methane-high")
    assert list(raised) == FIELDS
    assert raised["time"] == "2014-04-26T13:10:00+02:00"
    assert (raised["event"], raised["state"]) == ("raised", "unacknowledged")
    assert (raised["place"], raised["zone"]) == ("mine/gas/CH4", "longwall-7/face")
    assert (raised["value"], raised["unit"], raised["limit"]) == (1.7, "% CH4", 1.0)
    assert (raised["paged"], raised["retrospective"]) == (True, False)
    assert {e["event"] for e in events} == {"raised", "cleared"}
    assert not any(e["paged"] for e in events if e["event"] == "cleared")


def test_the_summary_has_the_promised_fields(minewatch: Shell, folder: Path) -> None:
    """Counts come from both ends and agree."""
    events, found = played(minewatch("replay", folder / "hour.csv", "--map", folder / "map.toml", "--json"))
    assert list(found) == [
        "seconds", "readings", "readings_per_s", "points", "alerts", "push_latency_ms", "telemetry",
    ]  # fmt: skip
    assert found["readings"] == {"sent": 7200, "stored": 7200, "lost": 0, "duplicate": 0, "rejected": 0}
    raised = [e for e in events if e["event"] == "raised"]
    assert found["alerts"]["raised"] == len(raised)
    assert found["alerts"]["paged"] == sum(e["paged"] for e in raised)
    assert sum(found["alerts"]["by_rule"].values()) == len(raised)
    assert (found["points"], found["telemetry"]) == (2, "memory")


def test_events_come_in_the_order_of_their_times(minewatch: Shell, folder: Path) -> None:
    """A silence that only the clock can tell stands where it became due, not at the end of a step."""
    silent = [("" if 100 <= i < 200 else 0.3, 0.1 if 300 <= i < 400 else 2.0) for i in range(600)]
    (folder / "silent.csv").write_text(rows(silent), encoding="utf-8")  # type: ignore[arg-type]
    events, _ = played(minewatch("replay", folder / "silent.csv", "--map", folder / "map.toml", "--json"))
    times = [datetime.fromisoformat(e["time"]) for e in events]
    assert times == sorted(times)
    rules = [e["rule"] for e in events if e["event"] == "raised"]
    assert rules.index("signal-lost-methane") < rules.index("face-airflow-lost")


def test_a_person_gets_lines(minewatch: Shell, folder: Path) -> None:
    """Without --json each event is a line with its reason, and the end says what came of it."""
    done = minewatch("replay", folder / "hour.csv", "--map", folder / "map.toml")
    assert done.code == 0
    assert "P2 raised       methane-high at mine/gas/CH4 PAGED: measured 1.7 % CH4" in done.out
    assert "lost 0, duplicate 0, rejected 0" in done.out


def test_a_kept_store_can_be_opened(minewatch: Shell, folder: Path) -> None:
    """Readings are in DuckDB and the journal in SQLite, and a second replay does not mix into them."""
    call: list[str | Path] = ["replay", folder / "hour.csv", "--map", folder / "map.toml", "--json"]
    call += ["--store", folder / "kept"]
    events, found = played(minewatch(*call))
    assert found["telemetry"] == "duckdb"
    with duckdb.connect(str(folder / "kept/telemetry.duckdb"), read_only=True) as base:
        tables = [name for (name,) in base.execute("select table_name from duckdb_tables()").fetchall()]
        counts = [base.execute(f'select count(*) from "{name}"').fetchone() for name in tables]
    assert (7200,) in counts
    base_file = sqlite3.connect(folder / "kept/records.sqlite")
    tables = [name for (name,) in base_file.execute("select name from sqlite_master where type = 'table'")]
    journal = [base_file.execute(f'select count(*) from "{name}"').fetchone() for name in tables]
    base_file.close()
    assert (len(events),) in journal
    assert "holds a store already" in one_line(minewatch(*call))


def test_a_time_that_the_file_repeats_is_no_fault(minewatch: Shell, folder: Path) -> None:
    """Rows with a time twice are kept as they are: nothing was lost, nothing was doubled by us."""
    text = rows([(0.3, 2.0)] * 5) + rows([(0.4, 2.0)] * 3).split("\n", 1)[1]
    (folder / "twice.csv").write_text(text, encoding="utf-8")
    _, found = played(minewatch("replay", folder / "twice.csv", "--map", folder / "map.toml", "--json"))
    assert found["readings"] == {"sent": 16, "stored": 16, "lost": 0, "duplicate": 0, "rejected": 0}


def test_bad_rows_are_counted_and_said(minewatch: Shell, folder: Path) -> None:
    """A field that is no number is left out, counted, and named with its line on stderr."""
    (folder / "bad.csv").write_text(rows([(0.3, 2.0), ("x", 2.0), (0.3, 2.0)]), encoding="utf-8")
    done = minewatch("replay", folder / "bad.csv", "--map", folder / "map.toml", "--json")
    _, found = played(done)
    assert found["readings"] == {"sent": 5, "stored": 5, "lost": 0, "duplicate": 0, "rejected": 1}
    assert "bad.csv: line 3, column CH4" in done.err


def test_a_paced_replay_keeps_its_pace(minewatch: Shell, folder: Path) -> None:
    """At so many times its speed the recording takes its time, and gives the same counts."""
    (folder / "short.csv").write_text(rows([(0.3, 2.0)] * 21), encoding="utf-8")
    call: list[str | Path] = ["replay", folder / "short.csv", "--map", folder / "map.toml", "--json"]
    call += ["--speed", "100"]
    _, found = played(minewatch(*call))
    assert found["seconds"] >= 0.2
    assert found["readings"]["stored"] == 42


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"file": "none.csv"}, "none.csv: there is no such file"),
        ({"file": "empty.csv"}, "empty.csv: is empty"),
        ({"file": "header.csv"}, "header.csv: holds no readings"),
        ({"file": "other.csv"}, "lacks the mapped column 'AIR'"),
        ({"file": "."}, "cannot be read"),
        ({"map": "none.toml"}, "none.toml: there is no such file. Give the map with --map FILE."),
        ({"map": "key.toml"}, "key.toml: point[0].quantity: is missing"),
        ({"map": "hour.csv"}, "is not TOML"),
        ({"--speed": "fast"}, "--speed: 'fast' is no speed"),
        ({"--speed": "0"}, "--speed: '0' is no speed"),
        ({"--rules": "none"}, "none: there is no such folder. Name a folder of *.toml packs."),
        ({"--store": "hour.csv"}, "hour.csv: cannot be made"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_told_in_one_line(
    minewatch: Shell, folder: Path, change: dict[str, str], says: str
) -> None:
    """A missing, empty or unfitting file, map or option: exit 2, what and where and the mend."""
    (folder / "empty.csv").touch()
    (folder / "header.csv").write_text("time,CH4,AIR\n", encoding="utf-8")
    (folder / "other.csv").write_text("time,CH4\n2014-04-26 13:00:00,1\n", encoding="utf-8")
    (folder / "key.toml").write_text(MAP.replace("quantity", "quantiti", 1), encoding="utf-8")
    more: list[str | Path] = []
    for option in ("--speed", "--rules", "--store"):
        if option in change:
            more += [option, change[option] if option == "--speed" else folder / change[option]]
    file, chart = folder / change.get("file", "hour.csv"), folder / change.get("map", "map.toml")
    assert says in one_line(minewatch("replay", file, "--map", chart, *more))


def test_own_rules_hold_too(minewatch: Shell, folder: Path) -> None:
    """--rules adds a folder of packs; a mistake in one names the file."""
    own = folder / "own"
    own.mkdir()
    (own / "mine.toml").write_text("[[rule]]\nid = 'x'\n", encoding="utf-8")
    call: list[str | Path] = ["replay", folder / "hour.csv", "--map", folder / "map.toml", "--rules", own]
    assert "mine.toml" in one_line(minewatch(*call))
