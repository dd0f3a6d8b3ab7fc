"""Tests of the made-up mine's meters: a ledger, and windows that somebody announces."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from browser.stub_mine import Json, Mine, iso

WEEKS = 60
METERS = 3
WHY = {"kk": "тексеру аяқталды", "ru": "проверка окончена", "en": "the test is over"}
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Calibrations:
    """What the routes under ``calibrations`` answer with."""

    def __init__(self, mine: Mine) -> None:
        self._mine = mine
        self._standing: dict[str, Json] = {}

    def ledger(self, now: datetime, place: str, begin: str) -> list[Json]:
        """List a test a week of the first meters, the newest first; the newest of all still runs."""
        since = datetime.fromisoformat(begin) if begin else LONG_AGO
        meters = [p for p in self._mine.points if p["quantity"] == "methane"][:METERS]
        lines = [
            _line(point, now - timedelta(days=7 * week, minutes=n + 1), week * METERS + n)
            for week in range(WEEKS)
            for n, point in enumerate(meters)
        ]
        return [
            line
            for line in lines
            if place in ("", line["place"]) and datetime.fromisoformat(line["begin"]) >= since
        ]

    def standing(self) -> list[Json]:
        """List what is announced."""
        return list(self._standing.values())

    def announce(self, now: datetime, actor: str, asked: Json, *, ends: bool) -> Iterable[tuple[Json, Json]]:
        """Announce or end; yield each window after it, and its row of the journal."""
        for point in self._mine.points:
            meant = asked.get("place") == point["place"] or asked.get("zone") == point["zone"]
            if not meant or point["quantity"] != "methane":
                continue
            about = {"id": f"announced-{point['id']}", "rule": "test-announced"}
            entry = self._mine.record(now, "test-announced", about, actor)
            del self._mine.alerts[about["id"]]
            window = {name: point[name] for name in ("place", "site", "zone")} | {
                "row": entry["row"], "from": iso(now), "to": iso(now) if ends else asked["to"], "by": actor,
                "gas_pct": asked.get("gas_pct"), "comment": asked.get("comment", ""), "told": iso(now),
            }  # fmt: skip
            self._standing[point["place"]] = window
            if ends:
                del self._standing[point["place"]]
            yield window, entry


def _line(point: Json, began: datetime, number: int) -> Json:
    runs, refuted = number == 0, number == 2
    return {name: point[name] for name in ("place", "site", "zone", "unit")} | {
        "row": 100_000 - number,
        "alert": f"{number:016x}",
        "stage": "tested" if runs else "refuted" if refuted else "over",
        "begin": iso(began),
        "end": None if runs else iso(began + timedelta(seconds=97)),
        "before": 0.2,
        "found": round(2.2 - number / 1000, 3),
        "t90_s": None if runs else 9.2,
        "recovery_s": None if runs or refuted else 12.4,
        "announced_by": "" if number % 2 else "Пульт 1",
        "gas_pct": None if number % 2 else 2.2,
        "why": WHY,
    }
