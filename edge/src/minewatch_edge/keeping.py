"""What the spool needs now and then: its caps, the lines that were rejected, the figures to tell."""

from __future__ import annotations

import logging

from minewatch_edge.spool import Reject, Spool

log = logging.getLogger(__name__)

REJECTS_WAITING = 1_000


class Keeping:
    """Looks after one spool, about once a second; ``bytes`` and ``oldest_ms`` are as of the last time."""

    def __init__(self, spool: Spool, rejects: list[Reject]) -> None:
        """``rejects`` is where drivers put the lines they could not use; they go to the disk from there."""
        self.bytes = 0
        self.oldest_ms = 0
        self._spool = spool
        self._rejects = rejects
        self._told = False

    @property
    def rejects_waiting(self) -> int:
        """Rejected lines that are not on the disk yet."""
        return len(self._rejects)

    def bound(self) -> None:
        """Keep the newest rejected lines only, while the disk refuses them."""
        del self._rejects[:-REJECTS_WAITING]

    def tidy(self, now_ns: int, *, by_age: bool) -> int:
        """Give up what is beyond the caps, keep the rejects; return the readings given up.

        Raises SpoolUnavailable.
        """
        spool = self._spool
        gone = spool.evict(now_ns, by_age=by_age)
        if gone and not self._told:
            self._told = True
            log.error("the spool is full: the oldest readings are given up")
        if self._rejects:
            told = list(self._rejects)
            spool.reject(told)
            del self._rejects[: len(told)]
        self.bytes, self.oldest_ms = spool.figures()
        return gone

    def problems(self) -> dict[str, str]:
        """Return what was lost to the caps, as a problem."""
        evicted = self._spool.counters.evicted
        return {"evicted": f"{evicted} readings were given up: the spool was full"} if evicted else {}
