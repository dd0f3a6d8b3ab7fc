"""A driver in a thread of its own: slow or hanging devices hold up nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from minewatch_edge.drivers import KINDS
from minewatch_edge.drivers.apart import Apart
from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.errors import DriverError, DriverSilent
from minewatch_edge.sampling import Sampler
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD
from minewatch_edge.spool import Reject
from minewatch_edge.testing import ListDriver

S = 1_000_000_000
START = 1_800_000_000 * S
SOON_S = 20.0  # what a busy machine may need to run a thread
SLOW = PointBirth("slow", "CH4", "methane", "% CH4", interval_s=1.0)
QUICK = PointBirth("quick", "CO", "carbon_monoxide", "ppm", interval_s=1.0)


class Held:
    """A driver that answers a poll only when it is let go; due each second."""

    def __init__(self, refuse: Callable[[Reject], None]) -> None:
        self.refuse = refuse
        self.go = threading.Semaphore(0)
        self.failure: Exception | None = None
        self.asked: list[int] = []
        self.closed = threading.Event()
        self._due = 0

    def points(self) -> Sequence[PointBirth]:
        """Return its one point."""
        return [SLOW]

    def due_ns(self, now_ns: int) -> int:
        """Return a second after the last poll."""
        return self._due

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Wait to be let go, then answer or fail."""
        self.asked.append(now_ns)
        self._due = now_ns + S
        assert self.go.acquire(timeout=60)
        if self.failure is not None:
            raise self.failure
        return [Reading(0, now_ns, float(len(self.asked)))]

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Say nothing."""
        return []

    def close(self) -> None:
        """Remember it."""
        self.closed.set()


class Bench:
    """A slow device beside a quick one, under one sampler; `woken` waits for the worker."""

    def __init__(self) -> None:
        self.rang = threading.Semaphore(0)
        self.refused: list[Reject] = []
        self.slow: Held
        self.apart = Apart(self._make, self.refused.append, hang_ns=10 * S, wake=self.rang.release)
        self.quick = ListDriver([QUICK])
        self.sampler = Sampler([self.apart, self.quick])

    def _make(self, refuse: Callable[[Reject], None]) -> Held:
        self.slow = Held(refuse)
        return self.slow

    def at(self, second: float) -> list[tuple[str, float, int]]:
        """Sample at a second; return (device, value, quality) of each reading."""
        rows = self.sampler.poll(START + int(second * S))
        return [
            (row.device, value, quality)
            for row in rows
            for value, quality in zip(row.columns.values, row.columns.qualities, strict=True)
        ]

    def answer(self) -> None:
        """Let the slow device answer, and wait until its worker has."""
        self.slow.go.release()
        assert self.rang.acquire(timeout=SOON_S)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Two devices; the slow one's worker ends with the test."""
    made = Bench()
    yield made
    made.slow.go.release(100)
    made.sampler.close()
    assert made.slow.closed.wait(SOON_S)


def test_a_slow_device_holds_up_no_other(bench: Bench) -> None:
    """While one device is asked the other's readings come at their times; the answer comes later."""
    assert bench.at(0) == []
    for second in range(1, 6):
        bench.quick.give(0, START + second * S, float(second))
        assert bench.at(second) == [("quick", float(second), 192)]
    bench.answer()
    assert bench.at(6) == [("slow", 1.0, 192)]


def test_nothing_piles_up_behind_a_device_that_hangs(bench: Bench) -> None:
    """However long a poll stays out there is one only, and after it the next one is asked at once."""
    for second in range(100):
        bench.at(second)
    bench.answer()
    bench.at(100)
    bench.answer()
    assert bench.slow.asked == [START, START + 100 * S]


def test_a_device_that_hangs_is_told_once_and_goes_on_by_itself(bench: Bench) -> None:
    """After ten seconds its point has no signal, said once; the late answer is no reading, the next is."""
    found = [reading for second in range(60) for reading in bench.at(second)]
    assert [(device, quality) for device, _, quality in found] == [("slow", BAD)]
    assert "10 s" in bench.sampler.problems()["slow"]
    assert bench.sampler.due_ns(START + 59 * S) > START + 59 * S
    bench.answer()
    assert bench.at(60) == []
    assert bench.sampler.late == 1
    bench.answer()
    assert bench.at(61) == [("slow", 2.0, 192)]
    assert bench.sampler.problems() == {}


def test_a_failing_device_is_bad_after_three_failures(bench: Bench) -> None:
    """Faults that a worker brings count as those of a driver in the agent's thread; asking is no answer."""
    bench.slow.failure = DriverError("no route")
    found = []
    for second in range(0, 12, 2):
        bench.at(second)
        if len(bench.slow.asked) < 4 and bench.apart.busy:
            bench.answer()
        found += bench.at(second + 0.5)
    assert [quality for _, _, quality in found] == [BAD]
    assert bench.sampler.problems() == {"slow": "no route"}


def test_time_that_is_set_forward_is_no_silence(bench: Bench) -> None:
    """A clock that jumps a day ahead while a poll is out does not make its device silent."""
    bench.at(0)
    bench.apart.moved(86_400 * S)
    assert bench.at(86_401) == []
    assert bench.at(86_409) == []
    with pytest.raises(DriverSilent):
        bench.apart.poll(START + 86_410 * S)


def test_lines_a_worker_refused_come_over_with_its_answer(bench: Bench) -> None:
    """What the driver refuses in its thread is handed over in the agent's."""
    bench.at(0)
    bench.slow.refuse(Reject(START, "slow", "value", "x"))
    assert bench.refused == []
    bench.answer()
    bench.at(1)
    assert [reject.reason for reject in bench.refused] == ["value"]


def test_the_end_does_not_wait_for_a_device_that_hangs(bench: Bench) -> None:
    """Close returns while the device hangs; when it comes back its driver is closed."""
    bench.at(0)
    bench.sampler.close()
    assert not bench.slow.closed.is_set()
    bench.slow.go.release()
    assert bench.slow.closed.wait(SOON_S)


def test_only_drivers_that_never_wait_share_the_agents_thread() -> None:
    """The kinds that run in the agent's thread are those that read no device."""
    assert {name for name, kind in KINDS.items() if kind.inline} <= {"simulated", "csv"}


class Kept(Held):
    """A held driver that hears which of its polls are on the disk."""

    def __init__(self, refuse: Callable[[Reject], None]) -> None:
        super().__init__(refuse)
        self.heard: list[int] = []

    def kept(self, polls: int) -> None:
        """Remember it."""
        self.heard.append(polls)


def test_a_driver_hears_only_of_polls_whose_answer_was_handed_out() -> None:
    """An answer that still waits, or a poll that is out, is on no disk."""
    made: list[Kept] = []
    rang = threading.Event()

    def make(refuse: Callable[[Reject], None]) -> Kept:
        made.append(Kept(refuse))
        return made[0]

    apart = Apart(make, lambda _reject: None, hang_ns=60 * S, wake=rang.set)
    sampler = Sampler([apart])
    sampler.poll(START)
    sampler.kept()
    made[0].go.release()
    assert rang.wait(SOON_S)
    sampler.kept()
    sampler.poll(START + 2 * S)  # takes the answer, and asks again at once
    sampler.kept()
    made[0].go.release()
    sampler.close()
    assert made[0].heard == [0, 0, 1]
