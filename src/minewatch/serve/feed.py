"""Follows the core and puts what happens on the ring, in the order of the journal and without gaps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import structlog

from minewatch.contracts import AlertEvent, Clock, Push, RecordStore, SystemState
from minewatch.errors import CoreUnavailable, StoreError
from minewatch.serve import metrics, present
from minewatch.serve.core import Core
from minewatch.serve.latest import Latest
from minewatch.serve.ring import Pacer, Ring, Tail
from minewatch.serve.settings import ServeSettings
from minewatch.serve.times import S, iso

log = structlog.get_logger(__name__)

FILL = 500  # journal rows read from the records at a time
JOIN_S = 0.02  # readings of one round of a mine come within this
ALERT_FRAMES = metrics.FRAMES.labels("alert")
EVENTS = {source: metrics.EVENTS.labels(source) for source in ("core", "records")}
BACKOFF_S = (0.25, 0.5, 1.0, 2.0)


def frame(kind: str, data: bytes, row: int | None = None) -> bytes:
    """Write one server-sent event; ``row`` becomes its id (WHATWG HTML, 9.2)."""
    name = b"" if row is None else b"id: %d\n" % row
    return b"%sevent: %s\ndata: %s\n\n" % (name, kind.encode(), data)


def last_row(records: RecordStore) -> int:
    """Return the journal's last row: doubling, then halving, some forty look-ups at most."""
    low, high = 0, 1
    while records.events(after=high - 1, limit=1):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if records.events(after=middle - 1, limit=1):
            low = middle
        else:
            high = middle
    return low


class Feed:
    """The push stream of one serve process."""

    def __init__(self, records: RecordStore, core: Core, settings: ServeSettings, clock: Clock) -> None:
        self._records = records
        self._core = core
        self._settings = settings
        self._clock = clock
        self._pacer = Pacer()
        self._order = asyncio.Lock()
        self._wake_timer: asyncio.TimerHandle | None = None
        self._flush_timer: asyncio.TimerHandle | None = None
        self._flushed_ns = -(2**62)
        self._following = False
        self._told: present.Json = {}
        self._problems: dict[str, str] = {}
        self.ring = Ring(settings.ring_frames, settings.ring_bytes)
        self.tail = Tail(settings.journal_rows, 0)
        self.latest = Latest()
        self.viewers = 0
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] | None = None
        metrics.VIEWERS_CAPACITY.set(settings.max_viewers)

    async def start(self) -> None:
        """Find the end of the journal; raises StoreError when the records cannot be read."""
        head = await asyncio.to_thread(last_row, self._records)
        self.tail = Tail(self._settings.journal_rows, head)

    async def run(self) -> None:
        """Follow the core and beat, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="serve-follow")
            tasks.create_task(self._each(self.beat), name="serve-beat")
            tasks.create_task(self._each(self.catch_up), name="serve-catch-up")

    def ended(self, task: asyncio.Task[None]) -> None:
        """Take note that ``run`` ended: by a fault the process must go, so that it is started anew."""
        if task.cancelled():
            return
        self.failure = task.exception()
        if self.failure is not None:
            log.critical("push stream failed", exc_info=self.failure)
            self._problems["push"] = f"the push stream failed: {self.failure}"
            self.ring.close()
            if self.on_failure is not None:
                self.on_failure()

    def close(self) -> None:
        """End all streams and timers."""
        self.ring.close()
        for timer in (self._wake_timer, self._flush_timer):
            if timer is not None:
                timer.cancel()

    def state(self) -> SystemState:
        """Return the state of the system with what is wrong here."""
        return self._with_own(self._core.state())

    def state_data(self) -> bytes:
        """Return the data of a state frame."""
        return present.dump(present.state(self.state(), self._clock.now_ns()))

    def everything(self) -> bytes:
        """Return a reading frame with the newest reading of every point."""
        return frame("reading", self.latest.everything(self._clock.now_ns()))

    def now(self) -> str:
        """Return the time of the service as the frames carry it."""
        return iso(self._clock.now_ns())

    def encode(self, event: AlertEvent, row: int | None) -> bytes:
        """Write a journal row as a frame."""
        return frame("alert", present.dump(present.event(event) | {"sent": self.now()}), row)

    @contextmanager
    def viewing(self) -> Iterator[None]:
        """Count a viewer as long as it is there."""
        self.viewers += 1
        metrics.VIEWERS.set(self.viewers)
        try:
            yield
        finally:
            self.viewers -= 1
            metrics.VIEWERS.set(self.viewers)

    async def take(self, push: Push) -> None:
        """Put on the ring what the core says: alerts at once, readings soon, its state when it matters."""
        if push.events:
            async with self._order:
                await self._journal(push.events)
            self._nudge()
        if push.latest is not None and self.latest.merge(push.latest):
            self._plan_flush()
        if push.state is not None:
            state = self._with_own(push.state)
            if self._matters(state):
                self._tell_state(state)

    async def beat(self) -> None:
        """Once a second: the state if it changed, and a ping, whatever the core and the records do."""
        self._tell_state(self.state())
        self._put("ping", present.dump({"time": self.now()}))
        self._nudge()

    async def catch_up(self) -> None:
        """Once a second: the journal rows that the core did not tell (one look-up when there are none)."""
        async with self._order:
            await self._fill(None)
        self._nudge()

    def flush(self) -> None:
        """Put the merged latest readings on the ring as one frame."""
        self._flush_timer = None
        data = self.latest.changes(self._clock.now_ns())
        if data:
            self._flushed_ns = self._clock.monotonic_ns()
            self._put("reading", data)
            self._nudge()

    async def _journal(self, events: Sequence[AlertEvent]) -> None:
        for event in events:
            if event.row > self.tail.head + 1:
                await self._fill(event.row - 1)
            if event.row == self.tail.head + 1:
                self._publish(event, "core")
            elif event.row > self.tail.head + 1:
                # The rows between cannot be read now. An alert is shown all the same, but without an id: the
                # viewer's place in the journal stays before the gap, which the next beat fills.
                self.ring.append(self.encode(event, None), self.tail.head)
            else:
                metrics.REPEATS.inc()

    def _publish(self, event: AlertEvent, source: str) -> None:
        encoded = self.encode(event, event.row)
        self.tail.append(event.row, encoded)
        self.ring.append(encoded, event.row)
        ALERT_FRAMES.inc()
        EVENTS[source].inc()
        metrics.DELAY.observe(max(self._clock.now_ns() - event.service_ns, 0) / S)

    async def _fill(self, upto: int | None) -> None:
        """Publish rows from the records after the last one known, up to ``upto`` or the end."""
        try:
            while upto is None or self.tail.head < upto:
                limit = FILL if upto is None else min(FILL, upto - self.tail.head)
                rows = await asyncio.to_thread(self._records.events, after=self.tail.head, limit=limit)
                for event in rows:
                    if event.row != self.tail.head + 1:
                        raise StoreError(f"the journal has no row {self.tail.head + 1}")
                    self._publish(event, "records")
                if len(rows) < limit:
                    break
        except StoreError as error:
            self._problem("records", str(error))
        else:
            self._mended("records")

    def _put(self, kind: str, data: bytes) -> None:
        self.ring.append(frame(kind, data), self.tail.head)
        metrics.FRAMES.labels(kind).inc()

    def _nudge(self) -> None:
        """Wake the viewers now, or when the pacer allows it."""
        if self._wake_timer is not None:
            return
        delay_ns = self._pacer.delay_ns(self._clock.monotonic_ns())
        if delay_ns <= 0:
            self._wake()
        else:
            self._wake_timer = asyncio.get_running_loop().call_later(delay_ns / S, self._wake)

    def _wake(self) -> None:
        self._wake_timer = None
        if self.ring.visible < self.ring.head:
            self._pacer.woken(self._clock.monotonic_ns())
            self.ring.wake()

    def _plan_flush(self) -> None:
        if self._flush_timer is None:
            since_s = (self._clock.monotonic_ns() - self._flushed_ns) / S
            delay_s = max(JOIN_S, self._settings.reading_frame_s - since_s)
            self._flush_timer = asyncio.get_running_loop().call_later(delay_s, self.flush)

    def _with_own(self, state: SystemState) -> SystemState:
        if not self._problems:
            return state
        return replace(state, ready=False, problems={**state.problems, **self._problems})

    def _matters(self, state: SystemState) -> bool:
        online = {(g["site"], g["gateway"]): g["online"] for g in self._told.get("gateways", ())}
        return (
            state.ready != self._told.get("ready")
            or dict(state.problems) != self._told.get("problems")
            or {(g.site, g.gateway): g.online for g in state.gateways} != online
        )

    def _tell_state(self, state: SystemState) -> None:
        data = present.state(state, self._clock.now_ns())
        told = {key: value for key, value in data.items() if key != "time"}
        if told != self._told:
            self._told = told
            self._put("state", present.dump(data))
            self._nudge()

    def _problem(self, part: str, what: str) -> None:
        if part not in self._problems:
            log.error("part lost", part=part, what=what)
        self._problems[part] = what

    def _mended(self, part: str) -> None:
        if self._problems.pop(part, None) is not None:
            log.info("part back", part=part)

    async def _follow(self) -> None:
        """Follow the core for ever; it may come and go."""
        failures = 0
        while True:
            try:
                async for push in self._core.follow():
                    failures = 0
                    self._followed()
                    await self.take(push)
                reason = "it ended the connection"
            except CoreUnavailable as error:
                reason = str(error)
            self._unfollowed(reason)
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1

    def _followed(self) -> None:
        if not self._following:
            self._following = True
            metrics.FOLLOWING.set(1)
            self._mended("core-link")
            log.info("core followed")

    def _unfollowed(self, reason: str) -> None:
        if self._following:
            self._following = False
            metrics.FOLLOWING.set(0)
            metrics.LOST.inc()
        self._problem("core-link", f"the core is not followed: {reason}")
        self._tell_state(self.state())

    async def _each(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._settings.beat_s)
            await step()
