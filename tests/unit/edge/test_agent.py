"""The agent on a timeline: a fake broker, a fake clock, a real spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minewatch_edge.agent import Agent
from minewatch_edge.clocks import Moment
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.sparkplug import codec
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.spool import Reject, Spool, SpoolLimits
from minewatch_edge.testing import FakeBroker, ListDriver, acknowledgement

MS = 1_000_000
S = 1_000 * MS
START = 1_800_000_000 * S
CH4 = PointBirth("gas", "CH4", "methane", "% CH4", "face", 0.0, 5.0, 1.0)
CO = PointBirth("gas", "CO", "carbon_monoxide", "ppm", "face", 0.0, 500.0, 1.0)
FAN = PointBirth("fan", "p", "fan_pressure", "Pa", interval_s=1.0)


class Line:
    """One agent, its driver, its broker, and the time."""

    def __init__(
        self, folder: Path, *, points: tuple[PointBirth, ...] = (CH4, CO, FAN),
        limits: SpoolLimits | None = None,         acknowledgement: bool = True,
        resend_per_s: float = 20_000.0, memory_readings: int = 1_000,
    ) -> None:  # fmt: skip
        self.now = Moment(START, 0)
        self.driver = ListDriver(points)
        self.broker = FakeBroker()
        self.rejects: list[Reject] = []
        self.spool = Spool(folder / "s", limits, boot="boot")
        self.config = EdgeConfig(
            "site", "gw", BrokerConfig(keepalive_s=10, acknowledgement=acknowledgement),
            SpoolConfig(
                folder / "s", commit_ms=20, resend_s=5, resend_per_s=resend_per_s,
                memory_readings=memory_readings,
            ),
        )  # fmt: skip
        self.agent = Agent(self.config, [self.driver], self.spool, self.broker, rejects=self.rejects)
        self.agent.start(self.now)

    def pass_(self, seconds: float, *, wall_s: float | None = None) -> None:
        """Let time go by in steps of 20 ms or less."""
        for _ in range(max(1, round(seconds / 0.02))):
            gone = min(seconds, 0.02)
            self.now = Moment(self.now.wall_ns + int(gone * S), self.now.mono_ns + int(gone * S))
            self.agent.step(self.now)

    def jump(self, seconds: float) -> None:
        """Set the wall clock."""
        self.now = Moment(self.now.wall_ns + int(seconds * S), self.now.mono_ns)

    def sample(self, *values: float, point: int = 0) -> None:
        """Have the driver deliver values now, one after the other, and let the agent take them."""
        for value in values:
            self.driver.give(point, self.now.wall_ns, value)
            self.pass_(0.02)

    def connect(self, *, host: bool = True) -> None:
        """Have the broker take the agent."""
        self.agent.will(self.now)
        self.broker.connected, self.broker.problem = True, ""
        self.agent.subscribed(self.now)
        if host:
            self.host(online=True)

    def host(self, *, online: bool) -> None:
        """Have the host's STATE arrive."""
        self.agent.message(*self.broker.state(online=online, timestamp_ms=self.now.wall_ns // MS), self.now)

    def lose(self) -> None:
        """Have the connection be lost."""
        self.broker.connected, self.broker.problem = False, "gone"
        self.agent.lost("gone", self.now)

    def acknowledge(self, upto: int, spool: str = "") -> None:
        """Have the host acknowledge."""
        message = acknowledgement("site", "gw", spool or self.spool.identity, upto, self.now)
        self.agent.message(*message, self.now)

    def got(self) -> list[tuple[int | None, bool, list[float | None]]]:
        """Return (id, historical, values) of what arrived."""
        return [(i, h, list(v.values())) for i, h, v in self.broker.rows()]

    def values(self) -> list[float | None]:
        """Return every value that arrived, in order."""
        return [v for _, _, values in self.got() for v in values]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """One agent that has started."""
    made = Line(tmp_path)
    yield made
    made.agent.stop(made.now)


def test_a_reading_goes_out_live_with_the_id_of_its_row(line: Line) -> None:
    """While the host is online each delivery goes out at once, committed before, not historical."""
    line.connect()
    held_when_sent = []
    line.broker.on_publish = lambda _message: held_when_sent.append(line.spool.last_id)
    line.sample(0.4, 0.5)
    assert line.got() == [(1, False, [0.4]), (2, False, [0.5])]
    assert held_when_sent[:2] == [1, 2]


def test_readings_of_two_devices_are_two_messages(line: Line) -> None:
    """One row holds the readings one device took together."""
    line.connect()
    for point, value in ((0, 0.4), (1, 4.0), (2, 900.0)):
        line.driver.give(point, line.now.wall_ns, value)
    line.pass_(0.02)
    assert line.got() == [(1, False, [0.4, 4.0]), (2, False, [900.0])]


def test_nothing_is_published_while_the_host_is_offline(line: Line) -> None:
    """Without the primary host there are neither births nor data; readings are spooled and told so."""
    line.connect(host=False)
    line.sample(0.4, 0.5)
    assert line.broker.sent == []
    assert line.spool.held_rows == 2
    state = line.agent.state(line.now)
    assert "offline" in state.problems["host"]
    assert (state.connected, state.online, state.counters.sampled) == (True, False, 2)


def test_spooled_readings_follow_as_history_after_live_ones(line: Line) -> None:
    """After a reconnect the live reading goes first, then history, oldest first and marked historical."""
    line.sample(1.0, 2.0, 3.0)
    line.connect()
    line.driver.give(0, line.now.wall_ns, 9.0)
    line.pass_(0.1)
    assert line.got() == [(4, False, [9.0]), (1, True, [1.0]), (2, True, [2.0]), (3, True, [3.0])]


def test_history_is_sent_at_a_bounded_rate(tmp_path: Path) -> None:
    """At ten readings a second, thirty rows of history need about three seconds; live ones do not wait."""
    line = Line(tmp_path, resend_per_s=10)
    line.sample(*(float(i) for i in range(30)))
    line.connect()
    line.pass_(1.0)
    assert 8 <= len(line.got()) <= 13
    line.sample(99.0)
    assert (31, False, [99.0]) in line.got()
    line.pass_(3.0)
    assert len(line.got()) == 31
    line.agent.stop(line.now)


def test_rows_are_deleted_by_the_acknowledgement_only(line: Line) -> None:
    """Publishing deletes nothing; the host's word does, and only for this spool."""
    line.connect()
    line.sample(1.0, 2.0, 3.0)
    assert line.spool.held_rows == 3
    line.acknowledge(3, spool="somebody else's")
    assert line.spool.held_rows == 3
    line.acknowledge(2)
    assert (line.spool.first_id, line.spool.held_rows) == (3, 1)
    assert line.agent.state(line.now).counters.acked == 2


def test_what_a_dead_link_swallowed_is_sent_again(line: Line) -> None:
    """Rows published into a black hole come as history after the reconnect; those acknowledged do not."""
    line.connect()
    line.sample(1.0)
    line.acknowledge(1)
    line.broker.reachable = False
    line.sample(2.0, 3.0)
    line.lose()
    line.sample(4.0)
    line.broker.reachable = True
    line.connect()
    line.pass_(0.1)
    assert line.got() == [(1, False, [1.0]), (2, True, [2.0]), (3, True, [3.0]), (4, True, [4.0])]


def test_a_second_agent_with_the_same_name_is_suspected_once(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections that end within seconds, again and again, become one problem that names the client id."""
    for _ in range(6):
        line.connect()
        line.pass_(1)
        line.lose()
    told = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(told) == 1
    assert "'site-gw'" in line.agent.state(line.now).problems["session"]
    assert len([r for r in caplog.records if "connection lost" in r.message]) == 2
    line.connect()
    line.pass_(7)
    assert "session" not in line.agent.state(line.now).problems


def test_a_row_lost_on_a_living_link_is_sent_again(line: Line) -> None:
    """When the acknowledged id stands still although more was sent, everything from there is repeated."""
    line.connect()
    line.sample(1.0)
    line.broker.reachable = False
    line.sample(2.0)
    line.broker.reachable = True
    line.sample(3.0)
    line.acknowledge(1)
    line.pass_(4.0)
    assert [i for i, _, _ in line.got()] == [1, 3]
    line.pass_(3.0)
    assert [(i, h) for i, h, _ in line.got()][2:] == [(2, True), (3, True)]
    assert line.agent.state(line.now).resends == 1


def test_a_silent_host_is_not_flooded(line: Line) -> None:
    """Without any acknowledgement repeats come less and less often."""
    line.connect()
    line.sample(1.0)
    line.pass_(60.0)
    assert 2 <= line.agent.state(line.now).resends <= 4


def test_without_acknowledgements_rows_go_after_three_keepalives(tmp_path: Path) -> None:
    """For a host without the extension a row is kept until a dead link would have been noticed."""
    line = Line(tmp_path, acknowledgement=False)
    line.connect()
    line.sample(1.0)
    line.pass_(29.0)
    assert line.spool.held_rows == 1
    line.pass_(3.0)
    assert line.spool.held_rows == 0
    assert line.got() == [(1, False, [1.0])]
    line.agent.stop(line.now)


def test_without_acknowledgements_a_lost_link_repeats_the_last_rows(tmp_path: Path) -> None:
    """What was published shortly before a loss goes out again after it."""
    line = Line(tmp_path, acknowledgement=False)
    line.connect()
    line.sample(1.0)
    line.pass_(15.0)
    line.lose()
    line.pass_(40.0)
    line.connect()
    line.pass_(0.1)
    assert [i for i, _, _ in line.got()] == [1, 1]
    line.agent.stop(line.now)


def test_a_restarted_agent_goes_on_with_what_was_held(tmp_path: Path) -> None:
    """Rows, ids, bdSeq and counters survive the process; the old rows are history."""
    first = Line(tmp_path)
    first.connect()
    first.sample(1.0, 2.0)
    first.agent.stop(first.now)
    assert any("/NDEATH/" in m.topic for m in first.broker.sent)
    second = Line(tmp_path)
    second.connect()
    second.sample(3.0)
    second.pass_(0.1)
    assert second.got() == [(3, False, [3.0]), (1, True, [1.0]), (2, True, [2.0])] or second.got() == [
        (1, True, [1.0]), (2, True, [2.0]), (3, False, [3.0]),
    ]  # fmt: skip
    assert second.spool.bd_seq == 1
    assert second.agent.state(second.now).counters.sampled == 3
    second.agent.stop(second.now)


def test_a_rebirth_repeats_the_births_and_what_is_not_acknowledged(line: Line) -> None:
    """A host that asks for births has lost something: births come anew, then the unacknowledged rows."""
    line.connect()
    line.sample(1.0)
    births = sum("BIRTH/" in m.topic for m in line.broker.sent)
    metric = codec.Metric("Node Control/Rebirth", datatype=11, timestamp_ms=1, value=True)
    line.agent.message("spBv1.0/site/NCMD/gw", codec.encode(codec.Message((metric,), 1)), line.now)
    line.pass_(0.1)
    assert sum("BIRTH/" in m.topic for m in line.broker.sent) == 2 * births == 6
    assert line.got() == [(1, False, [1.0]), (1, True, [1.0])]


def test_a_host_that_goes_offline_is_left(line: Line) -> None:
    """STATE offline: NDEATH goes out, the connection is made anew, nothing follows until the host is back."""
    line.connect()
    line.sample(1.0)
    line.pass_(0.02)
    line.host(online=False)
    assert "/NDEATH/" in line.broker.sent[-1].topic
    assert line.broker.dropped == 1
    line.connect(host=False)
    sent = len(line.broker.sent)
    line.sample(2.0)
    assert len(line.broker.sent) == sent
    line.pass_(0.02)
    line.host(online=True)
    line.pass_(0.1)
    assert line.values() == [1.0, 1.0, 2.0]


def test_a_point_taken_out_of_the_configuration_is_still_delivered(tmp_path: Path) -> None:
    """Rows of a device that is gone go out after the restart, because its birth is declared until then."""
    first = Line(tmp_path)
    first.sample(7.0, point=2)
    first.agent.stop(first.now)
    second = Line(tmp_path, points=(CH4,))
    second.connect()
    second.pass_(0.1)
    assert any(m.topic == "spBv1.0/site/DDATA/gw/fan" for m in second.broker.arrived)
    assert second.values() == [7.0]
    second.agent.stop(second.now)


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
    line.sample(*(float(i) for i in range(25)))
    assert line.agent.state(line.now).waiting == 10
    (tmp_path / "blocked").unlink()
    line.pass_(2.0)
    state = line.agent.state(line.now)
    assert (state.counters.sampled, state.counters.dropped, state.waiting) == (10, 15, 0)
    line.connect()
    line.pass_(0.1)
    assert line.values() == [float(i) for i in range(15, 25)]
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


def test_a_clock_set_back_an_hour_keeps_the_order(line: Line) -> None:
    """Times of a point rise over the jump, readings are marked uncertain, and the state says why."""
    line.connect()
    line.sample(1.0, 2.0)
    line.jump(-3600)
    line.sample(3.0, 4.0)
    times, qualities = [], []
    for message in line.broker.arrived:
        if "/DDATA/" in message.topic:
            metric = codec.decode(message.payload).metrics[0]
            times.append(metric.timestamp_ms)
            qualities.append(metric.quality)
    assert times == sorted(set(times))
    assert times[-1] - times[0] < 1_000
    assert qualities == [None, None, 64, 64]
    assert "went back" in line.agent.state(line.now).problems["clock"]


def test_a_driver_that_fails_is_asked_again_and_told(line: Line) -> None:
    """After three failures its points get a bad null reading, once; then they recover by themselves."""
    line.connect()
    line.driver.failure = "no answer on port 3"
    line.pass_(4.0)
    assert line.agent.state(line.now).problems["gas"] == "no answer on port 3"
    assert line.values() == [None, None, None]
    line.acknowledge(2)
    line.pass_(6.0)
    line.driver.failure = ""
    line.pass_(31.0)
    line.sample(1.0)
    line.pass_(1.0)
    assert "gas" not in line.agent.state(line.now).problems
    assert line.values() == [None, None, None, 1.0]


def test_rejected_lines_are_kept_and_counted(line: Line) -> None:
    """What a driver could not use is in the spool with its reason."""
    line.rejects.append(Reject(START, "gas", "time", "'x' is no time"))
    line.pass_(1.1)
    assert line.spool.rejects()[0].reason == "time"
    assert line.agent.state(line.now).counters.rejected == 1


def test_a_spool_that_gives_rows_up_tells_the_host_where_it_begins(tmp_path: Path) -> None:
    """Evicted rows are counted, told as a problem, and the births name the first row that can still come."""
    line = Line(tmp_path, limits=SpoolLimits(max_bytes=100_000))
    for i in range(60):
        for _ in range(100):
            line.driver.give(0, line.now.wall_ns, float(i))
        line.pass_(0.02)
    line.pass_(1.0)
    state = line.agent.state(line.now)
    assert state.counters.evicted > 0
    assert "given up" in state.problems["evicted"]
    line.connect()
    birth = codec.decode(line.broker.arrived[0].payload)
    first = birth.named("minewatch/spool_first")
    assert first is not None
    assert first.value == line.spool.first_id > 1
    line.agent.stop(line.now)


def test_the_birth_says_what_the_host_must_know(line: Line) -> None:
    """The NBIRTH names the spool, the rows held and the version; a DBIRTH unit, quantity, range and zone."""
    line.sample(0.4)
    line.connect()
    node = codec.decode(line.broker.arrived[0].payload)
    told = {m.name: m.value for m in node.metrics}
    assert told["minewatch/spool"] == line.spool.identity
    assert (told["minewatch/spool_rows"], told["minewatch/msg_id"], told["minewatch/interval_s"]) == (
        1,
        1,
        1.0,
    )
    device = codec.decode(line.broker.arrived[1].payload).named("CH4")
    assert device is not None
    assert device.value == 0.4
    assert device.properties["engUnit"] == "% CH4"
    assert (device.properties["engLow"], device.properties["engHigh"]) == (0.0, 5.0)
    assert device.properties["zone"] == "face"


def test_commits_are_grouped(line: Line) -> None:
    """Deliveries that come within commit_ms of the last commit share the next one."""
    line.pass_(0.1)
    for _ in range(30):
        line.driver.give(0, line.now.wall_ns, 1.0)
        line.pass_(0.002)
    line.pass_(0.02)
    assert line.spool.held_rows == 30
    assert line.spool.counters.sampled == 30


def test_sent_readings_are_counted_over_restarts(tmp_path: Path) -> None:
    """Sent counts every reading handed to the broker, repeats too, and is kept."""
    line = Line(tmp_path)
    line.sample(1.0, 2.0)
    line.connect()
    line.pass_(0.1)
    line.agent.stop(line.now)
    again = Line(tmp_path)
    assert again.agent.state(again.now).counters.sent == 2
    again.agent.stop(again.now)
