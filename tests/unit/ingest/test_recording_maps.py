"""The maps that are shipped fit the real recordings they are for."""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from minewatch.contracts import ReadingBatch
from minewatch.ingest.map import load_map
from minewatch.ingest.recording import Recording

ROOT = Path(__file__).parents[3]
MAPS = ROOT / "simulators/recordings"


def data() -> Path:
    """Return the folder of the recordings, or skip."""
    folder = Path(os.environ.get("MINEWATCH_DATA") or ROOT / "../shared/data")
    if not folder.is_dir():
        message = "the recordings are not here: set MINEWATCH_DATA to their folder"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


def at(text: str) -> int:
    """Return a time in ns."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("name", "pattern", "points", "rows", "readings", "first", "last"),
    [
        ("methane_1hz", "*_2.csv", 28, 1_226, 34_328, "2014-03-05T08:29:18Z", "2014-06-10T07:07:31Z"),
        ("mine_cooling", "*.csv.gz", 23, 51_087, 1_175_001, "2020-01-01T00:00:00Z", "2020-02-05T11:26:00Z"),
        ("mine_dust", "*.csv", 10, 8_640, 73_372, "2023-02-01T00:00:00+05:30", "2023-05-01T23:45:00+05:30"),
        ("nab", "data/*/*.csv", 58, 365_558, 365_558, "2011-07-01T00:00:01Z", "2015-09-17T17:10:00Z"),
        ("skab", "*/*.csv", 8, 27_565, 220_520, "2020-02-08T13:30:47Z", "2020-03-09T15:34:41Z"),
        ("bearings_ims", "*_test_*.csv", 12, 9_464, 46_480, "2003-10-22T12:06:24Z", "2004-04-18T02:42:55Z"),
    ],
)  # fmt: skip
def test_a_map_reads_its_recording_whole(
    name: str, pattern: str, points: int, rows: int, readings: int, first: str, last: str
) -> None:
    """Every row is read, none is refused, and the first and last times are those of the files."""
    recorded = Recording(load_map(MAPS / f"{name}.toml"), sorted((data() / name).glob(pattern)))
    batch = ReadingBatch.join(list(recorded.batches()))
    assert (len(recorded.points), recorded.counted.rows, len(batch)) == (points, rows, readings)
    assert (recorded.rejected, recorded.rejects) == (0, [])
    assert (int(batch.ts_ns.min()), int(batch.ts_ns.max())) == (at(first), at(last))
    assert np.bincount(batch.point, minlength=points).min() > 0


def test_every_map_has_a_recording_here() -> None:
    """No map is shipped untested."""
    names = {"methane_1hz", "mine_cooling", "mine_dust", "nab", "skab", "bearings_ims"}
    assert {path.stem for path in MAPS.glob("*.toml")} == names


def methane() -> tuple[Recording, ReadingBatch]:
    """Open and read the methane recording."""
    recorded = Recording(load_map(MAPS / "methane_1hz.toml"), [data() / "methane_1hz/methane_events_2.csv"])
    return recorded, ReadingBatch.join(list(recorded.batches()))


def test_the_loss_of_airflow_is_in_the_methane_recording() -> None:
    """On 2014-04-26 the face airflow is near zero from 13:05:13 local time on."""
    recorded, batch = methane()
    place = [p.place for p in recorded.points].index("longwall/AN422")
    one = batch.take(batch.point == place)
    window = (one.ts_ns >= at("2014-04-26T13:05:13+02:00")) & (one.ts_ns <= at("2014-04-26T13:05:40+02:00"))
    assert window.any()
    assert recorded.points[place].quantity == "air_velocity"
    assert one.value[window].max() < 0.25


def test_the_sentinels_of_the_currents_are_the_maps() -> None:
    """The -255 of a current that is not there equals the sentinel of its point."""
    recorded, batch = methane()
    currents = [i for i, p in enumerate(recorded.points) if p.quantity == "current"]
    assert len(currents) == 5
    for i in currents:
        values = batch.value[batch.point == i]
        assert set(values[values < 0]) == set(recorded.points[i].sentinels) == {-255.0}


def test_the_one_step_back_of_the_machine_is_counted() -> None:
    """The real machine's clock goes back once, by 55 minutes; its rows are all kept."""
    file = data() / "nab/data/realKnownCause/machine_temperature_system_failure.csv"
    recorded = Recording(load_map(MAPS / "nab.toml"), [file])
    assert sum(map(len, recorded.batches())) == 22_695
    assert recorded.counted.backward == 1
