"""The 1 Hz windows of a real longwall through `minewatch replay`: what is tagged, and what calls."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MINEWATCH_DATA", ROOT.parent / "shared/data")) / "methane_1hz"
MAP = ROOT / "simulators/recordings/methane_1hz.toml"
PLACE = "longwall/MM261"
ZONE = ZoneInfo("Europe/Warsaw")
LOSS = datetime(2014, 4, 26, 13, 5, 5, tzinfo=ZONE)  # the record begins here, with the air at nothing
CHOSE = 4  # the first windows (March) chose the shape; see docs/detectors.md


def windows() -> list[tuple[datetime, datetime, str]]:
    """Return begin, end and label of each window of the recording."""
    with (DATA / "windows_index_INFERRED.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [
        (
            datetime.fromisoformat(row["start"]).replace(tzinfo=ZONE),
            datetime.fromisoformat(row["end"]).replace(tzinfo=ZONE),
            row["inferred_label"],
        )
        for row in rows
    ]


def events() -> list[dict[str, object]]:
    """Replay the recording and return its events."""
    call = [
        sys.executable,
        "-m",
        "minewatch",
        "replay",
        str(DATA / "methane_events_2.csv"),
        "--map",
        str(MAP),
    ]
    done = subprocess.run([*call, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()[:-1]]


def main() -> None:
    """Print the figures; every page and why on stderr."""
    if not (DATA / "methane_events_2.csv").exists():
        print("accuracy.methane.tests_tagged skipped: no recordings, see MINEWATCH_DATA")
        return
    told = [(datetime.fromisoformat(str(event["time"])), event) for event in events()]
    pages = [(at, event) for at, event in told if event["paged"]]
    tests = [(begin, end) for begin, end, label in windows() if label == "span_gas_test_like"]
    tagged = [
        any(
            event["event"] == "tagged" and event["place"] == PLACE and begin <= at <= end
            for at, event in told
        )
        for begin, end in tests
    ]
    called = [any(begin <= at <= end for at, _ in pages) for begin, end in tests]
    print(f"accuracy.methane.tests {len(tests)} windows")
    print(f"accuracy.methane.tests_tagged {sum(tagged)} windows")
    print(f"accuracy.methane.tests_tagged_after_march {sum(tagged[CHOSE:])} windows")
    print(f"accuracy.methane.tests_paged {sum(called)} windows")
    after = [(at, event) for at, event in pages if LOSS <= at <= LOSS + timedelta(minutes=15)]
    air = [
        at for at, event in after if "airflow" in str(event["rule"]) or "without-air" in str(event["rule"])
    ]
    print(f"accuracy.methane.incident_paged {(after[0][0] - LOSS).total_seconds():g} s")
    print(f"accuracy.methane.airflow_paged {(min(air) - LOSS).total_seconds():g} s")
    others = [(at, event) for at, event in pages if (at, event) not in after]
    print(f"accuracy.methane.incident_pages {len(after)} pages")
    print(f"accuracy.methane.other_pages {len(others)} pages")
    for at, event in pages:
        which = "incident" if (at, event) in after else "other"
        print(which, at.isoformat(), event["rule"], event["place"], event["why"], sep=" | ", file=sys.stderr)


if __name__ == "__main__":
    main()
