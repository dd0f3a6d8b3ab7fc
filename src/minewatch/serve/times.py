"""Times at the edge: integers of nanoseconds inside, ISO 8601 with offset outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

import numpy as np

from minewatch.contracts import I8

S = 1_000_000_000
LAST_NS = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# RFC 3339, 5.6, and a blank where a "+" in a URL was decoded to one.
FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)?([Zz]|[+\- ]\d\d:?\d\d)?",
    re.ASCII,
)


def iso(ns: int) -> str:
    """Write a time as ISO 8601 in UTC with offset, in microseconds."""
    seconds, rest = divmod(ns, S)
    return f"{_second(seconds)}.{rest // 1000:06d}+00:00"


@lru_cache(1_024)
def _second(seconds: int) -> str:
    """Write a whole second; what happens at the same time is written in the same second, many times over."""
    return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"


def iso_or_none(ns: int) -> str | None:
    """Write a time; 0 means that there is none."""
    return iso(ns) if ns else None


def isos(ns: I8) -> list[str]:
    """Write a column of times, as ``iso`` does."""
    stamps = np.datetime_as_string(ns.astype("datetime64[ns]"), unit="us")
    return [f"{stamp}+00:00" for stamp in stamps.tolist()]


def parse(text: str) -> int:
    """Read ISO 8601 with offset into nanoseconds; raises ValueError that says what to write.

    A time before 1970 or beyond 2262 becomes the nearest that a reading can have.
    """
    found = FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a time: write it like 2026-01-31T08:00:00+05:00")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if offset is None:
        raise ValueError(f"{text[:40]!r} has no offset from UTC: add one, like +05:00, or Z for UTC")
    try:
        # second 60 is a leap second: it is the first of the next minute
        base = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=_zone(offset))
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is not a time: {error}") from None
    seconds = int(second or 0)
    if seconds > 60:
        raise ValueError(f"{text[:40]!r} is not a time: second must be in 0..60")
    since = base - EPOCH
    nanos = int((fraction or "0")[:9].ljust(9, "0"))
    return min(max((since.days * 86_400 + since.seconds + seconds) * S + nanos, 0), LAST_NS)


def _zone(offset: str) -> timezone:
    if offset in "Zz":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(-span if offset[0] == "-" else span)
