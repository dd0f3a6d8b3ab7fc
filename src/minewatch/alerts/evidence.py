"""One evidence of a place becomes one alert: its air has failed and gas rises, with every sign in words.

No score and no probability of its own. The priority is 1 and a person is called, because two instruments of
different kinds say the same. While it stands its signs are told anew as they change, and every other alert of
the place that stands says so, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from minewatch.alerts.activation import EVENTS, SYSTEM, Shelf, Slot, alert_id, event_key
from minewatch.alerts.held import Held
from minewatch.alerts.lifecycle import Step, after
from minewatch.alerts.rule import key_of
from minewatch.alerts.texts import duration, number
from minewatch.alerts.trial_texts import LANGUAGES
from minewatch.alerts.words import Part, Words
from minewatch.contracts import (
    NO_WORDS,
    Alert,
    AlertEvent,
    AlertState,
    EventKind,
    PlaceEvidence,
    PointInfo,
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
BACK = Text(
    "ауа қалпына келді, әлі бақыланады",
    "воздух восстановился, за ним ещё следят",
    "the air is back, and still watched",
)
OVER = Text("ауа {d} кейін қалпына келді", "воздух восстановился через {d}", "the air is back after {d}")


class Places:
    """The alerts of places, on the shelf of the book; ``points`` are those in force."""

    def __init__(self, shelf: Shelf, held: Held, words: Words) -> None:
        self._shelf = shelf
        self._held = held
        self._words = words
        self.points: Mapping[int, PointInfo] = {}
        self._standing: dict[tuple[str, str], Text] = {}

    def restore(self, alert: Alert) -> None:
        """Take over an alert of a place that stands."""
        if alert.rule == RULE_ID and alert.active:
            self._standing[(alert.site, alert.zone)] = alert.now if alert.now.en else alert.why

    def standing(self) -> list[tuple[str, str, int]]:
        """Return site, zone and begin of every evidence that stands."""
        return [
            (alert.site, alert.zone, alert.changed_ns)
            for alert in self._shelf.open.values()
            if alert.rule == RULE_ID and alert.active
        ]

    def known_at(self, point: PointInfo) -> Text | None:
        """Return the evidence that stands at the place of a point."""
        return self._standing.get((point.site, point.zone.partition("/")[0]))

    def take(self, found: PlaceEvidence, now_ns: int) -> list[AlertEvent]:
        """Return the events that the begin, the end or another sign of an evidence causes."""
        slot: Slot = (key_of(RULE_ID, f"{found.site}/{found.zone}"), 0)
        why = self._why(found) if found.active else _over(found)
        if found.active and slot in self._shelf.since:  # after a restart it may begin at another time
            events = self._words.know(slot, Part.FOUND, why, found.ts_ns, now_ns)
        else:
            events = self._changed(found, why, now_ns)
        place = (found.site, found.zone)
        if found.active:
            self._standing[place] = why
        else:
            self._standing.pop(place, None)
        for other in [slot for slot, at in self._others() if at == place]:
            if found.active or self._words.says(other, Part.PLACE):  # its end is news to who knew of it
                events += self._words.know(other, Part.PLACE, why, found.ts_ns, now_ns)
        return events

    def resume(self, standing: Iterable[PlaceEvidence], now_ns: int) -> list[AlertEvent]:
        """Go on after a start with the evidence that stands; no alert keeps words of what stands no more."""
        events = [event for found in standing for event in self.take(found, now_ns)]
        for slot, place in self._others():
            said = self._words.said(slot, Part.PLACE)
            if said is not None and place not in self._standing and not _says_over(said):
                events += self._words.know(slot, Part.PLACE, None, now_ns, now_ns)
        return events

    def _others(self) -> list[tuple[Slot, tuple[str, str]]]:
        """Return the live alerts that are no evidence themselves, each with its place."""
        return [
            (slot, (alert.site, alert.zone.partition("/")[0]))
            for slot, alert in self._shelf.in_order()
            if alert.rule != RULE_ID and not alert.retrospective
        ]

    def _changed(self, found: PlaceEvidence, why: Text, now_ns: int) -> list[AlertEvent]:
        place = f"{found.site}/{found.zone}"
        key = key_of(RULE_ID, place)
        slot: Slot = (key, 0)
        old = self._shelf.open.get(slot)
        kind = EventKind.RAISED if found.active else EventKind.CLEARED
        name = event_key(key, kind, found.since_ns)
        if self._held.repeats(name):
            return []
        if found.active and found.signs:
            alert = self._raised(found, place, why, old)
            self._shelf.since[slot] = found.since_ns
        elif old is not None and old.active and not found.active:
            alert = _cleared(found, why, old)
            self._shelf.since.pop(slot, None)
        else:
            return []
        self._shelf.keep(slot, alert)
        EVENTS.labels(kind.value).inc()
        return [AlertEvent(name, kind, alert, found.ts_ns, now_ns, SYSTEM)]

    def _raised(self, found: PlaceEvidence, place: str, why: Text, old: Alert | None) -> Alert:
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
            why=why,
            citation="Engineering choice, not a legal limit: docs/detectors.md",
            verified=False,
        )

    def _why(self, found: PlaceEvidence) -> Text:
        airs = [s for s in found.signs if self.points[s.point].quantity == AIR]
        gases = [s for s in found.signs if self.points[s.point].quantity != AIR]
        told = []
        for one in LANGUAGES:
            parts: list[str] = [] if airs else [getattr(BACK, one)]
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


def _over(found: PlaceEvidence) -> Text:
    lasted = found.ts_ns - found.since_ns
    return Text(*(getattr(OVER, one).format(d=duration(lasted, one)) for one in LANGUAGES))


def _says_over(said: Text) -> bool:
    return said.en.startswith(OVER.en.partition("{")[0])


def _cleared(found: PlaceEvidence, why: Text, old: Alert) -> Alert:
    state = after(old.state, Step.CLEAR)
    changed_ns = found.ts_ns
    return replace(
        old, state=state, active=False, changed_ns=changed_ns, why=why, now=NO_WORDS, now_ns=0, words=()
    )
