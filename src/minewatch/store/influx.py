"""Readings in an InfluxDB server: written as line protocol, read in InfluxQL, which 1.8, 2 and 3 all answer.

A repeat overwrites by (series, time), so rows are written first and what is held of the spools after them: a
crash in between costs a repeat, never a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minewatch.contracts import (
    AlertEvent,
    Buckets,
    Counts,
    PointInfo,
    ReadingBatch,
    ScoreBatch,
    Watermark,
    Written,
)
from minewatch.errors import StoreError
from minewatch.store import line_protocol as lines
from minewatch.store import telemetry_metrics as metrics
from minewatch.store.influx_server import InfluxServer
from minewatch.store.telemetry_columns import bucket_width, known_mask, known_table, spread, windows
from minewatch.store.telemetry_settings import InfluxSettings

_NAME = "influxdb"
_CHUNK = 100_000  # rows of one chunk of since()
_MINUTE_NS = 60_000_000_000
_RETENTION = "older than the retention policy"


class InfluxTelemetry:
    """A TelemetryStore on a server; every call asks it, so every call may raise StoreBusy."""

    def __init__(self, settings: InfluxSettings) -> None:
        """Prepare the client; the server is first asked by the first call."""
        self._settings = settings
        self._server: InfluxServer | None = InfluxServer(settings)
        self._points: dict[int, PointInfo] = {}
        self._ids: dict[tuple[str, str, str], int] = {}
        self._heads: list[str] = []
        self._known = known_table(())
        self._marked_ns: dict[str, int] | None = None  # the time of each spool's last row in delivery

    @property
    def _open(self) -> InfluxServer:
        if self._server is None:
            raise StoreError(f"{self._settings.url}: the store is closed.")
        return self._server

    def add_points(self, points: Mapping[int, PointInfo]) -> None:
        """Make points known, or replace what is known of them; their tags come from here."""
        held = {**self._points, **points}
        self._ids = {_identity(info): i for i, info in held.items()}
        heads = [""] * (max(held, default=-1) + 1)
        for i, info in held.items():
            heads[i] = lines.series("reading", lines.point_tags(info))
        self._points, self._heads, self._known = held, heads, known_table(held)

    def write(self, batch: ReadingBatch, watermarks: Sequence[Watermark] = ()) -> Written:
        """Write readings, then watermarks; rows of unknown points are rejected."""
        mask = known_mask(self._known, batch.point)
        known = batch if mask.all() else batch.take(mask)
        with metrics.WRITE_SECONDS.labels(_NAME).time():
            old = self._open.write(lines.reading_lines(self._heads, known))
            self._mark(watermarks, int(batch.ts_ns.max(initial=0)))
        return metrics.written(
            _NAME, "reading", len(known) - old, len(batch) - len(known), {_RETENTION: old} if old else None
        )

    def _mark(self, watermarks: Sequence[Watermark], time_ns: int) -> None:
        """Write what is held of spools, at a time that never goes back, as the last one counts.

        Within a minute the time stays the same, so that a row overwrites the one before.
        """
        if not watermarks:
            return
        if self._marked_ns is None:
            self._marked_ns = {mark.spool: at for mark, at in self._marks()}
        minute = time_ns // _MINUTE_NS * _MINUTE_NS
        times = {mark.spool: max(minute, self._marked_ns.get(mark.spool, 0)) for mark in watermarks}
        if self._open.write([lines.delivery_line(mark, times[mark.spool]) for mark in watermarks]):
            raise StoreError(
                f"{self._settings.url}: the retention policy of {self._settings.database} is too short to "
                "keep what was delivered. Make it longer than the longest time without uplink."
            )
        self._marked_ns |= times

    def write_scores(self, scores: ScoreBatch, names: Sequence[str]) -> Written:
        """Write scores; ``names[d]`` is the name of detector d."""
        rows = lines.score_lines(self._points, scores, names)
        unknown = len(scores.point) - int(known_mask(self._known, scores.point).sum())
        old = self._open.write(rows)
        others = {_RETENTION: old, "not a number": len(scores.point) - unknown - len(rows)}
        return metrics.written(_NAME, "score", len(rows) - old, unknown, others)

    def write_events(self, events: Sequence[AlertEvent]) -> Written:
        """Write alert events; the same event again changes nothing."""
        old = self._open.write([lines.event_line(event) for event in events])
        return metrics.written(_NAME, "alert_event", len(events) - old, 0, {_RETENTION: old})

    def watermarks(self) -> Sequence[Watermark]:
        """Return what is held of each spool."""
        return [mark for mark, _ in self._marks()]

    def _marks(self) -> list[tuple[Watermark, int]]:
        found = self._open.series("SELECT last(upto), above FROM delivery GROUP BY gateway, spool")
        marks = []
        for series in found:
            time_ns, upto, above = series["values"][0]
            ids = tuple(map(int, above.split(","))) if above else ()
            tags = series["tags"]
            marks.append((Watermark(tags["gateway"], tags["spool"], int(upto), ids), int(time_ns)))
        return sorted(marks, key=lambda pair: (pair[0].gateway, pair[0].spool))

    def readings(self, point: int, from_ns: int, to_ns: int, limit: int) -> ReadingBatch:
        """Return the first ``limit`` readings of a point with from_ns <= t < to_ns, in time order."""
        where = self._where(point)
        if not where:
            return ReadingBatch.empty()
        return ReadingBatch.join(
            [
                _rows(point, series)
                for series in self._open.series(
                    f"SELECT value, quality, historical FROM reading WHERE {where} "  # noqa: S608 - escaped
                    f"AND time >= {from_ns} AND time < {to_ns} ORDER BY time LIMIT {limit}"
                )
            ]
        )

    def buckets(self, point: int, from_ns: int, to_ns: int, buckets: int) -> Buckets:
        """Return min, max, mean, count of the usable readings in equal buckets of from_ns <= t < to_ns."""
        width = bucket_width(from_ns, to_ns, buckets)
        where = self._where(point)
        rows: list[list[Any]] = []
        if where:
            found = self._open.series(
                "SELECT min(value), max(value), mean(value), count(value) FROM reading "  # noqa: S608 - escaped
                f"WHERE {where} AND quality < 128 AND time >= {from_ns} AND time < {to_ns} "
                f"GROUP BY time({width}ns, {from_ns % width}ns) fill(none)"
            )
            rows = [row for series in found for row in series["values"] if row[4]]
        columns = list(zip(*rows, strict=True)) or [()] * 5
        info = self._points.get(point)
        return spread(
            from_ns,
            to_ns,
            buckets,
            index=(np.array(columns[0], np.int64) - from_ns) // width,
            low=np.array(columns[1], np.float64),
            high=np.array(columns[2], np.float64),
            mean=np.array(columns[3], np.float64),
            count=np.array(columns[4], np.int64),
            interval_s=info.interval_s if info else 0.0,
        )

    def since(self, ts_ns: int) -> Iterator[ReadingBatch]:
        """Yield the live readings with t >= ts_ns in time order, in chunks that fit in memory."""
        edges = [
            self._open.series(
                f"SELECT {which}(quality) FROM reading WHERE historical = false AND time >= {ts_ns}"  # noqa: S608
            )
            for which in ("first", "last")
        ]
        if not all(edges):
            return
        first, last = (int(found[0]["values"][0][0]) for found in edges)
        for low, high in windows(first, last + 1, _CHUNK, self._slices):
            yield self._live(low, high)

    def _slices(self, low: int, high: int, width: int) -> list[tuple[int, int]]:
        found = self._open.series(
            f"SELECT count(quality) FROM reading WHERE historical = false AND time >= {low} "  # noqa: S608 - numbers
            f"AND time < {high} GROUP BY time({width}ns, {low % width}ns) fill(none)"
        )
        return [((row[0] - low) // width, row[1]) for series in found for row in series["values"] if row[1]]

    def _live(self, low: int, high: int) -> ReadingBatch:
        found = self._open.series(
            "SELECT value, quality, historical FROM reading WHERE historical = false "  # noqa: S608 - numbers
            f"AND time >= {low} AND time < {high} GROUP BY site, device, metric"
        )
        parts = []
        for series in found:
            tags = series["tags"]
            point = self._ids.get((tags["site"], tags["device"], tags["metric"]))
            if point is not None:
                parts.append(_rows(point, series))
        rows = ReadingBatch.join(parts)
        return rows.take(np.lexsort((rows.point, rows.ts_ns)))

    def counts(self) -> Counts:
        """Count the rows; the server overwrites a repeat, so each is distinct."""
        found = self._open.series("SELECT count(quality) FROM reading")
        rows = int(found[0]["values"][0][1]) if found else 0
        return Counts(rows, rows)

    def close(self) -> None:
        """Let go of the connections; a second call does nothing."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _where(self, point: int) -> str:
        """Return the condition that finds a point's series, whatever its zone and unit were at the time."""
        info = self._points.get(point)
        if info is None:
            return ""
        names = ("site", "device", "metric")
        return " AND ".join(f'"{n}" = {_quoted(v)}' for n, v in zip(names, _identity(info), strict=True))


def _identity(info: PointInfo) -> tuple[str, str, str]:
    return lines.clean_tag(info.site), lines.clean_tag(info.device), lines.clean_tag(info.metric)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _rows(point: int, series: dict[str, Any]) -> ReadingBatch:
    time_ns, value, quality, historical = zip(*series["values"], strict=True)
    return ReadingBatch(
        np.full(len(time_ns), point, np.int32),
        np.array(time_ns, np.int64),
        np.array(value, np.float64),  # None, where no number was written, becomes NaN
        np.array(quality, np.uint8),
        np.array(historical, np.bool_),
    )
