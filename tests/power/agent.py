"""The agent of the power tests: it delivers numbered readings and writes down what its spool has taken.

Run as a program: agent.py PORT SPOOL WITNESS BOOT SYNC. Each line of the witness is ``id time_ms value
durable``, written after the commit returned; ``durable`` is 1 for a row that waited for the disk.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from minewatch_edge import runtime
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.gaps import Gap
from minewatch_edge.rows import NewRow
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.spool import Spool

_EVERY_NS = 3_000_000
_OUTSIDE_EACH = 15  # such a reading is outside its range, so its row waits for the disk


class NumberedDriver:
    """One point; a reading each 3 ms for as long as ``going``, its value a number that never comes again."""

    def __init__(self, first: int) -> None:
        self.going = True
        self._next_ns = 0
        self._number = first

    def points(self) -> Sequence[PointBirth]:
        return (PointBirth("d", "m", "value", "1", low=0.0, interval_s=0.003),)

    def due_ns(self, now_ns: int) -> int:
        return self._next_ns if self.going else now_ns + 10**9

    def poll(self, now_ns: int) -> Sequence[Reading]:
        self._next_ns = now_ns + _EVERY_NS
        self._number += 1
        outside = self._number % _OUTSIDE_EACH == 0
        return [Reading(0, now_ns, float(-self._number if outside else self._number))]

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        return []

    def close(self) -> None:
        pass


class WitnessedSpool(Spool):
    """A spool that writes down each row after its commit."""

    witness: Path
    durable = False

    def append(self, rows: Sequence[NewRow], now_ns: int, *, sent: int = 0, lost: Gap | None = None) -> int:
        first = super().append(rows, now_ns, sent=sent, lost=lost)
        full = int(self.durable or any(row.priority for row in rows))
        lines = [
            f"{number} {row.columns.times[0]} {row.columns.values[0]} {full}\n"
            for number, row in enumerate(rows, first)
        ]
        with self.witness.open("ab", buffering=0) as file:
            file.write("".join(lines).encode())
        return first


def main(port: str, spool: str, witness: str, boot: str, sync: str) -> None:
    """Run the agent until it is killed; SIGTERM ends it in order, a line on stdin ends the readings."""
    WitnessedSpool.witness, WitnessedSpool.durable = Path(witness), sync == "full"
    runtime.Spool = WitnessedSpool  # type: ignore[misc]  # the same spool, seen from outside
    runtime.boot_id = lambda: boot
    driver = NumberedDriver(int(boot) * 1_000_000)
    stop = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        driver.going = False
        sys.stdin.readline()
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    config = EdgeConfig(
        "site", "gw", BrokerConfig("127.0.0.1", int(port), keepalive_s=4),
        SpoolConfig(Path(spool), resend_s=1.0, full_sync=sync == "full"),
    )  # fmt: skip
    runtime.run_agent(config, [driver], stop)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
