"""Messages between the broker and the core: a queue for each gateway, so that a flood of one delays no other.

The queues are served in turn. Where shedding is allowed (others are there, and the core goes on), a gateway
that fills its own queue loses what comes on top. It is counted, our own gateways send it again, and the
broker is read on, so that messages behind the flood are reached. Otherwise the broker is held back.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import TypeAlias

from minewatch_edge.sparkplug.topics import NODE_VERBS

Message: TypeAlias = tuple[str, bytes]

QUANTUM = 65_536  # payload bytes of one gateway before the next has its turn
OVERHEAD = 192  # what a message costs beside its payload
_TOPICS = 100_000


class Backlog:
    """Bounded queues by gateway; ``size`` is what all hold, in bytes."""

    def __init__(self, most_bytes: int, gateway_bytes: int) -> None:
        self.size = 0
        self._most = most_bytes
        self._gateway_most = gateway_bytes
        self._queues: dict[str, deque[Message]] = {}  # the first has the next turn
        self._sizes: dict[str, int] = {}
        self._over: set[str] = set()  # gateways of which data is shed, until half of their queue is free
        self._kinds: dict[str, tuple[str, bool]] = {}  # topic -> gateway, whether it is data

    def __bool__(self) -> bool:
        return bool(self._queues)

    def is_full(self, *, shedding: bool) -> bool:
        """Return whether the broker must be held back, because it is full or nothing may be shed."""
        if self.size >= self._most:
            return True
        largest = max(self._sizes.values(), default=0)
        return largest >= self._gateway_most and not shedding

    def add(self, messages: Sequence[Message], *, shedding: bool) -> Counter[str]:
        """Take messages in; return how many of which gateway ("site/gateway") were shed.

        Births, deaths and commands are never shed: without them later data could not be read.
        """
        shed: Counter[str] = Counter()
        kinds, queues, sizes = self._kinds, self._queues, self._sizes
        for message in messages:
            topic, payload = message
            gateway, is_data = kinds.get(topic) or self._kind(topic)
            queue = queues.get(gateway)
            if queue is None:
                queue = queues[gateway] = deque()
                sizes[gateway] = 0
            size = sizes[gateway] + len(payload) + OVERHEAD
            if shedding and is_data and self._is_over(gateway, size):
                shed[gateway] += 1
                continue
            queue.append(message)
            self.size += size - sizes[gateway]
            sizes[gateway] = size
        return shed

    def take(self, most_bytes: int, most_messages: int) -> list[Message]:
        """Return the next messages, each gateway in its turn, those of one gateway in their order."""
        taken: list[Message] = []
        left = most_bytes
        while self._queues and left > 0 and len(taken) < most_messages:
            gateway = next(iter(self._queues))
            queue = self._queues.pop(gateway)
            share = min(QUANTUM, left)
            used = 0
            while queue and used < share and len(taken) < most_messages:
                message = queue.popleft()
                used += len(message[1]) + OVERHEAD
                taken.append(message)
            left -= used
            self.size -= used
            self._sizes[gateway] -= used
            if queue:
                self._queues[gateway] = queue  # at the end of the line
            else:
                del self._sizes[gateway]
        return taken

    def everything(self) -> list[Message]:
        """Return all that waits, and hold nothing any more."""
        return self.take(1 << 62, 1 << 62)

    def _is_over(self, gateway: str, size: int) -> bool:
        """Return whether a gateway has more than its share; in long pieces, since each makes a gap."""
        if size > self._gateway_most:
            self._over.add(gateway)
        elif gateway in self._over and size < self._gateway_most // 2:
            self._over.discard(gateway)
        return gateway in self._over

    def _kind(self, topic: str) -> tuple[str, bool]:
        """Return a topic's gateway, "" for none, and whether its messages are data."""
        levels = topic.split("/")
        verb = levels[2] if len(levels) > 3 else ""
        gateway = f"{levels[1]}/{levels[3]}" if verb in NODE_VERBS or verb.startswith("D") else ""
        if len(self._kinds) >= _TOPICS:
            self._kinds.clear()
        self._kinds[topic] = gateway, verb in ("NDATA", "DDATA")
        return self._kinds[topic]
