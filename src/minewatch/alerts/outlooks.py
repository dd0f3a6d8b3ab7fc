"""When a limit will be reached, in the words of the alerts that stand at its point: told anew as it moves."""

from __future__ import annotations

import math
from collections.abc import Mapping

from minewatch.alerts.activation import Shelf, Slot
from minewatch.alerts.texts import number
from minewatch.alerts.words import Part, Words
from minewatch.contracts import AlertEvent, Outlook, PointInfo, Text

MOVED = 0.25  # a quarter more or less than was told is worth a row, and a minute at least
REACHES = Text(
    "{m} минутта {l} {u} болады ({s})",
    "достигнет {l} {u} через {m} мин ({s})",
    "reaches {l} {u} in {m} min ({s})",
)
BETWEEN = Text("{a}–{b}", "от {a} до {b}", "{a} to {b}")
OR_MORE = Text("{a} немесе көп", "{a} или больше", "{a} or more")


class Outlooks:
    """What was told of each alert that stands; ``points`` are those in force."""

    def __init__(self, shelf: Shelf, words: Words) -> None:
        self._shelf = shelf
        self._words = words
        self.points: Mapping[int, PointInfo] = {}
        self._told: dict[Slot, Outlook] = {}

    def standing(self) -> dict[str, list[Slot]]:
        """Return the live alerts that stand, by place."""
        found: dict[str, list[Slot]] = {}
        for slot, alert in self._shelf.open.items():
            if alert.active and not alert.retrospective:
                found.setdefault(alert.place, []).append(slot)
        return found

    def take(self, outlooks: tuple[Outlook, ...], now_ns: int) -> list[AlertEvent]:
        """Return the rows that newer outlooks make."""
        events: list[AlertEvent] = []
        standing = self.standing() if outlooks else {}
        self._told = {slot: told for slot, told in self._told.items() if slot in self._shelf.since}
        for outlook in outlooks:
            point = self.points[outlook.point]
            for slot in standing.get(point.place, ()):
                if self._words.reads_again(slot, outlook.ts_ns):
                    continue
                told = self._told.get(slot)
                if told is None:  # after a start an older one may stand in the words
                    begins = math.isfinite(outlook.minutes) or self._words.says(slot, Part.OUTLOOK)
                    if not begins:
                        continue
                elif not _matters(told, outlook):
                    continue
                self._told[slot] = outlook
                said = words(outlook, point.unit)
                events += self._words.know(slot, Part.OUTLOOK, said, outlook.ts_ns, now_ns)
        return events


def words(outlook: Outlook, unit: str) -> Text | None:
    """Say when a limit will be reached, with the interval; None where it is not in sight."""
    if not math.isfinite(outlook.minutes):
        return None
    return Text(*(_said(outlook, unit, one) for one in ("kk", "ru", "en")))


def _said(outlook: Outlook, unit: str, language: str) -> str:
    soonest, minutes, latest = (
        number(max(1, round(m)) if math.isfinite(m) else m, language)
        for m in (outlook.soonest, outlook.minutes, outlook.latest)
    )
    span = BETWEEN if math.isfinite(outlook.latest) else OR_MORE
    return str(getattr(REACHES, language)).format(
        m=minutes,
        l=number(outlook.limit, language),
        u=unit,
        s=str(getattr(span, language)).format(a=soonest, b=latest),
    )


def _matters(told: Outlook, outlook: Outlook) -> bool:
    if not math.isfinite(told.minutes) or not math.isfinite(outlook.minutes):
        return math.isfinite(outlook.minutes) != math.isfinite(told.minutes)
    moved = abs(outlook.minutes - told.minutes)
    return told.limit != outlook.limit or moved > max(1.0, MOVED * told.minutes)
