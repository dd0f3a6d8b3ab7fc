"""Gateways and their sessions."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from minewatch.serve import present
from minewatch.serve.room import TheRoom
from minewatch.serve.schemas import GatewayList, problems

router = APIRouter(prefix="/gateways", tags=["gateways"])


@router.get("", response_model=GatewayList, responses=problems(421, 503))
async def list_gateways(room: TheRoom) -> Response:
    """List the gateways: session, clock, spool. While the core is away, as they were last known."""
    known = sorted(room.core.state().gateways, key=lambda g: (g.site, g.gateway))
    return present.page([present.gateway(g) for g in known])
