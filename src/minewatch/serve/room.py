"""What every route works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from minewatch.contracts import Clock, PointInfo, RecordStore
from minewatch.errors import CoreUnavailable, NotFound
from minewatch.serve.core import Core, PointLimit
from minewatch.serve.feed import Feed
from minewatch.serve.once import Once
from minewatch.serve.settings import ServeSettings

KEEP_NS = 1_000_000_000  # a new point may be missing from a list for this long


@dataclass
class Room:
    """The parts of the serve process, and what they told last."""

    records: RecordStore
    core: Core
    settings: ServeSettings
    clock: Clock
    feed: Feed
    once: Once = field(default_factory=Once)
    _points: Mapping[int, PointInfo] = field(default_factory=dict)
    _points_ns: int | None = None
    _limits: Mapping[int, Sequence[PointLimit]] | None = None

    def points(self) -> Mapping[int, PointInfo]:
        """Return all points, at most a second old."""
        now = self.clock.monotonic_ns()
        if self._points_ns is None or not 0 <= now - self._points_ns < KEEP_NS:
            self._points, self._points_ns = self.records.points(), now
        return self._points

    def point(self, number: int) -> PointInfo:
        """Return one point; raises NotFound."""
        info = self.points().get(number)
        if info is None:
            raise NotFound(f"there is no point {number}; GET /api/v1/points lists them")
        return info

    async def limits(self) -> Mapping[int, Sequence[PointLimit]] | None:
        """Return the limits in force; while the core is away the last known, None when there are none."""
        with suppress(CoreUnavailable):
            self._limits = await self.core.limits()
        return self._limits


def room_of(request: Request) -> Room:
    """Return the room of the app that a request is for."""
    return cast(Room, request.app.state.room)


TheRoom = Annotated[Room, Depends(room_of)]
