"""Tests of meters with calibration gas: the ledger of those that were, and those that are announced."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from minewatch.contracts import (
    AHEAD_MOST_NS,
    KEY_REUSED,
    WINDOW_MOST_NS,
    Announce,
    CalibrationQuery,
)
from minewatch.errors import CommandRefused, CoreUnavailable, MinewatchError, NotFound
from minewatch.serve import metrics, present
from minewatch.serve.calibration_schemas import AnnouncedList, AnnounceEnd, AnnounceTest, CalibrationList
from minewatch.serve.once import event_key, key_reused
from minewatch.serve.problems import bad_field
from minewatch.serve.room import Room, TheRoom
from minewatch.serve.routes.fields import (
    Actor,
    Cursor,
    From,
    Key,
    Limit,
    To,
    Zone,
    comment_text,
    span_ns,
    time_ns,
)
from minewatch.serve.schemas import problems

router = APIRouter(prefix="/calibrations", tags=["calibrations"])
COMMAND_PROBLEMS = problems(403, 404, 409, 413, 421, 422, 503)
Place = Annotated[str, Query(max_length=300, description="Only this place and those inside it")]


@router.get("", response_model=CalibrationList, responses=problems(421, 422, 503))
def list_calibrations(
    room: TheRoom,
    place: Place = "",
    zone: Zone = "",
    begin: From = None,
    end: To = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response:
    """Read the calibration ledger: a line for each test of a meter, by when it began, the newest first."""
    from_ns, to_ns = span_ns(begin, end, 0, 0)
    query = CalibrationQuery(place, zone, from_ns, to_ns, limit, cursor)
    rows, more = room.records.calibrations(query)
    return present.page([present.calibration(row) for row in rows], more)


@router.get("/announced", response_model=AnnouncedList, responses=problems(421, 503))
def list_announced(room: TheRoom) -> Response:
    """List the tests that are announced and not over, the first to begin first."""
    now_ns = room.clock.now_ns()
    rows = room.records.announced(now_ns - AHEAD_MOST_NS - WINDOW_MOST_NS)
    shown = [present.announced(row) for row in rows if row.announced and row.announced.to_ns > now_ns]
    return present.page(sorted(shown, key=lambda one: (one["from"], one["place"])))


@router.post("/announced", response_model=AnnouncedList, responses=COMMAND_PROBLEMS)
async def announce_test(room: TheRoom, who: Actor, body: AnnounceTest, key: Key = None) -> Response:
    """Announce the test of a meter, or of every meter at a place or in a zone.

    It silences nothing: a rise that looks like test gas may wait for longer before it calls. A later
    announcement for a meter takes the stead of the one before.
    """
    now_ns = room.clock.now_ns()
    # 0: from when the core hears it, so that a repeat asks for the same
    from_ns = time_ns(body.begin, "from", 0, where="body")
    to_ns = time_ns(body.end, "to", 0, where="body")
    _check_window(max(from_ns, now_ns), to_ns, now_ns)
    gas_pct = math.nan if body.gas_pct is None else body.gas_pct
    asked = Announce(
        *_where(body), from_ns, to_ns, who, gas_pct, comment_text(body.comment), event_key(key, who)
    )
    return await _carry_out(room, asked, "announce", body)


@router.post("/announced/end", response_model=AnnouncedList, responses=COMMAND_PROBLEMS)
async def end_announced_test(room: TheRoom, who: Actor, body: AnnounceEnd, key: Key = None) -> Response:
    """End announced tests now: gas that still stands at such a meter calls at once."""
    asked = Announce(
        *_where(body), 0, 0, who, comment=comment_text(body.comment), key=event_key(key, who), end=True
    )
    return await _carry_out(room, asked, "end-announced", body)


def _where(body: AnnounceEnd) -> tuple[str, str]:
    if bool(body.place) == bool(body.zone):
        raise bad_field("body.place", "name either a place or a zone")
    return body.place, body.zone


def _check_window(from_ns: int, to_ns: int, now_ns: int) -> None:
    if to_ns <= now_ns:
        raise bad_field("body.to", "the window is over already")
    if to_ns <= from_ns:
        raise bad_field("body.to", "the end is not after the begin")
    if to_ns - from_ns > WINDOW_MOST_NS:
        raise bad_field("body.to", "a window has 12 hours at most: announce the next one when it comes")
    if from_ns > now_ns + AHEAD_MOST_NS:
        raise bad_field("body.from", "a test is announced 7 days before at most")


async def _carry_out(room: Room, asked: Announce, name: str, body: AnnounceEnd) -> Response:
    outcome = "done"
    try:
        async with room.once.turn(asked.key, f"{name} {body.model_dump_json()}"):
            rows = await room.core.announce(asked)
    except MinewatchError as error:
        outcome = {CommandRefused: "refused", NotFound: "not-found", CoreUnavailable: "unavailable"}.get(
            type(error), "failed"
        )
        if isinstance(error, CommandRefused) and error.state == KEY_REUSED:
            raise key_reused() from None
        raise
    finally:
        metrics.COMMANDS.labels(name, outcome).inc()
    return present.page([present.announced(row) for row in rows])
