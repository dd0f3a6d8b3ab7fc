"""A recording, csv or csv.gz, as batches of readings in time order.

A row that cannot be read is counted and kept with its line and its reason; the rest goes on.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import F8, I4, I8, PointInfo, ReadingBatch
from minewatch.errors import MapError
from minewatch.ingest.map import PointMap, RecordingMap
from minewatch.ingest.recording_time import TimeReader

ROWS = 16_384  # readings of one batch, about
KEPT = 10_000  # rejects that are kept; all are counted


@dataclass(frozen=True, slots=True)
class Reject:
    """A row, or with ``column`` one field of it, that gave no reading; ``line`` counts from 1.

    ``kind`` is fields, time, number or file; ``readings`` is how many were lost with it.
    """

    file: str
    line: int
    column: str
    kind: str
    reason: str
    text: str
    readings: int

    def __str__(self) -> str:
        at = f", column {self.column}" if self.column else ""
        return f"{self.file}: line {self.line}{at}: {self.reason}"


@dataclass(slots=True)
class Counted:
    """What has been read so far.

    ``missing`` are fields that say: no reading; ``backward`` rows have a time before the row above them;
    ``rejected`` are the readings that were lost with bad rows and fields, ``rejects`` those by kind.
    """

    rows: int = 0
    readings: int = 0
    missing: int = 0
    backward: int = 0
    rejected: int = 0
    rejects: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Column:
    index: int
    point: int
    map: PointMap


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the columns of one file are."""

    path: Path
    fields: int
    time: tuple[int, ...]
    columns: tuple[_Column, ...]


class Recording:
    """One or several files that a map describes.

    ``points`` are in map order and their index is the ``point`` of every batch; with ``{file}`` in a place
    each file has points of its own, file after file. Raises MapError before the first batch when a file
    cannot be opened or lacks a column.
    """

    def __init__(self, recording_map: RecordingMap, files: Sequence[Path]) -> None:
        if not files:
            raise MapError(
                "no file was named", where=str(recording_map.path), mend="Name a csv or csv.gz file."
            )
        self.map = recording_map
        self.rejects: list[Reject] = []  # the first ones; counted.rejects counts them all
        self.counted = Counted()
        known: dict[str, int] = {}
        infos: list[PointInfo] = []
        self._layouts: list[_Layout] = []
        for path in files:
            self._layouts.append(_layout(recording_map, path, known, infos))
        self.points: tuple[PointInfo, ...] = tuple(infos)

    @property
    def rejected(self) -> int:
        """Return how many readings were lost with bad rows and fields so far."""
        return self.counted.rejected

    def batches(self, rows: int = ROWS) -> Iterator[ReadingBatch]:
        """Yield the readings in time order, about ``rows`` of them a batch, never an empty one.

        Where a file's time goes backwards its own order is kept. Files that overlap in time are merged.
        """
        streams = [self._file_batches(layout, rows) for layout in self._layouts]
        return streams[0] if len(streams) == 1 else _merge(streams)

    def _file_batches(self, layout: _Layout, rows: int) -> Iterator[ReadingBatch]:
        times = TimeReader(self.map.file)
        last = np.iinfo(np.int64).min
        for lines, records in self._chunks(layout, max(1, rows // len(layout.columns))):
            ts, keep = self._times(layout, times, lines, records)
            steps = np.diff(ts[keep], prepend=last if last > np.iinfo(np.int64).min else ts[keep][:1])
            self.counted.backward += int((steps < 0).sum())
            if keep.any():
                last = int(ts[keep][-1])
            batch = self._readings(layout, lines, records, ts, keep)
            self.counted.rows += len(records)
            self.counted.readings += len(batch)
            if len(batch):
                yield batch

    def _chunks(self, layout: _Layout, rows: int) -> Iterator[tuple[list[int], list[list[str]]]]:
        """Yield rows that have the right number of fields, with their line numbers, without the footer."""
        footer = self.map.file.skip_footer
        lines: list[int] = []
        records: list[list[str]] = []
        for more_lines, more in self._raw(layout, rows):
            lines += more_lines
            records += more
            end = len(records) - footer
            if end > 0:
                yield self._whole(layout, lines[:end], records[:end])
                lines, records = lines[end:], records[end:]

    def _raw(self, layout: _Layout, rows: int) -> Iterator[tuple[list[int], list[list[str]]]]:
        with _open(layout.path) as text:
            reader = csv.reader(text, delimiter=self.map.file.delimiter)
            next(reader)
            ended = False
            while not ended:
                records: list[list[str]] = []
                before = reader.line_num
                try:
                    records.extend(itertools.islice(reader, rows))
                    ended = not records
                except csv.Error as error:
                    self._reject(layout, reader.line_num, "fields", f"not csv: {error}", "")
                except (EOFError, OSError, zlib.error) as error:
                    why = f"the file ends here: {error}"
                    self._reject(layout, reader.line_num + 1, "file", why, "")
                    ended = True
                yield _lines(before, reader.line_num, records), records

    def _whole(
        self, layout: _Layout, lines: list[int], records: list[list[str]]
    ) -> tuple[list[int], list[list[str]]]:
        if set(map(len, records)) == {layout.fields}:
            return lines, records
        self._wrong_width(layout, list(zip(lines, records, strict=True)))
        good = [len(record) == layout.fields for record in records]
        return list(itertools.compress(lines, good)), list(itertools.compress(records, good))

    def _wrong_width(self, layout: _Layout, chunk: Sequence[tuple[int, list[str]]]) -> None:
        for line, record in chunk:
            if record and len(record) != layout.fields:  # an empty line is no row
                text = self.map.file.delimiter.join(record)
                why = f"{len(record)} fields where the header has {layout.fields}"
                self._reject(layout, line, "fields", why, text, readings=len(layout.columns))

    def _times(
        self, layout: _Layout, times: TimeReader, lines: Sequence[int], records: Sequence[list[str]]
    ) -> tuple[I8, NDArray[np.bool_]]:
        if len(layout.time) == 1:
            at = layout.time[0]
            texts = [record[at] for record in records]
        else:
            texts = [" ".join([record[i] for i in layout.time]) for record in records]
        ts, bad = times.read(texts)
        keep = np.ones(len(records), np.bool_)
        for row, why in sorted(bad.items()):
            keep[row] = False
            self._reject(layout, lines[row], "time", why, texts[row], readings=len(layout.columns))
        return ts, keep

    def _readings(
        self,
        layout: _Layout,
        lines: Sequence[int],
        records: Sequence[list[str]],
        ts: I8,
        keep: NDArray[np.bool_],
    ) -> ReadingBatch:
        if not keep.any():
            return ReadingBatch.empty()
        everything = bool(keep.all())
        if not everything:
            records = list(itertools.compress(records, keep))
            lines = list(itertools.compress(lines, keep))
            ts = ts[keep]
        fields = list(zip(*records, strict=True))
        values = np.empty((len(records), len(layout.columns)))
        present = np.ones(values.shape, np.bool_)
        for i, column in enumerate(layout.columns):
            self._column(layout, column, lines, fields[column.index], values[:, i], present[:, i])
        return _flatten(np.array([c.point for c in layout.columns], np.int32), ts, values, present)

    def _column(
        self,
        layout: _Layout,
        column: _Column,
        lines: Sequence[int],
        texts: Sequence[str],
        values: F8,
        present: NDArray[np.bool_],
    ) -> None:
        """Fill one column of values; rows without a reading are marked in ``present``."""
        try:
            values[:] = list(map(float, texts))
            sound = bool(np.isfinite(values).all())
        except ValueError:
            sound = False
        if not sound:
            self._one_by_one(layout, column, lines, texts, values, present)
        scale, offset = column.map.scale, column.map.offset
        if scale != 1.0 or offset != 0.0:
            values *= scale
            values += offset

    def _one_by_one(
        self,
        layout: _Layout,
        column: _Column,
        lines: Sequence[int],
        texts: Sequence[str],
        values: F8,
        present: NDArray[np.bool_],
    ) -> None:
        missing = frozenset(self.map.file.missing)
        for row, text in enumerate(texts):
            if text in missing:
                present[row] = False
                values[row] = np.nan  # whatever stood there must not be scaled
                self.counted.missing += 1
                continue
            try:
                values[row] = value = float(text)
            except ValueError:
                value = np.nan
            if not np.isfinite(value):
                present[row] = False
                values[row] = np.nan
                name = column.map.column
                why = f"{text!r} is not a finite number"
                self._reject(layout, lines[row], "number", why, text, column=name, readings=1)

    def _reject(
        self,
        layout: _Layout,
        line: int,
        kind: str,
        reason: str,
        text: str,
        *,
        column: str = "",
        readings: int = 0,
    ) -> None:
        self.counted.rejects[kind] += 1
        self.counted.rejected += readings
        if len(self.rejects) < KEPT:
            self.rejects.append(Reject(str(layout.path), line, column, kind, reason, text[:200], readings))


def _layout(
    recording_map: RecordingMap, path: Path, known: dict[str, int], infos: list[PointInfo]
) -> _Layout:
    """Find the mapped columns in a file's header, and add the points that are new."""
    header = _header(recording_map, path)
    where = {name: i for i, name in reversed(list(enumerate(header)))}
    missing = [c for c in recording_map.file.columns if c not in where]
    missing += [p.column for p in recording_map.points if p.column not in where and not p.optional]
    present = [p for p in recording_map.points if p.column in where]
    if missing or not present:
        lacking = ", ".join(repr(c) for c in missing) or "every mapped column"
        raise MapError(
            f"lacks the mapped column {lacking}",
            where=str(path),
            mend=f"{recording_map.path} must name columns that are there: {', '.join(map(repr, header))}.",
        )
    columns = []
    stem = path.name.removesuffix(".gz").removesuffix(".csv")
    for mapped in present:
        info = mapped.info(recording_map.file.gateway, stem)
        if info.place not in known:
            known[info.place] = len(infos)
            infos.append(info)
        columns.append(_Column(where[mapped.column], known[info.place], mapped))
    return _Layout(path, len(header), tuple(where[c] for c in recording_map.file.columns), tuple(columns))


def _header(recording_map: RecordingMap, path: Path) -> list[str]:
    try:
        with _open(path) as lines:
            header = next(csv.reader(lines, delimiter=recording_map.file.delimiter), None)
    except FileNotFoundError:
        raise MapError("there is no such file", where=str(path), mend="Name a csv or csv.gz file.") from None
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise MapError(
            f"cannot be read ({error})", where=str(path), mend="Name a csv or csv.gz file."
        ) from error
    if not header:
        raise MapError("is empty", where=str(path), mend="The first line must name the columns.")
    return header


def _open(path: Path) -> IO[str]:
    """Open a file as text; bytes that are not UTF-8 become a mark that no number contains."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _lines(before: int, after: int, records: Sequence[list[str]]) -> list[int]:
    """Return the line each record ends at; a record has more than one when a quoted field does."""
    if after - before == len(records):
        return list(range(before + 1, after + 1))
    return list(
        itertools.accumulate((1 + sum(text.count("\n") for text in r) for r in records), initial=before)
    )[1:]


def _flatten(points: I4, ts: I8, values: F8, present: NDArray[np.bool_]) -> ReadingBatch:
    """Turn a table (rows, columns) into readings, row after row."""
    n = len(ts)
    point = np.tile(points, n)
    times = np.repeat(ts, len(points))
    value = values.ravel()
    mask = present.ravel()
    if not mask.all():
        point, times, value = point[mask], times[mask], value[mask]
    return ReadingBatch(point, times, value, np.zeros(len(point), np.uint8), np.zeros(len(point), np.bool_))


def _merge(streams: Sequence[Iterator[ReadingBatch]]) -> Iterator[ReadingBatch]:
    """Merge files by time; within a file the order stays, so its time never sorts below what came before."""
    held: dict[int, tuple[ReadingBatch, I8]] = {}
    floor: dict[int, int] = {}
    live = dict(enumerate(streams))
    while True:
        for i, stream in list(live.items()):
            if i in held:
                continue
            batch = next(stream, None)
            if batch is None:
                del live[i]
                continue
            key = np.maximum.accumulate(np.maximum(batch.ts_ns, floor.get(i, np.iinfo(np.int64).min)))
            held[i], floor[i] = (batch, key), int(key[-1])
        if not held:
            return
        yield _take_until(held, min(int(key[-1]) for _, key in held.values()))


def _take_until(held: dict[int, tuple[ReadingBatch, I8]], cut: int) -> ReadingBatch:
    parts, keys = [], []
    for i, (batch, key) in list(held.items()):
        n = int(np.searchsorted(key, cut, side="right"))
        parts.append(batch.take(np.arange(n)))
        keys.append(key[:n])
        if n == len(batch):
            del held[i]
        else:
            held[i] = (batch.take(np.arange(n, len(batch))), key[n:])
    return ReadingBatch.join(parts).take(np.argsort(np.concatenate(keys), kind="stable"))
