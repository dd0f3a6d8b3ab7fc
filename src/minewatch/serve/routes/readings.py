"""Readings of now."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from minewatch.serve import present
from minewatch.serve.room import TheRoom
from minewatch.serve.routes.fields import Zone
from minewatch.serve.routes.points import within
from minewatch.serve.schemas import LatestList, problems

router = APIRouter(prefix="/readings", tags=["points"])


@router.get("/latest", response_model=LatestList, responses=problems(421, 422, 503))
async def list_latest(room: TheRoom, zone: Zone = "") -> Response:
    """Show the newest reading of every point with its age and quality."""
    items = present.latest(await room.core.latest(), room.clock.now_ns())
    if zone:
        points = await asyncio.to_thread(room.points)
        inside = {number for number, info in points.items() if within(info, zone)}
        items = [item for item in items if item["point"] in inside]
    return present.page(items)
