"""Whether sessions last: one that ends again and again soon after it began has a cause worth naming."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

_SHORT_NS = 5_000_000_000
_CONTESTED_AFTER = 3


class Sessions:
    """Counts sessions with the broker that ended within seconds, one after the other."""

    def __init__(self) -> None:
        self._began_ns = 0
        self._short = 0

    @property
    def contested(self) -> bool:
        """Whether something ends our sessions: most often another client that has our name."""
        return self._short >= _CONTESTED_AFTER

    def began(self, mono_ns: int) -> None:
        """Note that births went out on a new connection."""
        self._began_ns = mono_ns

    def lost(self, mono_ns: int, why: str, client_id: str) -> str:
        """Log a loss, of a series of short sessions the first ones; return once what may be behind it."""
        told = self.contested
        self._short = self._short + 1 if mono_ns - self._began_ns < _SHORT_NS else 0
        if not self.contested:
            log.warning("connection lost (%s); readings are spooled", why)
        if told or not self.contested:
            return ""
        problem = contest(client_id, why)
        log.error("%s", problem)
        return problem

    def lives(self, mono_ns: int) -> bool:
        """Note that the session is alive; True when it has outlived a series of short ones."""
        over = self.contested and mono_ns - self._began_ns >= _SHORT_NS
        if mono_ns - self._began_ns >= _SHORT_NS:
            self._short = 0
        return over


def contest(client_id: str, why: str) -> str:
    """Return what may be behind a series of short sessions, and the mend."""
    return (
        f"the broker ends each connection within seconds ({why}): another agent or program"
        f" seems to use the client id {client_id!r}; give each gateway a site and id of its own"
    )
