"""The real agent command with one more kind of driver: it writes down each reading before the agent sees it.

Run as a program: reloading_agent.py EDGE_TOML. Devices of kind "logged" take ``log``, a folder where each
device has a file of lines TIME_MS VALUE LATE_SLOTS; they stop giving readings once it has a file "stop".
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from minewatch_edge import cli
from minewatch_edge.config import DeviceConfig
from minewatch_edge.drivers import KINDS, Kind
from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.spool import Reject

VALUES = itertools.count(1)
LAST_MS: dict[str, int] = {}


class Logged:
    """One reading of each point per slot of a fixed grid."""

    def __init__(self, device: DeviceConfig) -> None:
        self._births = [p.birth for p in device.points]
        self._folder = Path(device.options.text("log"))
        self._name = device.id
        self._log = (self._folder / device.id).open("a", encoding="ascii")
        self._step = int(device.interval_s * 1e9)
        self._due = 0

    def points(self) -> Sequence[PointBirth]:
        return self._births

    def due_ns(self, now_ns: int) -> int:
        return self._due or now_ns

    def poll(self, now_ns: int) -> Sequence[Reading]:
        if (self._folder / "stop").exists():
            self._due = now_ns + 10**9
            return ()
        late = (now_ns - self._due) // self._step if self._due else 0
        self._due = (self._due or now_ns) + (late + 1) * self._step
        ms = LAST_MS[self._name] = max(now_ns // 1_000_000, LAST_MS.get(self._name, 0) + 1)
        value = next(VALUES)
        self._log.write(f"{ms} {value} {late}\n")
        self._log.flush()
        return [Reading(i, ms * 1_000_000, float(value)) for i in range(len(self._births))]

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        return [CheckResult(f"{b.device}/{b.metric}", True, "logged") for b in self._births]

    def close(self) -> None:
        self._log.close()


def make(device: DeviceConfig, _folder: Path, _refuse: Callable[[Reject], None]) -> Logged:
    """Make the driver of a device."""
    return Logged(device)


if __name__ == "__main__":
    KINDS["logged"] = Kind(make, ("log",))
    sys.exit(cli.main(["run", sys.argv[1]]))
