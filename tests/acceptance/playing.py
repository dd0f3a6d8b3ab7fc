"""A scenario played through the whole pipeline in process: real rules, engine, book and stores, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

from minewatch.alerts.book import AlertBook
from minewatch.alerts.packs import paths
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.rules import load as load_rules
from minewatch.alerts.settings import AlertSettings
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import (
    I4,
    AlertEvent,
    EventKind,
    GatewayInfo,
    ReadingBatch,
    RecordStore,
    TelemetryStore,
)
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.settings import DetectSettings
from minewatch.testing import MemoryRecords, MemoryTelemetry
from minewatch_sim.scenario import Activation, Scenario
from minewatch_sim.simulation import Frame, points, simulate

SECOND = 1_000_000_000
START = int(datetime(2026, 3, 2, 3, 0, 30, tzinfo=UTC).timestamp()) * SECOND
FLUSH_FRAMES = 30


@cache
def shipped_rules() -> RuleSet:
    """Return the packs that are in force when nobody chose others."""
    return load_rules(paths(AlertSettings()), BY_NAME)


def pipeline(
    records: RecordStore | None = None, telemetry: TelemetryStore | None = None, *, now_ns: int = START
) -> Pipeline:
    """Return a pipeline as the core makes one, over stores in memory unless others are given."""
    kept = records or MemoryRecords()
    book = AlertBook(AlertSettings(), kept, started_ns=now_ns)
    return Pipeline(
        DetectSettings(), shipped_rules(), book, telemetry or MemoryTelemetry(), kept, now_ns=now_ns
    )


@dataclass(slots=True)
class Run:
    """Frames going into one pipeline, and what came out of it."""

    pipeline: Pipeline
    events: list[AlertEvent] = field(default_factory=list)
    frames: int = 0
    sent: int = 0
    _online: dict[str, bool] = field(default_factory=dict)

    def take(self, frame: Frame, rows: I4) -> None:
        """Let one moment happen: sessions, readings, the clock."""
        for name, online in frame.online.items():
            if self._online.get(name) != online:
                self._online[name] = online
                site, gateway = name.split("/")
                info = GatewayInfo(site, gateway, online, frame.time_ns, frame.time_ns)
                self.events += self.pipeline.link(info, frame.time_ns)
        self.events += self.pipeline.take(located(frame.batch, rows), frame.time_ns)
        self.events += self.pipeline.tick(frame.time_ns)
        self.frames += 1
        self.sent += len(frame.batch)
        if self.frames % FLUSH_FRAMES == 0:
            self.pipeline.flush()

    def activations(self) -> list[Activation]:
        """Return when each alert was active, in minutes."""
        return list(_activations(self.events))

    def pages(self) -> list[str]:
        """Return the rule and place of every alert that called a person."""
        return [
            f"{e.alert.rule} at {e.alert.place}"
            for e in self.events
            if e.event in (EventKind.RAISED, EventKind.ESCALATED) and e.alert.paged
        ]


def located(batch: ReadingBatch, rows: I4) -> ReadingBatch:
    """Return a frame's readings with the pipeline's indices of their points."""
    return replace(batch, point=rows[batch.point])


def play(
    scenario: Scenario, *, seed: int | None = None, minutes: float | None = None, period_s: float = 1.0
) -> Run:
    """Play a scenario from its first minute to its last."""
    run = Run(pipeline())
    rows = run.pipeline.register(points(scenario, period_s))
    for frame in simulate(scenario, start_ns=START, seed=seed, period_s=period_s, minutes=minutes):
        run.take(frame, rows)
    run.pipeline.flush()
    return run


def minute(time_ns: int) -> float:
    """Return a time as minutes of the scenario."""
    return (time_ns - START) / (60 * SECOND)


def _activations(events: Iterable[AlertEvent]) -> Iterator[Activation]:
    running: dict[str, Activation] = {}
    for event in events:
        alert = event.alert
        if event.event is EventKind.RAISED:
            running[alert.id] = Activation(alert.rule, alert.place, minute(event.time_ns))
        elif event.event is EventKind.CLEARED and alert.id in running:
            yield replace(running.pop(alert.id), cleared=minute(event.time_ns))
    yield from running.values()
