"""The serve process's end of the core's socket: commands, telemetry queries, and what is pushed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from prometheus_client import Counter

from minewatch.app.link import Frame, Unpacker, pack, read, unpack_readings
from minewatch.app.processes import trouble_file, why_not
from minewatch.contracts import (
    AlertEvent,
    Announce,
    Buckets,
    Clock,
    Command,
    Counts,
    Push,
    ReadingBatch,
    SystemState,
)
from minewatch.errors import CommandRefused, CoreUnavailable, NotFound, StoreBusy, StoreError, WireError
from minewatch.serve.core import PointLimit

log = structlog.get_logger(__name__)

ERRORS: dict[str, type[Exception]] = {
    "NotFound": NotFound,
    "StoreBusy": StoreBusy,
    "StoreError": StoreError,
}
PATIENCE_S = 10.0
MISSED = Counter("minewatch_serve_missed_pushes_total", "Pushes of the core that a full queue did not take.")
AWAY = "the core process is not reachable; it is being restarted"


class CoreClient:
    """Implements ``minewatch.serve.core.Core`` over the socket; connects anew for as long as it lives."""

    def __init__(self, path: Path, clock: Clock, *, telemetry: str) -> None:
        self._path = path
        self._trouble = trouble_file(path.parent, "core")
        self._clock = clock
        self._telemetry = telemetry
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._followers: list[asyncio.Queue[Push]] = []
        self._latest: dict[int, tuple[int, float, int]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._state = self._away_state()
        self._task: asyncio.Task[None] | None = None

    def _away_state(self) -> SystemState:
        problems = {"core": AWAY}
        if found := why_not(self._trouble):
            problems |= {found["part"] or "core": found["problem"]}
        return SystemState(False, problems, (), self._telemetry, self._clock.now_ns())

    async def start(self) -> None:
        """Begin to connect, and to stay connected."""
        self._task = asyncio.create_task(self._stay_connected())

    async def stop(self) -> None:
        """Leave the core."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # ---- Core ----------------------------------------------------------------------------------

    def state(self) -> SystemState:
        """Return the last known state; a core that is away is a problem by that name."""
        return self._state

    async def command(self, command: Command) -> AlertEvent:
        """Have a command carried out; raises CommandRefused, NotFound or CoreUnavailable."""
        frame = await self._ask("command", command=command)
        return read(AlertEvent, frame.body["ok"])

    async def announce(self, asked: Announce) -> Sequence[AlertEvent]:
        """Have tests of meters expected; raises NotFound, CommandRefused or CoreUnavailable."""
        frame = await self._ask("announce", asked=asked)
        return [read(AlertEvent, row) for row in frame.body["ok"]]

    async def readings(self, point: int, from_ns: int, to_ns: int, limit: int) -> ReadingBatch:
        """Return readings of a point, oldest first."""
        frame = await self._ask("readings", point=point, from_ns=from_ns, to_ns=to_ns, limit=limit)
        return unpack_readings(frame.columns, frame.body["ok"]["rows"])[0]

    async def buckets(self, point: int, from_ns: int, to_ns: int, buckets: int) -> Buckets:
        """Return readings of a point in equal time buckets."""
        frame = await self._ask("buckets", point=point, from_ns=from_ns, to_ns=to_ns, buckets=buckets)
        ok, rows = frame.body["ok"], frame.body["ok"]["rows"]
        columns = [
            np.frombuffer(frame.columns, dtype, rows, index * rows * 8)
            for index, dtype in enumerate(("<i8", "<f8", "<f8", "<f8", "<i8"))
        ]
        start, low, high, mean, count = columns
        return Buckets(start, low, high, mean, count, float(ok["coverage"]))

    async def counts(self) -> Counts:
        """Return what the telemetry store holds, counted by a query."""
        frame = await self._ask("counts")
        return read(Counts, frame.body["ok"])

    async def limits(self) -> Mapping[int, Sequence[PointLimit]]:
        """Return the limits in force, by point."""
        frame = await self._ask("limits")
        return {
            int(point): [read(PointLimit, limit) for limit in limits]
            for point, limits in frame.body["ok"].items()
        }

    async def latest(self) -> ReadingBatch:
        """Return the last reading of every point that was heard of."""
        rows = sorted(self._latest.items())
        batch = ReadingBatch.of([p for p, _ in rows], [r[0] for _, r in rows], [r[1] for _, r in rows])
        batch.quality[:] = [r[2] for _, r in rows]
        return batch

    async def follow(self) -> AsyncIterator[Push]:
        """Yield what the core pushes, beginning with its state and the latest readings."""
        mine: asyncio.Queue[Push] = asyncio.Queue(10_000)
        self._followers.append(mine)
        try:
            yield Push(self._clock.now_ns(), latest=await self.latest(), state=self._state)
            while True:
                yield await mine.get()
        finally:
            self._followers.remove(mine)

    # ---- the socket ----------------------------------------------------------------------------

    async def _ask(self, call: str, **arguments: Any) -> Frame:
        writer = self._writer
        if writer is None:
            raise CoreUnavailable(AWAY)
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(pack("request", {"id": number, "call": call, **arguments}))
            async with asyncio.timeout(PATIENCE_S):
                await writer.drain()
                frame: Frame = await answer
        except TimeoutError:
            raise CoreUnavailable(f"the core did not answer within {PATIENCE_S:.0f} s") from None
        except OSError:
            raise CoreUnavailable(AWAY) from None
        finally:
            self._waiting.pop(number, None)
        if "error" in frame.body:
            raise _failure(frame.body)
        return frame

    async def _stay_connected(self) -> None:
        lost_told = False
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(str(self._path))
                self._writer.write(pack("hello", {"role": "serve"}))
                if lost_told:
                    log.info("core is back")
                    lost_told = False
                await self._listen(reader)
            except (OSError, EOFError, WireError) as error:
                if not lost_told and self._writer is not None:
                    log.warning("core is gone", reason=str(error))
                    lost_told = True
            finally:
                self._leave()
            await asyncio.sleep(0.2)

    def _leave(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(CoreUnavailable(AWAY))
        away = self._away_state()
        if away.problems != self._state.problems:
            self._state = away
            self._spread(Push(self._clock.now_ns(), state=self._state))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        unpacker = Unpacker()
        while data := await reader.read(1 << 18):
            unpacker.feed(data)
            for frame in unpacker.frames():
                if frame.kind == "push":
                    self._pushed(frame)
                elif frame.kind == "answer":
                    answer = self._waiting.get(frame.body["id"])
                    if answer is not None and not answer.done():
                        answer.set_result(frame)
        raise EOFError("it closed the connection")

    def _pushed(self, frame: Frame) -> None:
        body = frame.body
        latest = unpack_readings(frame.columns, body["rows"])[0] if body["rows"] else None
        if latest is not None:
            columns = (latest.point, latest.ts_ns, latest.value, latest.quality)
            for point, ts, value, quality in zip(*(column.tolist() for column in columns), strict=True):
                self._latest[point] = (ts, value, quality)
        if body["state"] is not None:
            self._state = read(SystemState, body["state"])
        events = tuple(read(AlertEvent, event) for event in body["events"])
        self._spread(Push(body["time_ns"], events, latest, self._state if body["state"] else None))

    def _spread(self, push: Push) -> None:
        for queue in self._followers:
            try:
                queue.put_nowait(push)
            except asyncio.QueueFull:  # the follower fills the rows it misses from the journal
                MISSED.inc()


def _failure(body: dict[str, Any]) -> Exception:
    if body["error"] == "CommandRefused":
        return CommandRefused(body["message"], state=body["state"])
    return ERRORS.get(body["error"], CoreUnavailable)(body["message"])
