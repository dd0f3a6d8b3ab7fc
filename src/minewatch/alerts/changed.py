"""Settings of detection that change from a time on: a row of the journal each, and no alert."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from minewatch.alerts.activation import remark
from minewatch.contracts import Alert, AlertEvent, EventKind, ParameterChange, Text

RULE_ID = "settings-changed"
PLACE = "detect"


def events(changes: Sequence[ParameterChange], now_ns: int) -> list[AlertEvent]:
    """Return the row of each change; the same change has the same key, so it stands in the journal once."""
    return [
        AlertEvent(
            f"changed|{_digest(change)}", EventKind.CHANGED, _row(change), change.from_ns, now_ns,
            change.by, comment=change.reason,
        )
        for change in changes
    ]  # fmt: skip


def _digest(change: ParameterChange) -> str:
    said = [change.from_ns, change.by, change.reason, change.after]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _row(change: ParameterChange) -> Alert:
    return remark(RULE_ID, PLACE, change.from_ns, change.from_ns, detector="settings", text=_text(change))


def _text(change: ParameterChange) -> Text:
    when = datetime.fromtimestamp(change.from_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    what = "; ".join(
        f"{key} {_said(change.before, key)} → {_said(change.after, key)}" for key in change.after
    )
    return Text(
        kk=f"{when} уақытынан бастап анықтау баптаулары өзгереді: {what}",
        ru=f"Настройки обнаружения меняются с {when}: {what}",
        en=f"Settings of detection change from {when}: {what}",
    )


def _said(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False)
