"""Puts the routes, the push stream and the pages together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from minewatch import __version__
from minewatch.contracts import Clock, RecordStore
from minewatch.serve import pages, problems
from minewatch.serve.core import Core
from minewatch.serve.feed import Feed
from minewatch.serve.guard import API, Guard
from minewatch.serve.room import Room
from minewatch.serve.routes import (
    alerts,
    calibrations,
    events,
    gateways,
    health,
    points,
    readings,
    rejects,
    stream,
    zones,
)
from minewatch.serve.schemas import ProblemOut
from minewatch.serve.settings import ServeSettings

log = structlog.get_logger(__name__)
ABOUT = """minewatch watches a mine's readings and raises alerts that people see and acknowledge.

Times are ISO 8601 with offset. Every error is a problem document (RFC 9457) with a `code`. A list is
`{"items": [...], "next": cursor or null}`.
"""
TAGS = ("alerts", "calibrations", "journal", "stream", "points", "zones", "gateways", "rejects", "health")


def create_app(records: RecordStore, core: Core, settings: ServeSettings, clock: Clock) -> FastAPI:
    """Build the application; its lifespan follows the core."""
    feed = Feed(records, core, settings, clock)
    app = FastAPI(
        title="minewatch",
        version=__version__,
        description=ABOUT,
        openapi_url=pages.OPENAPI,
        docs_url=None,
        redoc_url=None,
        openapi_tags=[{"name": tag} for tag in TAGS],
        generate_unique_id_function=_operation,
        lifespan=_lifespan(feed),
    )
    app.state.room = Room(records, core, settings, clock, feed)
    api = APIRouter(prefix=API)
    for subject in (alerts, calibrations, events, stream, points, readings, zones, gateways, rejects):
        api.include_router(subject.router)
    app.include_router(api)
    app.include_router(health.router)
    pages.install(app)
    problems.install(app)
    app.add_middleware(Guard, clock=clock, max_body_bytes=settings.max_body_bytes)
    app.openapi = _openapi(app, app.openapi)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _operation(route: APIRoute) -> str:
    return route.name


def _openapi(app: FastAPI, plain: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Name the problem document in the schema, and it alone: no 422 but ours."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            schemas = document["components"]["schemas"]
            model = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(model.pop("$defs", {}))
            schemas["ProblemOut"] = model
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    return openapi


def _lifespan(feed: Feed) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await feed.start()
        following = asyncio.create_task(feed.run(), name="serve-feed")
        following.add_done_callback(feed.ended)
        try:
            yield
        finally:
            feed.close()
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    return lifespan
