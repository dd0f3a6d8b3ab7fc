"""What was not taken, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from minewatch.serve import present
from minewatch.serve.room import TheRoom
from minewatch.serve.routes.fields import Limit
from minewatch.serve.schemas import RejectList, problems
from minewatch.serve.times import LAST_NS

router = APIRouter(prefix="/rejects", tags=["rejects"])


@router.get("", response_model=RejectList, responses=problems(421, 422, 503))
def list_rejects(
    room: TheRoom,
    after: Annotated[int, Query(ge=0, le=LAST_NS, description="Only rows after this one")] = 0,
    limit: Limit = 100,
) -> Response:
    """Read what was not taken, oldest first; `next` is the `after` of the next page, null at the end."""
    rows = room.records.rejects(after=after, limit=limit)
    return present.page([present.reject(r) for r in rows], str(rows[-1].row) if len(rows) == limit else "")
