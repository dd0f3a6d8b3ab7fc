"""Limits as rows of the kernels: from the table of the rules, and carried over from what stood before."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from prometheus_client import Counter

from minewatch.contracts import I8, LimitTable, Text, Transitions
from minewatch.detect.kernels.layout import GAP, LIMIT, NONE, RATE, TRANSITION, Rows
from minewatch.errors import ConfigError

COLUMNS = ("key", "ts_ns", "since_ns", "active", "value")
TRANSITIONS = Counter("minewatch_detect_transitions_total", "Limits that became active or inactive.")


def rows_of(table: LimitTable, points: range, detectors: Iterable[int]) -> Rows:
    """Return the table as rows sorted by point. Raises ConfigError naming the first impossible limit."""
    limit = np.zeros(len(table.key), LIMIT)
    for name in (
        "key",
        "point",
        "detector",
        "comparison",
        "threshold",
        "deadband",
        "on_delay_ns",
        "off_delay_ns",
    ):
        limit[name] = getattr(table, name)
    limit["since_ns"] = NONE
    limit["need"] = 1 if table.need is None else table.need
    limit["of"] = 1 if table.of is None else table.of
    limit["sigmas"] = 0.0 if table.sigmas is None else table.sigmas
    gap = limit["detector"] == GAP
    sure = limit["sigmas"] != 0
    wrong = {
        "its point is not known": (limit["point"] < points.start) | (limit["point"] >= points.stop),
        "its detector is not known": ~np.isin(limit["detector"], list(detectors)),
        "its comparison is not known": limit["comparison"] > 3,
        "its threshold is not a finite number": ~np.isfinite(limit["threshold"]),
        "its deadband is not a finite number from 0 up": ~(
            np.isfinite(limit["deadband"]) & (limit["deadband"] >= 0)
        ),
        "a delay is negative": (limit["on_delay_ns"] < 0) | (limit["off_delay_ns"] < 0),
        "readings needed must be 1 to all of the last 1 to 32": ~(
            (limit["need"] >= 1) & (limit["need"] <= limit["of"]) & (limit["of"] <= 32)
        ),
        "only a rate of rise has a measured error": sure
        & ~((limit["detector"] == RATE) & np.isfinite(limit["sigmas"])),
        "a gap limit counts no readings": gap & (limit["of"] > 1),
        "a gap limit must be above a positive number of seconds": gap
        & ((limit["comparison"] > 1) | ~(limit["threshold"] > 0)),
    }
    for what, mask in wrong.items():
        if mask.any():
            key = int(limit["key"][np.argmax(mask)])
            raise ConfigError(
                f"cannot be judged: {what}", where=f"limit {key}", mend="Correct the rule that it comes from."
            )
    if len(np.unique(limit["key"])) < len(limit):
        raise ConfigError("two limits share a key", where="limits", mend="Give every rule an id of its own.")
    limit["deadband"][gap] = 0.0  # a reading ends a silence, whatever the deadband
    return limit[np.argsort(limit["point"], kind="stable")]


def carry(limit: Rows, old: Rows, target: I8 | None = None) -> None:
    """Let limits with the key of an old one go on where it stood; ``target`` maps old points to new or -1."""
    if len(old) == 0:
        return
    order = np.argsort(old["key"], kind="stable")
    found = np.minimum(np.searchsorted(old["key"][order], limit["key"]), len(old) - 1)
    match = old[order[found]]
    known = match["key"] == limit["key"]
    if target is not None:
        known &= target[match["point"]] == limit["point"]
    limit["active"][known] = match["active"][known]
    limit["since_ns"][known] = match["since_ns"][known]
    same = known & (match["of"] == limit["of"])
    limit["hits"][same] = match["hits"][same]


def transitions(parts: list[Rows], why: tuple[Text | None, ...] = ()) -> Transitions:
    """Return the parts as columns."""
    found = np.concatenate(parts) if parts else np.zeros(0, TRANSITION)
    if parts:
        TRANSITIONS.inc(len(found))
    key, ts_ns, since_ns, active, value = (np.ascontiguousarray(found[name]) for name in COLUMNS)
    return Transitions(key, ts_ns, since_ns, active, value, why)
