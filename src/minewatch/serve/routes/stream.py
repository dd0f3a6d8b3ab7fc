"""The push stream: server-sent events (WHATWG HTML, 9.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from minewatch.serve.problems import RETRY_S, Problem
from minewatch.serve.room import TheRoom
from minewatch.serve.schemas import EVENT, problems
from minewatch.serve.times import LAST_NS
from minewatch.serve.viewer import PushResponse

router = APIRouter(tags=["stream"])
UNKNOWN = -1
SAMPLE = (
    'id: 412\nevent: alert\ndata: {"row": 412, ...}\n\nevent: ping\ndata: {"time": "'
    + EVENT["time"]
    + '"}\n\n'
)
ABOUT = {
    "description": "Frames until one side closes: alert (id is the journal row), reading, state, ping, reset",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": SAMPLE}},
}


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={200: ABOUT, **problems(421, 422, 503)},
)
async def stream(
    room: TheRoom,
    since: Annotated[
        int | None,
        Query(ge=0, le=LAST_NS, description="Last journal row you have; Last-Event-ID goes before it"),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=100, description="What a browser sends when it comes back")
    ] = None,
) -> Response:
    """Watch alerts, readings and the state of the system as they happen.

    A returning viewer gets the journal rows it missed, or one `reset`: then read everything again.
    """
    if room.feed.viewers >= room.settings.max_viewers:
        detail = f"{room.feed.viewers} viewers are connected, more are not allowed; see serve.max_viewers"
        raise Problem(503, "too-many-viewers", detail, headers={"Retry-After": RETRY_S})
    return PushResponse(room.feed, room.records, room.settings.replay_rows, last_seen(last_event_id, since))


def last_seen(last_event_id: str | None, since: int | None) -> int | None:
    """Return the row to go on after, None for a new viewer.

    An id that is no row of ours means an unknown place (so a reset), never an error: a browser that got one
    would stay away for good.
    """
    if not last_event_id:
        return since
    if last_event_id.isascii() and last_event_id.isdigit():
        return int(last_event_id)
    return UNKNOWN
