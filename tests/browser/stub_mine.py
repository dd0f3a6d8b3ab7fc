"""A made-up mine for the stub service: points, alerts and readings in the shapes of the HTTP interface."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

Json = dict[str, Any]
SITE_TIME = timezone(timedelta(hours=5))

ZONES = {
    "saryarka": [
        *(f"longwall-7/{z}" for z in ("face", "tailgate", "maingate", "goaf")),
        *(f"longwall-9/{z}" for z in ("face", "tailgate", "maingate", "belt")),
        *(f"drift-{d}/{z}" for d in ("north", "south") for z in ("heading", "belt", "pump")),
        *(f"shaft-1/{z}" for z in ("collar", "bottom", "fan")),
    ],
    "kokpit": [
        *(f"bench-{b}/{z}" for b in (180, 195) for z in ("drill", "load", "ramp")),
        "plant/crusher",
        "haul-road",
    ],
}

SHORT = {
    "methane": "MM",
    "carbon_monoxide": "CO",
    "air_velocity": "AN",
    "dust": "PY",
    "bearing_temperature": "TB",
}

# quantity: unit, usual value, limit, comparison, priority, message (kk, ru, en)
QUANTITIES: dict[str, tuple[str, float, float, str, int, tuple[str, str, str]]] = {
    "methane": (
        "% CH4",
        0.42,
        1.0,
        "above",
        1,
        (
            "Метан шектен көп. Жұмысты тоқтатып, шығыңыз, желдетіңіз",
            "Метан выше нормы. Остановить работы, выйти, проветрить",
            "Methane above the limit. Stop work, leave the face, ventilate",
        ),
    ),
    "carbon_monoxide": (
        "ppm",
        4.0,
        17.0,
        "above",
        2,
        (
            "Көміртек оксиді көп. Өздігінен құтқарғыш киіңіз",
            "Оксид углерода выше нормы. Надеть самоспасатели",
            "Carbon monoxide high. Put on self-rescuers",
        ),
    ),
    "air_velocity": (
        "m/s",
        1.9,
        0.5,
        "below",
        2,
        (
            "Ауа ағыны әлсіз. Желдеткішті тексеріңіз",
            "Мало воздуха в забое. Проверить вентилятор",
            "Too little air. Check the fan",
        ),
    ),
    "dust": (
        "mg/m³",
        3.1,
        6.0,
        "above",
        3,
        (
            "Шаң шектен көп. Бүркуді тексеріңіз",
            "Пыль выше нормы. Проверить орошение",
            "Dust above the limit. Check the sprays",
        ),
    ),
    "bearing_temperature": (
        "°C",
        48.0,
        80.0,
        "above",
        4,
        (
            "Мойынтірек қызып барады. Жетекті қараңыз",
            "Подшипник греется. Осмотреть привод",
            "A bearing is running hot. Inspect the drive",
        ),
    ),
}


def iso(at: datetime) -> str:
    """Write a time as the service does."""
    return at.astimezone(SITE_TIME).isoformat(timespec="milliseconds")


def points() -> list[Json]:
    """Make every quantity of every zone a point."""
    out: list[Json] = []
    for site, zones in ZONES.items():
        for zone in zones:
            for quantity, (unit, _, limit, comparison, priority, _) in QUANTITIES.items():
                device = f"{SHORT[quantity]}-{len(out):03d}"
                out.append(
                    {
                        "id": len(out),
                        "place": f"{site}/{device}/{quantity}",
                        "site": site,
                        "gateway": f"gw-{zone.split('/')[0]}",
                        "device": device,
                        "metric": quantity,
                        "quantity": quantity,
                        "unit": unit,
                        "zone": zone,
                        "low": 0.0,
                        "high": 100.0,
                        "interval_s": 1.0,
                        "limits": [
                            {
                                "rule": f"{quantity}-limit",
                                "detector": "value",
                                "comparison": comparison,
                                "threshold": limit,
                                "priority": priority,
                                "citation": "Rules of the demonstration mine, 4.2",
                                "verified": quantity == "methane",
                            }
                        ],
                    }
                )
    return out


def value(point: Json, at_s: float) -> float:
    """Give a point a slow wave of its own around its usual value."""
    usual = QUANTITIES[point["quantity"]][1]
    phase = point["id"] * 0.7
    wave = math.sin(at_s / 90 + phase) * 0.15 + math.sin(at_s / 7 + 3 * phase) * 0.04
    return round(usual * (1 + wave), 3)


def alert(point: Json, raised: datetime, row: int, **change: Any) -> Json:
    """Make an alert of a point that stepped over its limit."""
    quantity = point["quantity"]
    unit, _, limit, comparison, priority, (kk, ru, en) = QUANTITIES[quantity]
    wrong = round(limit * (1.3 if comparison == "above" else 0.6), 3)
    alert_id = hashlib.sha256(f"{quantity}|{point['place']}|{raised.timestamp()}".encode()).hexdigest()[:16]
    return {
        "id": alert_id,
        "rule": f"{quantity}-limit",
        "place": point["place"],
        "site": point["site"],
        "zone": point["zone"],
        "quantity": quantity,
        "priority": priority,
        "paged": True,
        "state": "unacknowledged",
        "active": True,
        "raised": iso(raised),
        "changed": iso(raised),
        "value": wrong,
        "unit": unit,
        "limit": limit,
        "detector": "value",
        "message": {"kk": kk, "ru": ru, "en": en},
        "why": {
            "kk": f"{wrong} {unit}, шегі {limit}",
            "ru": f"{wrong} {unit} при пороге {limit}",
            "en": f"{wrong} {unit} against a limit of {limit}",
        },
        "citation": "Rules of the demonstration mine, 4.2",
        "verified": quantity == "methane",
        "retrospective": False,
        "acknowledged_by": "",
        "row": row,
    } | change


@dataclass
class Mine:
    """Alerts and their journal; a person's commands change them as the service would."""

    points: list[Json] = field(default_factory=points)
    alerts: dict[str, Json] = field(default_factory=dict)
    journal: list[Json] = field(default_factory=list)

    def record(self, now: datetime, event: str, alert: Json, actor: str = "", comment: str = "") -> Json:
        """Append one event to the journal and put its alert in force."""
        row = len(self.journal) + 1
        alert = alert | {"row": row, "changed": iso(now)}
        self.alerts[alert["id"]] = alert
        entry = {
            "row": row,
            "time": iso(now),
            "gateway_time": None,
            "service_time": iso(now),
            "event": event,
            "actor": actor,
            "comment": comment,
            "hash": hashlib.sha256(f"{row}{alert['id']}{event}".encode()).hexdigest(),
            "alert": alert,
        }
        self.journal.append(entry)
        return entry

    def seed(self, now: datetime, count: int) -> None:
        """Raise ``count`` alerts in the past hours; some are acknowledged, some have returned."""
        for i in range(count):
            point = self.points[(i * 37) % len(self.points)]
            raised = now - timedelta(seconds=700 + i * 11)
            entry = self.record(raised, "raised", alert(point, raised, 0))
            if i % 5 == 3:
                self.acknowledge(now, entry["alert"]["id"], "desk 2", "")
            elif i % 7 == 5:
                self.clear(now, entry["alert"]["id"])
            elif i % 11 == 6:
                self.record(raised, "raised", entry["alert"] | {"retrospective": True, "paged": False})

    def raise_alert(self, now: datetime, point: int, **change: Any) -> Json:
        """Raise an alert of a point now."""
        return self.record(now, "raised", alert(self.points[point], now, 0, **change))

    def acknowledge(self, now: datetime, alert_id: str, actor: str, comment: str) -> Json:
        """Acknowledge; a returned alert is normal after it."""
        alert = self.alerts[alert_id]
        state = "acknowledged" if alert["active"] else "normal"
        return self.record(
            now, "acknowledged", alert | {"state": state, "acknowledged_by": actor}, actor, comment
        )

    def clear(self, now: datetime, alert_id: str) -> Json:
        """Let the condition return to normal."""
        alert = self.alerts[alert_id]
        state = "returned-unacknowledged" if alert["state"] == "unacknowledged" else "normal"
        return self.record(now, "cleared", alert | {"state": state, "active": False})

    def not_normal(self) -> list[Json]:
        """List what the live list shows."""
        return [a for a in self.alerts.values() if a["state"] != "normal"]

    def zones(self) -> Iterator[Json]:
        """Sum up each zone."""
        for site, names in ZONES.items():
            for zone in names:
                mine = [a for a in self.not_normal() if a["site"] == site and a["zone"] == zone]
                yield {
                    "site": site,
                    "zone": zone,
                    "points": len(QUANTITIES),
                    "worst_priority": min((a["priority"] for a in mine), default=None),
                    "unacknowledged": sum(a["state"] != "acknowledged" for a in mine),
                    "active": sum(a["active"] for a in mine),
                }
