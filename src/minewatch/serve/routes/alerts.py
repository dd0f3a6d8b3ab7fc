"""Alerts: the live list, history, and what a person does with them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from minewatch.contracts import AlertQuery, AlertState, Command
from minewatch.errors import CommandRefused, CoreUnavailable, MinewatchError, NotFound
from minewatch.serve import metrics, present
from minewatch.serve.once import carry_out, event_key
from minewatch.serve.room import Room, TheRoom
from minewatch.serve.routes.fields import (
    Actor,
    AlertIdPath,
    Cursor,
    From,
    Key,
    Limit,
    To,
    Zone,
    comment_text,
    number_cursor,
    span_ns,
)
from minewatch.serve.schemas import (
    Acknowledge,
    Acknowledged,
    AcknowledgeMany,
    AlertList,
    AlertOut,
    Comment,
    EventList,
    Priority,
    problems,
)

router = APIRouter(prefix="/alerts", tags=["alerts"])
COMMAND_PROBLEMS = problems(403, 404, 409, 413, 421, 422, 503)


@router.get("", response_model=AlertList, responses=problems(421, 422, 503))
def list_alerts(
    room: TheRoom,
    state: Annotated[
        list[AlertState] | None, Query(max_length=4, description="Repeat it for several")
    ] = None,
    priority: Annotated[
        list[Priority] | None, Query(max_length=4, description="Repeat it for several")
    ] = None,
    zone: Zone = "",
    place: Annotated[str, Query(max_length=300, description="Only this place and those inside it")] = "",
    rule: Annotated[str, Query(max_length=200)] = "",
    begin: From = None,
    end: To = None,
    q: Annotated[str, Query(max_length=200, description="Words in place, zone, rule or message")] = "",
    history: Annotated[bool, Query(description="Also those that are normal again")] = False,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response:
    """List alerts: by default all that are not normal, whenever they were raised.

    A window in time (`from`, `to`), `state=normal` or `history=true` also gives those that are over.
    """
    from_ns, to_ns = span_ns(begin, end, 0, 0)
    states = tuple(state or ())
    query = AlertQuery(
        states=states,
        priorities=tuple(priority or ()),
        zone=zone,
        place=place,
        rule=rule,
        from_ns=from_ns,
        to_ns=to_ns,
        text=q,
        history=history or begin is not None or end is not None or AlertState.NORMAL in states,
        limit=limit,
        cursor=cursor,
    )
    found, more = room.records.alerts(query)
    return present.page([present.alert(a) for a in found], more)


@router.get("/{id}", response_model=AlertOut, responses=problems(404, 421, 422, 503))
def get_alert(room: TheRoom, alert_id: AlertIdPath) -> Response:
    """Show one alert as it stands."""
    return present.respond(present.alert(room.records.alert(alert_id)))


@router.get("/{id}/events", response_model=EventList, responses=problems(404, 421, 422, 503))
def list_alert_events(
    room: TheRoom, alert_id: AlertIdPath, limit: Limit = 100, cursor: Cursor = ""
) -> Response:
    """Show the life of one alert, oldest first."""
    after = number_cursor(cursor)
    room.records.alert(alert_id)  # NotFound, rather than an empty life
    rows = room.records.events(alert_id=alert_id, after=after, limit=limit)
    return present.page([present.event(e) for e in rows], str(rows[-1].row) if len(rows) == limit else "")


@router.post("/acknowledge", response_model=Acknowledged, responses=COMMAND_PROBLEMS)
async def acknowledge_many(room: TheRoom, who: Actor, body: AcknowledgeMany, key: Key = None) -> Response:
    """Acknowledge the alerts that the operator sees.

    Each id is carried out or refused on its own; 200 tells both, in the order of the ids.
    """
    comment = comment_text(body.comment)
    ids = list(dict.fromkeys(body.ids))
    items, refused = [], []
    async with room.once.turn(event_key(key, who), "\0".join(("acknowledge", comment, *sorted(ids)))):
        for one in ids:
            command = Command("acknowledge", one, who, comment, event_key(key, who, one))
            try:
                items.append(await _run(room, command))
            except (CommandRefused, NotFound) as error:
                refused.append(_refusal(one, error))
    return present.respond({"items": items, "refused": refused})


@router.post("/{id}/acknowledge", response_model=AlertOut, responses=COMMAND_PROBLEMS)
async def acknowledge(
    room: TheRoom, who: Actor, alert_id: AlertIdPath, body: Acknowledge | None = None, key: Key = None
) -> Response:
    """Acknowledge one alert: a person has seen it and takes it on."""
    comment = comment_text(body.comment) if body else ""
    return await _single(room, Command("acknowledge", alert_id, who, comment, event_key(key, who)))


@router.post("/{id}/comment", response_model=AlertOut, responses=COMMAND_PROBLEMS)
async def comment(
    room: TheRoom, who: Actor, alert_id: AlertIdPath, body: Comment, key: Key = None
) -> Response:
    """Remark on one alert, whatever its state."""
    remark = comment_text(body.comment)
    return await _single(room, Command("comment", alert_id, who, remark, event_key(key, who)))


async def _single(room: Room, command: Command) -> Response:
    async with room.once.turn(command.key, "\0".join((command.name, command.comment, command.alert))):
        return present.respond(await _run(room, command))


async def _run(room: Room, command: Command) -> present.Json:
    outcome = "done"
    try:
        event = await carry_out(command, room.core, room.records)
    except MinewatchError as error:
        outcome = {CommandRefused: "refused", NotFound: "not-found", CoreUnavailable: "unavailable"}.get(
            type(error), "failed"
        )
        raise
    finally:
        metrics.COMMANDS.labels(command.name, outcome).inc()
    return present.alert_after(event)


def _refusal(alert_id: str, error: CommandRefused | NotFound) -> present.Json:
    state = error.state if isinstance(error, CommandRefused) else None
    status, code = (409, "state-forbids") if state is not None else (404, "not-found")
    return {"id": alert_id, "status": status, "code": code, "detail": str(error), "state": state}
