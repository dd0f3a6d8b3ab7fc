"""What is known of an alert while it stands: parts that change, said anew as one text, each in the journal.

What was found when it was raised stays in ``why``. Words that come too fast wait for their turn, so that an
alert has one row at once and then one in ten seconds at most, and never two with the same words. Before the
state of the detectors is kept nothing waits: what they have told of they do not tell again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import reduce

from minewatch.alerts.activation import EVENTS, SYSTEM, Shelf, Slot, key_text
from minewatch.alerts.texts import joined
from minewatch.contracts import NO_WORDS, Alert, AlertEvent, EventKind, Text

LEAST_NS = 10_000_000_000  # between two rows of one alert


class Part(IntEnum):
    """Whose word it is, in the order in which they are told."""

    BEFORE = -1  # all of it, kept by a version that did not know the parts: goes at the first newer word
    FOUND = 0  # the detector's own, where it has newer reasons
    TRIAL = 1  # whether it may be a test of the meter
    PLACE = 2  # the evidence of the place
    OUTLOOK = 3  # when a limit will be reached
    CHANCE = 4  # how often alerts like it were real


@dataclass(slots=True)
class Known:
    """What is known of one alert, and when it was told."""

    parts: dict[Part, Text] = field(default_factory=dict)
    told_ns: int | None = None  # the service's time of the last row
    waiting_ns: int | None = None  # since when something newer is known
    read_to_ns: int = 0  # after a start: what is older is read again, and was told

    def on(self, alert: Alert, ts_ns: int) -> Alert:
        """Return the alert with these words, known since a time."""
        said = tuple((int(part), self.parts[part]) for part in sorted(self.parts))
        now = reduce(joined, (text for _, text in said)) if said else NO_WORDS
        return replace(alert, now=now, now_ns=ts_ns, words=said)


class Words:
    """The words of the alerts on a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._known: dict[Slot, Known] = {}

    def restore(self, slot: Slot, alert: Alert) -> None:
        """Take over an alert that stands: what was told of it goes on, and counts for its next row."""
        parts = {Part(part): said for part, said in alert.words}
        if not parts and alert.now.en:
            parts[Part.BEFORE] = alert.now
        self._known[slot] = Known(
            parts=parts,
            told_ns=alert.now_ns if alert.now_ns > alert.changed_ns else None,
            read_to_ns=max(alert.now_ns, alert.changed_ns),
        )

    def raised(self, slot: Slot, alert: Alert, parts: Mapping[Part, Text | None]) -> Alert:
        """Return an alert that is being raised with what is known already."""
        known = Known({part: said for part, said in parts.items() if said is not None})
        self._known[slot] = known
        return known.on(alert, alert.changed_ns if known.parts else 0)

    def know(self, slot: Slot, part: Part, said: Text | None, ts_ns: int, now_ns: int) -> list[AlertEvent]:
        """Take a newer word, None where nothing is to be said any more; return the row that it makes."""
        alert = self._shelf.open.get(slot)
        if alert is None or not alert.active or self.reads_again(slot, ts_ns):
            return []
        known = self._known.setdefault(slot, Known())
        known.parts.pop(Part.BEFORE, None)
        if said is None or said == alert.why:
            known.parts.pop(part, None)
        else:
            known.parts[part] = said
        last_ns = max(alert.now_ns, alert.changed_ns)
        known.waiting_ns = ts_ns if ts_ns >= last_ns else last_ns + 1  # another gateway's batch came later
        return self._tell(slot, known, now_ns)

    def said(self, slot: Slot, part: Part) -> Text | None:
        """Return the word of a part in what is known of an alert, None where it has none."""
        return self._known[slot].parts.get(part) if slot in self._known else None

    def says(self, slot: Slot, part: Part) -> bool:
        """Say whether a part has, or may have, its word in what is known of an alert."""
        return self.said(slot, part) is not None or self.said(slot, Part.BEFORE) is not None

    def reads_again(self, slot: Slot, ts_ns: int) -> bool:
        """Say whether a word is from before the last start: newer ones stand already."""
        return slot in self._known and ts_ns < self._known[slot].read_to_ns

    def without(self, slot: Slot, alert: Alert, part: Part, ts_ns: int) -> Alert:
        """Return an alert that has a row of its own for another reason, with one word less."""
        known = self._known.setdefault(slot, Known())
        known.parts.pop(Part.BEFORE, None)
        known.parts.pop(part, None)
        return known.on(alert, ts_ns)

    def tick(self, now_ns: int, *, at_once: bool = False) -> list[AlertEvent]:
        """Say what has waited for its turn, or ``at_once`` whatever waits."""
        for slot in [slot for slot in self._known if slot not in self._shelf.since]:
            del self._known[slot]
        return [
            event for slot, known in self._known.items() for event in self._tell(slot, known, now_ns, at_once)
        ]

    def _tell(self, slot: Slot, known: Known, now_ns: int, at_once: bool = False) -> list[AlertEvent]:
        """Return the row of what waits, none before its turn."""
        ts_ns = known.waiting_ns
        if ts_ns is None:
            return []
        old = self._shelf.open[slot]
        if ts_ns <= old.now_ns:
            ts_ns = max(now_ns, old.now_ns + 1)  # it waited, and has a row of its own
        alert = known.on(old, ts_ns)
        changed = alert.now != old.now
        too_soon = known.told_ns is not None and now_ns < known.told_ns + LEAST_NS
        if changed and too_soon and not at_once:
            return []
        known.waiting_ns = None
        if not changed:
            return []
        known.told_ns = now_ns
        self._shelf.keep(slot, alert)
        EVENTS.labels(EventKind.EXPLAINED.value).inc()
        name = f"{key_text(slot[0])}|{EventKind.EXPLAINED.value}|{slot[1]}|{ts_ns}"
        return [AlertEvent(name, EventKind.EXPLAINED, alert, ts_ns, now_ns, SYSTEM)]
