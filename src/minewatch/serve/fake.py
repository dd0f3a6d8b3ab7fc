"""A core without a process: it carries out commands on a record store and tells what it is told to tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from minewatch.contracts import (
    F8,
    KEY_REUSED,
    Alert,
    AlertEvent,
    AlertState,
    Announce,
    Announcement,
    Buckets,
    Clock,
    Command,
    EventKind,
    GatewayInfo,
    PointInfo,
    Push,
    ReadingBatch,
    RecordStore,
    SystemState,
    Text,
)
from minewatch.errors import CommandRefused, CoreUnavailable, NotFound
from minewatch.serve.core import PointLimit

ACKNOWLEDGED = {
    AlertState.UNACKNOWLEDGED: AlertState.ACKNOWLEDGED,
    AlertState.RETURNED: AlertState.NORMAL,
}


WORDS = Text("тексеру", "проверка", "a test")


def _about(info: PointInfo, now_ns: int) -> Alert:
    return Alert(
        f"announced-{info.place}", "test-announced", info.place, info.site, info.zone, info.quantity, 4,
        False, AlertState.NORMAL, False, now_ns, now_ns, 0.0, info.unit, 0.0, "test-gas", WORDS, WORDS, "",
        True,
    )  # fmt: skip


class FakeCore:
    """Implements Core; ``away`` makes it absent, ``tell`` is what the process would push."""

    def __init__(self, records: RecordStore, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._followers: list[asyncio.Queue[Push | None]] = []
        self.away = False
        self.batch = ReadingBatch.empty()
        self.known_limits: dict[int, list[PointLimit]] = {}
        self.gateways: tuple[GatewayInfo, ...] = ()
        self.problems: dict[str, str] = {}
        self.metrics = ""
        self.commands: list[Command] = []
        self.asked: list[Announce] = []

    async def command(self, command: Command) -> AlertEvent:
        """Carry out a command on the record store."""
        self._here()
        self.commands.append(command)
        alert = self._records.alert(command.alert)
        kind, state = EventKind.COMMENTED, alert.state
        if command.name == "acknowledge":
            kind = EventKind.ACKNOWLEDGED
            if alert.state not in ACKNOWLEDGED:
                raise CommandRefused(f"alert {alert.id} is {alert.state} already", state=alert.state)
            state = ACKNOWLEDGED[alert.state]
        now = self._clock.now_ns()
        who = command.actor if kind is EventKind.ACKNOWLEDGED else alert.acknowledged_by
        after = replace(alert, state=state, acknowledged_by=who, changed_ns=now)
        key = command.key or f"fake:{len(self.commands)}"
        event = AlertEvent(key, kind, after, now, now, command.actor, comment=command.comment)
        written = self._records.append([event])[0]
        self.tell(Push(now, events=(written,)))
        return written

    async def announce(self, asked: Announce) -> Sequence[AlertEvent]:
        """Announce at the meters of the record store, or end what stands there."""
        self._here()
        self.asked.append(asked)
        now = self._clock.now_ns()
        standing = {row.announced.place: row.announced for row in self._records.announced(0) if row.announced}
        rows = []
        for info in self._records.points().values():
            inside = info.place.startswith(asked.place) if asked.place else info.zone.startswith(asked.zone)
            said = Announcement(info.place, max(asked.from_ns, now), asked.to_ns, asked.actor, asked.gas_pct)
            if asked.end and info.place in standing:
                said = replace(standing[info.place], to_ns=now)
            if inside and info.quantity == "methane" and (not asked.end or info.place in standing):
                key = f"{asked.key or len(self.asked)}|test-announced|{info.place}"
                kind, about = EventKind.ANNOUNCED, _about(info, now)
                before = self._records.event_by_key(key)
                if before and before.announced and asked.end != (before.announced.to_ns == before.time_ns):
                    raise CommandRefused("this key came with another command before", state=KEY_REUSED)
                rows.append(
                    AlertEvent(key, kind, about, now, now, said.actor, comment=asked.comment, announced=said)
                )
        if not rows:
            raise NotFound(f"no methane meter whose test could be told is at {asked.place or asked.zone!r}")
        self._records.append(rows)
        written = [event for row in rows if (event := self._records.event_by_key(row.key)) is not None]
        self.tell(Push(now, events=tuple(written)))
        return written

    async def readings(self, point: int, from_ns: int, to_ns: int, limit: int) -> ReadingBatch:
        """Return rows of ``batch``."""
        self._here()
        b = self.batch
        return b.take(np.flatnonzero((b.point == point) & (b.ts_ns >= from_ns) & (b.ts_ns < to_ns))[:limit])

    async def buckets(self, point: int, from_ns: int, to_ns: int, buckets: int) -> Buckets:
        """Return ``batch`` in buckets, slowly and surely."""
        rows = await self.readings(point, from_ns, to_ns, len(self.batch))
        starts = np.linspace(from_ns, to_ns, buckets, endpoint=False).astype(np.int64)
        place = np.searchsorted(starts, rows.ts_ns, side="right") - 1
        parts = [rows.value[place == i] for i in range(buckets)]

        def column(statistic: Callable[[F8], float]) -> F8:
            return np.asarray([statistic(part) if len(part) else np.nan for part in parts], np.float64)

        low, high, mean = column(np.min), column(np.max), column(np.mean)
        count = np.asarray([len(part) for part in parts], np.int64)
        return Buckets(starts, low, high, mean, count, float(np.mean(count > 0)))

    async def latest(self) -> ReadingBatch:
        """Return the newest row of ``batch`` for each point."""
        self._here()
        newest: dict[int, int] = {}
        for row in np.argsort(self.batch.ts_ns, kind="stable").tolist():
            newest[int(self.batch.point[row])] = row
        return self.batch.take(np.asarray(sorted(newest.values()), np.int64))

    async def limits(self) -> Mapping[int, Sequence[PointLimit]]:
        """Return ``known_limits``."""
        self._here()
        return self.known_limits

    def state(self) -> SystemState:
        """Return the state; away is a problem of the part ``core``."""
        problems = {**self.problems, **({"core": "it is being restarted"} if self.away else {})}
        return SystemState(
            not problems, problems, self.gateways, "duckdb", self._clock.now_ns(), self.metrics
        )

    async def follow(self) -> AsyncIterator[Push]:
        """Yield state and latest, then what is told."""
        mine: asyncio.Queue[Push | None] = asyncio.Queue()
        self._followers.append(mine)
        try:
            yield Push(self._clock.now_ns(), latest=await self.latest(), state=self.state())
            while (push := await mine.get()) is not None:
                yield push
        finally:
            self._followers.remove(mine)

    def tell(self, push: Push) -> None:
        """Push to whoever follows."""
        for follower in self._followers:
            follower.put_nowait(push)

    def hang_up(self) -> None:
        """End every connection."""
        for follower in self._followers:
            follower.put_nowait(None)

    def _here(self) -> None:
        if self.away:
            raise CoreUnavailable("the core process does not answer: it is being restarted")
