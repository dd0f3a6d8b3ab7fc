"""The drivers: waveforms that repeat, CSV files with every fault a file can have."""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from minewatch_edge import config, drivers
from minewatch_edge.drivers.csv_rows import TimeFormat
from minewatch_edge.drivers.driver import Driver
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

S = 1_000_000_000
T0 = 1_800_000_000 * S
ISO = "time,a,b\n"


def build(
    folder: Path, device: dict[str, object], points: list[dict[str, object]]
) -> tuple[Driver, list[Reject]]:
    """Return a driver made from tables as edge.toml has them, and where its rejects go."""
    tables = [{"metric": f"m{i}", "quantity": "q", "unit": "u", **p} for i, p in enumerate(points)]
    top = {
        "gateway": {"site": "s", "id": "g"},
        "broker": {"host": "h"},
        "device": [{"id": "d", **device, "point": tables}],
    }
    made = config.parse(Table(top, "edge.toml"), folder)
    rejects: list[Reject] = []
    return drivers.make(made.devices[0], folder, rejects.append), rejects


def csv_driver(folder: Path, text: str, **options: object) -> tuple[Driver, list[Reject]]:
    """Return a csv driver with the columns a and b."""
    (folder / "f.csv").write_text(text, encoding="utf-8")
    device = {"driver": "csv", "file": "f.csv", "time": "time", "time_zone": "Asia/Almaty", **options}
    return build(folder, device, [{"column": "a"}, {"column": "b", "scale": 0.001}])


def lines(*rows: str) -> str:
    """Return a file with a header."""
    return ISO + "".join(r + "\n" for r in rows)


def test_waves_follow_their_shape_and_seed(tmp_path: Path) -> None:
    """A sine at a quarter of its period is at its top; the same seed gives the same noise."""
    sine = {"wave": "sine", "mean": 5.0, "amplitude": 2.0, "period_s": 40.0}
    driver, _ = build(
        tmp_path, {"driver": "simulated"}, [sine, {"wave": "ramp", "amplitude": 1.0, "period_s": 40.0}]
    )
    assert [round(r.value, 6) for r in driver.poll(10 * S)] == [7.0, -0.5]
    noisy = [build(tmp_path, {"driver": "simulated", "seed": 3}, [{"noise": 1.0}])[0] for _ in range(2)]
    assert noisy[0].poll(T0)[0].value == noisy[1].poll(T0)[0].value != 0.0


def test_each_point_has_its_own_interval(tmp_path: Path) -> None:
    """Points come when they are due, and what was missed is not made up for."""
    driver, _ = build(tmp_path, {"driver": "simulated"}, [{"interval_s": 1.0}, {"interval_s": 5.0}])
    assert [r.point for r in driver.poll(T0)] == [0, 1]
    assert driver.due_ns(T0) == T0 + S
    assert driver.poll(T0 + S // 2) == []
    assert [r.point for r in driver.poll(T0 + S)] == [0]
    assert [r.point for r in driver.poll(T0 + 60 * S)] == [0, 1]
    assert driver.due_ns(T0 + 60 * S) == T0 + 61 * S


def test_a_recording_is_played_at_its_pace(tmp_path: Path) -> None:
    """Rows come at the times between them, divided by the speed, stamped with the time of now."""
    text = lines("2014-01-01 00:00:00,1,1000", "2014-01-01 00:00:10,2,2000", "2014-01-01 00:00:30,3,3000")
    driver, rejects = csv_driver(tmp_path, text, speed=10.0)
    first = driver.poll(T0)
    assert [(r.point, r.ts_ns, r.value) for r in first] == [(0, T0, 1.0), (1, T0, 1.0)]
    assert driver.due_ns(T0) == T0 + S
    assert driver.poll(T0 + S - 1) == []
    assert [(r.ts_ns, r.value) for r in driver.poll(T0 + S)] == [(T0 + S, 2.0), (T0 + S, 2.0)]
    assert [r.value for r in driver.poll(T0 + 9 * S)] == [3.0, 3.0]
    driver.poll(T0 + 10 * S)
    assert driver.due_ns(T0 + 10 * S) > T0 + 10**17
    assert rejects == []


def test_recorded_times_can_be_kept(tmp_path: Path) -> None:
    """With stamp = recorded a reading carries the file's own time, in the zone named."""
    driver, _ = csv_driver(tmp_path, lines("1970-01-01 06:00:00,1,"), stamp="recorded")
    (reading,) = driver.poll(T0)
    assert reading.ts_ns in (0, S * 3600)  # Almaty kept +05 in 1970; some tables say +06


def test_a_recording_can_be_repeated(tmp_path: Path) -> None:
    """At its end the file begins again, with times that go on."""
    driver, _ = csv_driver(tmp_path, lines("2014-01-01 00:00:00,1,", "2014-01-01 00:00:01,2,"), repeat=True)
    found, now = [], T0
    for _ in range(8):
        found += driver.poll(now)
        now += S
    assert [r.value for r in found][:4] == [1.0, 2.0, 1.0, 2.0]
    assert [r.ts_ns for r in found] == sorted({r.ts_ns for r in found})


def test_a_bad_line_is_refused_with_its_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Every fault has its reason; good cells of a line with one bad cell are used."""
    text = lines(
        "2014-01-01 00:00:00,1,1000",
        "2014-01-01 00:00:01",
        "yesterday,1,1",
        "2014-01-01 00:00:02,x,2000",
        "2014-01-01 00:00:03,inf,",
        "2014-01-01 00:00:00,9,9",
        "",
        "2014-01-01 00:00:04,NaN,4000",
    )
    driver, rejects = csv_driver(tmp_path, text)
    found = [r for s in range(10) for r in driver.poll(T0 + s * S)]
    assert [r.value for r in found] == [1.0, 1.0, 2.0, 4.0]
    assert [r.reason for r in rejects] == ["columns", "time", "value", "value", "order"]
    assert "yesterday" in rejects[1].text


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A line that is no UTF-8 is one reject."""
    driver, rejects = csv_driver(tmp_path, ISO)
    (tmp_path / "f.csv").write_bytes(ISO.encode() + b"\xff\xfe,1,2\n2014-01-01 00:00:00,5,\n")
    assert [r.value for r in driver.poll(T0)] == [5.0]
    assert [r.reason for r in rejects] == ["encoding"]


def test_compressed_files_are_played(tmp_path: Path) -> None:
    """A .csv.gz is read as it is."""
    driver, _ = csv_driver(tmp_path, ISO, file="f.csv.gz")
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(lines("2014-01-01 00:00:00,5,").encode()))
    assert [r.value for r in driver.poll(T0)] == [5.0]


def test_a_growing_file_is_followed(tmp_path: Path) -> None:
    """New whole lines become readings with their own times; half a line waits for its end."""
    driver, _ = csv_driver(tmp_path, lines("2026-01-01 00:00:00,1,"), mode="follow")
    assert driver.poll(T0) == []
    with (tmp_path / "f.csv").open("a") as file:
        file.write("2026-01-01 00:00:01,2,\n2026-01-01 00:0")
    assert [r.value for r in driver.poll(T0 + S)] == [2.0]
    with (tmp_path / "f.csv").open("a") as file:
        file.write("0:02,3,\n")
    assert [r.value for r in driver.poll(T0 + 2 * S)] == [3.0]
    assert driver.due_ns(T0 + 2 * S) == T0 + 3 * S


def test_a_time_of_the_far_future_does_not_end_a_followed_file(tmp_path: Path) -> None:
    """A line with a wrong year is refused, the next ones are read; a clock never set judges nothing."""
    text = lines("2027-01-15 12:00:00,1,", "2099-01-15 12:00:01,2,", "2027-01-15 12:00:02,3,")
    driver, rejects = csv_driver(tmp_path, text, mode="follow", start="start")
    assert [r.value for r in driver.poll(T0)] == [1.0, 3.0]
    assert [r.reason for r in rejects] == ["future"]
    driver, rejects = csv_driver(tmp_path, text, mode="follow", start="start")
    assert [r.value for r in driver.poll(S)] == [1.0, 2.0]
    assert [r.reason for r in rejects] == ["order"]


def test_a_rotated_file_is_followed(tmp_path: Path) -> None:
    """When another file takes its place, that one is read from its start."""
    driver, _ = csv_driver(tmp_path, lines("2026-01-01 00:00:00,1,"), mode="follow", start="start")
    assert [r.value for r in driver.poll(T0)] == [1.0]
    (tmp_path / "new").write_text(lines("2026-01-01 00:00:05,7,", "2026-01-01 00:00:06,8,"))
    (tmp_path / "new").replace(tmp_path / "f.csv")
    assert [r.value for s in range(4) for r in driver.poll(T0 + s * S)] == [7.0, 8.0]


def test_a_missing_file_or_column_is_a_fault_that_heals(tmp_path: Path) -> None:
    """The error names what is missing; once it is there, the same driver works."""
    driver, _ = csv_driver(tmp_path, "time,a\n2014-01-01 00:00:00,1\n")
    with pytest.raises(DriverError, match=r"no column 'b'.*time, a"):
        driver.poll(T0)
    assert [r.ok for r in driver.check(T0)] == [False, False]
    (tmp_path / "f.csv").unlink()
    with pytest.raises(DriverError, match="No such file"):
        driver.poll(T0)
    (tmp_path / "f.csv").write_text(lines("2014-01-01 00:00:00,1,2"))
    assert len(driver.poll(T0)) == 2


def test_check_says_what_each_column_holds(tmp_path: Path) -> None:
    """Each sensor is read once, in words; an empty column is a fault."""
    driver, _ = csv_driver(tmp_path, lines("2014-01-01 00:00:00,1.5,"))
    found = driver.check(T0)
    assert [(r.place, r.ok) for r in found] == [("d/m0", True), ("d/m1", False)]
    assert found[0].text == "1.5 u"


@pytest.mark.parametrize(
    ("form", "text", "ns"),
    [
        ("iso", "1970-01-02T00:00:00+00:00", 86_400 * S),
        ("unix_s", "1.5", 1_500_000_000),
        ("unix_ms", "1500", 1_500_000_000),
        ("%d.%m.%Y %H:%M:%S %z", "02.01.1970 05:00:00 +0500", 86_400 * S),
    ],
)
def test_times_are_read_in_every_format(form: str, text: str, ns: int) -> None:
    """ISO, seconds, milliseconds and strptime formats."""
    assert TimeFormat(form).read(text) == ns


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 5), ("2026-03-29", 3)])
def test_the_hour_that_comes_twice_is_read_in_its_order(tmp_path: Path, day: str, hours: int) -> None:
    """Local times over the end of summer time are all taken, in order; so are those over its begin."""
    zone = ZoneInfo("Europe/Warsaw")
    first = round(datetime.fromisoformat(day + "T00:30").replace(tzinfo=zone).timestamp())
    local = [datetime.fromtimestamp(first + 1_200 * k, zone) for k in range(3 * hours)]
    text = lines(*(f"{when:%Y-%m-%d %H:%M},{k}," for k, when in enumerate(local)))
    driver, rejects = csv_driver(
        tmp_path, text, stamp="recorded", time_zone="Europe/Warsaw", format="%Y-%m-%d %H:%M", speed=1e9
    )
    found = [r for k in range(4) for r in driver.poll(T0 + k * S)]
    assert [r.ts_ns // S for r in found] == [first + 1_200 * k for k in range(3 * hours)]
    assert rejects == []


def test_a_time_without_offset_or_zone_is_refused() -> None:
    """Local time is never guessed."""
    with pytest.raises(ValueError, match="no time_zone"):
        TimeFormat("iso").read("2014-01-01 00:00:00")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"format": "guess"}, "format"),
        ({"repeat": True, "stamp": "recorded"}, "repeat"),
        ({"delimiter": "tab"}, "delimiter"),
        ({"speed": 0}, "speed"),
        ({"mode": "watch"}, "mode"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict[str, object], name: str) -> None:
    """Each wrong option of the csv driver is an error that names its key."""
    with pytest.raises(EdgeConfigError, match=rf"device\[0\]\.{name}"):
        csv_driver(tmp_path, ISO, **options)
