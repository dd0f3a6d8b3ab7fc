"""The core's loop and its peers over a real socket; the clock is told, turns are counted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minewatch.alerts.rule import key_of
from minewatch.app.core import Core
from minewatch.app.link import Frame, Link, pack, pack_readings, read
from minewatch.app.pipeline import Pipeline
from minewatch.config import Config, CoreSettings
from minewatch.contracts import (
    AlertEvent,
    Announce,
    Deliveries,
    NewReason,
    PointInfo,
    ReadingBatch,
    Text,
    Watermark,
    Written,
)
from minewatch.errors import NotFound, StoreBusy
from minewatch.testing import FakeClock, MemoryTelemetry
from unit.app.a_mine import HOUR, T0, Refusing, S, gateway, meter, pipeline

TURNS = 400  # of at most 20 ms each


class Bench:
    """A core whose turns run until something holds."""

    def __init__(self, folder: Path, mine: Pipeline) -> None:
        self.clock = FakeClock()
        self.mine = mine
        config = Config(data=folder, core=CoreSettings(buffer_rows=10_000))
        config.run.mkdir(parents=True)
        self.config = config
        self.core = Core(config, mine, self.clock)

    def run(self, *steps: Callable[[], bool]) -> None:
        """Run the core; each step is asked every turn until it says yes, then the next; then it ends."""
        left, turns = list(steps), iter(range(TURNS))

        def stop() -> bool:
            while left and left[0]():
                left.pop(0)
            assert next(turns, None) is not None, f"{len(left)} steps did not come true"
            return not left

        self.core.run(stop, lambda: None)

    @contextmanager
    def peer(self, role: str) -> Iterator[Link]:
        """Connect as another process would."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20
            )  # a whole frame: one thread plays both
            sock.connect(str(self.config.socket))
            link = Link(sock)
            link.send(pack("hello", {"role": role}))
            yield link


def intake(
    batch: ReadingBatch, msg_id: int, points: dict[int, PointInfo], *, spool: int = 0, online: bool = True
) -> bytes:
    """Return a frame of ingest with one message of the one gateway."""
    deliveries = Deliveries(
        np.array([spool], np.int32), np.array([msg_id], np.int64), np.array([len(batch)], np.int32)
    )
    body = {
        "points": points,
        "spools": {0: ("mine/gw", "spool")},
        "gateways": [gateway()] if online else [],
        "rejects": [],
        "rows": len(batch),
        "messages": 1,
    }
    return pack("intake", body, pack_readings(batch, deliveries))


def readings(n: int) -> ReadingBatch:
    """Return n readings of the first meter, a microsecond apart."""
    return ReadingBatch.of([0] * n, [T0 + i * 1000 for i in range(n)], [0.2] * n)


class Sender:
    """Steps of a process that connects, sends, and stays or dies."""

    def __init__(self, bench: Bench, role: str = "ingest") -> None:
        self._bench, self._role = bench, role
        self._open: Any = None
        self.link: Link | None = None
        self.frames: list[Frame] = []

    def sends(self, *frames: bytes) -> Callable[[], bool]:
        """Return a step that sends frames."""

        def step() -> bool:
            if self.link is None:
                self._open = self._bench.peer(self._role)
                self.link = self._open.__enter__()
            for frame in frames:
                self.link.send(frame)
            return True

        return step

    def dies(self) -> bool:
        """Be gone, as by kill -9."""
        self._open.__exit__(None, None, None)
        return True

    def answered(self, number: int) -> Callable[[], bool]:
        """Return a step that waits for an answer."""

        def step() -> bool:
            assert self.link is not None
            self.frames += self.link.receive()
            return any(f.kind == "answer" and f.body["id"] == number for f in self.frames)

        return step


def test_a_new_ingest_is_held_back_too_and_heard_when_the_store_recovers(tmp_path: Path) -> None:
    """While the store refuses and the buffer is full a restarted ingest waits as the old one did."""
    telemetry = Refusing()
    bench = Bench(tmp_path, pipeline(telemetry))
    first, second = Sender(bench), Sender(bench)
    seen: list[int] = []
    marks: list[Watermark] = []

    def held_for_ten_turns() -> bool:
        seen.append(bench.mine.waiting)
        return len(seen) > 10

    def recovers() -> bool:
        telemetry.full = False
        bench.clock.advance(1)
        marks[:] = telemetry.watermarks()
        return telemetry.counts().stored == 10_001

    bench.run(
        first.sends(intake(readings(10_000), 1, {0: meter("a")})),
        lambda: bench.mine.waiting == 10_000,
        first.dies,
        second.sends(),
        lambda: [peer.role for peer in bench.core._peers].count("ingest") == 2,
        second.sends(intake(ReadingBatch.of([0], [T0 + S], [0.2]), 2, {0: meter("a")})),
        held_for_ten_turns,
        recovers,
    )
    assert max(seen) == 10_000
    assert [(mark.upto, mark.above) for mark in marks] == [(2, ())]


def test_held_back_readings_are_a_problem_that_is_told_and_no_silence(tmp_path: Path) -> None:
    """While nothing is taken the state says so, and meters that are not listened to are not called silent."""
    telemetry = Refusing()
    bench = Bench(tmp_path, pipeline(telemetry))
    ingest = Sender(bench)
    problems: dict[str, str] = {}

    def a_minute_passes() -> bool:
        bench.clock.advance(1)
        problems.update(bench.core.state().problems)
        return bench.clock.now_ns() > T0 + 60 * S

    bench.run(
        ingest.sends(intake(readings(10_000), 1, {0: meter("a")})),
        lambda: bench.mine.waiting == 10_000,
        a_minute_passes,
    )
    assert "no new alert" in problems["core"]
    assert bench.mine.book.alerts() == []


def test_a_test_is_announced_over_the_socket(tmp_path: Path) -> None:
    """Serve is answered and told with the row of each meter; what cannot be announced is a refusal."""
    mine = pipeline()
    mine.register([meter("a"), meter("b")], T0)
    bench = Bench(tmp_path, mine)
    serve = Sender(bench, "serve")
    asked = [Announce(place, "", T0, T0 + HOUR, "desk-1", 2.2) for place in ("mine", "elsewhere")]
    bench.run(
        serve.sends(
            *(pack("request", {"id": i, "call": "announce", "asked": a}) for i, a in enumerate(asked, 1))
        ),
        serve.answered(2),
    )
    answers = {f.body["id"]: f.body for f in serve.frames if f.kind == "answer"}
    rows = [read(AlertEvent, row) for row in answers[1]["ok"]]
    assert [row.announced.place for row in rows if row.announced] == ["mine/a/CH4", "mine/b/CH4"]
    pushed = [e["row"] for f in serve.frames if f.kind == "push" for e in f.body["events"]]
    assert pushed == [row.row for row in rows]
    assert answers[2]["error"] == "NotFound"


def test_a_question_that_fails_leaves_the_next_ones_answered(tmp_path: Path) -> None:
    """Whatever a query raises, its asker is told and the thread of queries lives on."""

    class Broken(MemoryTelemetry):
        def readings(self, point: int, from_ns: int, to_ns: int, limit: int) -> ReadingBatch:
            raise ValueError("out of range")

    bench = Bench(tmp_path, pipeline(Broken()))
    serve = Sender(bench, "serve")
    question = {"id": 1, "call": "readings", "point": 0, "from_ns": 0, "to_ns": 1, "limit": 1}
    bench.run(
        serve.sends(pack("request", question), pack("request", {"id": 2, "call": "counts"})),
        serve.answered(2),
    )
    answers = {f.body["id"]: f.body for f in serve.frames if f.kind == "answer"}
    assert answers[1]["error"] == "CoreUnavailable"
    assert answers[2]["ok"] == {"stored": 0, "distinct": 0}


def test_a_failure_writes_no_watermark_for_readings_it_lost(tmp_path: Path) -> None:
    """An id whose readings failed on their way is not kept as held, so that the gateway sends it again."""
    telemetry = MemoryTelemetry()
    bench = Bench(tmp_path, pipeline(telemetry))
    ingest = Sender(bench)
    unheard_of = ReadingBatch.of([1], [T0], [0.2])
    with pytest.raises(NotFound):
        bench.run(
            ingest.sends(intake(unheard_of, 1, {0: meter("a"), 2: meter("b")})),
            lambda: False,
        )
    assert telemetry.points  # its birth was taken
    assert telemetry._marks == {}
    assert not (tmp_path / "state.bin").exists()


def test_an_id_without_a_spool_harms_nobody(tmp_path: Path) -> None:
    """A message with an id from a gateway that has no spool is taken as one without an id."""
    telemetry = MemoryTelemetry()
    bench = Bench(tmp_path, pipeline(telemetry))
    ingest = Sender(bench)
    bench.run(
        ingest.sends(intake(ReadingBatch.of([0], [T0], [0.2]), 5, {0: meter("a")}, spool=-1)),
        lambda: bench.mine.waiting == 1,
    )


def test_a_clock_that_is_set_ahead_calls_no_meter_silent(tmp_path: Path) -> None:
    """A step of the wall clock that the steady clock did not make is no silence."""
    bench = Bench(tmp_path, pipeline())
    ingest = Sender(bench)

    def clock_is_set() -> bool:
        bench.clock.step(3600)
        bench.clock.advance(1)
        return True

    bench.run(
        ingest.sends(intake(ReadingBatch.of([0], [T0], [0.2]), 1, {0: meter("a")})),
        lambda: bench.mine.readings == 1,
        clock_is_set,
        ingest.sends(intake(ReadingBatch.of([0], [T0 + S], [0.2]), 2, {})),
        lambda: bench.mine.readings == 2,
    )
    assert bench.mine.records.events() == []


def test_a_gateway_is_told_when_ingest_stays_away(tmp_path: Path) -> None:
    """An ingest process that dies and does not come back is an alert of its gateways."""
    bench = Bench(tmp_path, pipeline())
    ingest = Sender(bench)

    def time_passes() -> bool:
        bench.clock.advance(1)
        return bool(bench.mine.records.events())

    bench.run(
        ingest.sends(intake(ReadingBatch.of([0], [T0], [0.2]), 1, {0: meter("a")})),
        lambda: bench.mine.readings == 1,
        ingest.dies,
        time_passes,
    )
    assert [e.alert.rule for e in bench.mine.records.events()] == ["gateway-offline"]


def test_a_store_that_refuses_slowly_is_asked_rarely(tmp_path: Path) -> None:
    """A store that takes ten seconds to refuse does not take most of the core's time."""
    clock = FakeClock()

    class Slow(MemoryTelemetry):
        asked = 0

        def write(self, batch: ReadingBatch, watermarks: object = ()) -> Written:
            self.asked += 1
            clock.advance(10)
            raise StoreBusy("no answer")

    telemetry = Slow()
    bench = Bench(tmp_path, pipeline(telemetry))
    bench.clock = bench.core.clock = clock
    ingest = Sender(bench)

    def two_minutes_pass() -> bool:
        clock.advance(1)
        return clock.now_ns() > T0 + 120 * S

    bench.run(
        ingest.sends(intake(ReadingBatch.of([0], [T0], [0.2]), 1, {0: meter("a")})),
        lambda: bench.mine.waiting == 1,
        two_minutes_pass,
    )
    assert 2 <= telemetry.asked <= 5


@pytest.mark.parametrize("stopped", [True, False], ids=["stop", "snapshot"])
def test_a_word_that_waits_is_in_the_journal_before_the_state_is_kept(
    tmp_path: Path, *, stopped: bool
) -> None:
    """Neither a stop nor a snapshot keeps state beside which a word of an alert is not written."""
    bench = Bench(tmp_path, pipeline())
    bench.mine.register([meter("a")], T0)
    bench.mine.take(ReadingBatch.of([0], [T0], [1.5]), T0)
    bench.clock.advance(5)

    def knows() -> bool:
        now = bench.clock.now_ns()
        key = key_of("high", meter("a").place)
        reasons = [NewReason(key, now + n, Text(f"{n}", f"{n}", f"{n}")) for n in (1, 2)]
        bench.mine._record(bench.mine.book.explain(reasons, now))
        assert words() == ["", "1"]
        return True

    def words() -> list[str]:
        return [event.alert.now.en for event in bench.mine.records.events()]

    def five_seconds_pass() -> bool:
        bench.clock.advance(5.5)
        return True

    def written() -> bool:
        return words() == ["", "1", "2"]

    bench.run(knows, *(() if stopped else (five_seconds_pass, written)))
    assert written()
    assert (bench.config.data / "state.bin").exists()
