"""When points are due: at whole multiples of their interval, whatever was late before."""

from __future__ import annotations

from collections.abc import Sequence


class Grid:
    """Points at fixed rates without drift: the k-th slot of a point is at k times its interval.

    A slot that nobody came for is counted in ``missed`` and not made up for. Points of one interval share
    their slots. Everything is due at once at first.
    """

    def __init__(self, intervals_s: Sequence[float]) -> None:
        groups: dict[int, list[int]] = {}
        for point, interval_s in enumerate(intervals_s):
            groups.setdefault(max(1, round(interval_s * 1e9)), []).append(point)
        self._groups = list(groups.items())
        self._due: list[int] = []
        self.missed = 0

    def due_ns(self, now_ns: int) -> int:
        """Return when the next slot is."""
        return min(self._due) if self._due else now_ns

    def take(self, now_ns: int) -> list[int]:
        """Return the points whose slot has come, and wait for their next ones."""
        if not self._due:
            self._due = [now_ns] * len(self._groups)
        found: list[int] = []
        for i, (step, points) in enumerate(self._groups):
            due = self._due[i]
            if due > now_ns:
                continue
            self.missed += (now_ns // step - due // step) * len(points)
            self._due[i] = (now_ns // step + 1) * step
            found += points
        found.sort()
        return found
