"""Zones, with what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import APIRouter
from starlette.responses import Response

from minewatch.contracts import Alert, AlertQuery, AlertState, PointInfo, RecordStore
from minewatch.serve import present
from minewatch.serve.room import TheRoom
from minewatch.serve.routes.fields import MOST
from minewatch.serve.schemas import ZoneList, problems

router = APIRouter(prefix="/zones", tags=["zones"])
WAITING = (AlertState.UNACKNOWLEDGED, AlertState.RETURNED)


@router.get("", response_model=ZoneList, responses=problems(421, 503))
def list_zones(room: TheRoom) -> Response:
    """List the zones with their points and the alerts that are not normal."""
    return present.page(summary(room.points().values(), standing(room.records)))


def standing(records: RecordStore) -> Iterator[Alert]:
    """Yield every alert that is not normal."""
    cursor = ""
    while True:
        found, cursor = records.alerts(AlertQuery(limit=MOST, cursor=cursor))
        yield from found
        if not cursor:
            return


def summary(points: Iterable[PointInfo], alerts: Iterable[Alert]) -> list[present.Json]:
    """Count points and alerts per zone; an alert in a zone without points has its zone all the same."""
    zones: dict[tuple[str, str], present.Json] = {}

    def zone(site: str, name: str) -> present.Json:
        empty = {"points": 0, "worst_priority": None, "unacknowledged": 0, "active": 0}
        return zones.setdefault((site, name), {"site": site, "zone": name, **empty})

    for info in points:
        zone(info.site, info.zone)["points"] += 1
    for alert in alerts:
        entry = zone(alert.site, alert.zone)
        entry["worst_priority"] = min(entry["worst_priority"] or alert.priority, alert.priority)
        entry["unacknowledged"] += alert.state in WAITING
        entry["active"] += alert.active
    return [zones[key] for key in sorted(zones)]
