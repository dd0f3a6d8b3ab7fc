"""A core that may die: messages with ids go in, the journal comes out, and a new one goes on from disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from acceptance.playing import START, pipeline
from minewatch.app import snapshot
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import (
    I4,
    Deliveries,
    GatewayInfo,
    PointInfo,
    ReadingBatch,
    RecordStore,
    TelemetryStore,
    Watermark,
    Written,
)
from minewatch.errors import StoreBusy
from minewatch.ingest.intake import Intake
from minewatch.testing import MemoryTelemetry
from minewatch_sim.scenario import Scenario
from minewatch_sim.simulation import Frame, points, simulate


@dataclass(frozen=True, slots=True)
class Moment:
    """What ingest brings at one time; ``sessions`` is how every gateway is then."""

    time_ns: int
    intake: Intake
    sessions: tuple[GatewayInfo, ...]


class Core:
    """The core's way with an intake, without processes: admit by id, take, tick, flush, acknowledge."""

    def __init__(self, records: RecordStore, telemetry: TelemetryStore, state: Path, now_ns: int) -> None:
        self.pipeline: Pipeline = pipeline(records, telemetry, now_ns=now_ns)
        self._state = state
        self._rows: I4 = np.zeros(0, np.int32)
        snapshot.load(self.pipeline, state, now_ns)
        self.pipeline.expect_gateways(now_ns)

    def hear(self, infos: Sequence[PointInfo], sessions: Sequence[GatewayInfo], now_ns: int) -> None:
        """Take births and sessions, as ingest tells all it knows to a core that starts."""
        self._rows = self.pipeline.register(infos)
        for session in sessions:
            self.pipeline.link(session, now_ns)

    def take(self, intake: Intake, now_ns: int) -> tuple[Watermark, ...]:
        """Take one intake and return what may be acknowledged."""
        for session in intake.gateways:
            self.pipeline.link(session, now_ns)
        fresh = self.pipeline.ledger.admit(intake.deliveries, intake.spools)
        batch = intake.batch.take(np.repeat(fresh, intake.deliveries.rows))
        self.pipeline.take(replace(batch, point=self._rows[batch.point]), now_ns)
        self.pipeline.tick(now_ns)
        return self.pipeline.flush()

    def save(self, now_ns: int) -> None:
        """Write detector state, as the core does every few seconds."""
        snapshot.save(self.pipeline, self._state, now_ns)


def moments(scenario: Scenario) -> tuple[Moment, ...]:
    """Return a scenario as what ingest would bring, one message a gateway and second, ids from 1 on."""
    return tuple(_moments(scenario))


def again(past: Sequence[Moment]) -> Intake:
    """Return the messages of some moments once more, as agents send what nobody acknowledged."""
    batch = ReadingBatch.join([moment.intake.batch for moment in past])
    parts = [moment.intake.deliveries for moment in past]
    deliveries = Deliveries(
        np.concatenate([part.spool for part in parts]),
        np.concatenate([part.msg_id for part in parts]),
        np.concatenate([part.rows for part in parts]),
    )
    late = replace(batch, historical=np.ones(len(batch), np.bool_))
    return replace(past[0].intake, batch=late, deliveries=deliveries, gateways=())


class Refusing(MemoryTelemetry):
    """A telemetry store whose writes can be made to fail; what it holds can still be read."""

    full = False

    def write(self, batch: ReadingBatch, watermarks: Sequence[Watermark] = ()) -> Written:
        """Keep rows, unless full."""
        if self.full:
            raise StoreBusy("the disk is full")
        return super().write(batch, watermarks)


def _moments(scenario: Scenario) -> Iterator[Moment]:
    infos = points(scenario)
    names = sorted({(info.site, info.gateway) for info in infos})
    index = {name: i for i, name in enumerate(names)}
    owner = np.array([index[info.site, info.gateway] for info in infos], np.int32)
    spools = {i: (f"{site}/{gateway}", f"spool-{gateway}") for i, (site, gateway) in enumerate(names)}
    numbers: dict[tuple[int, int], int] = {}
    online: dict[str, GatewayInfo] = {}
    for frame in simulate(scenario, start_ns=START):
        changed = _sessions(frame, online)
        intake = Intake({}, spools, changed, frame.batch, _deliveries(frame.batch, owner, numbers))
        yield Moment(frame.time_ns, intake, tuple(online.values()))


def _sessions(frame: Frame, online: dict[str, GatewayInfo]) -> tuple[GatewayInfo, ...]:
    changed = []
    for name, there in frame.online.items():
        if name not in online or online[name].online != there:
            site, gateway = name.split("/")
            online[name] = GatewayInfo(
                site, gateway, there, frame.time_ns, frame.time_ns, spool=f"spool-{gateway}", spool_first=1
            )
            changed.append(online[name])
    return tuple(changed)


def _deliveries(batch: ReadingBatch, owner: I4, numbers: dict[tuple[int, int], int]) -> Deliveries:
    """Cut rows into messages: one for each gateway and time; a message keeps its id when it comes late."""
    sender, ts = owner[batch.point], batch.ts_ns
    starts = np.flatnonzero(np.concatenate(([True], (np.diff(sender) != 0) | (np.diff(ts) != 0))))
    ids = []
    for row in starts.tolist():
        known = (int(sender[row]), int(ts[row]))
        ids.append(numbers.setdefault(known, 1 + (known[1] - START) // 1_000_000_000))
    lengths = np.diff(np.append(starts, len(batch)))
    return Deliveries(sender[starts], np.asarray(ids, np.int64), lengths.astype(np.int32))
