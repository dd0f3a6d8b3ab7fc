"""The default rules on a real longwall at 1 Hz, through the real engine.

Kozielski, Sikora, Wrobel: Data in Brief 39 (2021) 107457. Rows exist only inside 24 windows.
"""

from __future__ import annotations

import csv
import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from minewatch.alerts import packs, rules
from minewatch.alerts.book import AlertBook
from minewatch.alerts.settings import AlertSettings
from minewatch.contracts import AlertEvent, EventKind, PointInfo, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME as IDS
from minewatch.detect.engine import Engine
from minewatch.detect.settings import DetectSettings

WARSAW = ZoneInfo("Europe/Warsaw")
ROOT = Path(__file__).resolve().parents[3]
FILE = Path(os.environ.get("MINEWATCH_DATA", ROOT / "../shared/data")) / "methane_1hz/methane_events_2.csv"
COLUMNS = {
    **dict.fromkeys(("AN311", "AN422", "AN423"), ("air_velocity", "m/s", -5.0, 5.0)),
    **dict.fromkeys(("MM252", "MM261", "MM262", "MM263", "MM264", "MM256"), ("methane", "% CH4", 0.0, 100.0)),
}


def local(event: AlertEvent) -> datetime:
    """Return when an event was, in the mine's own time."""
    return datetime.fromtimestamp(event.time_ns / 1e9, WARSAW)


def point(name: str, quantity: str, unit: str, low: float, high: float) -> PointInfo:
    """Return one sensor of the longwall."""
    where = (f"longwall/{name}", "longwall", "recording", name, name)
    return PointInfo(*where, quantity, unit, "longwall", low, high, (-266.0,))


@pytest.fixture(scope="module")
def raised() -> list[AlertEvent]:
    """Everything the default rules raise over the whole recording."""
    if not FILE.is_file():
        why = f"absent part: the recording {FILE.name} (set MINEWATCH_DATA to the folder of recordings)"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    points = [point(name, *described) for name, described in COLUMNS.items()]
    engine, book = Engine(DetectSettings()), AlertBook()
    engine.add_points(points)
    engine.set_limits(book.bind(rules.load(packs.paths(AlertSettings()), IDS), dict(enumerate(points))))
    events = []
    with FILE.open(newline="") as file:
        for row in csv.DictReader(file):
            ts_ns = int(datetime.fromisoformat(row["datetime"]).replace(tzinfo=WARSAW).timestamp()) * 10**9
            values = [float(row[name]) for name in COLUMNS]
            batch = ReadingBatch.of(range(len(points)), [ts_ns] * len(points), values)
            events += book.apply(engine.step(batch).transitions, ts_ns)
    return [event for event in events if event.event is EventKind.RAISED]


def test_the_loss_of_face_airflow_is_paged_in_time(raised: list[AlertEvent]) -> None:
    """On 2014-04-26 a person is called within 10 s of 13:05:13 because the face has lost its airflow."""
    fault = datetime(2014, 4, 26, 13, 5, 13, tzinfo=WARSAW)
    found = [event for event in raised if event.alert.rule == "face-airflow-lost"]
    first = min(found, key=lambda event: event.time_ns)
    assert abs((local(first) - fault).total_seconds()) <= 10
    assert first.alert.paged
    assert {event.alert.place for event in found} == {"longwall/AN422", "longwall/AN423"}


def test_a_weekly_calibration_is_no_loss_of_airflow(raised: list[AlertEvent]) -> None:
    """In the other windows, most of them test gas at one meter, no anemometer says the air has stopped."""
    days = {local(event).date().isoformat() for event in raised if event.alert.rule == "face-airflow-lost"}
    assert days == {"2014-04-26"}
