"""Whether one agent speaks as a node, or several: what births and sequence numbers tell of it.

Two gateways made from one image, or a client id given twice, throw each other off the broker or talk into
each other's sequence. To ask for births then never ends. A single sign has innocent causes (a restart whose
death was lost); several within a minute have not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TypeAlias

WINDOW_MS = 60_000  # signs further apart than this do not belong together
ENOUGH = 3  # signs within the window that are said to be two agents
REPEATS = 8  # messages with a sequence number already passed that make one sign
_NEVER = -(1 << 62)
_STEP = 16  # connections that may have failed before one was born

Identity: TypeAlias = tuple[int | None, str]  # bdSeq, spool


@dataclass(slots=True)
class Speaker:
    """The identity that a node's births give, and the signs against it.

    ``doubted_ms`` is until when message ids may be another agent's, ``several_ms`` until when two agents are
    held to speak.
    """

    identity: Identity | None = None
    earlier: deque[Identity] = field(default_factory=lambda: deque(maxlen=4))
    signs: deque[int] = field(default_factory=lambda: deque(maxlen=ENOUGH))
    repeats: int = 0
    doubted_ms: int = _NEVER
    several_ms: int = _NEVER

    def born(self, bd_seq: int | None, spool: str, alive: bool, now_ms: int) -> str:
        """Take a birth; return what speaks against one agent, "" when nothing does."""
        before, now = self.identity, (bd_seq, spool)
        self.identity = now
        if before is None or (before == now and alive):
            return ""
        against = self._against(before, now, alive)
        if before != now and before not in self.earlier:
            self.earlier.append(before)
        if against:
            self._sign(now_ms)
        else:
            self.repeats = 0
        return against

    def repeated(self, now_ms: int) -> str:
        """Take a message whose sequence number had passed; return what speaks against one agent."""
        self.repeats += 1
        if self.repeats % REPEATS:
            return ""
        self._sign(now_ms)
        return f"{REPEATS} messages came with sequence numbers that had already passed"

    def is_doubted(self, now_ms: int) -> bool:
        """Return whether a sign within the last minute speaks against one agent."""
        return now_ms < self.doubted_ms

    def are_several(self, now_ms: int) -> bool:
        """Return whether two agents are held to speak as this node."""
        return now_ms < self.several_ms

    def _against(self, before: Identity, now: Identity, alive: bool) -> str:
        if not _follows(before, now) and any(_follows(older, now) for older in self.earlier):
            return f"bdSeq {now[0]} of spool {now[1]!r} came again after bdSeq {before[0]} of {before[1]!r}"
        if not alive:  # a node that counts from 0 after each start is allowed to
            same = before == now and now[0] not in (None, 0)
            return f"bdSeq {now[0]} was born again after its death" if same else ""
        if before[1] != now[1] and before[1] and now[1]:
            return f"spool {now[1]!r} was born while spool {before[1]!r} was alive"
        return "" if _follows(before, now) else f"bdSeq {now[0]} was born while bdSeq {before[0]} was alive"

    def _sign(self, now_ms: int) -> None:
        self.signs.append(now_ms)
        self.doubted_ms = now_ms + WINDOW_MS
        if len(self.signs) == ENOUGH and 0 <= now_ms - self.signs[0] <= WINDOW_MS:
            self.several_ms = now_ms + 2 * WINDOW_MS


def _follows(before: Identity, now: Identity) -> bool:
    """Return whether one agent may be born as ``now`` some connections after ``before``."""
    if before[0] is None or now[0] is None:
        return before == now
    return before[1] == now[1] and (now[0] - before[0]) % 256 <= _STEP
