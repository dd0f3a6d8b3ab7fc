"""A driver for tests that writes down what it delivers before it delivers it, and the agent around it.

Run as a program: logging_driver.py PORT SPOOL LOG RATE POINTS [EVERY_MS]
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.runtime import run_agent
from minewatch_edge.sparkplug.births import PointBirth


class LoggingDriver:
    """``points`` readings every ``every_ms``; each poll is a line of the log: time in ms, value."""

    def __init__(self, log: Path, points: int, every_ms: int) -> None:
        self._births = [
            PointBirth("d", f"m{i}", "value", "1", interval_s=every_ms / 1e3) for i in range(points)
        ]
        self._log = log.open("a", encoding="ascii")
        self._step = every_ms * 1_000_000
        self._next = 0
        self._last_ms = 0
        self._count = 0

    def points(self) -> Sequence[PointBirth]:
        return self._births

    def due_ns(self, now_ns: int) -> int:
        return self._next

    def poll(self, now_ns: int) -> Sequence[Reading]:
        self._next = max(self._next + self._step, now_ns)
        ms = max(now_ns // 1_000_000, self._last_ms + 1)
        self._last_ms = ms
        self._count += 1
        self._log.write(f"{ms} {self._count}\n")
        self._log.flush()
        return [Reading(i, ms * 1_000_000, float(self._count)) for i in range(len(self._births))]

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        return []

    def close(self) -> None:
        self._log.close()


def config(port: int, spool: Path) -> EdgeConfig:
    """Return the configuration of the agent in these tests."""
    return EdgeConfig(
        "site",
        "gw",
        BrokerConfig("127.0.0.1", port, keepalive_s=4),
        SpoolConfig(spool, resend_s=1.0),
    )


def main(port: str, spool: str, log: str, points: str, every_ms: str) -> None:
    """Run the agent until it is killed or its input ends."""
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    driver = LoggingDriver(Path(log), int(points), int(every_ms))
    run_agent(config(int(port), Path(spool)), [driver], stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
