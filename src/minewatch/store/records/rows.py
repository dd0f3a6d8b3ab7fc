"""Alerts and points as rows of the record store, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from minewatch.contracts import Alert, AlertState, PointInfo, Text
from minewatch.store.records.listing import searchable
from minewatch.store.records.schema import ALERT

# the columns that give an alert, in an order that ``alert_of`` knows
ALERT_COLUMNS = tuple(column for column in ALERT.columns if column.name != "search")


def row_of(alert: Alert) -> dict[str, Any]:
    """Return the row of an alert; numbers that are not finite are stored as NULL."""
    row = {field.name: getattr(alert, field.name) for field in fields(alert)}
    for name in ("message", "why", "now"):
        said = row.pop(name)
        row |= {f"{name}_{language}": getattr(said, language) for language in ("kk", "ru", "en")}
    for name in ("value", "limit"):
        row[name] = row[name] if math.isfinite(row[name]) else None
    words = json.dumps([[part, said.kk, said.ru, said.en] for part, said in alert.words], ensure_ascii=False)
    return row | {"state": alert.state.value, "search": searchable(alert), "words": words}


def alert_of(row: Sequence[Any]) -> Alert:
    """Return the alert of a row with ``ALERT_COLUMNS``."""
    value, limit = row[12], row[14]
    values: list[Any] = [
        *row[:8],
        AlertState(row[8]),
        *row[9:12],
        math.nan if value is None else value,
        row[13],
        math.nan if limit is None else limit,
        row[15],
        Text(*row[16:19]),
        Text(*row[19:22]),
        *row[22:28],
        Text(*row[28:31]),
        row[31],
        _words(row[32]),
    ]
    return Alert(*values)


def _words(kept: str) -> tuple[tuple[int, Text], ...]:
    if kept == "[]":  # as most are; a list has thousands
        return ()
    return tuple((part, Text(*said)) for part, *said in json.loads(kept))


def info_of(point: PointInfo) -> str:
    """Return a point as JSON; a range without an end is null there."""
    tree = asdict(point)
    for key in ("low", "high"):
        tree[key] = tree[key] if math.isfinite(tree[key]) else None
    return json.dumps(tree, ensure_ascii=False, sort_keys=True)


def point_of(info: str) -> PointInfo:
    """Return the point of its JSON; keys of later versions are left out."""
    known = {field.name for field in fields(PointInfo)}
    tree = {key: value for key, value in json.loads(info).items() if key in known}
    low, high = tree.pop("low", None), tree.pop("high", None)
    return PointInfo(
        low=-math.inf if low is None else low,
        high=math.inf if high is None else high,
        sentinels=tuple(tree.pop("sentinels", ())),
        **tree,
    )
