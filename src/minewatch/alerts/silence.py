"""Silences that are over and already explained: the gateway was away, or the service itself was.

When a gateway comes back, the first reading of each of its sensors shows a silence. One alert has told of
the gateway; a hundred more about its sensors would hide what matters. Only silences that have ended are
left out. A sensor that stays silent is covered by one thing alone: an alert that stands for most points of
its gateway (``gateway-silent``); when that is over its silence begins anew, so that it is told if it goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from minewatch.contracts import GatewayInfo, PointInfo, Transitions

OUTAGES_KEPT = 32  # per gateway
DETECTOR = "gap"
COMMON = "gateway-silent"  # the detector whose alert stands for those of its gateway's points


class Silences:
    """Remembers when gateways were away; ``started_ns`` is when the service began to listen."""

    def __init__(self, started_ns: int = 0) -> None:
        self._started_ns = started_ns
        self._away: dict[tuple[str, str], int] = {}
        self._covered: dict[tuple[str, str], set[str]] = {}
        self._outages: dict[tuple[str, str], deque[tuple[int, int]]] = {}

    def note(self, gateway: GatewayInfo) -> None:
        """Take note of a gateway's session."""
        name = (gateway.site, gateway.gateway)
        if not gateway.online:
            self._away.setdefault(name, gateway.since_ns)
        elif name in self._away:
            outage = (self._away.pop(name), gateway.since_ns)
            self._outages.setdefault(name, deque(maxlen=OUTAGES_KEPT)).append(outage)

    def cover(self, point: PointInfo) -> None:
        """Take note that the alert of a point's gateway stands for its silence."""
        self._covered.setdefault((point.site, point.gateway), set()).add(point.place)

    def released(self, stands: Callable[[tuple[str, str]], bool]) -> list[str]:
        """Return the places that no alert of their gateway stands for any more."""
        over = [name for name in self._covered if not stands(name)]
        return [place for name in over for place in sorted(self._covered.pop(name))]

    def explained(self, point: PointInfo, begin_ns: int, end_ns: int) -> bool:
        """Say whether a silence that has ended fell into an absence of the gateway or of the service."""
        if begin_ns < self._started_ns:
            return True
        outages = self._outages.get((point.site, point.gateway), ())
        return any(start <= end_ns and end >= begin_ns for start, end in outages)


def ends(transitions: Transitions) -> dict[int, int]:
    """Return, for each key that returns in these transitions, when it last does."""
    return {
        int(key): int(ts_ns)
        for key, ts_ns, active in zip(transitions.key, transitions.ts_ns, transitions.active, strict=True)
        if not active
    }
