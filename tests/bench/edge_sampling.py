"""What one reading costs in the sampler, with every reading sent and with report by exception."""

from __future__ import annotations

import time
from collections.abc import Sequence

from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.reporting import Reporting
from minewatch_edge.sampling import Sampler
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import GOOD

POINTS = 500
POLLS = 200
ROUNDS = 7
S = 1_000_000_000
T0 = 1_700_000_000 * S


class Ready:
    """A driver whose readings were made beforehand, a second apart: the sampler alone is measured."""

    def __init__(self, polls: Sequence[Sequence[Reading]]) -> None:
        self._points = tuple(PointBirth("d", f"m{i}", "q", "1", "", 0.0, 100.0, 1.0) for i in range(POINTS))
        self._polls = polls

    def points(self) -> Sequence[PointBirth]:
        """Return the points."""
        return self._points

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return what was made for this second."""
        return self._polls[(now_ns - T0) // S]

    def due_ns(self, now_ns: int) -> int:
        """Be due at every call."""
        return now_ns

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Have nothing to look at."""
        return ()

    def close(self) -> None:
        """Hold nothing."""


def made(change_every: int) -> list[list[Reading]]:
    """Return polls in which each point changes once in so many."""
    return [
        [Reading(i, T0 + k * S, 1.0 + (k + i) // change_every % 50, GOOD) for i in range(POINTS)]
        for k in range(POLLS)
    ]


def measured(polls: list[list[Reading]], reports: dict[tuple[str, str], Reporting]) -> tuple[float, float]:
    """Return nanoseconds a reading, and the share of readings that goes on."""
    best, told = float("inf"), 0
    for _ in range(ROUNDS):
        sampler = Sampler([Ready(polls)], reports)
        began = time.process_time_ns()
        rows = [sampler.poll(T0 + k * S) for k in range(POLLS)]
        best = min(best, (time.process_time_ns() - began) / (POINTS * POLLS))
        told = sum(len(row.columns.points) for some in rows for row in some)
    return best, told / (POINTS * POLLS)


def main() -> None:
    """Print every figure; a point changes every tenth second."""
    polls = made(10)
    cost, _ = measured(polls, {})
    print(f"edge.sampling.every {cost:.0f} ns/reading", flush=True)
    reports = {("d", f"m{i}"): Reporting(0.5, 60.0) for i in range(POINTS)}
    cost, share = measured(polls, reports)
    print(f"edge.sampling.deadband {cost:.0f} ns/reading", flush=True)
    print(f"edge.sampling.deadband_told {share * 100:.0f} %", flush=True)


if __name__ == "__main__":
    main()
