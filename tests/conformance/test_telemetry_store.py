"""What every TelemetryStore promises, asked of each of them: the embedded one, a real InfluxDB, the fake."""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minewatch.contracts import (
    Alert,
    AlertEvent,
    AlertState,
    EventKind,
    PointInfo,
    Quality,
    ReadingBatch,
    ScoreBatch,
    TelemetryStore,
    Text,
    Watermark,
)
from minewatch.errors import StoreError
from minewatch.store.memory import MemoryTelemetry
from minewatch.store.telemetry import open_telemetry
from minewatch.store.telemetry_settings import DuckdbSettings, InfluxSettings, TelemetrySettings

Reopen = Callable[[], TelemetryStore]

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000


def point(device: str, metric: str = "CH4", *, interval_s: float = 1.0) -> PointInfo:
    """Describe a methane sensor of the north site."""
    return PointInfo(
        place=f"north/{device}/{metric}",
        site="north",
        gateway="gw1",
        device=device,
        metric=metric,
        quantity="methane",
        unit="% CH4",
        zone="longwall-7/face",
        interval_s=interval_s,
    )


POINTS = {0: point("m1"), 1: point("m2"), 2: point("a, b=c \"d\" 'e' é", "t\\x", interval_s=0.0)}


@pytest.fixture(params=["duckdb", "influxdb", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reopen]:
    """Open the same store again and again; each call closes the one before (memory: keeps it)."""
    opened: list[TelemetryStore] = []
    if request.param == "memory":
        store = MemoryTelemetry()
        yield lambda: store
        return
    settings = TelemetrySettings(kind=request.param, duckdb=DuckdbSettings(file=tmp_path / "t.duckdb"))
    if request.param == "influxdb":
        server = request.getfixturevalue("influxd_server")
        database = f"conformance_{uuid.uuid4().hex}"
        influx = InfluxSettings(url=f"http://127.0.0.1:{server.port}", database=database)
        settings = TelemetrySettings(kind="influxdb", influxdb=influx)

    def again() -> TelemetryStore:
        for old in opened:
            old.close()
        opened[:] = [open_telemetry(settings)]
        return opened[0]

    yield again
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Reopen) -> TelemetryStore:
    """A new store that knows three points."""
    store = reopen()
    store.add_points(POINTS)
    return store


def rows(batch: ReadingBatch) -> list[tuple[int, int, float | None, int, bool]]:
    """Return the rows as tuples that compare; NaN is None."""
    return list(
        zip(
            batch.point.tolist(),
            batch.ts_ns.tolist(),
            [None if math.isnan(v) else v for v in batch.value.tolist()],
            batch.quality.tolist(),
            batch.historical.tolist(),
            strict=True,
        )
    )


def seconds(
    point: int, values: Sequence[float], *, start_s: int = 0, historical: bool = False
) -> ReadingBatch:
    """Return a reading each second from T0 + start_s."""
    times = [T0 + (start_s + i) * S for i in range(len(values))]
    return ReadingBatch.of([point] * len(values), times, values, historical=historical)


def test_a_new_store_is_empty(store: TelemetryStore) -> None:
    """Nothing was written, so nothing is found, counted or held."""
    assert store.counts().stored == 0
    assert store.counts().distinct == 0
    assert list(store.since(0)) == []
    assert list(store.watermarks()) == []
    assert len(store.readings(0, 0, T0, 10)) == 0


def test_an_empty_batch_is_taken(store: TelemetryStore) -> None:
    """A write of nothing accepts nothing and changes nothing."""
    assert store.write(ReadingBatch.empty()).accepted == 0
    assert store.counts().stored == 0


def test_readings_come_back_as_they_were_written(store: TelemetryStore) -> None:
    """Point, nanosecond, value to the last bit, quality and flag survive the store."""
    batch = ReadingBatch(
        np.array([0, 1, 0, 2], np.int32),
        np.array([T0, T0 + 1, T0 + 999_999_999, T0 + 5], np.int64),
        np.array([0.1 + 0.2, -1e-300, 5.0, 1.7976931348623157e308], np.float64),
        np.array([0, 64, 129, 66], np.uint8),
        np.array([False, True, False, True]),
    )
    assert store.write(batch).accepted == 4
    assert rows(store.readings(0, T0, T0 + S, 10)) == [
        (0, T0, 0.1 + 0.2, 0, False),
        (0, T0 + 999_999_999, 5.0, 129, False),
    ]
    assert rows(store.readings(1, T0, T0 + S, 10)) == [(1, T0 + 1, -1e-300, 64, True)]
    assert rows(store.readings(2, T0, T0 + S, 10)) == [(2, T0 + 5, 1.7976931348623157e308, 66, True)]


def test_a_reading_without_a_number_keeps_its_time_and_quality(store: TelemetryStore) -> None:
    """A NaN is stored as a reading that says why there is no value."""
    nan = replace(seconds(0, [math.nan]), quality=np.array([Quality.BAD_NOT_A_NUMBER], np.uint8))
    assert store.write(nan).accepted == 1
    assert rows(store.readings(0, T0, T0 + S, 1)) == [(0, T0, None, 130, False)]
    assert store.counts().stored == 1


def test_the_range_is_half_open_ordered_and_limited(store: TelemetryStore) -> None:
    """From is inside, to is outside, times ascend whatever the order of writing, limit cuts the end."""
    store.write(seconds(0, [3.0, 4.0], start_s=3))
    store.write(seconds(0, [0.0, 1.0, 2.0]))
    assert store.readings(0, T0 + S, T0 + 4 * S, 10).value.tolist() == [1.0, 2.0, 3.0]
    assert store.readings(0, T0 + S, T0 + 4 * S, 2).value.tolist() == [1.0, 2.0]


def test_rows_of_unknown_points_are_rejected_and_the_rest_goes_on(store: TelemetryStore) -> None:
    """The answer says how many rows were refused and why; known points are stored."""
    batch = ReadingBatch.of([0, 7, -1, 1], [T0, T0, T0, T0], [1.0, 2.0, 3.0, 4.0])
    written = store.write(batch)
    assert (written.accepted, written.rejected, dict(written.reasons)) == (2, 2, {"unknown point": 2})
    assert store.counts().stored == 2


def test_counts_tell_rows_from_distinct_readings(store: TelemetryStore) -> None:
    """A repeat never raises the number of distinct (point, time)."""
    store.write(seconds(0, [1.0, 2.0]))
    store.write(seconds(1, [1.0, 2.0]))
    store.write(seconds(0, [1.0, 2.0]))
    counts = store.counts()
    assert counts.distinct == 4
    assert counts.stored in (4, 6)


def test_watermarks_are_kept_with_the_rows(store: TelemetryStore, reopen: Reopen) -> None:
    """The last watermark of each spool is there after the store was opened again, and so are the rows."""
    store.write(
        seconds(0, [1.0]), [Watermark("north/gw1", "spool-a", 5), Watermark("north/gw2", "s b", 1, (3, 9))]
    )
    store.write(seconds(0, [2.0], start_s=1), [Watermark("north/gw1", "spool-a", 7, (9,))])
    again = reopen()
    again.add_points(POINTS)
    assert list(again.watermarks()) == [
        Watermark("north/gw1", "spool-a", 7, (9,)),
        Watermark("north/gw2", "s b", 1, (3, 9)),
    ]
    assert again.counts().stored == 2


def test_many_gateways_are_marked_at_once(store: TelemetryStore, reopen: Reopen) -> None:
    """One write may bring the watermarks of known and of new spools together."""
    marks = [Watermark(f"north/g{i:02}", f"s{i:02}", i, (i + 2,)) for i in range(30)]
    store.write(seconds(0, [1.0]), marks[:20])
    later = [replace(mark, upto=mark.upto + 100, above=()) for mark in marks[10:]]
    store.write(seconds(0, [2.0], start_s=1), later)
    assert list(reopen().watermarks()) == marks[:10] + later


def test_a_watermark_never_goes_back_with_late_rows(store: TelemetryStore, reopen: Reopen) -> None:
    """Rows of an hour ago, resent after newer ones, bring the newest watermark all the same."""
    store.write(seconds(0, [1.0], start_s=7200), [Watermark("north/gw1", "s", 5)])
    store.write(seconds(0, [2.0], historical=True), [Watermark("north/gw1", "s", 6)])
    again = reopen()
    again.write(ReadingBatch.empty(), [Watermark("north/gw1", "s", 8)])
    assert list(again.watermarks()) == [Watermark("north/gw1", "s", 8)]


def test_since_gives_live_readings_in_time_order(store: TelemetryStore) -> None:
    """Historical rows and rows before the time are left out; the time itself is inside."""
    store.write(seconds(1, [10.0, 11.0, 12.0]))
    store.write(seconds(0, [0.0, 1.0, 2.0]))
    store.write(seconds(2, [7.0], historical=True))
    found = ReadingBatch.join(list(store.since(T0 + S)))
    assert [(p, t - T0, v) for p, t, v, _, _ in rows(found)] == [
        (0, S, 1.0),
        (1, S, 11.0),
        (0, 2 * S, 2.0),
        (1, 2 * S, 12.0),
    ]


def test_since_comes_in_chunks_that_lose_nothing(store: TelemetryStore) -> None:
    """A quarter of a million readings, most of them within one second, arrive once each and in order."""
    n = 250_000
    times = np.concatenate([T0 + np.arange(n // 2) * 7, T0 + 40 * S + np.arange(n // 2) * 1_000_000])
    batch = ReadingBatch.of(np.arange(n) % 2, times, np.arange(n, dtype=float))
    store.write(batch)
    chunks = list(store.since(0))
    assert max(map(len, chunks)) < n
    found = ReadingBatch.join(chunks)
    assert (np.diff(found.ts_ns) >= 0).all()
    assert sorted(found.value.tolist()) == batch.value.tolist()


def test_buckets_leave_out_what_is_bad_or_no_number(store: TelemetryStore) -> None:
    """Min, max, mean and count see only finite values of good or uncertain quality."""
    batch = seconds(0, [1.0, 3.0, 100.0, math.nan, 8.0, math.inf])
    store.write(replace(batch, quality=np.array([0, 64, 129, 130, 0, 0], np.uint8)))
    found = store.buckets(0, T0, T0 + 6 * S, 3)
    assert found.start_ns.tolist() == [T0, T0 + 2 * S, T0 + 4 * S]
    assert found.count.tolist() == [2, 0, 1]
    assert found.low.tolist()[::2] == [1.0, 8.0]
    assert found.high.tolist()[::2] == [3.0, 8.0]
    assert found.mean.tolist()[::2] == [2.0, 8.0]
    assert np.isnan([found.low[1], found.high[1], found.mean[1]]).all()


def test_buckets_agree_with_plain_numpy(store: TelemetryStore) -> None:
    """An odd range in an odd number of buckets gives what a loop over the readings gives."""
    rng = np.random.default_rng(7)
    times = T0 + np.sort(rng.choice(3_600_000, 900, replace=False)) * 1_000_000
    values = rng.normal(size=900)
    store.write(ReadingBatch.of([1] * 900, times, values))
    store.write(ReadingBatch.of([0] * 900, times, values * 9))
    start, end, n = T0 + 123_456_789, T0 + 3000 * S + 17, 37
    found = store.buckets(1, start, end, n)
    width = -(-(end - start) // n)
    for i in range(n):
        low = start + i * width
        inside = values[(times >= low) & (times < min(low + width, end))]
        assert found.start_ns[i] == low
        assert found.count[i] == len(inside)
        if len(inside):
            assert (found.low[i], found.high[i]) == (inside.min(), inside.max())
            assert found.mean[i] == pytest.approx(inside.mean(), rel=1e-12)


def test_coverage_is_the_share_of_time_with_readings(store: TelemetryStore) -> None:
    """A 1 Hz point that was silent for half of the range is covered for the other half."""
    store.write(seconds(0, [1.0] * 30))
    assert store.buckets(0, T0, T0 + 60 * S, 6).coverage == pytest.approx(0.5)
    assert store.buckets(0, T0, T0 + 30 * S, 120).coverage == pytest.approx(1.0)
    assert store.buckets(1, T0, T0 + 60 * S, 6).coverage == 0.0


@pytest.mark.parametrize(
    ("from_ns", "to_ns", "n"), [(T0, T0, 5), (T0 + 1, T0, 5), (T0, T0 + S, 0), (T0, T0 + S, 10_001)]
)
def test_senseless_buckets_are_refused(store: TelemetryStore, from_ns: int, to_ns: int, n: int) -> None:
    """An empty range and a number of buckets outside 1..10,000 are errors of the caller."""
    with pytest.raises(ValueError, match=r"buckets|range"):
        store.buckets(0, from_ns, to_ns, n)


def test_a_point_that_changes_its_zone_keeps_its_readings(store: TelemetryStore) -> None:
    """Readings of before and after a birth with another zone and unit are those of the same point."""
    store.write(seconds(0, [1.0]))
    store.add_points({0: replace(POINTS[0], zone="longwall-8/face", unit="ppm")})
    store.write(seconds(0, [2.0], start_s=1))
    assert store.readings(0, T0, T0 + 9 * S, 9).value.tolist() == [1.0, 2.0]
    assert store.buckets(0, T0, T0 + 2 * S, 1).count.tolist() == [2]
    assert len(ReadingBatch.join(list(store.since(0)))) == 2


def test_scores_and_events_are_taken(store: TelemetryStore) -> None:
    """Scores of unknown points are rejected with their reason; an event may come twice."""
    scores = ScoreBatch(
        np.array([0, 9], np.int32),
        np.array([T0, T0], np.int64),
        np.array([5, 6], np.uint16),
        np.array([0.5, 1.0], np.float32),
        np.array([3.2, 8.0]),
    )
    names = ["value", "mean", "twa", "shift", "rate", "ewma", "cusum"]
    written = store.write_scores(scores, names)
    assert (written.accepted, written.rejected) == (1, 1)
    assert store.write_events([event("k1"), event("k2")]).accepted == 2
    assert store.write_events([event("k1")]).accepted == 1
    assert store.write_events([]).accepted == 0


def event(key: str) -> AlertEvent:
    """Return a raised alert without a limit, its text with quotes and a line break."""
    text = Text(kk="жоғары", ru="высокий", en='high "CH4"\nhere')
    alert = Alert(
        id="a1",
        rule="methane-high",
        place="north/m1/CH4",
        site="north",
        zone="longwall-7/face",
        quantity="methane",
        priority=1,
        paged=True,
        state=AlertState.UNACKNOWLEDGED,
        active=True,
        raised_ns=T0,
        changed_ns=T0,
        value=2.1,
        unit="% CH4",
        limit=math.nan,
        detector="value",
        message=text,
        why=text,
        citation="",
        verified=False,
    )
    return AlertEvent(key=key, event=EventKind.RAISED, alert=alert, time_ns=T0, service_ns=T0, actor="system")


def test_a_reader_in_another_thread_sees_whole_batches(store: TelemetryStore) -> None:
    """While one thread writes, another one reads without an error, and never a part of a batch."""
    store.write(seconds(0, [0.0] * 100))
    seen: list[int] = []
    failures: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                seen.append(int(store.buckets(0, T0, T0 + 5000 * S, 10).count.sum()))
        except Exception as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(1, 20):
        store.write(seconds(0, [0.0] * 100, start_s=100 * i))
    done.set()
    reader.join()
    assert failures == []
    assert {n % 100 for n in seen} <= {0}
    assert store.counts().stored == 2000


def test_a_closed_store_says_so(store: TelemetryStore) -> None:
    """After close every call raises StoreError, and closing again does nothing."""
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.write(seconds(0, [1.0]))
    with pytest.raises(StoreError, match="closed"):
        store.counts()
