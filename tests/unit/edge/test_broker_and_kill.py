"""The agent against a real broker and a host that acknowledges, while both ends are killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from minewatch_edge.runtime import run_agent
from servers import Server
from unit.edge import logging_driver
from unit.edge.acking_host import AckingHost

pytestmark = pytest.mark.system


def until(truth: object, seconds: float = 30.0) -> bool:
    """Wait for something to become true, by an event that nobody sets."""
    never = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if truth():  # type: ignore[operator]
            return True
        never.wait(0.05)
    return False


def delivered(log: Path, points: int) -> Counter[tuple[str, str, int, float | None]]:
    """Return what the driver wrote down, as the host counts it."""
    lines = [line.split() for line in log.read_text().splitlines(keepends=False)]
    return Counter(("d", f"m{i}", int(ms), float(n)) for ms, n in lines for i in range(points))


class Process:
    """The agent as a process of its own."""

    def __init__(self, port: int, folder: Path, *, points: int = 3, every_ms: int = 5) -> None:
        self.log = folder / "driver.log"
        self._arguments = [str(port), str(folder / "edge.spool"), str(self.log), str(points), str(every_ms)]

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(Path(logging_driver.__file__)), *self._arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE)


def test_nothing_is_lost_when_the_broker_dies(iotcore_server: Server, tmp_path: Path) -> None:
    """Every reading sampled while the broker is killed and comes back reaches the host, once."""
    stop = threading.Event()
    log = tmp_path / "driver.log"
    driver = logging_driver.LoggingDriver(log, 3, 5)
    config = logging_driver.config(iotcore_server.port, tmp_path / "edge.spool")
    with AckingHost(iotcore_server.port) as host:
        agent = threading.Thread(target=run_agent, args=(config, [driver], stop))
        agent.start()
        assert until(lambda: host.count > 300)
        iotcore_server.kill()
        seen = len(log.read_text().splitlines())
        assert until(lambda: len(log.read_text().splitlines()) > seen + 200)
        iotcore_server.start()
        before = host.count
        assert until(lambda: host.count > before + 900)
        driver._step = 10**18  # no more readings
        assert until(lambda: host.readings == delivered(log, 3))
        stop.set()
        agent.join(10)
    assert host.historical > 0


def test_nothing_is_lost_when_the_agent_is_killed(iotcore_server: Server, tmp_path: Path) -> None:
    """What was committed before kill -9 arrives after the next start, each reading once."""
    process = Process(iotcore_server.port, tmp_path)
    with AckingHost(iotcore_server.port) as host:
        for _ in range(2):
            running = process.start()
            more = host.count + 300
            assert until(lambda more=more: host.count > more)
            running.kill()
            running.wait(10)
        running = process.start()
        more = host.count + 300
        assert until(lambda: host.count > more)
        running.stdin.close()  # type: ignore[union-attr]
        assert running.wait(10) == 0
        running = process.start()
        until(lambda: not delivered(process.log, 3) - host.readings, 5)
        running.kill()
        running.wait(10)
    missing = delivered(process.log, 3) - host.readings
    assert max(host.readings.values()) == 1
    # The driver writes its line before the agent can commit; a commit each 10 ms leaves a few polls a kill.
    assert sum(missing.values()) <= 3 * 3 * 6


def test_nothing_is_lost_while_the_host_is_away(broker: Server, tmp_path: Path) -> None:
    """A host that leaves with STATE offline and comes back gets what was sampled meanwhile, as history."""
    stop = threading.Event()
    log = tmp_path / "driver.log"
    driver = logging_driver.LoggingDriver(log, 2, 10)
    config = logging_driver.config(broker.port, tmp_path / "edge.spool")
    agent = threading.Thread(target=run_agent, args=(config, [driver], stop))
    agent.start()
    with AckingHost(broker.port) as first:
        assert until(lambda: first.count > 100)
    seen = len(log.read_text().splitlines())
    assert until(lambda: len(log.read_text().splitlines()) > seen + 100)
    with AckingHost(broker.port) as second:
        assert until(lambda: second.count > 200)
        driver._step = 10**18  # no more readings
        both = lambda: first.readings | second.readings  # noqa: E731
        assert until(lambda: both() == delivered(log, 2))
        stop.set()
        agent.join(10)
    assert second.historical > 100
