"""One evidence of a place becomes one alert: its air has failed and gas rises, with every sign in words.

No score and no probability: there are no labels of such incidents that would allow one. The priority is 1 and
a person is called, because two instruments of different kinds say the same. While it stands, every alert of
the place that is raised says so, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from minewatch.alerts.activation import EVENTS, IGNORED, SYSTEM, Shelf, Slot, alert_id
from minewatch.alerts.lifecycle import Step, after
from minewatch.alerts.rule import key_of
from minewatch.alerts.texts import duration, joined, number
from minewatch.alerts.trial_texts import LANGUAGES
from minewatch.contracts import (
    Alert,
    AlertEvent,
    AlertState,
    EventKind,
    PlaceEvidence,
    PointInfo,
    RecordStore,
    Sign,
    Text,
)

RULE_ID = "gas-without-air"
DETECTOR = "evidence"
PRIORITY = 1
SHOWN = 5  # signs of a kind that are told one by one; of the others only how many there are
AIR = "air_velocity"

MESSAGE = Text(
    kk="Ауа тоқтап барады, метан өсіп барады. Адамдарды шығарыңыз, қуатты ажыратыңыз, желдетуді тексеріңіз.",
    ru="Воздух пропадает, метан растёт. Выведите людей, снимите питание, проверьте проветривание.",
    en="The air is failing and methane rises. Withdraw people, cut power, check the ventilation.",
)
FELL = Text(
    "{w}: ауа {at} {u} → {v} м/с түсті", "{w}: воздух упал с {u} до {v} м/с в {at}",
    "the air at {w} fell from {u} to {v} m/s at {at}",
)  # fmt: skip
STILL = Text(
    "{w}: ауа {at} бастап {v} м/с қана", "{w}: воздух всего {v} м/с с {at}",
    "the air at {w} is only {v} m/s since {at}",
)  # fmt: skip
ROSE = Text(
    "{w}: метан {at} {u} → {v} % өсті", "{w}: метан вырос с {u} до {v} % в {at}",
    "methane at {w} rose from {u} to {v} % at {at}",
)  # fmt: skip
MORE = Text("тағы {n} датчик", "и ещё датчиков: {n}", "and {n} more")
OVER = Text("ауа {d} кейін қалпына келді", "воздух восстановился через {d}", "the air is back after {d}")


class Places:
    """The alerts of places, on the shelf of the book; ``points`` are those in force."""

    def __init__(self, shelf: Shelf, records: RecordStore | None) -> None:
        self._shelf = shelf
        self._records = records
        self.points: Mapping[int, PointInfo] = {}
        self._standing: dict[tuple[str, str], Text] = {}

    def restore(self, alert: Alert) -> None:
        """Take over an alert of a place that stands."""
        if alert.rule == RULE_ID and alert.active:
            self._standing[(alert.site, alert.zone)] = alert.why

    def standing(self) -> list[tuple[str, str, int]]:
        """Return site, zone and begin of every evidence that stands."""
        return [
            (alert.site, alert.zone, alert.changed_ns)
            for alert in self._shelf.open.values()
            if alert.rule == RULE_ID and alert.active
        ]

    def said(self, point: PointInfo, why: Text) -> Text:
        """Return the reason of an alert, with the evidence of its place where one stands."""
        evidence = self._standing.get((point.site, point.zone.partition("/")[0]))
        return why if evidence is None else joined(why, evidence)

    def take(self, found: PlaceEvidence, now_ns: int) -> list[AlertEvent]:
        """Return the event that the begin or end of an evidence causes."""
        place = f"{found.site}/{found.zone}"
        key = key_of(RULE_ID, place)
        slot: Slot = (key, 0)
        old = self._shelf.open.get(slot)
        if found.active:
            alert = self._raised(found, place, old)
            self._standing[(found.site, found.zone)] = alert.why
            kind = EventKind.RAISED
        else:
            self._standing.pop((found.site, found.zone), None)
            if old is None or not old.active:
                return []
            alert, kind = _cleared(found, old), EventKind.CLEARED
        name = f"{key & (1 << 64) - 1:016x}|{kind.value}|{found.since_ns}"
        if self._records is not None and self._records.event_by_key(name) is not None:
            IGNORED.labels("already in the journal").inc()
            return []
        if found.active:
            self._shelf.since[slot] = found.since_ns
        else:
            self._shelf.since.pop(slot, None)
        self._shelf.keep(slot, alert)
        EVENTS.labels(kind.value).inc()
        return [AlertEvent(name, kind, alert, found.ts_ns, now_ns, SYSTEM)]

    def _raised(self, found: PlaceEvidence, place: str, old: Alert | None) -> Alert:
        gas = next((s for s in found.signs if self.points[s.point].quantity != AIR), found.signs[-1])
        return Alert(
            id=old.id if old else alert_id(RULE_ID, place, found.since_ns),
            rule=RULE_ID,
            place=place,
            site=found.site,
            zone=found.zone,
            quantity=self.points[gas.point].quantity,
            priority=PRIORITY,
            paged=True,
            state=AlertState.UNACKNOWLEDGED,
            active=True,
            raised_ns=old.raised_ns if old else found.ts_ns,
            changed_ns=found.ts_ns,
            value=gas.value,
            unit=self.points[gas.point].unit,
            limit=gas.usual,
            detector=DETECTOR,
            message=MESSAGE,
            why=self._why(found),
            citation="Engineering choice, not a legal limit: docs/detectors.md",
            verified=False,
        )

    def _why(self, found: PlaceEvidence) -> Text:
        airs = [s for s in found.signs if self.points[s.point].quantity == AIR]
        gases = [s for s in found.signs if self.points[s.point].quantity != AIR]
        told = []
        for one in LANGUAGES:
            parts: list[str] = []
            for some in (airs, gases):
                parts += [self._sign(sign, one) for sign in some[:SHOWN]]
                if len(some) > SHOWN:
                    parts.append(getattr(MORE, one).format(n=len(some) - SHOWN))
            told.append("; ".join(parts))
        return Text(*told)

    def _sign(self, sign: Sign, language: str) -> str:
        point = self.points[sign.point]
        if point.quantity == AIR:
            text = FELL if sign.usual > 1.25 * abs(sign.value) + 0.05 else STILL
        else:
            text = ROSE
        at = datetime.fromtimestamp(sign.since_ns // 1_000_000_000, UTC).strftime("%H:%M:%S UTC")
        usual, value = number(round(sign.usual, 2), language), number(round(sign.value, 2), language)
        return str(getattr(text, language)).format(w=point.place, u=usual, v=value, at=at)


def _cleared(found: PlaceEvidence, old: Alert) -> Alert:
    lasted = found.ts_ns - found.since_ns
    why = Text(*(getattr(OVER, one).format(d=duration(lasted, one)) for one in LANGUAGES))
    state = after(old.state, Step.CLEAR)
    return replace(old, state=state, active=False, changed_ns=found.ts_ns, why=why)
