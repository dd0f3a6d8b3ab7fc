"""Recordings through the same engine, alert code and stores as live data; time is the recording's."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minewatch.alerts.book import AlertBook
from minewatch.alerts.packs import paths
from minewatch.alerts.rules import load as load_rules
from minewatch.alerts.settings import AlertSettings
from minewatch.app.pipeline import NAMES, Pipeline
from minewatch.app.present import Tally, event_json, event_line, summary
from minewatch.app.rejects import of_recording
from minewatch.contracts import AlertEvent, ReadingBatch
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


def open_pipeline(rule_dirs: Sequence[Path], folder: Path, *, keep: bool, start_ns: int) -> Pipeline:
    """Return a pipeline with fresh state over stores in a folder; readings stay in memory unless kept."""
    settings = AlertSettings(rule_dirs=tuple(rule_dirs))
    rules = load_rules(paths(settings), {name: index for index, name in enumerate(NAMES)})
    records = open_records(RecordSettings(), folder, writer=True)
    telemetry = (
        open_telemetry(TelemetrySettings(duckdb=DuckdbSettings(file=folder / "telemetry.duckdb")))
        if keep
        else MemoryTelemetry()
    )
    return Pipeline(DetectSettings(), rules, AlertBook(settings), telemetry, records, now_ns=start_ns)


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
        batches = recording.batches(rows=ROWS)
        first = next(batches, None)
        if first is None:
            raise ConfigError(
                "holds no readings",
                where=str(files[0]),
                mend="Check [file] time, zone and the columns of the map.",
            )
        now = int(first.ts_ns[0])
        pipeline = open_pipeline(rule_dirs, where, keep=folder is not None, start_ns=now)
        rows = pipeline.register(recording.points)
        began = time.monotonic()
        sent = noted = 0
        for batch in _with_first(first, batches):
            if speed is not None:
                _wait(began, (int(batch.ts_ns[0]) - int(first.ts_ns[0])) / 1e9 / speed)
            sent += len(batch)
            now = int(batch.ts_ns[-1])
            located = ReadingBatch(
                rows[batch.point], batch.ts_ns, batch.value, batch.quality, batch.historical
            )
            show(pipeline.take(located, now, replayed=True))
            show(pipeline.tick(now))
            pipeline.flush()
            pipeline.records.reject(of_recording(recording.rejects[noted:], now))
            noted = len(recording.rejects)
        seconds = time.monotonic() - began
        pipeline.flush()
        pipeline.records.reject(of_recording(recording.rejects[noted:], now))
        pipeline.rejects.flush(now)
        counts = pipeline.telemetry.counts()
        for reject in recording.rejects[:10]:
            note(f"row left out: {reject}")
        found = summary(
            seconds=seconds,
            sent=sent,
            counts=counts,
            rejected=recording.rejected,
            points=len(rows),
            tally=tally,
            latency_ms=[],
            telemetry="duckdb" if folder is not None else "memory",
        )
        pipeline.telemetry.close()
        pipeline.records.close()
    return found


def _with_first(first: ReadingBatch, rest: Iterator[ReadingBatch]) -> Iterator[ReadingBatch]:
    yield first
    yield from rest


def _wait(began: float, due_s: float) -> None:
    pause = began + due_s - time.monotonic()
    if pause > 0:
        time.sleep(pause)


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="minewatch-replay-") as made:
            yield Path(made)
