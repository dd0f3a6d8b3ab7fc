"""The agent over several brokers, over a slow link, and with a host that acknowledges nothing."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from minewatch_edge import state
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.runtime import run_agent
from servers import Absent, Server, mosquitto
from servers.mqtt_link import linked
from unit.edge import logging_driver
from unit.edge.acking_host import AckingHost
from unit.edge.test_broker_and_kill import delivered, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
MS = 1_000_000


@contextlib.contextmanager
def agent(broker: BrokerConfig, folder: Path, *, every_ms: int = 10, points: int = 2, **spool: float):
    """Run an agent; yields its driver."""
    stop = threading.Event()
    driver = logging_driver.LoggingDriver(folder / "driver.log", points, every_ms)
    settings = SpoolConfig(folder / "edge.spool", **{"resend_s": 1.0, **spool})  # type: ignore[arg-type]
    thread = threading.Thread(
        target=run_agent, args=(EdgeConfig("site", "gw", broker, settings), [driver], stop)
    )
    thread.start()
    try:
        yield driver
    finally:
        stop.set()
        thread.join(20)


def two_brokers(stack: contextlib.ExitStack) -> tuple[Server, Server]:
    """Start two brokers that know nothing of each other."""
    try:
        return stack.enter_context(mosquitto.running()), stack.enter_context(mosquitto.running())
    except Absent as absent:
        pytest.skip(f"absent part: {absent}")


def both(first: AckingHost, second: AckingHost, log: Path) -> bool:
    """Tell whether the two hosts have every reading between them, by point and time."""
    return (first.readings | second.readings) == delivered(log, 2)


def test_nothing_is_lost_when_the_broker_fails_over_and_back(tmp_path: Path) -> None:
    """A broker is killed: the agent goes on at the next, and back when the first returns; all arrives."""
    with contextlib.ExitStack() as stack:
        one, two = two_brokers(stack)
        first = stack.enter_context(AckingHost(one.port))
        second = stack.enter_context(AckingHost(two.port))
        broker = BrokerConfig(
            "127.0.0.1", one.port, keepalive_s=4, return_s=2, host_wait_s=3,
            fallback=(BrokerConfig("127.0.0.1", two.port, keepalive_s=4),),
        )  # fmt: skip
        with agent(broker, tmp_path) as driver:
            assert until(lambda: first.count > 200)
            one.kill()
            assert until(lambda: second.count > 200)
            one.start()
            seen = first.count
            assert until(lambda: first.count > seen + 200, 60)
            driver._step = 10**18  # no more readings
            assert until(lambda: both(first, second, tmp_path / "driver.log"))


def test_nothing_is_lost_when_the_first_broker_is_a_black_hole(tmp_path: Path) -> None:
    """A broker that swallows everything is left after the keepalive; what it swallowed goes out again."""
    with contextlib.ExitStack() as stack:
        one, two = two_brokers(stack)
        link = stack.enter_context(linked(one.port))
        first = stack.enter_context(AckingHost(one.port))
        second = stack.enter_context(AckingHost(two.port))
        broker = BrokerConfig(
            "127.0.0.1", link.port, keepalive_s=2, host_wait_s=2,
            fallback=(BrokerConfig("127.0.0.1", two.port, keepalive_s=2),),
        )  # fmt: skip
        with agent(broker, tmp_path) as driver:
            assert until(lambda: first.count > 200)
            link.hole = True
            assert until(lambda: second.count > 400, 60)
            driver._step = 10**18  # no more readings
            assert until(lambda: both(first, second, tmp_path / "driver.log"))


def test_the_agent_follows_its_host_to_the_other_broker(tmp_path: Path) -> None:
    """The host leaves one broker and comes up at the other: the agent follows, and all arrives."""
    with contextlib.ExitStack() as stack:
        one, two = two_brokers(stack)
        broker = BrokerConfig(
            "127.0.0.1", one.port, keepalive_s=4, host_wait_s=1,
            fallback=(BrokerConfig("127.0.0.1", two.port, keepalive_s=4),),
        )  # fmt: skip
        with agent(broker, tmp_path) as driver:
            with AckingHost(one.port) as first:
                assert until(lambda: first.count > 100)
            with AckingHost(two.port) as second:
                assert until(lambda: second.count > 200)
                driver._step = 10**18  # no more readings
                assert until(lambda: both(first, second, tmp_path / "driver.log"))


def test_live_readings_do_not_wait_for_history_on_a_slow_link(
    mosquitto_server: Server, tmp_path: Path
) -> None:
    """On a link of 20 kB/s live readings do not queue behind seconds of history, which drains meanwhile."""
    with contextlib.ExitStack() as stack:
        link = stack.enter_context(linked(mosquitto_server.port, rate=20_000))
        broker = BrokerConfig("127.0.0.1", link.port, keepalive_s=10)
        with agent(broker, tmp_path, every_ms=20, points=4, resend_s=20.0, resend_share=0.5) as driver:
            log = tmp_path / "driver.log"
            assert until(lambda: log.exists() and len(log.read_text().splitlines()) > 400)
            driver._step = 100 * MS
            held = len(log.read_text().splitlines())
            host = stack.enter_context(AckingHost(mosquitto_server.port))
            assert until(lambda: host.historical > 50)
            before, at = host.historical, len(log.read_text().splitlines())
            host.delays_ms.clear()
            assert until(lambda: len(log.read_text().splitlines()) > at + 80)
            delays = sorted(host.delays_ms)
            drained = host.historical - before
            driver._step = 10**18  # no more readings
            assert until(lambda: host.readings == delivered(log, 4), 60)
        assert held > 400
        assert drained > 20  # history went on meanwhile
        # behind the history the typical one would wait for seconds; the worst may meet a busy machine
        # (what p99 is, `make bench ONLY=edge` says)
        assert delays[len(delays) // 2] <= 1_000
        assert delays[int(len(delays) * 0.99)] <= 5_000


def test_a_host_without_acknowledgement_gets_everything(mosquitto_server: Server, tmp_path: Path) -> None:
    """A plain Sparkplug host gets all that was sampled while it was away; rows go three keepalives later."""
    broker = BrokerConfig("127.0.0.1", mosquitto_server.port, keepalive_s=2, acknowledgement=False)
    with agent(broker, tmp_path) as driver:
        log = tmp_path / "driver.log"
        assert until(lambda: log.exists() and len(log.read_text().splitlines()) > 100)
        with AckingHost(mosquitto_server.port, acknowledge=False) as host:
            assert until(lambda: host.historical > 100)
            driver._step = 10**18  # no more readings
            assert until(lambda: host.readings == delivered(log, 2))
            file = state.state_path(tmp_path / "edge.spool")
            assert until(lambda: '"held_rows": 0' in file.read_text(), 30)
