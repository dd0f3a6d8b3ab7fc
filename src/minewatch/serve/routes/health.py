"""Is it alive, is it ready, what are its figures, which version is it. At the root, without ``/api/v1``."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from minewatch import __version__
from minewatch.errors import StoreError
from minewatch.serve import exposition, present
from minewatch.serve.problems import RETRY_S, answer
from minewatch.serve.room import TheRoom
from minewatch.serve.schemas import Alive, Ready, Version, problems
from minewatch.serve.times import iso

router = APIRouter(tags=["health"])
METRICS_TEXT = {
    "content": {"text/plain": {"schema": {"type": "string"}}},
    "description": "Prometheus text, 0.0.4",
}


@router.get("/healthz", response_model=Alive, responses=problems(421))
async def alive(room: TheRoom) -> Response:
    """Say that this process answers; it says nothing about the others."""
    return present.respond({"status": "ok", "time": iso(room.clock.now_ns())})


@router.get("/readyz", response_model=Ready, responses=problems(421, 503))
async def ready(room: TheRoom, request: Request) -> Response:
    """Say whether readings become alerts that people see; 503 names each part and what is wrong with it."""
    state = room.feed.state()
    wrong = dict(state.problems)
    try:
        await asyncio.to_thread(room.records.events, limit=1)
    except StoreError as error:
        wrong["records"] = str(error)
    if state.ready and not wrong:
        body = {"ready": True, "problems": {}, "telemetry": state.telemetry, "time": iso(room.clock.now_ns())}
        return present.respond(body)
    detail = "; ".join(f"{part}: {what}" for part, what in sorted(wrong.items())) or "starting"
    return answer(
        503,
        "not-ready",
        detail,
        instance=request.url.path,
        headers={"Retry-After": RETRY_S},
        more={"ready": False, "problems": wrong, "telemetry": state.telemetry},
    )


@router.get("/metrics", response_class=Response, responses={200: METRICS_TEXT, **problems(421)})
async def metrics_text(room: TheRoom) -> Response:
    """Give the figures of every process, for Prometheus."""
    return Response(exposition.text(room.core.state().metrics), media_type=exposition.MEDIA)


@router.get("/version", response_model=Version, responses=problems(421))
async def show_version() -> Response:
    """Say what is running."""
    return present.respond({"version": __version__, "api": "v1"})
