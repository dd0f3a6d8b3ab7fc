"""A test of a meter that is announced while the service runs: what changes, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from acceptance.playing import SECOND, START, shipped_rules
from acceptance.test_test_gas import AIR, CALLS, FACE, METHANE, QUIET, STEP, Shown, gas, points, still
from minewatch.alerts.book import AlertBook
from minewatch.alerts.settings import AlertSettings
from minewatch.app import snapshot
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import AlertEvent, Announce, CalibrationQuery, ReadingBatch, TrialStage
from minewatch.detect.settings import DetectSettings
from minewatch.testing import MemoryRecords, MemoryTelemetry

ASKED = Announce("m/a", "", START, START + 3600 * SECOND, "desk-1", 2.2)
HEADING = {"a": METHANE, "air": AIR}  # one meter: nobody can tell its test but whoever announces it


class Mine:
    """A mine that is played second by second, and may be killed in between."""

    def __init__(self, folder: Path, names: dict[str, tuple[str, str]], shown: dict[str, Shown]) -> None:
        self.records, self.telemetry = MemoryRecords(), MemoryTelemetry()
        self._folder, self._names, self._shown = folder, names, shown
        self._second = 0
        self.events: list[AlertEvent] = []
        self.begin()

    def begin(self) -> None:
        """Start, or go on from the last state on disk."""
        now = START + self._second * SECOND
        book = AlertBook(AlertSettings(), self.records, started_ns=now)
        self.pipeline = Pipeline(
            DetectSettings(), shipped_rules(), book, self.telemetry, self.records, now_ns=now
        )
        snapshot.load(self.pipeline, self._folder / "state", now)
        self._rows = self.pipeline.register(points(self._names)).tolist()

    def play(self, until: int) -> None:
        """Go on to a second."""
        while self._second < until:
            now = START + self._second * SECOND
            values = [self._shown[name](self._second) for name in self._names]
            batch = ReadingBatch.of(self._rows, [now] * len(values), values)
            self.events += self.pipeline.take(batch, now)
            self.events += self.pipeline.tick(now)
            self.pipeline.flush()
            self._second += 1

    def announce(self, asked: Announce) -> None:
        """Have a test announced, or ended, now."""
        self.pipeline.announce(asked, START + self._second * SECOND)

    def save(self) -> None:
        """Write the state of the detectors."""
        snapshot.save(self.pipeline, self._folder / "state", START + self._second * SECOND)

    def calls(self) -> list[int]:
        """Return the seconds at which a person was called."""
        return [(e.time_ns - START) // SECOND for e in self.events if e.event in CALLS and e.alert.paged]


def bottle(seconds: int) -> Shown:
    """Return what a meter shows of a bottle that is held to it for some time."""
    on = gas()
    return lambda s: on(s) if s < STEP + seconds else 0.2


@pytest.mark.parametrize("announced", [False, True])
def test_a_meter_alone_is_tested_when_that_is_announced(tmp_path: Path, announced: bool) -> None:
    """A heading with one meter: its gas calls, unless somebody said with which gas it is tested."""
    mine = Mine(tmp_path, HEADING, {"a": bottle(300), "air": still(1.5)})
    if announced:
        mine.announce(ASKED)
    mine.play(500)
    assert bool(mine.calls()) != announced
    lines, _ = mine.records.calibrations(CalibrationQuery())
    found = [(e.calibration.stage, e.calibration.announced_by) for e in lines if e.calibration]
    assert found == ([(TrialStage.OVER, "desk-1")] if announced else [])


@pytest.mark.parametrize(
    ("shown", "begins"),
    [
        ({"b": gas(1.2, at=STEP + 20)}, STEP + 20),
        ({"air": lambda s: 0.1 if s >= STEP + 20 else 1.5}, STEP + 20),
        ({"a": gas(6.0)}, STEP),
    ],
)
def test_an_announcement_silences_nothing(tmp_path: Path, shown: dict[str, Shown], begins: int) -> None:
    """A second meter, air that fails or too much gas: it calls within seconds, announced or not."""
    mine = Mine(tmp_path, FACE, QUIET | shown)
    mine.announce(ASKED)
    mine.play(STEP + 60)
    assert begins - 1 <= mine.calls()[0] <= begins + 12  # a trial counts from the reading before its rise


def test_gas_that_stands_when_the_test_is_ended_calls(tmp_path: Path) -> None:
    """Whoever ends an announced test lets the gas of that meter call at the next reading."""
    mine = Mine(tmp_path, FACE, QUIET | {"a": bottle(900)})
    mine.announce(ASKED)
    mine.play(STEP + 300)
    assert mine.calls() == []
    mine.announce(replace(ASKED, end=True))
    mine.play(STEP + 305)
    assert set(mine.calls()) == {STEP + 301}


@pytest.mark.parametrize("killed", [30, STEP + 2, STEP + 6, STEP + 30, STEP + 200])
def test_a_service_that_is_killed_knows_what_was_announced(tmp_path: Path, killed: int) -> None:
    """Before, in and after the rise: with a state some seconds old the test calls nobody all the same."""

    def played(folder: Path, kill: Callable[[Mine], None]) -> Mine:
        folder.mkdir()
        mine = Mine(folder, FACE, QUIET | {"a": bottle(300)})
        mine.play(10)
        mine.announce(ASKED)
        mine.play(killed - 4)
        mine.save()
        mine.play(killed)
        kill(mine)
        mine.play(STEP + 500)
        return mine

    whole, cut = played(tmp_path / "whole", lambda mine: None), played(tmp_path / "cut", Mine.begin)
    assert whole.calls() == cut.calls() == []
    lines = [mine.records.calibrations(CalibrationQuery())[0][0].calibration for mine in (whole, cut)]
    assert lines[0] == lines[1]
    assert lines[0] is not None
    assert (lines[0].announced_by, lines[0].gas_pct, round(lines[0].found, 1)) == ("desk-1", 2.2, 2.2)
