"""A week of a gateway whose clock is set back and forth: all in order, no alert missed, none invented.

The real agent, spool, session, codec, receiver, engine, book and stores, on one timeline without a clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from minewatch.contracts import AlertEvent, EventKind, Quality
from minewatch.ingest.receiver import Receiver
from minewatch.ingest.settings import IngestSettings
from minewatch_edge import config as configuration
from minewatch_edge import drivers
from minewatch_edge.agent import Agent
from minewatch_edge.clock_status import ClockStatus
from minewatch_edge.clocks import ClockConfig, Moment
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.drivers.driver import CheckResult, Driver, Reading
from minewatch_edge.drivers.grid import Grid
from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.spool import Spool
from minewatch_edge.tables import Table
from minewatch_edge.testing import FakeBroker, acknowledgement
from unit.app.a_mine import RULES, pipeline

S = 1_000_000_000
EVERY_S = 60
DAY = 86_400
WEEK = 7 * DAY
START = int(datetime(2026, 10, 22, tzinfo=UTC).timestamp()) * S
WARSAW = ZoneInfo("Europe/Warsaw")
WINTER_S = 3 * DAY + 3_600  # 2026-10-25 01:00 UTC: in Warsaw 03:00 becomes 02:00
METERS = 4
USUAL, HIGH, LIMIT_S = 0.3, 1.5, 120

# (when, by how much): an hour back for three hours; five seconds for two; a day ahead for five minutes; and
# a day ahead for half an hour, so long that it is believed, so that going back takes days
STEPS = (
    (1 * DAY + 21_600, -3_600), (1 * DAY + 32_400, 3_600),
    (2 * DAY + 21_600, 5), (2 * DAY + 28_800, -5),
    (3 * DAY + 7_200, 86_400), (3 * DAY + 7_500, -86_400),
    (4 * DAY, 86_400), (4 * DAY + 1_800, -86_400),
)  # fmt: skip
BELIEVED_S = 600
LOGGED_S = 7  # the program's lines are that old when they are written
SYNCHRONISED_AGAIN_S = 60


def crossings() -> Iterator[tuple[int, int]]:
    """Yield (meter, second) of every time methane rises: just before, at and after each step, and at noon."""
    for at, _ in STEPS:
        yield 0, at - EVERY_S
        yield 1, at
        yield 2, at + EVERY_S
        yield 3, at + BELIEVED_S
    for day in range(7):
        for meter in range(METERS):
            yield meter, day * DAY + 43_200 + 600 * meter


CROSSED = frozenset((m, at + k) for m, at in crossings() for k in range(0, LIMIT_S, EVERY_S))
CSV_CROSSED = frozenset(WINTER_S + k for k in (-1_800, 1_800, 5_400)) | {12 * 3_600, 5 * DAY}


class Gateway:
    """The two clocks of a gateway over the week, by the true second, and what its system says of them."""

    def __init__(self, source: str) -> None:
        self.source = source

    def offset(self, second: int) -> int:
        """Return by how much the wall is wrong."""
        return sum(by for at, by in STEPS if at <= second)

    def moment(self, second: int) -> Moment:
        """Return what the gateway sees; setting a clock takes the kernel's word away."""
        wall = START + (second + self.offset(second)) * S
        if self.source == "none":
            return Moment(wall, second * S)
        stepped = max((at for at, _ in STEPS if at <= second), default=-DAY)
        right = self.offset(second) in (0, DAY)  # a server a day ahead says that all is well, too
        good = right and second - stepped >= SYNCHRONISED_AGAIN_S
        return Moment(wall, second * S, ClockStatus(good, 15.0 if good else 16_000.0))


class Meters:
    """Methane meters and a counter, at a fixed rate; they live in true time, as rock does."""

    def __init__(self) -> None:
        births = [f"m{i}" for i in range(METERS)]
        self._points = [
            PointBirth("gas", name, "methane", "% CH4", "face", 0.0, 5.0, EVERY_S) for name in births
        ]
        self._points.append(PointBirth("gas", "count", "count", "1", interval_s=EVERY_S))
        self._grid = Grid([EVERY_S] * len(self._points))
        self.second = 0
        self.given = 0
        self.high: set[tuple[int, int]] = set()

    @property
    def missed(self) -> int:
        """Slots that nobody came for."""
        return self._grid.missed

    def points(self) -> Sequence[PointBirth]:
        """Return four meters and a counter."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return the next slot."""
        return self._grid.due_ns(now_ns)

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Read all that are due; the counter counts polls."""
        due = self._grid.take(now_ns)
        found = [Reading(i, now_ns, self._value(i)) for i in due]
        self.given += len(found)
        return found

    def _value(self, point: int) -> float:
        if point == METERS:
            return float(self.given // (METERS + 1))
        high = (point, self.second // EVERY_S * EVERY_S) in CROSSED
        if high:
            self.high.add((point, self.second))
        return HIGH if high else USUAL

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Say nothing."""
        return []

    def close(self) -> None:
        """Let go of nothing."""


class Logger:
    """A program beside the gateway that writes local times into a CSV file, a line a minute."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "fan.csv"
        self.file.write_text("time,ch4\n")
        self.lines = 0

    def write(self, second: int) -> None:
        """Write a line when its minute has come."""
        if second % 60:
            return
        local = datetime.fromtimestamp(START // S + second - LOGGED_S, WARSAW)
        value = HIGH if second in CSV_CROSSED else USUAL
        with self.file.open("a") as out:
            out.write(f"{local:%Y-%m-%d %H:%M:%S},{value}\n")
        self.lines += 1

    def driver(self, folder: Path) -> Driver:
        """Return the agent's driver that follows the file."""
        device = {
            "id": "fan", "driver": "csv", "file": "fan.csv", "time": "time", "mode": "follow",
            "start": "start", "format": "%Y-%m-%d %H:%M:%S", "time_zone": "Europe/Warsaw", "interval_s": 60.0,
            "point": [{"metric": "ch4", "quantity": "methane", "unit": "% CH4", "column": "ch4"}],
        }  # fmt: skip
        top = {"gateway": {"site": "mine", "id": "gw"}, "broker": {"host": "h"}, "device": [device]}
        made = configuration.parse(Table(top, "edge.toml"), folder)
        return drivers.make(made.devices[0], folder, lambda reject: pytest.fail(f"refused: {reject}"))


@dataclass(slots=True)
class Came:
    """What came at the service: rows in the order they came, with the true second."""

    rows: list[tuple[int, str, int, float, int]] = field(default_factory=list)
    events: list[tuple[int, AlertEvent]] = field(default_factory=list)

    def of(self, metric: str) -> list[tuple[int, int, float, int]]:
        """Return (true second, time, value, quality) of one point."""
        return [(s, ts, v, q) for s, m, ts, v, q in self.rows if m == metric]


class Service:
    """Receiver and pipeline, joined as the processes join them; its own clock is right."""

    def __init__(self) -> None:
        self.receiver = Receiver(IngestSettings(), Random(1))
        self.pipeline = pipeline(now_ns=START, rules=replace(RULES, rules=SLOW_RULES))
        self.came = Came()
        self._spools: dict[int, tuple[str, str]] = {}
        self._points = np.empty(0, np.int32)
        self._names: list[str] = []

    def take(self, messages: Sequence[Publish], second: int) -> None:
        """Let messages arrive, and the clock tick."""
        now = START + second * S
        self.receiver.take([(m.topic, m.payload) for m in messages], now)
        intake = self.receiver.collect(now)
        events: tuple[AlertEvent, ...] = ()
        if intake is not None:
            assert intake.rejects == ()
            if intake.points:
                infos = [intake.points[k] for k in sorted(intake.points)]
                self._names += [info.metric for info in infos]
                self._points = np.concatenate([self._points, self.pipeline.register(infos, now)])
            self._spools.update(intake.spools)
            for gateway in intake.gateways:
                events += self.pipeline.link(gateway, now)
            assert self.pipeline.ledger.admit(intake.deliveries, self._spools).all()
            batch = intake.batch
            columns = (batch.point, batch.ts_ns, batch.value, batch.quality)
            for point, ts, value, quality in zip(*(c.tolist() for c in columns), strict=True):
                self.came.rows.append((second, self._names[point], ts, value, quality))
            events += self.pipeline.take(replace(batch, point=self._points[batch.point]), now)
        events += self.pipeline.tick(now)
        self.came.events += [(second, event) for event in events]


# silence is three intervals of the slowest point
SLOW_RULES = (RULES.rules[0], replace(RULES.rules[1], threshold=180.0))


def live_through(folder: Path, source: str) -> tuple[Service, Meters, Logger, Agent]:
    """Let the week go by, a minute a step."""
    gateway, service, meters, logger = Gateway(source), Service(), Meters(), Logger(folder)
    broker = FakeBroker()
    config = EdgeConfig(
        "mine", "gw", BrokerConfig(keepalive_s=30), SpoolConfig(folder / "s", commit_ms=0, resend_s=3_600),
        clock=ClockConfig(source),
    )  # fmt: skip
    spool = Spool(folder / "s", boot="boot")
    agent = Agent(config, [meters, logger.driver(folder)], spool, broker)
    now = gateway.moment(0)
    agent.start(now)
    agent.will(now)
    broker.connected, broker.problem = True, ""
    agent.subscribed(now)
    agent.message(*broker.state(online=True, timestamp_ms=START // 1_000_000), now)
    for second in range(0, WEEK, EVERY_S):
        now = gateway.moment(second)
        meters.second = second
        logger.write(second)
        agent.step(now)
        service.take(broker.arrived, second)
        broker.arrived.clear()
        broker.sent.clear()
        if second % 600 == 600 - EVERY_S:
            for mark in service.pipeline.flush():
                agent.message(*acknowledgement("mine", "gw", mark.spool, mark.upto, now), now)
    for mark in service.pipeline.flush():
        agent.message(*acknowledgement("mine", "gw", mark.spool, mark.upto, now), now)
    return service, meters, logger, agent


def quality_between(came: Came, first: int, last: int) -> set[int]:
    """Return the qualities that the gateway gave a meter's readings in these true seconds."""
    return {q for s, _, _, q in came.of("m0") if first <= s < last}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("source", ["none", "system"])
def test_a_week_of_clocks_that_are_set(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings come once, in the order of the steady clock, with its quality; each alert is raised."""
    monkeypatch.setenv("TZ", "Europe/Warsaw")
    time.tzset()
    try:
        service, meters, logger, agent = live_through(tmp_path, source)
        came, state = service.came, agent.state(Gateway(source).moment(WEEK - EVERY_S))
        agent.stop(Gateway(source).moment(WEEK))
    finally:
        monkeypatch.undo()
        time.tzset()

    # once, all of them, in order
    slots = WEEK // EVERY_S
    assert meters.given == slots * (METERS + 1)
    assert len(came.rows) == meters.given + logger.lines
    counts = service.pipeline.telemetry.counts()
    assert (counts.stored, counts.distinct) == (len(came.rows), len(came.rows))
    assert [v for _, _, v, _ in came.of("count")] == [float(k) for k in range(slots)]
    for metric in ("m0", "m1", "m2", "m3", "count", "ch4"):
        times = [ts for _, ts, _, _ in came.of(metric)]
        assert all(a < b for a, b in pairwise(times)), metric
    logged = [START + (k * 60 - LOGGED_S) * S for k in range(logger.lines)]
    assert [ts for _, ts, _, _ in came.of("ch4")] == logged
    assert (state.clock_steps, state.missed, state.held_rows) == (len(STEPS), 0, 0)

    # the gateway says how good its clock was, around each step and far from it
    doubted = {Quality.UNCERTAIN_CLOCK} if source == "none" else {Quality.GOOD_HOLDOVER}
    for at, _ in STEPS:
        assert quality_between(came, at, at + EVERY_S) <= doubted | {Quality.UNCERTAIN_CLOCK}
        assert quality_between(came, at, at + EVERY_S)
    assert quality_between(came, EVERY_S, STEPS[0][0]) == {Quality.GOOD}
    assert quality_between(came, STEPS[6][0] - DAY // 2, STEPS[6][0] - 600) == {Quality.GOOD}
    went_back = STEPS[7][0] + BELIEVED_S + 60
    assert quality_between(came, went_back, went_back + DAY) == {Quality.UNCERTAIN_CLOCK}
    assert quality_between(came, WEEK - 600, WEEK) == {Quality.GOOD}

    # every crossing is told when it happens, and nothing else
    raised = sorted(
        (second, event.alert.rule, event.alert.place)
        for second, event in came.events
        if event.event is EventKind.RAISED
    )
    injected = sorted(
        [(at, "high", f"mine/gas/m{meter}") for meter, at in crossings()]
        + [(at, "high", "mine/fan/ch4") for at in CSV_CROSSED]
    )
    sys.stderr.write(
        f"{source}: {len(came.rows)} readings, {len(injected)} crossings, {len(raised)} alerts\n"
    )
    assert len(injected) == 4 * len(STEPS) + 7 * METERS + len(CSV_CROSSED)
    assert [(rule, place) for _, rule, place in raised] == [(rule, place) for _, rule, place in injected]
    late = [told - at for (told, _, _), (at, _, _) in zip(raised, injected, strict=True)]
    assert max(late) <= 60
