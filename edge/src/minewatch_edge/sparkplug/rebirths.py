"""When a host asks which node for its births: spread at random, limited for each node and over all.

After a restart of the host every node is unborn at once. Each is asked once, a few a second, so that their
births do not come as one storm; a birth that comes by itself takes the node off the list.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TypeAlias

Key: TypeAlias = tuple[str, str]  # group, node

SECOND_MS = 1_000


class Rebirths:
    """The nodes to be asked, and when; at most ``per_second`` of all are asked within any second."""

    def __init__(self, rng: Random, *, jitter_ms: int, per_second: int) -> None:
        self._rng = rng
        self._jitter_ms = jitter_ms
        self._due: dict[Key, int] = {}
        self._asked: deque[int] = deque(maxlen=per_second)

    def want(self, key: Key, asked_ms: int, interval_ms: int, now_ms: int) -> None:
        """Ask a node soon, but not before ``interval_ms`` after it was last asked (at ``asked_ms``)."""
        if key not in self._due:
            soonest = now_ms + int(self._rng.random() * self._jitter_ms)
            later = asked_ms + interval_ms
            self._due[key] = later if soonest < later <= now_ms + interval_ms else soonest

    def put_off(self, key: Key, until_ms: int) -> None:
        """Ask a node, but not before ``until_ms``."""
        self._due[key] = until_ms

    def settle(self, key: Key) -> None:
        """Ask a node no more: its births came, or it died."""
        self._due.pop(key, None)

    def take(self, now_ms: int, furthest_ms: int) -> list[Key]:
        """Return the nodes to ask now, the longest due first, and take them off the list.

        What lies further ahead than ``furthest_ms`` is due too: a clock was set back.
        """
        ready = [(due, key) for key, due in self._due.items() if due <= now_ms or due > now_ms + furthest_ms]
        taken: list[Key] = []
        for _, key in sorted(ready):
            if self._free_ms(now_ms) > now_ms:
                break
            self._asked.append(now_ms)
            del self._due[key]
            taken.append(key)
        return taken

    def next_ms(self, now_ms: int) -> int | None:
        """Return when `take` next has a node, None when none waits."""
        return max(min(self._due.values()), self._free_ms(now_ms)) if self._due else None

    def _free_ms(self, now_ms: int) -> int:
        """Return from when on one more may be asked."""
        if self._asked and self._asked[-1] > now_ms:  # the clock was set back
            self._asked.clear()
        full = len(self._asked) == self._asked.maxlen
        return self._asked[0] + SECOND_MS if full else now_ms
