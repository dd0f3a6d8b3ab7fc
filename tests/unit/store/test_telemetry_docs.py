"""The queries that docs/telemetry.md shows find what they say."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from pathlib import Path

import duckdb
import pytest

from conformance.record_examples import alert, event
from minewatch.contracts import PointInfo, ReadingBatch, Text
from minewatch.store.duckdb import DuckdbTelemetry
from minewatch.store.influx import InfluxTelemetry
from minewatch.store.telemetry_settings import DuckdbSettings, InfluxSettings
from servers import Server

PAGE = (Path(__file__).resolve().parents[3] / "docs/telemetry.md").read_text(encoding="utf-8")
POINT = PointInfo("n/m/CH4", "n", "g", "m", "CH4", "methane", "% CH4", "z")
DAY_NS = 86_400 * 10**9


def examples(language: str) -> list[str]:
    """Return the examples of a language on the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def test_the_sql_examples_run(tmp_path: Path) -> None:
    """Each query runs on a file that the service wrote; the first one finds the day's highest methane."""
    file = tmp_path / "t.duckdb"
    store = DuckdbTelemetry(DuckdbSettings(file=file))
    store.add_points({0: POINT})
    store.write(ReadingBatch.of([0, 0, 0], [0, 1, DAY_NS], [1.0, 3.0, 2.0]))
    store.close()
    with duckdb.connect(str(file), read_only=True) as connection:
        found = [connection.execute(query).fetchall() for query in examples("sql")]
    assert [(place, highest, unit) for place, _, highest, unit in found[0]] == [
        ("n/m/CH4", 3.0, "% CH4"),
        ("n/m/CH4", 2.0, "% CH4"),
    ]
    assert found[1] == [("g", 3, 0)]


def test_an_event_says_what_is_known_besides(tmp_path: Path) -> None:
    """The words of an `explained` row follow the reason, as the page says."""
    file = tmp_path / "t.duckdb"
    store = DuckdbTelemetry(DuckdbSettings(file=file))
    store.write_events([event(alert(now=Text("", "", "the air fell")))])
    store.close()
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("SELECT why FROM alert_event").fetchall() == [("1.2 % CH4; the air fell",)]


@pytest.mark.parametrize("query", examples("influxql"))
def test_the_influxql_examples_run(influxd_server: Server, query: str) -> None:
    """Each query is understood by the server, on a database that the service made."""
    url = f"http://127.0.0.1:{influxd_server.port}"
    store = InfluxTelemetry(InfluxSettings(url=url, database="docs"))
    store.add_points({0: POINT})
    store.write(ReadingBatch.of([0], [DAY_NS], [1.0]))
    store.close()
    values = urllib.parse.urlencode({"db": "docs", "q": query})
    with urllib.request.urlopen(f"{url}/query?{values}", timeout=5) as answer:
        assert b"error" not in answer.read()


def test_the_page_names_every_table_and_column(tmp_path: Path) -> None:
    """The table of the page is the file's own: nothing is missing, nothing is invented."""
    file = tmp_path / "t.duckdb"
    DuckdbTelemetry(DuckdbSettings(file=file)).close()
    with duckdb.connect(str(file), read_only=True) as connection:
        held = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_name <> 'written'"
        ).fetchall()
    section = PAGE.split("## The DuckDB file")[1].split("\n## ")[0]
    shown = {
        (table, column)
        for table, columns in re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.M)
        for column in re.findall(r"`(\w+)`", columns)
    }
    assert shown == set(held)
