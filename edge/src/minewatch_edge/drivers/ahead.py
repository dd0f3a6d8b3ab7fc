"""Whether a source's own time can be: one far ahead of the clock would draw all later times after it."""

from __future__ import annotations

_FUTURE_NS = 86_400 * 1_000_000_000
_CLOCK_SET_NS = 1_767_225_600 * 1_000_000_000  # 2026: a clock before that was never set, and judges nothing
LATEST_NS = 2**63 - 1  # what the service can hold


def ahead(ts_ns: int, now_ns: int) -> bool:
    """Tell whether a time is more than a day ahead of a clock that was set, or beyond what can be held."""
    return ts_ns > LATEST_NS or (now_ns > _CLOCK_SET_NS and ts_ns > now_ns + _FUTURE_NS)
