"""What every driver promises, asked of each kind in front of a real peer; a kind without a stage fails."""

from __future__ import annotations

import gc
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.stages import Stage, stage_of
from minewatch_edge import config, drivers
from minewatch_edge.drivers.driver import Driver, Reading
from minewatch_edge.errors import DriverError
from minewatch_edge.runtime import moment
from minewatch_edge.sparkplug.codec import BAD, GOOD
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

S = 1_000_000_000
INTERVAL_S = 0.05
PATIENCE_S = 30.0  # for what must happen; only a machine that stands still takes so long
SLACK_S = 3.0  # for a machine that is busy, beyond what a driver promises

# What nothing here ever sets: a driver that makes numbers up would show it.
VALUES = (0.5, 1.25, 2.75, 3.5)


class Heard:
    """A driver as the sampler asks it: when it is due, with the time of now."""

    def __init__(self, driver: Driver, rejects: list[Reject]) -> None:
        self.driver = driver
        self.rejects = rejects
        self.readings: list[Reading] = []

    def ask(self) -> list[Reading]:
        """Poll once it is due; return what came."""
        now_ns = moment().wall_ns
        due_ns = self.driver.due_ns(now_ns)
        if due_ns > now_ns:
            threading.Event().wait(min(due_ns - now_ns, 50_000_000) / 1e9)
            now_ns = moment().wall_ns
            if self.driver.due_ns(now_ns) > now_ns:
                return []
        found = list(self.driver.poll(now_ns))
        self.readings += found
        return found

    def until(self, met: Callable[[], bool], *, through_faults: bool = False) -> None:
        """Ask until a condition is met."""
        deadline = time.monotonic() + PATIENCE_S
        while not met():
            assert time.monotonic() < deadline, f"still not: {self.readings[-6:]} {self.rejects[-3:]}"
            try:
                self.ask()
            except DriverError:
                if not through_faults:
                    raise
                threading.Event().wait(0.05)

    def values(self, point: int) -> list[float]:
        """Return the good values of a point."""
        return [r.value for r in self.readings if r.point == point and r.quality == GOOD]

    def fails(self, within_s: float) -> DriverError:
        """Ask until it says that the peer does not answer, in time."""
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            try:
                self.ask()
            except DriverError as error:
                assert time.monotonic() - asked < within_s + SLACK_S
                return error
            assert time.monotonic() - began < within_s + SLACK_S, "the dead peer was not noticed"


Open = Callable[[], Heard]


@pytest.fixture(params=sorted(drivers.KINDS))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """The peer of each kind in turn."""
    kind = stage_of(request.param)
    assert kind is not None, f"the driver {request.param!r} has no stage in tests/conformance/stages"
    made = kind(tmp_path)
    made.start()
    yield made
    made.close()


@pytest.fixture
def make(stage: Stage) -> Iterator[Open]:
    """Make the driver of the stage from tables as edge.toml has them."""
    opened: list[Driver] = []

    def one() -> Heard:
        tables = [
            {"metric": f"m{i}", "quantity": "q", "unit": "u", **point}
            for i, point in enumerate(stage.points())
        ]
        device = {
            "id": "d", "driver": stage.kind, "interval_s": INTERVAL_S, **stage.device(), "point": tables,
        }  # fmt: skip
        top = {"gateway": {"site": "s", "id": "g"}, "broker": {"host": "h"}, "device": [device]}
        made = config.parse(Table(top, "edge.toml"), stage.folder)
        rejects: list[Reject] = []
        opened.append(drivers.make(made.devices[0], stage.folder, rejects.append))
        return Heard(opened[-1], rejects)

    yield one
    for driver in opened:
        driver.close()


def needs(stage: Stage, *what: str) -> None:
    """Skip where the peer of this kind cannot do something, with its reason."""
    for name in what:
        if name in stage.cannot:
            pytest.skip(stage.cannot[name])


def near(stage: Stage, value: float) -> object:
    """Return a value with the tolerance of the stage."""
    return pytest.approx(value, rel=stage.tolerance, abs=stage.tolerance)


def test_its_points_stay_the_same(stage: Stage, make: Open) -> None:
    """The points are those of the file, before and after it was asked."""
    stage.set(0, VALUES[0])
    heard = make()
    before = list(heard.driver.points())
    assert [(p.device, p.metric, p.quantity, p.unit) for p in before] == [
        ("d", "m0", "q", "u"),
        ("d", "m1", "q", "u"),
    ]
    heard.until(lambda: bool(heard.values(0)))
    assert list(heard.driver.points()) == before


def test_it_gives_the_value_that_was_set(stage: Stage, make: Open) -> None:
    """Each point has its own value, scaled to its unit, and says that it is good."""
    stage.set(0, VALUES[0])
    stage.set(1, VALUES[1])
    heard = make()
    heard.until(lambda: bool(heard.values(0) and heard.values(1)))
    assert heard.values(0)[-1] == near(stage, VALUES[0])
    assert heard.values(1)[-1] == near(stage, VALUES[1])


def test_it_gives_what_changes(stage: Stage, make: Open) -> None:
    """A value that changes while the driver lives arrives."""
    needs(stage, "set")
    stage.set(0, VALUES[0])
    heard = make()
    heard.until(lambda: VALUES[0] == near(stage, (heard.values(0) or [math.nan])[-1]))
    stage.set(0, VALUES[2])
    heard.until(lambda: VALUES[2] == near(stage, heard.values(0)[-1]))


def test_a_bad_value_is_never_a_number(stage: Stage, make: Open) -> None:
    """What the peer calls bad is bad or refused; no good reading holds a number that nobody set."""
    needs(stage, "set", "bad")
    stage.set(0, VALUES[0])
    stage.set(1, VALUES[1])
    heard = make()
    heard.until(lambda: bool(heard.values(0) and heard.values(1)))
    stage.set_bad(0)

    def told() -> bool:
        sentinels = heard.driver.points()[0].sentinels
        return bool(heard.rejects) or any(
            r.point == 0 and (r.quality == BAD or r.value in sentinels) for r in heard.readings
        )

    heard.until(told)
    for _ in range(3):
        heard.ask()
    known = [*VALUES, *heard.driver.points()[0].sentinels]
    for reading in heard.readings:
        if reading.quality != BAD:
            assert any(reading.value == near(stage, value) for value in known), reading
        elif reading.point == 0:
            assert math.isnan(reading.value) or reading.value in known
    assert all(r.quality == GOOD for r in heard.readings if r.point == 1)
    stage.set(0, VALUES[3])
    heard.until(lambda: VALUES[3] == near(stage, heard.values(0)[-1]))


def test_a_peer_that_goes_is_told_and_comes_back_by_itself(stage: Stage, make: Open) -> None:
    """The error comes in time, names the place and the mend; readings come again from the same driver."""
    needs(stage, "set", "gone")
    stage.set(0, VALUES[0])
    heard = make()
    heard.until(lambda: bool(heard.values(0)))
    stage.stop()
    for _ in range(2):
        error = heard.fails(stage.bound_s)
        assert stage.where in str(error)
        assert error.mend
        assert error.mend in str(error)
    count = len(heard.readings)
    stage.start()
    stage.set(0, VALUES[2])
    heard.until(lambda: VALUES[2] in [near(stage, v) for v in heard.values(0)], through_faults=True)
    new = [r for r in heard.readings[count:] if r.point == 0 and r.quality == GOOD]
    assert all(r.value in [near(stage, v) for v in VALUES] for r in new), new


def test_a_peer_that_was_never_there_is_told(stage: Stage, make: Open) -> None:
    """A driver is made without its peer, says that it is away, and works once it is there."""
    needs(stage, "set", "gone")
    stage.stop()
    heard = make()
    error = heard.fails(stage.bound_s)
    assert stage.where in str(error)
    stage.start()
    stage.set(0, VALUES[1])
    heard.until(lambda: bool(heard.values(0)), through_faults=True)


def test_a_peer_that_never_answers_is_told_in_time(stage: Stage, make: Open) -> None:
    """A peer that takes connections and says nothing holds up no poll beyond the timeout."""
    needs(stage, "set", "hang")
    stage.set(0, VALUES[0])
    heard = make()
    heard.until(lambda: bool(heard.values(0)))
    stage.hang()
    for _ in range(2):
        assert stage.where in str(heard.fails(stage.bound_s))
    stage.stop()
    stage.start()
    stage.set(0, VALUES[3])
    heard.until(lambda: VALUES[3] in [near(stage, v) for v in heard.values(0)], through_faults=True)


def test_check_says_in_words_how_each_point_is(stage: Stage, make: Open) -> None:
    """A line for each point with its value and unit, and no exception."""
    stage.set(0, VALUES[0])
    stage.set(1, VALUES[1])
    heard = make()
    found = heard.driver.check(moment().wall_ns)
    assert [r.place for r in found] == ["d/m0", "d/m1"]
    assert [r.ok for r in found] == [True, True], found
    assert f"{VALUES[0]:g} u" in found[0].text
    assert f"{VALUES[1]:g} u" in found[1].text


@pytest.mark.parametrize("how", ["gone", "hang", "bad"])
def test_check_says_what_is_wrong(stage: Stage, make: Open, how: str) -> None:
    """A peer that is away, silent, or without a value is a fault in words and never an exception."""
    needs(stage, "set", how)
    stage.set(1, VALUES[1])
    if how != "bad":
        {"gone": stage.stop, "hang": stage.hang}[how]()
    else:
        stage.set_bad(0)
    began = time.monotonic()
    found = make().driver.check(moment().wall_ns)
    assert time.monotonic() - began < 2 * stage.bound_s + SLACK_S
    assert [r.place for r in found] == ["d/m0", "d/m1"]
    assert not found[0].ok
    assert found[0].text
    if how != "bad":
        assert stage.where in found[0].text
        assert not found[1].ok


def test_check_disturbs_no_readings(stage: Stage, make: Open) -> None:
    """A driver that was checked still delivers what was set."""
    stage.set(0, VALUES[0])
    heard = make()
    heard.driver.check(moment().wall_ns)
    heard.until(lambda: bool(heard.values(0)))
    assert heard.values(0)[0] == near(stage, VALUES[0])


def test_it_is_due_once_an_interval(stage: Stage, make: Open) -> None:
    """It wants to be asked at once, then within its interval, later than now; a late poll moves nothing."""
    stage.set(0, VALUES[0])
    stage.set(1, VALUES[1])
    heard = make()
    now_ns = moment().wall_ns
    step_ns = int(INTERVAL_S * S)
    assert heard.driver.due_ns(now_ns) <= now_ns
    heard.until(lambda: bool(heard.values(0) and heard.values(1)))
    for turn in range(1, 6):
        now_ns = moment().wall_ns + turn * step_ns
        due_ns = heard.driver.due_ns(now_ns)
        if due_ns <= now_ns:
            heard.readings += heard.driver.poll(now_ns)
            due_ns = heard.driver.due_ns(now_ns)
        assert now_ns < due_ns <= now_ns + step_ns


def test_nothing_comes_twice(stage: Stage, make: Open) -> None:
    """Asked twice at one moment it gives its readings once; times of a point never go back or repeat."""
    stage.set(0, VALUES[0])
    stage.set(1, VALUES[1])
    heard = make()
    heard.until(lambda: bool(heard.values(0) and heard.values(1)))
    for turn in range(12):
        if turn % 4 == 0 and "set" not in stage.cannot:
            stage.set(0, VALUES[turn // 4])
        now_ns = moment().wall_ns
        heard.readings += heard.driver.poll(now_ns)
        heard.readings += heard.driver.poll(now_ns)
        threading.Event().wait(INTERVAL_S / 2)
    assert [key for key, n in Counter((r.point, r.ts_ns) for r in heard.readings).items() if n > 1] == []
    for point in (0, 1):
        stamps = [r.ts_ns for r in heard.readings if r.point == point]
        assert stamps == sorted(stamps)


def test_times_are_the_source_s_own_or_now(stage: Stage, make: Open) -> None:
    """A reading carries the time of the device where it has one, else that of the poll."""
    if "stamp" not in stage.cannot:
        then_ns = (moment().wall_ns - 2 * S) // 1_000_000 * 1_000_000
        stage.set(0, VALUES[0], then_ns)
        heard = make()
        heard.until(lambda: bool(heard.values(0)))
        (found,) = [r for r in heard.readings if r.point == 0 and r.value == near(stage, VALUES[0])][:1]
        assert abs(found.ts_ns - then_ns) < 1_000_000
    else:
        before_ns = moment().wall_ns
        stage.set(0, VALUES[0])
        heard = make()
        heard.until(lambda: bool(heard.values(0)))
        assert all(before_ns <= r.ts_ns <= moment().wall_ns for r in heard.readings)


def test_close_lets_go_of_everything(stage: Stage, make: Open) -> None:
    """Closed once or twice, it leaves no thread and no open file or socket."""
    stage.set(0, VALUES[0])
    gc.collect()
    threads, files = set(threading.enumerate()), open_files()
    heard = make()
    heard.until(lambda: bool(heard.values(0)))
    heard.driver.close()
    heard.driver.close()
    deadline = time.monotonic() + PATIENCE_S
    while set(threading.enumerate()) - threads or open_files() > files:
        assert time.monotonic() < deadline, (set(threading.enumerate()) - threads, open_files(), files)
        threading.Event().wait(0.05)


def open_files() -> int:
    """Return how many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (names only, and fast)
