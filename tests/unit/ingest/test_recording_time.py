"""Times are read exactly, and a local time is never guessed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minewatch.ingest.map import FileMap
from minewatch.ingest.recording_time import TimeReader

WARSAW = ZoneInfo("Europe/Warsaw")


def reader(**keys: object) -> TimeReader:
    """Return a reader with these keys of [file]."""
    return TimeReader(FileMap.model_validate({"time": "t", **keys}))


def one(text: str, **keys: object) -> int:
    """Read one time that is sound."""
    ns, bad = reader(**keys).read([text])
    assert not bad
    return int(ns[0])


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ("1970-01-01 00:00:01", {"zone": "UTC"}, 10**9),
        ("1970-01-01T01:00:00.250", {"zone": "Europe/Warsaw"}, 250_000_000),
        ("1970-01-01T05:00:00+05:00", {}, 0),
        ("1970-01-01T00:00:02Z", {"zone": "Europe/Warsaw"}, 2 * 10**9),
        ("1398510313", {"format": "unix_s"}, 1398510313 * 10**9),
        ("1398510313.123456", {"format": "unix_s"}, 1398510313_123456000),
        ("1398510313123", {"format": "unix_ms"}, 1398510313_123000000),
        ("60.5", {"format": "seconds", "start": "1970-01-01T00:00:00+00:00"}, 60_500_000_000),
        ("1970.01.01.00.01.00", {"format": "%Y.%m.%d.%H.%M.%S", "zone": "UTC"}, 60 * 10**9),
        ("2 1 1970 0:01", {"format": "%d %m %Y %H:%M", "zone": "UTC"}, 86_460 * 10**9),
        ("02/01/70", {"format": "%d/%m/%y", "zone": "UTC"}, 86_400 * 10**9),
    ],
)
def test_each_format_is_read_exactly(text: str, keys: dict[str, object], expected: int) -> None:
    """The time comes out to the nanosecond that was written."""
    assert one(text, **keys) == expected


@given(st.lists(st.integers(-(2**29), 2**31), min_size=1, max_size=20))
def test_fast_and_slow_agree(seconds: list[int]) -> None:
    """The reader of whole columns gives what datetime gives, row by row."""
    texts = [datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%d %H:%M:%S") for s in seconds]
    fast, bad = reader(zone="UTC").read(texts)
    slow, _ = reader(zone="UTC").read([t + ".000" for t in texts])
    assert not bad
    assert fast.tolist() == slow.tolist()


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=50))
def test_a_zone_is_applied_as_zoneinfo_does(seconds: list[int]) -> None:
    """Every local time outside a change of clocks becomes the UTC it came from."""
    known = [s for s in seconds if _plain(s)]
    texts = [datetime.fromtimestamp(s, WARSAW).strftime("%Y-%m-%d %H:%M:%S") for s in known]
    ns, bad = reader(zone="Europe/Warsaw").read(texts)
    assert not bad
    assert (ns // 10**9).tolist() == known


def _plain(second: int) -> bool:
    local = datetime.fromtimestamp(second, WARSAW)
    return local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset()


@pytest.mark.parametrize(
    "text", ["2014-02-30 00:00:00", "2014-13-01 00:00:00", "soon", "", "2014-01-01 24:01:00"]
)
def test_what_is_no_time_is_named(text: str) -> None:
    """An unreadable time costs its row alone and is quoted."""
    ns, bad = reader(zone="UTC").read(["2014-01-01 00:00:00", text])
    assert list(bad) == [1]
    assert repr(text) in bad[1]
    assert ns[0] == np.datetime64("2014-01-01", "ns").astype(np.int64)


def test_local_time_without_a_zone_is_refused() -> None:
    """No offset and no zone: there is no saying when it was."""
    _, bad = reader().read(["2014-01-01 00:00:00", "2014-01-01 00:00:00+01:00"])
    assert list(bad) == [0]
    assert "zone" in bad[0]


def test_a_year_nobody_meant_is_refused() -> None:
    """A slip of the pen does not become a reading of the year 5138."""
    _, bad = reader(format="unix_s").read(["100000000000", "1"])
    assert list(bad) == [0]


def test_the_hour_skipped_in_spring_is_refused() -> None:
    """02:30 did not exist on 2014-03-30 in Warsaw; 01:59 and 03:00 did, one minute apart."""
    ns, bad = reader(zone="Europe/Warsaw").read(
        ["2014-03-30 01:59:00", "2014-03-30 02:30:00", "2014-03-30 03:00:00"]
    )
    assert list(bad) == [1]
    assert "put forward" in bad[1]
    assert ns[2] - ns[0] == 60 * 10**9


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_hour_that_comes_twice_is_told_apart_by_order(size: int) -> None:
    """A clock that is put back in the file goes on in the truth, whatever the size of a chunk."""
    start = int(datetime(2014, 10, 26, 1, 30, tzinfo=WARSAW).timestamp())
    true = list(range(start, start + 4 * 3600, 300))
    texts = [datetime.fromtimestamp(s, WARSAW).strftime("%Y-%m-%d %H:%M:%S") for s in true]
    times = reader(zone="Europe/Warsaw")
    got = [int(n) // 10**9 for i in range(0, len(texts), size) for n in times.read(texts[i : i + size])[0]]
    assert got == true


def test_a_small_step_back_is_not_the_clock_being_put_back() -> None:
    """Two rows swapped inside the doubled hour stay seconds apart."""
    ns, _ = reader(zone="Europe/Warsaw").read(
        ["2014-10-26 02:30:05", "2014-10-26 02:30:03", "2014-10-26 02:30:06"]
    )
    assert ((ns - ns[0]) // 10**9).tolist() == [0, -2, 1]
