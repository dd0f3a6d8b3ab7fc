"""The agent and its disk: full, away, and what it tells of losses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from minewatch_edge.config import DeviceConfig, EdgeConfig, PointConfig
from minewatch_edge.ranks import Ranks
from minewatch_edge.rows import Columns, NewRow
from minewatch_edge.sparkplug import codec
from minewatch_edge.sparkplug.births import NODE_ALIASES, SPOOL_OLDEST
from minewatch_edge.spool import SpoolLimits
from minewatch_edge.tables import Table
from unit.edge.line import CH4, CO, Line


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """One agent that has started."""
    made = Line(tmp_path)
    yield made
    made.agent.stop(made.now)


def test_a_full_disk_is_borne_and_told(tmp_path: Path) -> None:
    """While the disk refuses, readings go out live without an id; afterwards all are delivered with one."""
    line = Line(tmp_path, limits=SpoolLimits(max_pages=40), memory_readings=100_000)
    line.connect()
    count = 0
    while "spool" not in line.agent.state(line.now).problems:
        line.sample(*(float(count + i) for i in range(50)))
        count += 50
        assert count < 5_000
    line.sample(5_000.0, 5_001.0)
    state = line.agent.state(line.now)
    assert "full" in state.problems["spool"]
    assert state.waiting > 0
    assert [(i, v) for i, _, v in line.got()][-2:] == [(None, [5_000.0]), (None, [5_001.0])]
    line.acknowledge(line.spool.last_id)
    line.pass_(3.0)
    state = line.agent.state(line.now)
    assert (state.waiting, "spool" in state.problems) == (0, False)
    assert state.counters.sampled == count + 2
    ids = {i for i, _, _ in line.got() if i is not None}
    assert ids == set(range(1, count + 3))
    line.agent.stop(line.now)


def test_memory_is_bounded_while_the_disk_refuses(tmp_path: Path) -> None:
    """Beyond memory_readings the oldest are dropped, and the count of them is kept once the disk is back."""
    (tmp_path / "blocked").write_text("a file, not a folder")
    line = Line(tmp_path / "blocked", memory_readings=10)
    line.sample(*(float(i) for i in range(25)), point=1)
    assert line.agent.state(line.now).waiting == 10
    (tmp_path / "blocked").unlink()
    line.pass_(2.0)
    state = line.agent.state(line.now)
    assert (state.counters.sampled, state.counters.dropped, state.waiting) == (25, 15, 0)
    assert state.counters.held == 10
    line.connect()
    line.pass_(0.1)
    assert line.values() == [float(i) for i in range(15, 25)]
    (note,) = line.notes()
    assert (note[1]["reason"], note[1]["ids"], note[1]["readings"]) == ("memory", [], 15)
    line.agent.stop(line.now)


def test_a_disk_that_is_back_after_the_start_brings_its_old_rows(tmp_path: Path) -> None:
    """An agent that began without its spool takes up what the spool holds when it appears."""
    first = Line(tmp_path / "disk")
    first.sample(7.0, point=2)
    first.agent.stop(first.now)
    (tmp_path / "disk").rename(tmp_path / "away")
    (tmp_path / "disk").write_text("not mounted")
    line = Line(tmp_path / "disk", points=(CH4,))
    line.connect()
    line.sample(1.0)
    (tmp_path / "disk").unlink()
    (tmp_path / "away").rename(tmp_path / "disk")
    line.pass_(2.0)
    assert line.broker.dropped == 1
    line.connect()
    line.pass_(0.1)
    assert line.values() == [1.0, 7.0, 1.0]
    line.agent.stop(line.now)


def test_a_note_goes_live_and_again_before_all_history(line: Line) -> None:
    """A note is committed and sent at once; not acknowledged, it comes again ahead of older rows."""
    line.connect()
    line.sample(1.0)
    line.agent.note({"kind": "x", "text": "қатер"})
    line.pass_(0.04)
    assert line.notes() == [(2, {"kind": "x", "text": "қатер"})]
    line.lose()
    line.sample(3.0)
    line.broker.arrived.clear()
    line.connect()
    line.pass_(0.2)
    data = [m.topic.split("/")[2] for m in line.broker.arrived if "DATA/" in m.topic]
    assert data[:3] == ["NDATA", "DDATA", "DDATA"]
    assert [number for number, _ in line.notes()] == [2]
    assert [i for i, _, _ in line.got()] == [1, 3]
    line.acknowledge(3)
    assert line.spool.held_rows == 0


def test_a_spool_that_vanishes_is_begun_anew_with_what_it_held(tmp_path: Path) -> None:
    """The folder is deleted under a running agent: rows keep their ids and arrive, and status says it."""
    line = Line(tmp_path / "var")
    line.sample(1.0, 2.0)
    identity = line.spool.identity
    shutil.rmtree(tmp_path / "var")
    line.pass_(3.0)
    line.sample(3.0)
    problem = line.agent.state(line.now).problems["spool file"]
    assert problem == "it had vanished; 2 rows of it were taken over, 0 readings are lost"
    assert line.spool.identity == identity
    line.connect()
    line.pass_(0.2)
    assert line.values() == [1.0, 2.0, 3.0]
    assert [i for i, _, _ in line.got()][:2] == [1, 2]
    line.acknowledge(line.spool.last_id)
    assert line.spool.held_rows == 0
    line.agent.stop(line.now)


def test_readings_near_an_alarm_matter_most(tmp_path: Path) -> None:
    """A row with a reading beyond keep_above, or outside the instrument's range, has priority."""
    point = PointConfig(CH4, Table({}, "test"), near=(float("-inf"), 0.8))
    device = DeviceConfig("gas", "face", "simulated", 1.0, (point,), Table({}, "test"))
    ranks = Ranks(EdgeConfig("s", "g", devices=(device,)), (CH4, CO))
    rows = [
        NewRow("gas", Columns([p], [1], [value], [192]))
        for p, value in ((0, 0.5), (0, 0.9), (0, float("nan")), (1, 400.0), (1, 600.0))
    ]
    assert [ranks.ranked(r).priority for r in rows] == [0, 1, 0, 0, 1]


def test_the_host_learns_how_old_the_oldest_row_is(tmp_path: Path) -> None:
    """The birth says when the oldest row held was taken; when all is acknowledged, that none is held."""
    line = Line(tmp_path)
    line.sample(1.0)
    taken_ms = line.now.wall_ns // 1_000_000
    line.pass_(100.0)
    line.sample(2.0)
    line.pass_(2.0)
    line.connect()
    told = codec.decode(line.broker.arrived[0].payload).named("minewatch/spool_oldest")
    assert told is not None
    assert isinstance(told.value, int)
    assert abs(told.value - taken_ms) < 2_000
    line.acknowledge(line.spool.last_id)
    line.pass_(7.0)
    news = [codec.decode(m.payload) for m in line.broker.arrived if "/NDATA/" in m.topic]
    assert [m.value for n in news for m in n.metrics if m.alias == NODE_ALIASES[SPOOL_OLDEST]][-1] == 0
    line.agent.stop(line.now)


def test_a_note_waits_for_the_disk(tmp_path: Path) -> None:
    """While the disk refuses a note is kept, beyond memory_readings too, and comes with an id afterwards."""
    (tmp_path / "blocked").write_text("a file, not a folder")
    line = Line(tmp_path / "blocked", memory_readings=10)
    line.connect()
    line.agent.note({"kind": "x"})
    line.sample(*(float(i) for i in range(25)), point=1)
    assert line.notes() == []
    (tmp_path / "blocked").unlink()
    line.pass_(2.0)
    assert [told["kind"] for _, told in line.notes()].count("x") == 1
    assert line.agent.state(line.now).counters.dropped == 16
    line.agent.stop(line.now)


def test_a_spool_that_gives_rows_up_tells_the_host_which(tmp_path: Path) -> None:
    """Evicted rows are counted, told as a problem, and one note tells their ids, readings and device."""
    line = Line(tmp_path, limits=SpoolLimits(max_bytes=100_000))
    for i in range(60):
        for _ in range(100):
            line.driver.give(1, line.now.wall_ns, float(i))
        line.pass_(0.02)
    line.pass_(1.0)
    state = line.agent.state(line.now)
    assert state.counters.evicted > 0
    assert "given up" in state.problems["evicted"]
    line.connect()
    birth = codec.decode(line.broker.arrived[0].payload)
    first = birth.named("minewatch/spool_first")
    assert first is not None
    assert first.value == 1  # all from there on come, or are told of by the note
    ((number, told),) = line.notes()
    assert (told["reason"], told["readings"], told["devices"]) == ("size", state.counters.evicted, ["gas"])
    assert told["ids"] == [[1, line.spool.first_id - 1]]
    line.acknowledge(number)
    assert line.spool.held_rows == 0
    line.agent.stop(line.now)


def test_a_loss_in_many_pieces_is_told_at_once(tmp_path: Path) -> None:
    """Rows given up between rows kept: their ids become notes before they fill the memory, host or not."""
    line = Line(tmp_path, limits=SpoolLimits(max_bytes=400_000))
    columns = Columns([0], [line.now.wall_ns // 1_000_000], [1.0], [192])
    line.spool.append([NewRow("gas", columns, at % 2) for at in range(8_000)], line.now.wall_ns)
    line.pass_(1.2)
    assert line.spool.counters.evicted > 2_000
    assert not line.spool.has_gaps()
    notes = [json.loads(row.note) for row in line.spool.notes(0, 100)]
    assert sum(note["readings"] for note in notes) == line.spool.counters.evicted
    assert max(len(note["ids"]) for note in notes) == 500
    line.agent.stop(line.now)
