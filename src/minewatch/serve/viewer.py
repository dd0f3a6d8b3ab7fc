"""What one viewer of the push stream is sent, from its first frame to its last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from minewatch.contracts import RecordStore
from minewatch.errors import StoreError
from minewatch.serve import metrics, present
from minewatch.serve.feed import FILL, Feed, frame
from minewatch.serve.ring import PIECE

RETRY = b"retry: 1000\n\n"


class Viewer:
    """A cursor on the ring (``_at``) and in the journal (``_row``)."""

    def __init__(self, feed: Feed, records: RecordStore, replay_rows: int) -> None:
        self._feed = feed
        self._records = records
        self._replay_rows = replay_rows
        self._at = 0
        self._row = 0

    async def frames(self, since: int | None) -> AsyncIterator[bytes]:
        """Yield pieces of the stream; ``since`` is the last row the viewer has, None for a new viewer."""
        yield RETRY
        if since is None:
            self._jump()
            # The id makes a viewer that never saw an alert come back to where it began.
            yield frame("state", self._feed.state_data(), self._row) + self._feed.everything()
        else:
            yield frame("state", self._feed.state_data())
            async for piece in self._resume(since):
                yield piece
        async for piece in self._live():
            metrics.SENT.inc(len(piece))
            yield piece

    async def _live(self) -> AsyncIterator[bytes]:
        ring = self._feed.ring
        while not ring.closed:
            if self._at >= ring.visible:
                await ring.moved()
                continue
            piece = ring.since(self._at)
            if piece is None:
                metrics.LAPPED.inc()
                async for replayed in self._resume(self._row):
                    yield replayed
                continue
            self._at, self._row = piece.next, piece.row
            yield piece.data

    async def _resume(self, row: int) -> AsyncIterator[bytes]:
        """Yield the journal rows after ``row``, then the newest readings; a reset when that cannot be."""
        why = ""
        tail = self._feed.tail
        while True:
            if row < 0 or row > tail.head:
                why = "unknown-row"
                break
            held = tail.after(row)
            if held is not None:
                self._jump()
                metrics.REPLAYED.labels("memory").inc(len(held))
                for piece in joined(held):
                    yield piece
                break
            if tail.head - row > self._replay_rows:
                why = "too-far-behind"
                break
            try:
                rows = await asyncio.to_thread(self._records.events, after=row, limit=FILL)
            except StoreError:
                rows = ()
            if not rows:
                why = "records-unreadable"
                break
            row = rows[-1].row
            metrics.REPLAYED.labels("records").inc(len(rows))
            yield b"".join([self._feed.encode(event, event.row) for event in rows])
        if why:
            self._jump()
            metrics.RESETS.labels(why).inc()
            yield frame("reset", present.dump({"time": self._feed.now(), "reason": why}), self._row)
        yield self._feed.everything()

    def _jump(self) -> None:
        """Go on with what comes from now on."""
        self._at, self._row = self._feed.ring.head, self._feed.tail.head


def joined(frames: Sequence[bytes]) -> list[bytes]:
    """Join frames into pieces of PIECE bytes or a little more."""
    pieces: list[bytes] = []
    part: list[bytes] = []
    size = 0
    for one in frames:
        part.append(one)
        size += len(one)
        if size >= PIECE:
            pieces.append(b"".join(part))
            part, size = [], 0
    if part:
        pieces.append(b"".join(part))
    return pieces


class PushResponse(StreamingResponse):
    """A stream that counts as a viewer while it is open, and that nobody on the way may keep or hold back."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, records: RecordStore, replay_rows: int, since: int | None) -> None:
        self._feed = feed
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(Viewer(feed, records, replay_rows).frames(since), headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until one side ends it."""
        with self._feed.viewing():
            await super().__call__(scope, receive, send)
