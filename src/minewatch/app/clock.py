"""The machine's clock, the one place where the service reads it."""

from __future__ import annotations

import time


class SystemClock:
    """The wall clock and the steady clock of this machine."""

    def now_ns(self) -> int:
        """Return nanoseconds since 1970-01-01 UTC."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds of a clock that never steps."""
        return time.monotonic_ns()
