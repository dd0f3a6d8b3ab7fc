"""A serve process without a process: records in memory, a fake core, a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from fastapi import FastAPI

from minewatch.contracts import (
    Alert,
    AlertEvent,
    AlertState,
    Comparison,
    EventKind,
    GatewayInfo,
    PointInfo,
    Push,
    ReadingBatch,
    RecordStore,
    Text,
)
from minewatch.serve.core import PointLimit
from minewatch.serve.fake import FakeCore
from minewatch.serve.feed import Feed
from minewatch.serve.http import create_app
from minewatch.serve.room import Room
from minewatch.serve.settings import ServeSettings
from minewatch.store.records.memory import MemoryRecords

S = 1_000_000_000
NOW = 1_769_828_400 * S  # 2026-01-31T03:00:00+00:00
HOST = "http://127.0.0.1:8000"


class StillClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now - NOW + S

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * S)


def words(text: str) -> Text:
    """Build a text in three languages."""
    return Text(f"kk {text}", f"ru {text}", text)


def alert(name: str, **changes: Any) -> Alert:
    """Build an alert that has just been raised."""
    plain = Alert(
        id=name,
        rule="methane-high",
        place="karaganda/MM261/CH4",
        site="karaganda",
        zone="longwall-7/face",
        quantity="methane",
        priority=1,
        paged=True,
        state=AlertState.UNACKNOWLEDGED,
        active=True,
        raised_ns=NOW,
        changed_ns=NOW,
        value=1.31,
        unit="% CH4",
        limit=1.0,
        detector="value",
        message=words("Methane above its limit"),
        why=words("1.31 % CH4 is above 1.0 % CH4"),
        citation="a source",
        verified=False,
    )
    return replace(plain, **changes)


def raised(a: Alert) -> AlertEvent:
    """Build the event that an alert begins with."""
    return AlertEvent(f"{a.id}:raised:{a.raised_ns}", EventKind.RAISED, a, a.raised_ns, NOW, "minewatch")


def point(metric: str = "CH4", **changes: Any) -> PointInfo:
    """Build a methane point."""
    plain = PointInfo(
        place=f"karaganda/MM261/{metric}",
        site="karaganda",
        gateway="gw-longwall",
        device="MM261",
        metric=metric,
        quantity="methane",
        unit="% CH4",
        zone="longwall-7/face",
        low=0.0,
        high=40.0,
        interval_s=5.0,
    )
    return replace(plain, **changes)


LIMIT = PointLimit("methane-high", "value", Comparison.AT_OR_ABOVE, 1.0, 1, "a source", False)
GATEWAY = GatewayInfo(
    site="karaganda",
    gateway="gw-longwall",
    online=True,
    since_ns=NOW - 60 * S,
    last_seen_ns=NOW - S,
    clock_offset_ms=12.5,
    spool_rows=3,
    version="0.1.0",
    rebirths=1,
    births=2,
    bd_seq=17,
    duplicates=4,
    clock="holdover",
    spool_oldest_ns=NOW - 60 * S,
    points=24,
    problems=("two-agents",),
)


@dataclass
class Stage:
    """Everything around one app."""

    clock: StillClock = field(default_factory=StillClock)
    records: RecordStore = field(default_factory=MemoryRecords)
    settings: ServeSettings = field(default_factory=ServeSettings)

    def __post_init__(self) -> None:
        self.core = FakeCore(self.records, self.clock)
        self.app: FastAPI = create_app(self.records, self.core, self.settings, self.clock)
        self.room: Room = self.app.state.room
        self.feed: Feed = self.room.feed

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=HOST)

    def journal(self, *alerts: Alert) -> Sequence[AlertEvent]:
        """Write rows to the records without telling serve."""
        return self.records.append([raised(a) for a in alerts])

    async def happens(self, *alerts: Alert, latest: ReadingBatch | None = None) -> None:
        """Write rows and hand them to the feed as the core does."""
        await self.feed.take(Push(self.clock.now_ns(), tuple(self.journal(*alerts)), latest))

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Run the app's lifespan."""
        async with self.app.router.lifespan_context(self.app):
            yield


@dataclass(frozen=True)
class Frame:
    event: str
    data: dict[str, Any]
    id: str | None = None


def frames_of(text: bytes) -> list[Frame]:
    """Parse server-sent events (WHATWG HTML, 9.2.6), those that have data."""
    found = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            found.append(Frame(fields["event"], json.loads(fields["data"]), fields.get("id")))
    return found


class Stream:
    """One open push stream, driven at the ASGI border; ``ready`` holds back writes as a slow socket does."""

    def __init__(self, app: FastAPI, query: str = "", headers: dict[str, str] | None = None) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ready = asyncio.Event()
        self.ready.set()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._held: list[Frame] = []
        self._gone = asyncio.Event()
        names = {"host": "127.0.0.1:8000", **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/v1/stream",
            "raw_path": b"/api/v1/stream",
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in names.items()],
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }
        self._task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        await self.ready.wait()
        self._pieces.put_nowait(message.get("body", b""))

    async def next(self, event: str) -> Frame:
        """Return the next frame of a kind, dropping others before it."""
        while True:
            frame = await self.any()
            if frame.event == event:
                return frame

    async def any(self) -> Frame:
        """Return the next frame."""
        while not self._held:
            async with asyncio.timeout(5):
                self._held += frames_of(await self._pieces.get())
        return self._held.pop(0)

    async def close(self) -> None:
        """Go away, as a browser does."""
        self._gone.set()
        self.ready.set()
        await self._task

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
