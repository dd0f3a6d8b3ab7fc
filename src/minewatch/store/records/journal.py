"""The journal's bytes: what is hashed, how the chain is formed, how an event is read back.

Row n holds a canonical JSON text of the event (keys sorted, UTF-8, no spaces, numbers that are not finite as
null) and hash(n) = SHA-256(hash(n-1) + text), hashes as 32 raw bytes, hash(0) = 32 zero bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from minewatch.contracts import (
    Alert,
    AlertEvent,
    AlertState,
    Announcement,
    Calibration,
    EventKind,
    Text,
    TrialStage,
)
from minewatch.errors import StoreError

FORMAT = 1
ORIGIN = "00" * 32


def text_of(event: AlertEvent) -> str:
    """Return the canonical text of an event that has its row; its hash is not part of it."""
    tree = asdict(event)
    del tree["hash"], tree["alert"]["words"]
    tree["format"] = FORMAT
    if not tree["source"]:
        del tree["source"]  # as rows were written before gateways told of alerts
    for key in ("calibration", "announced"):
        if tree[key] is None:
            del tree[key]
        else:
            tree[key] = {name: _finite(value) for name, value in tree[key].items()}
    if not tree["alert"]["origin"]:
        del tree["alert"]["origin"]
    if not tree["alert"]["now_ns"]:
        del tree["alert"]["now"], tree["alert"]["now_ns"]
    for key in ("value", "limit"):
        tree["alert"][key] = _finite(tree["alert"][key])
    return json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_nan(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in tree.items()}


def chain(previous: str, text: str) -> str:
    """Return the hash of a row (hex) from that of the row before it and its text."""
    return hashlib.sha256(bytes.fromhex(previous) + text.encode()).hexdigest()


def event_of(text: str, digest: str) -> AlertEvent:
    """Return the event that a text holds. Raises StoreError when it holds none."""
    try:
        tree: dict[str, Any] = json.loads(text)
        if tree.pop("format") != FORMAT:
            raise StoreError(f"a journal row has a format that this version does not know: {text[:80]}")
        alert = alert_of(tree.pop("alert"))
        kind = EventKind(tree.pop("event"))
        if "announced" in tree:
            tree["announced"] = Announcement(**_with_nan(tree["announced"]))
        if "calibration" in tree:
            line = _with_nan(tree["calibration"])
            tree["calibration"] = Calibration(**line | {"stage": TrialStage(line["stage"])})
        return AlertEvent(alert=alert, event=kind, hash=digest, **tree)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"a journal row cannot be read ({error}): {text[:80]}") from None


def alert_of(tree: dict[str, Any]) -> Alert:
    """Return the alert that a tree of JSON holds; null numbers become NaN."""
    for key in ("value", "limit"):
        if tree[key] is None:
            tree[key] = math.nan
    for key in {"message", "why", "now"} & tree.keys():
        tree[key] = Text(**tree[key])
    tree["state"] = AlertState(tree["state"])
    return Alert(**tree)


def append(events: Sequence[AlertEvent], row: int, digest: str) -> list[tuple[AlertEvent, str, str]]:
    """Return (event with row and hash, text, hash before it) for events that follow ``row``."""
    rows = []
    for event in events:
        row += 1
        event = replace(event, row=row, alert=replace(event.alert, row=row), hash="")
        text, previous = text_of(event), digest
        digest = chain(previous, text)
        rows.append((replace(event, hash=digest), text, previous))
    return rows


class Walk:
    """Walks the chain row by row and says where it breaks."""

    def __init__(self) -> None:
        self.row = 0
        self.digest = ORIGIN

    def step(self, row: int, key: str, alert: str, text: str, previous: str, digest: str) -> None:
        """Check one row against the one before it. Raises StoreError naming the row."""
        if row != self.row + 1:
            raise StoreError(f"journal row {self.row + 1} is missing: row {row} follows row {self.row}")
        if previous != self.digest:
            raise StoreError(f"journal row {row} does not follow row {self.row}: its hash before differs")
        if chain(previous, text) != digest:
            raise StoreError(f"journal row {row} was altered: its text does not give its hash")
        event = event_of(text, digest)
        if (event.row, event.key, event.alert.id) != (row, key, alert):
            raise StoreError(f"journal row {row} was altered: row, key or alert are not those of its text")
        self.row, self.digest = row, digest
