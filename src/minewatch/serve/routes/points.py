"""Points, and what they measured."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from minewatch.contracts import PointInfo
from minewatch.serve import present
from minewatch.serve.room import TheRoom
from minewatch.serve.routes.fields import Cursor, From, Limit, PointIdPath, To, Zone, number_cursor, span_ns
from minewatch.serve.schemas import BucketReadings, PointList, PointOut, RawReadings, problems
from minewatch.serve.times import S

router = APIRouter(prefix="/points", tags=["points"])
HOUR_NS = 3_600 * S
MOST_BUCKETS = 10_000


def within(info: PointInfo, zone: str) -> bool:
    """Say whether a point is in a zone or a zone inside it; "" is everywhere."""
    return not zone or info.zone == zone or info.zone.startswith(zone + "/")


@router.get("", response_model=PointList, responses=problems(421, 422, 503))
async def list_points(
    room: TheRoom,
    site: Annotated[str, Query(max_length=200)] = "",
    zone: Zone = "",
    quantity: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 1_000,
    cursor: Cursor = "",
) -> Response:
    """List the points with their limits."""
    after = number_cursor(cursor)
    points = await asyncio.to_thread(room.points)
    limits = await room.limits()
    found = [
        (number, info)
        for number, info in sorted(points.items())
        if number >= after
        and within(info, zone)
        and site in ("", info.site)
        and quantity in ("", info.quantity)
    ]
    following = str(found[limit][0]) if len(found) > limit else ""
    return present.page([present.point(n, info, limits) for n, info in found[:limit]], following)


@router.get("/{id}", response_model=PointOut, responses=problems(404, 421, 422, 503))
async def get_point(room: TheRoom, number: PointIdPath) -> Response:
    """Show one point with its limits."""
    info = await asyncio.to_thread(room.point, number)
    return present.respond(present.point(number, info, await room.limits()))


@router.get(
    "/{id}/readings", response_model=RawReadings | BucketReadings, responses=problems(404, 421, 422, 503)
)
async def list_readings(
    room: TheRoom,
    number: PointIdPath,
    begin: From = None,
    end: To = None,
    buckets: Annotated[
        int | None,
        Query(ge=1, le=MOST_BUCKETS, description="That many equal buckets instead of raw readings"),
    ] = None,
    limit: Limit = 1_000,
    cursor: Cursor = "",
) -> Response:
    """Show readings of a point, by default of the last hour: raw and in pages, or in buckets for a trend."""
    now = room.clock.now_ns()
    from_ns, to_ns = span_ns(begin, end, 0 if begin else -1, now)
    if from_ns < 0:
        from_ns = max(to_ns - HOUR_NS, 0)
    await asyncio.to_thread(room.point, number)
    if buckets is None:
        at = max(number_cursor(cursor), from_ns)
        # One row more than asked tells whether there is a next page.
        batch = await room.core.readings(number, at, to_ns, limit + 1)
        return present.respond(present.raw(number, from_ns, to_ns, batch, limit))
    found = await room.core.buckets(number, from_ns, max(to_ns, from_ns + buckets), buckets)
    return present.respond(present.buckets(number, from_ns, to_ns, found))
