"""Birth properties to PointInfo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf, isfinite

from minewatch.contracts import PointInfo
from minewatch_edge.sparkplug.codec import Metric, Value


def describe(
    metric: Metric,
    place: str,
    site: str,
    gateway: str,
    device: str,
    stamp_ms: int,
    max_text: int = 512,
) -> tuple[PointInfo, list[str]]:
    """Return what a birth says of a point, and what in it cannot be used.

    A metric without a ``quantity`` (another maker's node) is a "value"; without ``engUnit`` its unit is "1".
    """
    faults: list[str] = []
    said = _short(metric.properties, max_text, faults)
    low = _number(said, "engLow", -inf, faults)
    high = _number(said, "engHigh", inf, faults)
    if low >= high:
        faults.append(f"engLow {low} is not below engHigh {high}; the range is left out")
        low, high = -inf, inf
    info = PointInfo(
        place=place,
        site=site,
        gateway=gateway,
        device=device,
        metric=metric.name,
        quantity=_text(said, "quantity", "value", faults),
        unit=_text(said, "engUnit", "1", faults),
        zone=_text(said, "zone", "", faults),
        low=low,
        high=high,
        sentinels=_sentinels(said, faults),
        interval_s=_positive(said, "interval_s", faults),
        resolution=_positive(said, "resolution", faults),
        calibration_due_ns=_date(said, faults),
        valid_from_ns=max(0, min(stamp_ms, 9_223_372_036_854)) * 1_000_000,
    )
    return info, faults


def _short(said: Mapping[str, Value], most: int, faults: list[str]) -> Mapping[str, Value]:
    long = [key for key, value in said.items() if isinstance(value, str) and len(value) > most]
    faults += [f"{key[:40]} has more than {most} characters" for key in long]
    return {key: value for key, value in said.items() if key not in long} if long else said


def _text(said: Mapping[str, Value], key: str, default: str, faults: list[str]) -> str:
    value = said.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        faults.append(f"{key} {value!r} is no text")
        return default
    return value or default


def _number(said: Mapping[str, Value], key: str, default: float, faults: list[str]) -> float:
    value = said.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        faults.append(f"{key} {value!r} is no number")
        return default
    return float(value)


def _positive(said: Mapping[str, Value], key: str, faults: list[str]) -> float:
    value = _number(said, key, 0.0, faults)
    if value < 0 or not isfinite(value):
        faults.append(f"{key} {value} is not above zero")
        return 0.0
    return value


def _sentinels(said: Mapping[str, Value], faults: list[str]) -> tuple[float, ...]:
    text = _text(said, "sentinels", "", faults)
    found: list[float] = []
    for part in text.split(",") if text else ():
        try:
            found.append(float(part))
        except ValueError:
            faults.append(f"sentinel {part!r} is no number")
    return tuple(found)


def _date(said: Mapping[str, Value], faults: list[str]) -> int:
    text = _text(said, "calibration_due", "", faults)
    if not text:
        return 0
    try:
        due = datetime.fromisoformat(text)
    except ValueError:
        faults.append(f"calibration_due {text!r} is no ISO date")
        return 0
    due = due if due.tzinfo else due.replace(tzinfo=UTC)
    return int(due.timestamp()) * 1_000_000_000
