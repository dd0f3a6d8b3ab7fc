"""A followed file through rotations, restarts and half-written lines: every line once, or a reason."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from minewatch_edge import config, drivers
from minewatch_edge.agent import Agent
from minewatch_edge.clocks import Moment
from minewatch_edge.drivers.driver import Batch, Driver, Resuming
from minewatch_edge.drivers.lines import LineBuffer
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.spool import Reject, Spool
from minewatch_edge.tables import Table
from minewatch_edge.testing import FakeBroker

S = 1_000_000_000
T0 = 1_800_000_000 * S
HEADER = "time,a\n"


class Log:
    """The file of another program, and the driver that follows it."""

    def __init__(self, folder: Path, start: str = "start") -> None:
        self.path = folder / "f.csv"
        self.start = start
        self.rejects: list[Reject] = []
        self.now = T0

    def driver(self, mark: str = "") -> Driver:
        """Return a new driver, as after a start of the agent."""
        made = drivers.make(self.settings().devices[0], self.path.parent, self.rejects.append)
        assert isinstance(made, Resuming)
        if mark:
            made.resume(mark)
        return made

    def settings(self) -> config.EdgeConfig:
        """Return the configuration."""
        point = {"metric": "a", "quantity": "q", "unit": "u", "column": "a"}
        device = {
            "id": "d", "driver": "csv", "file": "f.csv", "time": "time", "format": "unix_s",
            "mode": "follow", "start": self.start, "point": [point],
        }  # fmt: skip
        top = {"gateway": {"site": "s", "id": "g"}, "broker": {"host": "h"}, "device": [device]}
        return config.parse(Table(top, "edge.toml"), self.path.parent)

    def write(self, *values: int, path: Path | None = None) -> None:
        """Add a line for each value; the value is its time too."""
        path = path or self.path
        with path.open("a") as file:
            if not file.tell():
                file.write(HEADER)
            file.writelines(line(value) for value in values)

    def polls(self, driver: Driver, times: int = 4) -> list[int]:
        """Return the values of some polls."""
        found = []
        for _ in range(times):
            self.now += S
            found += [int(r.value) for r in driver.poll(self.now)]
        return found


def line(value: int) -> str:
    """Return one line."""
    return f"{1_700_000_000 + value},{value}\n"


def test_a_line_comes_out_only_when_it_is_whole() -> None:
    """Whatever the pieces, lines are the same, and one that is too long is one, cut and marked."""
    text = b"ab\n" + b"x" * 50 + b"\nc\xd0\xbb\n"
    for size in (1, 2, 3, 7, 60):
        buffer = LineBuffer(longest=20)
        found = [one for i in range(0, len(text), size) for one in buffer.feed(text[i : i + size])]
        assert [(one.whole, one.end) for one in found] == [(True, 3), (False, 54), (True, 58)], size
        assert found[2].raw == "cл".encode()
        assert buffer.at == len(text)
        assert buffer.rest == b""


def test_the_last_lines_of_the_old_file_are_read_after_it_was_renamed(tmp_path: Path) -> None:
    """A writer that has the old file open for a moment more loses nothing."""
    log = Log(tmp_path)
    log.write(1)
    driver = log.driver()
    assert log.polls(driver) == [1]
    old = log.path.rename(tmp_path / "f.csv.1")
    log.write(2, path=old)
    log.write(4)
    first = log.polls(driver, 1)
    log.write(3, path=old)
    assert first + log.polls(driver) == [2, 3, 4]
    assert log.rejects == []


def test_copy_and_truncate_loses_nothing_that_was_copied(tmp_path: Path) -> None:
    """Lines written before the file was cut are read from the copy, also when the file has grown again."""
    log = Log(tmp_path)
    log.write(1, 2)
    driver = log.driver()
    assert log.polls(driver) == [1, 2]
    log.write(3)
    shutil.copy(log.path, tmp_path / "f.csv.1")
    os.truncate(log.path, 0)
    log.write(4, 5, 6, 7, 8, 9)
    assert log.polls(driver, 6) == [3, 4, 5, 6, 7, 8, 9]
    assert log.rejects == []


def test_a_cut_without_a_copy_is_said(tmp_path: Path) -> None:
    """What may be lost has a reason; the new lines are read."""
    log = Log(tmp_path)
    log.write(1, 2)
    driver = log.driver()
    assert log.polls(driver) == [1, 2]
    os.truncate(log.path, 0)
    log.write(4)
    assert log.polls(driver) == [4]
    assert [r.reason for r in log.rejects] == ["rotated"]


def test_half_a_line_at_the_end_of_a_rotated_file_is_refused(tmp_path: Path) -> None:
    """It is never read as a value."""
    log = Log(tmp_path)
    log.write(1)
    with log.path.open("a") as file:
        file.write(line(29)[:-2])
    driver = log.driver()
    assert log.polls(driver) == [1]
    log.path.rename(tmp_path / "f.csv.1")
    log.write(3)
    assert log.polls(driver) == [3]
    assert [r.reason for r in log.rejects] == ["half"]


def test_reading_begins_behind_a_half_line_only_when_that_line_is_whole(tmp_path: Path) -> None:
    """With start = end, the line that is half written at the start is read whole when it is done."""
    log = Log(tmp_path, start="end")
    log.write(1)
    text = line(29)
    with log.path.open("a") as file:
        file.write(text[:-2])
    driver = log.driver()
    assert log.polls(driver) == []
    with log.path.open("a") as file:
        file.write(text[-2:])
    assert log.polls(driver) == [29]


def test_half_a_character_waits_for_its_other_half(tmp_path: Path) -> None:
    """A piece that ends inside a UTF-8 character is no fault."""
    log = Log(tmp_path)
    log.path.write_bytes(b"time,a,\xd0\xbc\n1700000001,1,\xd0")
    driver = log.driver()
    assert log.polls(driver) == []
    with log.path.open("ab") as file:
        file.write(b"\xbb\n")
    assert log.polls(driver) == [1]
    assert log.rejects == []


def test_a_file_made_later_is_read_from_its_first_line(tmp_path: Path) -> None:
    """A file that was not there at the start has no old lines, also with start = end."""
    log = Log(tmp_path, start="end")
    driver = log.driver()
    with pytest.raises(DriverError, match="No such file"):
        log.polls(driver, 1)
    log.write(1, 2)
    assert log.polls(driver) == [1, 2]


def test_other_columns_after_a_rotation(tmp_path: Path) -> None:
    """The header of the new file counts; one without the column is a fault until the next file."""
    log = Log(tmp_path)
    log.write(1)
    driver = log.driver()
    assert log.polls(driver) == [1]
    log.path.rename(tmp_path / "f.csv.1")
    log.path.write_text("b,a,time\n9,2,1700000002\n")
    assert log.polls(driver) == [2]
    log.path.rename(tmp_path / "f.csv.2")
    log.path.write_text("time,b\n1700000003,3\n")
    with pytest.raises(DriverError, match="no column 'a'"):
        log.polls(driver)
    with pytest.raises(DriverError, match="no column 'a'"):
        log.polls(driver)
    log.path.rename(tmp_path / "f.csv.3")
    log.write(4)
    assert log.polls(driver) == [4]
    assert [r.reason for r in log.rejects] == ["rotated"]


def test_a_folder_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    """The fault names the file; lines written before and after are read once."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = Log(folder, start="end")
    log.write(1)
    driver = log.driver()
    assert log.polls(driver) == []
    log.write(2)
    shutil.rmtree(folder)
    assert log.polls(driver, 1) == [2]
    with pytest.raises(DriverError, match=r"f\.csv: No such file"):
        log.polls(driver)
    folder.mkdir()
    log.write(3)
    assert log.polls(driver) == [3]


def test_after_a_restart_reading_goes_on_through_every_file_rotated_meanwhile(tmp_path: Path) -> None:
    """The rest of the old file, the files between, and the new one are read once, in order."""
    log = Log(tmp_path, start="end")
    log.write(1)
    driver = log.driver()
    log.polls(driver, 1)
    log.write(2, 3)
    batch = driver.poll(log.now + S)
    assert isinstance(batch, Batch)
    driver.close()
    log.write(4)
    for number, values in enumerate([(5, 6), (7,)]):
        log.path.rename(tmp_path / f"f.csv.{number}")
        os.utime(tmp_path / f"f.csv.{number}", ns=(T0 + number, T0 + number))
        log.write(*values)
    os.utime(log.path, ns=(T0 + 9, T0 + 9))
    assert log.polls(log.driver(batch.mark), 9) == [4, 5, 6, 7]
    assert log.rejects == []


def test_a_rotated_file_that_is_gone_is_said_at_the_restart(tmp_path: Path) -> None:
    """When the file of the mark cannot be found the new one is read from its start, with a reject."""
    log = Log(tmp_path)
    log.write(1)
    batch = log.driver().poll(T0)
    assert isinstance(batch, Batch)
    log.path.unlink()
    log.write(5)
    assert log.polls(log.driver(batch.mark)) == [5]
    assert [r.reason for r in log.rejects] == ["rotated"]


def test_a_mark_of_something_else_changes_nothing(tmp_path: Path) -> None:
    """A spool that was written by another version does not stop the driver."""
    log = Log(tmp_path)
    log.write(1)
    assert log.polls(log.driver("what?")) == [1]


@pytest.mark.parametrize("lost", [False, True])
def test_the_place_is_committed_with_the_readings(tmp_path: Path, lost: bool) -> None:
    """An agent that is killed at any point reads each line once: also lines taken and not yet committed."""
    log = Log(tmp_path)
    log.write(1, 2, 3)
    settings = log.settings()

    def started(mono: int) -> Agent:
        spool = Spool(tmp_path / "spool")
        agent = Agent(settings, [log.driver()], spool, FakeBroker())
        agent.start(Moment(T0 + mono, mono))
        return agent

    def held() -> list[float]:
        spool = Spool(tmp_path / "spool")
        spool.open()
        values = [v for row in spool.unacknowledged(0, 100) for v in row.columns.values]
        spool.close()
        return values

    def kill(agent: Agent) -> None:
        agent._spool._file.close()  # what the process had in memory is gone

    agent = started(S)
    agent.step(Moment(T0 + S, S))  # takes the lines; the commit is due later or now
    if not lost:
        agent.step(Moment(T0 + 2 * S, 2 * S))
        agent.step(Moment(T0 + 3 * S, 3 * S))
    kill(agent)
    log.write(4)
    agent = started(10 * S)
    for second in range(10, 14):
        agent.step(Moment(T0 + second * S, second * S))
    agent.stop(Moment(T0 + 15 * S, 15 * S))
    assert held() == [1.0, 2.0, 3.0, 4.0]
    assert log.rejects == []


def test_a_followed_file_waits_for_a_spool_that_comes_later(tmp_path: Path) -> None:
    """Without its place, which the spool knows, a file would be read from its start and come twice."""
    log = Log(tmp_path)
    log.write(1, 2)
    settings, disk, away = log.settings(), tmp_path / "disk", tmp_path / "away"
    agent = Agent(settings, [log.driver()], Spool(disk / "spool"), FakeBroker())
    agent.start(Moment(T0, S))
    agent.stop(Moment(T0 + S, 2 * S))
    agent = Agent(settings, [log.driver()], Spool(disk / "spool"), FakeBroker())
    agent.start(Moment(T0 + 2 * S, 3 * S))
    for second in range(4, 7):
        agent.step(Moment(T0 + second * S, second * S))
    agent.stop(Moment(T0 + 7 * S, 7 * S))
    disk.rename(away)
    disk.write_text("not mounted")
    log.write(3)
    spool = Spool(disk / "spool")
    agent = Agent(settings, [log.driver()], spool, FakeBroker())
    agent.start(Moment(T0 + 10 * S, 10 * S))
    for second in range(11, 14):
        due_ns = agent.step(Moment(T0 + second * S, second * S))
        assert due_ns > second * S  # it waits without asking all the time
    disk.unlink()
    away.rename(disk)
    for second in range(14, 20):
        agent.step(Moment(T0 + second * S, second * S))
    values = [v for row in spool.unacknowledged(0, 100) for v in row.columns.values]
    agent.stop(Moment(T0 + 21 * S, 21 * S))
    assert values == [1.0, 2.0, 3.0]


def test_a_packed_file_cannot_be_followed(tmp_path: Path) -> None:
    """The mend says what to follow instead."""
    point = {"metric": "a", "quantity": "q", "unit": "u", "column": "a"}
    device = {
        "id": "d", "driver": "csv", "file": "f.csv.gz", "time": "t", "mode": "follow", "point": [point]
    }  # fmt: skip
    top = {"gateway": {"site": "s", "id": "g"}, "broker": {"host": "h"}, "device": [device]}
    made = config.parse(Table(top, "edge.toml"), tmp_path)
    with pytest.raises(EdgeConfigError, match=r"device\[0\]\.file"):
        drivers.make(made.devices[0], tmp_path, lambda _reject: None)


def test_a_driver_made_anew_by_a_reload_goes_on_where_the_old_one_was(tmp_path: Path) -> None:
    """A device that changed in edge.toml neither reads its file again nor skips lines of it."""
    log = Log(tmp_path)
    log.write(1, 2)
    settings = log.settings()
    spool = Spool(tmp_path / "spool")
    agent = Agent(settings, [log.driver()], spool, FakeBroker())
    agent.start(Moment(T0, S))
    for second in range(2, 5):
        agent.step(Moment(T0 + second * S, second * S))
    log.write(3)
    agent.reconfigure(settings, [log.driver()], Moment(T0 + 5 * S, 5 * S))
    for second in range(6, 10):
        agent.step(Moment(T0 + second * S, second * S))
    values = [v for row in spool.unacknowledged(0, 100) for v in row.columns.values]
    agent.stop(Moment(T0 + 11 * S, 11 * S))
    assert values == [1.0, 2.0, 3.0]
