"""What plain JSON devices send: one payload to the values and the time in it, or to a reason why not."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from minewatch_edge.drivers.ahead import LATEST_NS
from minewatch_edge.drivers.csv_rows import TimeFormat

LONGEST = 262_144
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


class Unusable(ValueError):
    """A payload or a field that cannot be used; ``reason`` is a stable word, the text says what it is."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Path:
    """Where a field stands, as ``data.gas[0].ppm``; no step at all is the payload itself."""

    text: str
    steps: tuple[str | int, ...]

    def find(self, payload: Any) -> Any:
        """Return what stands there; raise Unusable when nothing does."""
        found = payload
        for step in self.steps:
            try:
                found = found[int(step)] if isinstance(found, list) else found[str(step)]
            except (KeyError, IndexError, TypeError, ValueError):
                raise Unusable("no-field", f"there is no {self.text}") from None
        return found


def path_of(text: str) -> Path:
    """Read a path; raise ValueError when it is none."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (at == 0 and text.startswith(".")):
            raise ValueError(text)
        steps.append(int(match[1]) if match[1] is not None else match[2])
        at = match.end()
    return Path(text, tuple(steps))


def payload_of(raw: bytes) -> Any:
    """Return the JSON of a payload; raise Unusable."""
    if len(raw) > LONGEST:
        raise Unusable("length", f"a payload of {len(raw)} bytes, {LONGEST} are taken")
    try:
        return json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Unusable("not-json", "it is no JSON") from None


def number(found: Any, where: str) -> float | None:
    """Return a number, also from text or true and false; None when the device says that it has none.

    Raises Unusable.
    """
    if found is None:
        return None
    try:
        if not isinstance(found, (bool, int, float, str)) or (isinstance(found, str) and "_" in found):
            raise ValueError
        value = float(found)
    except (ValueError, OverflowError):
        raise Unusable("not-a-number", f"{where or 'the payload'} is {str(found)[:60]!r}") from None
    if not math.isfinite(value):
        raise Unusable("not-a-number", f"{where or 'the payload'} is not finite")
    return value


def time_ns(found: Any, form: TimeFormat) -> int:
    """Return a time in nanoseconds since 1970; raise Unusable."""
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        raise Unusable("time", f"{str(found)[:60]!r} is no time")
    try:
        if isinstance(found, int) and form.form in ("unix_s", "unix_ms"):
            ts_ns = found * (1_000_000_000 if form.form == "unix_s" else 1_000_000)
            if abs(ts_ns) > LATEST_NS:
                raise ValueError("no clock can hold it")
            return ts_ns
        return form.read(str(found))
    except (ValueError, OverflowError) as error:
        raise Unusable("time", f"{str(found)[:60]!r}: {error}") from error
