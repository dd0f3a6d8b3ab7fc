"""Recordings of real mines and machines through `minewatch replay`, as a process of its own."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from minewatch.ingest.map import load_map

MAPS = Path(__file__).parents[2] / "simulators/recordings"
# name of the map, files, most pages that a control room would put up with over the whole recording
OTHERS = {
    "mine_cooling": ("mine_cooling", ["mine_cooling/mine_cooling_1min.csv.gz"], 0),
    "mine_dust": ("mine_dust", ["mine_dust/open_pit_blasting_2023-02-01_2023-05-01.csv"], 5),
    "nab": (
        "nab",
        [
            "nab/data/realKnownCause/machine_temperature_system_failure.csv",
            "nab/data/realKnownCause/ambient_temperature_system_failure.csv",
            "nab/data/realAWSCloudwatch/ec2_cpu_utilization_5f5533.csv",
        ],
        0,
    ),
    "skab": ("skab", ["skab/anomaly-free/anomaly-free.csv", "skab/valve1/0.csv", "skab/valve1/1.csv"], 0),
    "bearings-1": ("bearings_ims", ["bearings_ims/1st_test_resmaple_10minutes.csv"], 0),
    "bearings-2": ("bearings_ims", ["bearings_ims/2nd_test_resmaple_10minutes.csv"], 0),
    "bearings-3": ("bearings_ims", ["bearings_ims/3rd_test_resmaple_10minutes.csv"], 0),
}


@cache
def replay(files: tuple[Path, ...], chart: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return events and summary of a replay that ended well."""
    call = [sys.executable, "-m", "minewatch", "replay", *files, "--map", MAPS / f"{chart}.toml", "--json"]
    done = subprocess.run(list(map(str, call)), capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Warning" not in done.stderr
    *events, last = [json.loads(line) for line in done.stdout.splitlines()]
    return events, last["summary"]


def readings(file: Path, chart: str) -> int:
    """Count the fields of the mapped columns that hold something, without any code that reads recordings."""
    mapped = load_map(MAPS / f"{chart}.toml")
    missing, names = set(mapped.file.missing), [point.column for point in mapped.points]
    raw = file.read_bytes()
    text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mapped.file.delimiter))
    columns = [rows[0].index(name) for name in names if name in rows[0]]
    data = rows[1 : len(rows) - mapped.file.skip_footer]
    return sum(row[column] not in missing for row in data for column in columns)


def in_order(events: Iterable[dict[str, Any]]) -> bool:
    """Say whether events are told in the order of their times."""
    times = [datetime.fromisoformat(event["time"]) for event in events]
    return times == sorted(times)


def test_the_face_that_lost_its_air_is_paged_within_ten_seconds(recordings: Path) -> None:
    """26 April 2014: AN422 and AN423 fall to nothing; a person is called, and not a reading is lost."""
    events, found = replay((recordings / "methane_1hz/methane_events_2.csv",), "methane_1hz")
    lost_at = datetime.fromisoformat("2014-04-26T13:05:13+02:00")
    called = [
        event
        for event in events
        if (event["event"], event["rule"], event["paged"]) == ("raised", "face-airflow-lost", True)
        and abs(datetime.fromisoformat(event["time"]) - lost_at) <= timedelta(seconds=10)
    ]
    assert {event["place"] for event in called} == {"longwall/AN422", "longwall/AN423"}
    assert all(event["time"].endswith("+02:00") and event["priority"] == 1 for event in called)
    count = found["readings"]
    assert (count["lost"], count["duplicate"], count["rejected"]) == (0, 0, 0)
    assert (
        count["sent"]
        == count["stored"]
        == readings(recordings / "methane_1hz/methane_events_2.csv", "methane_1hz")
    )
    assert in_order(events)


def test_a_meter_under_test_calls_nobody_and_gas_of_the_mine_does(recordings: Path) -> None:
    """Fifteen tests with gas from a bottle are tagged; whoever is called, is called for gas of the mine."""
    events, found = replay((recordings / "methane_1hz/methane_events_2.csv",), "methane_1hz")
    with (recordings / "methane_1hz/windows_index_INFERRED.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    tests = [(row["start"], row["end"]) for row in rows if row["inferred_label"] == "span_gas_test_like"]
    assert len(tests) == 15

    def within(kind: str, begin: str, end: str) -> list[str]:
        return [e["place"] for e in events if e[kind] and begin <= e["time"][:19].replace("T", " ") <= end]

    for event in events:
        event["tagged"] = event["event"] == "tagged"
    for begin, end in tests:
        assert within("tagged", begin, end) == ["longwall/MM261"], begin
        assert within("paged", begin, end) == [], begin
    assert found["alerts"]["tagged"] == 15
    pages = [event for event in events if event["paged"]]
    assert found["alerts"]["paged"] == len(pages)
    assert {event["time"][:10] for event in pages} == {"2014-04-11", "2014-04-14", "2014-04-26"}
    assert all(event["place"] != "longwall/MM261" for event in pages if event["time"][:10] != "2014-04-26")
    called = [event["time"][11:19] for event in pages if event["rule"] == "methane-trip"]
    assert called[0] == "13:05:13"  # the second the limit was reached: nothing waited


@pytest.mark.parametrize("name", OTHERS)
def test_a_recording_goes_through_whole(recordings: Path, name: str) -> None:
    """Each reading of the file is stored once, events come in order, and calm machines call nobody."""
    chart, names, most_pages = OTHERS[name]
    files = [recordings / file for file in names]
    events, found = replay(tuple(files), chart)
    count = found["readings"]
    assert (count["lost"], count["duplicate"], count["rejected"]) == (0, 0, 0)
    assert count["sent"] == count["stored"] == sum(readings(file, chart) for file in files)
    assert in_order(events)
    assert found["alerts"]["paged"] <= most_pages
