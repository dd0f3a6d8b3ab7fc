"""The journal, in order."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from minewatch.serve import present
from minewatch.serve.room import TheRoom
from minewatch.serve.routes.fields import Limit
from minewatch.serve.schemas import EventList, problems
from minewatch.serve.times import LAST_NS

router = APIRouter(prefix="/events", tags=["journal"])


@router.get("", response_model=EventList, responses=problems(421, 422, 503))
def list_events(
    room: TheRoom,
    after: Annotated[int, Query(ge=0, le=LAST_NS, description="Only rows after this one")] = 0,
    limit: Limit = 100,
) -> Response:
    """Read the journal in its order; `next` is the `after` of the next page, null at the end."""
    rows = room.records.events(after=after, limit=limit)
    return present.page([present.event(e) for e in rows], str(rows[-1].row) if len(rows) == limit else "")
