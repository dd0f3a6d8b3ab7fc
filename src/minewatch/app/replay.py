"""Recordings through the same engine, alert code and stores as live data; time is the recording's."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minewatch.alerts.book import AlertBook
from minewatch.alerts.packs import paths
from minewatch.alerts.rules import load as load_rules
from minewatch.alerts.settings import AlertSettings
from minewatch.app import models
from minewatch.app.pipeline import Pipeline
from minewatch.app.present import Tally, event_json, event_line, summary
from minewatch.app.rejects import of_recording
from minewatch.contracts import I4, AlertEvent, Counts, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.engine import Engine
from minewatch.detect.outside import Outside
from minewatch.detect.settings import DetectSettings
from minewatch.errors import ConfigError
from minewatch.ingest.map import load_map
from minewatch.ingest.recording import Recording
from minewatch.store.memory import MemoryTelemetry
from minewatch.store.record_settings import RecordSettings
from minewatch.store.records import open_records
from minewatch.store.telemetry import open_telemetry
from minewatch.store.telemetry_settings import DuckdbSettings, TelemetrySettings

ROWS = 2_048  # readings a step: enough for speed, few enough that silence is seen soon
FLUSH_ROWS = 50_000  # readings that the store gets at once
TELEMETRY = "telemetry.duckdb"


def open_pipeline(rule_dirs: Sequence[Path], folder: Path, *, keep: bool, start_ns: int) -> Pipeline:
    """Return a pipeline with fresh state over stores in a folder; readings stay in memory unless kept."""
    for extra in rule_dirs:
        if not extra.is_dir():
            raise ConfigError(
                "there is no such folder", where=f"--rules {extra}", mend="Name a folder of *.toml packs."
            )
    settings = AlertSettings(rule_dirs=tuple(rule_dirs))
    rules = load_rules(paths(settings), BY_NAME)
    records = open_records(RecordSettings(), folder, writer=True)
    telemetry = (
        open_telemetry(TelemetrySettings(duckdb=DuckdbSettings(file=folder / TELEMETRY)))
        if keep
        else MemoryTelemetry()
    )
    book = AlertBook(settings, chance=models.chance())
    return Pipeline(DetectSettings(), rules, book, telemetry, records, now_ns=start_ns)


def replay(
    files: Sequence[Path],
    map_file: Path,
    *,
    rule_dirs: Sequence[Path],
    speed: float | None,
    folder: Path | None,
    as_json: bool,
    out: Callable[[str], None],
    note: Callable[[str], None],
) -> dict[str, Any]:
    """Play files and print their events; return the summary. ``speed`` None is as fast as it goes."""
    recording_map = load_map(map_file)
    recording = Recording(recording_map, files)
    tally = Tally()

    def show(events: Sequence[AlertEvent]) -> None:
        tally.add(events)
        for event in events:
            zone = recording_map.zone
            out(json.dumps(event_json(event, zone)) if as_json else event_line(event, zone))

    with _folder(folder) as where:
        # a person who waits for every row sees it as it comes; otherwise a step is as large as pays
        batches = recording.batches(rows=ROWS if speed is None else 1)
        first = next(batches, None)
        if first is None:
            raise ConfigError(
                "holds no readings",
                where=str(files[0]),
                mend="Check [file] time, zone and the columns of the map.",
            )
        start_ns = int(first.ts_ns[0])
        pipeline = open_pipeline(rule_dirs, where, keep=folder is not None, start_ns=start_ns)
        player = Player(pipeline, recording, pipeline.register(recording.points), start_ns, show)
        Engine.warm_up()
        Outside.warm_up()
        began = time.monotonic()
        for batch in _with_first(first, batches):
            if speed is not None:
                _wait(began, (int(batch.ts_ns[-1]) - start_ns) / 1e9 / speed)
            player.take(batch)
        player.end()
        seconds = time.monotonic() - began
        for reject in recording.rejects[:10]:
            note(f"row left out: {reject}")
        if pipeline.store_problem:
            note(f"the store does not hold everything: {pipeline.store_problem}")
        counts = pipeline.telemetry.counts()
        found = summary(
            seconds=seconds,
            sent=player.sent,
            counts=Counts(counts.stored, counts.distinct + _repeats(Recording(recording_map, files), player)),
            rejected=recording.rejected,
            points=len(recording.points),
            tally=tally,
            latency_ms=[],
            telemetry="duckdb" if folder is not None else "memory",
        )
        pipeline.telemetry.close()
        pipeline.records.close()
    return found


class Player:
    """Takes a recording's batches into a pipeline; ``sent`` counts its readings at this end."""

    def __init__(
        self,
        pipeline: Pipeline,
        recording: Recording,
        rows: I4,
        start_ns: int,
        show: Callable[[Sequence[AlertEvent]], None],
    ) -> None:
        self.sent = 0
        self._pipeline = pipeline
        self._recording = recording
        self._rows = rows
        self._show = show
        self._now_ns = start_ns
        self._noted = 0
        self._newest = np.full(len(recording.points), np.iinfo(np.int64).min)
        self.behind = np.zeros(len(recording.points), np.bool_)  # points whose time ever stood or went back

    def take(self, batch: ReadingBatch) -> None:
        """Take one step of the recording; its events are told in the order of their times."""
        self.sent += len(batch)
        self._watch(batch)
        pipeline, self._now_ns = self._pipeline, max(self._now_ns, int(batch.ts_ns[-1]))
        located = replace(batch, point=self._rows[batch.point])
        events = pipeline.take(located, self._now_ns, replayed=True) + pipeline.tick(self._now_ns)
        self._show(sorted(events, key=lambda event: event.time_ns))
        if pipeline.waiting >= FLUSH_ROWS:
            pipeline.flush()
        self._reject()

    def end(self) -> None:
        """Give the stores what still waits."""
        self._pipeline.flush()
        self._reject()
        self._pipeline.rejects.flush(self._now_ns)

    def _reject(self) -> None:
        rejects = self._recording.rejects
        if len(rejects) > self._noted:
            self._pipeline.records.reject(of_recording(rejects[self._noted :], self._now_ns))
            self._noted = len(rejects)

    def _watch(self, batch: ReadingBatch) -> None:
        order = np.argsort(batch.point, kind="stable")
        point, ts = batch.point[order], batch.ts_ns[order]
        begins = np.concatenate(([True], point[1:] != point[:-1]))
        before = np.empty(len(ts), np.int64)
        before[1:] = ts[:-1]
        before[begins] = self._newest[point[begins]]
        self.behind[point[ts <= before]] = True
        np.maximum.at(self._newest, point, ts)


def _repeats(recording: Recording, player: Player) -> int:
    """Return how many readings of a recording have the point and time of another: those are in the file.

    Only where times stood or went back can there be any; only those points are read once more.
    """
    if not player.behind.any():
        return 0
    times: dict[int, list[Any]] = {point: [] for point in np.flatnonzero(player.behind).tolist()}
    for batch in recording.batches():
        for point, kept in times.items():
            kept.append(batch.ts_ns[batch.point == point])
    joined = [np.concatenate(kept) for kept in times.values()]
    return sum(len(ts) - len(np.unique(ts)) for ts in joined)


def _with_first(first: ReadingBatch, rest: Iterator[ReadingBatch]) -> Iterator[ReadingBatch]:
    yield first
    yield from rest


def _wait(began: float, due_s: float) -> None:
    pause = began + due_s - time.monotonic()
    if pause > 0:
        time.sleep(pause)


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="minewatch-replay-") as made:
            yield Path(made)
        return
    for name in (TELEMETRY, RecordSettings().path):
        if (folder / name).exists():
            raise ConfigError(
                f"holds a store already ({name})", where=f"--store {folder}", mend="Name a new folder."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot be made ({error.strerror})", where=f"--store {folder}", mend="Name a folder to write in."
        ) from None
    yield folder
