"""Settings and rules that change from a time on: a row of the journal each, and no alert.

What the journal tells must be what is in force: a change that is not there any more is told, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from minewatch.alerts.activation import SYSTEM, alert_id, remark
from minewatch.contracts import Alert, AlertEvent, EventKind, ParameterChange, RecordStore, Text

SETTINGS = "settings-changed"
RULES = "rules-changed"
PLACES = {SETTINGS: "detect", RULES: "rules"}
TAKEN, GONE = "changed", "withdrawn"
HEADS = {
    SETTINGS: Text(
        "{} уақытынан бастап анықтау баптаулары өзгереді: ",
        "Настройки обнаружения меняются с {}: ",
        "Settings of detection change from {}: ",
    ),
    RULES: Text(
        "{} уақытынан бастап ереже өзгереді: ", "Правило меняется с {}: ", "A rule changes from {}: "
    ),
}


class Told:
    """The changes that the journal tells of, each with how often it was taken and whether it still stands.

    ``about`` is SETTINGS or RULES. All rows about one of them carry the same alert id.
    """

    def __init__(self, records: RecordStore, about: str) -> None:
        self._about = about
        self._times: dict[str, int] = {}
        self._standing: dict[str, Text] = {}
        for event in _rows(records, alert_id(about, PLACES[about], 0)):
            kind, digest, *_ = event.key.split("|")
            if kind == TAKEN:
                self._take(digest, event.alert.why)
            else:
                self._standing.pop(digest, None)

    def events(self, changes: Sequence[ParameterChange], now_ns: int) -> list[AlertEvent]:
        """Return the rows that the journal lacks when these changes are those in force."""
        known = {_digest(change): change for change in changes}
        gone = [digest for digest in self._standing if digest not in known]
        events = [self._gone(digest, now_ns) for digest in gone]
        for digest, change in known.items():
            if digest not in self._standing:
                text = _text(change, HEADS[self._about])
                key = _key(TAKEN, digest, self._times.get(digest, 0))
                row = self._row(change.from_ns, text)
                events.append(
                    AlertEvent(
                        key, EventKind.CHANGED, row, change.from_ns, now_ns, change.by, comment=change.reason
                    )
                )
                self._take(digest, text)
        return events

    def _take(self, digest: str, text: Text) -> None:
        self._times[digest] = self._times.get(digest, 0) + 1
        self._standing[digest] = text

    def _gone(self, digest: str, now_ns: int) -> AlertEvent:
        said = self._standing.pop(digest)
        text = Text(
            kk=f"Бұл өзгеріс енді конфигурацияда жоқ: {said.kk}",
            ru=f"Этого изменения больше нет в конфигурации: {said.ru}",
            en=f"This change is no longer in the configuration: {said.en}",
        )
        key = _key(GONE, digest, self._times[digest] - 1)
        return AlertEvent(key, EventKind.CHANGED, self._row(now_ns, text), now_ns, now_ns, SYSTEM)

    def _row(self, time_ns: int, text: Text) -> Alert:
        return remark(self._about, PLACES[self._about], 0, time_ns, detector="settings", text=text)


def _rows(records: RecordStore, identity: str) -> Iterator[AlertEvent]:
    after = 0
    while page := records.events(alert_id=identity, after=after, limit=100):
        yield from page
        after = page[-1].row


def _key(kind: str, digest: str, times: int) -> str:
    return f"{kind}|{digest}|{times}" if times else f"{kind}|{digest}"


def _digest(change: ParameterChange) -> str:
    said = [change.from_ns, change.by, change.reason, change.after]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _text(change: ParameterChange, head: Text) -> Text:
    when = datetime.fromtimestamp(change.from_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    what = "; ".join(
        f"{key} {_said(change.before, key)} → {_said(change.after, key)}" for key in change.after
    )
    return Text(head.kk.format(when) + what, head.ru.format(when) + what, head.en.format(when) + what)


def _said(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "—"
