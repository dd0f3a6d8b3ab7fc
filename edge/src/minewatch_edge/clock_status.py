"""What the system says of its own clock: whether it is synchronised, how wrong it may be, leap seconds.

Source: adjtimex(2) and RFC 5905, section 11.1 (leap indicator).
"""

from __future__ import annotations

import ctypes
import math
from typing import NamedTuple

_UNSYNC = 0x40
_NANO = 0x2000  # the offset is in nanoseconds, else in microseconds
_LEAPS = {1: "insert", 2: "delete", 3: "under way"}


class ClockStatus(NamedTuple):
    """One answer of the system; ``leap`` is "", "insert" or "delete" (announced), or "under way".

    ``offset_ms`` is how far the clock is still to be moved, NaN when nobody knows.
    """

    synchronised: bool
    max_error_ms: float
    leap: str = ""
    offset_ms: float = math.nan


NOT_SAID = ClockStatus(False, math.inf)


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


def read() -> ClockStatus:
    """Ask the kernel, which changes nothing; `NOT_SAID` where it does not answer."""
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError, TypeError):
        return NOT_SAID
    answer = _Timex()
    said = judge(int(ask(ctypes.byref(answer))), int(answer.status), int(answer.maxerror))
    if not said.synchronised:
        return said
    return said._replace(offset_ms=answer.offset * (1e-6 if answer.status & _NANO else 1e-3))


def judge(state: int, status: int, max_error_us: int) -> ClockStatus:
    """Return what the kernel's numbers mean: the clock's state, its status bits, its largest error."""
    if state < 0:
        return NOT_SAID
    return ClockStatus(not status & _UNSYNC, max_error_us / 1e3, _LEAPS.get(state, ""))
