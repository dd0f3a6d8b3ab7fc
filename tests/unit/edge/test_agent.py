"""The agent on a timeline: a fake broker, a fake clock, a real spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minewatch_edge.sparkplug import births, codec
from minewatch_edge.spool import Reject
from unit.edge.line import CH4, START, Line


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


def test_a_clock_set_back_an_hour_keeps_the_order(line: Line) -> None:
    """Times of a point rise over the jump, the clock is said to be unknown, and the state says why."""
    line.connect()
    line.sample(1.0, 2.0)
    line.jump(-3600)
    line.sample(3.0, 4.0)
    times, clocks, aliases = [], [], line.broker.aliases()
    for message in line.broker.arrived:
        if "/DDATA/" in message.topic:
            metrics = codec.decode(message.payload).metrics
            times.append(metrics[0].timestamp_ms)
            clocks.append([m.value for m in metrics if aliases[m.alias or 0] == births.CLOCK])
    assert times == sorted(set(times))
    assert times[-1] - times[0] < 1_000
    assert clocks == [[], [], [2], [2]]
    state = line.agent.state(line.now)
    assert "stepped by -3600 s" in state.problems["clock"]
    assert (state.clock, state.clock_steps) == ("unknown", 1)


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


def test_the_birth_says_what_the_host_must_know(line: Line) -> None:
    """The NBIRTH names the spool, the rows held and the version; a DBIRTH unit, quantity, range and zone."""
    line.sample(0.4)
    line.connect()
    node = codec.decode(line.broker.arrived[0].payload)
    told = {m.name: m.value for m in node.metrics}
    assert told["minewatch/spool"] == line.spool.identity
    assert (told["minewatch/spool_rows"], told["minewatch/msg_id"], told["minewatch/interval_s"]) == (
        1,
        0,
        1.0,
    )
    assert told["minewatch/note"] == ""
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
