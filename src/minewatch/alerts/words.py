"""What is known of an alert while it stands: parts that change, said anew as one text, each in the journal.

What was found when it was raised stays in ``why``. Words that come too fast wait for their turn, so that an
alert has one row at once and then one in ten seconds at most, and never two with the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from functools import reduce

from minewatch.alerts.activation import EVENTS, SYSTEM, Shelf, Slot, key_text
from minewatch.alerts.texts import joined
from minewatch.contracts import NO_WORDS, Alert, AlertEvent, EventKind, Text

LEAST_NS = 10_000_000_000  # between two rows of one alert


class Part(IntEnum):
    """Whose word it is, in the order in which they are told."""

    FOUND = 0  # the detector's own, where it has newer reasons
    TRIAL = 1  # whether it may be a test of the meter
    PLACE = 2  # the evidence of the place
    OUTLOOK = 3  # when a limit will be reached
    CHANCE = 4  # how often alerts like it were real


class Words:
    """The words of the alerts on a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._parts: dict[Slot, dict[Part, Text]] = {}
        self._told_ns: dict[Slot, int] = {}
        self._waiting: dict[Slot, int] = {}  # since when something newer is known
        self._read_to: dict[Slot, int] = {}  # after a start: what is older is read again

    def restore(self, slot: Slot, alert: Alert) -> None:
        """Take over an alert that stands: what was told of it counts for its next row."""
        self._read_to[slot] = max(alert.now_ns, alert.changed_ns)
        if alert.now_ns > alert.changed_ns:
            self._told_ns[slot] = alert.now_ns

    def again(self, slot: Slot, part: Part, said: Text) -> None:
        """Take back after a start a word that stands in the last row already, for the rows that follow."""
        self._parts.setdefault(slot, {}).setdefault(part, said)

    def raised(self, slot: Slot, alert: Alert, parts: Mapping[Part, Text | None]) -> Alert:
        """Return an alert that is being raised with what is known already."""
        self._parts[slot] = {part: said for part, said in parts.items() if said is not None}
        for kept in (self._told_ns, self._waiting, self._read_to):
            kept.pop(slot, None)
        now = self._composed(slot)
        return replace(alert, now=now, now_ns=alert.changed_ns if now.en else 0)

    def know(self, slot: Slot, part: Part, said: Text | None, ts_ns: int, now_ns: int) -> list[AlertEvent]:
        """Take a newer word, None where nothing is to be said any more; return the row that it makes."""
        alert = self._shelf.open.get(slot)
        if alert is None or not alert.active:
            return []
        parts = self._parts.setdefault(slot, {})
        if said is None or said == alert.why:
            parts.pop(part, None)
        else:
            parts[part] = said
        if self.reads_again(slot, ts_ns):
            return []
        last_ns = max(alert.now_ns, alert.changed_ns)
        self._waiting[slot] = ts_ns if ts_ns >= last_ns else last_ns + 1  # another gateway's batch came later
        return self._tell(slot, now_ns)

    def reads_again(self, slot: Slot, ts_ns: int) -> bool:
        """Say whether a word is from before the last start: newer ones stand already."""
        return ts_ns < self._read_to.get(slot, ts_ns)

    def without(self, slot: Slot, alert: Alert, part: Part, ts_ns: int) -> Alert:
        """Return an alert that has a row of its own for another reason, with one word less."""
        self._parts.setdefault(slot, {}).pop(part, None)
        return replace(alert, now=self._composed(slot), now_ns=ts_ns)

    def tick(self, now_ns: int) -> list[AlertEvent]:
        """Say what has waited for its turn."""
        for slot in [slot for slot in {*self._parts, *self._read_to} if slot not in self._shelf.since]:
            for kept in (self._parts, self._told_ns, self._waiting, self._read_to):
                kept.pop(slot, None)
        return [event for slot in list(self._waiting) for event in self._tell(slot, now_ns)]

    def _tell(self, slot: Slot, now_ns: int) -> list[AlertEvent]:
        alert, now = self._shelf.open[slot], self._composed(slot)
        told_ns = self._told_ns.get(slot)
        if now != alert.now and told_ns is not None and now_ns < told_ns + LEAST_NS:
            return []
        ts_ns = self._waiting.pop(slot)
        if now == alert.now:
            return []
        if ts_ns <= alert.now_ns:
            ts_ns = max(now_ns, alert.now_ns + 1)  # it waited, and has a row of its own
        self._told_ns[slot] = now_ns
        alert = replace(alert, now=now, now_ns=ts_ns)
        self._shelf.keep(slot, alert)
        EVENTS.labels(EventKind.EXPLAINED.value).inc()
        name = f"{key_text(slot[0])}|{EventKind.EXPLAINED.value}|{slot[1]}|{ts_ns}"
        return [AlertEvent(name, EventKind.EXPLAINED, alert, ts_ns, now_ns, SYSTEM)]

    def _composed(self, slot: Slot) -> Text:
        parts = self._parts.get(slot, {})
        said = [parts[part] for part in sorted(parts)]
        return reduce(joined, said) if said else NO_WORDS
