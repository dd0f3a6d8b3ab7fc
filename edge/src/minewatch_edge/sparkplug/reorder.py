"""Messages that are ahead of their turn, kept until those before them come: bounded for each node and all."""

from __future__ import annotations

from dataclasses import dataclass, field

from minewatch_edge.sparkplug.topics import Topic


@dataclass(frozen=True, slots=True)
class ReorderBounds:
    """What may wait: messages and bytes of one node, bytes of all nodes together."""

    node_messages: int = 128
    node_bytes: int = 8 << 20
    all_bytes: int = 64 << 20


@dataclass(slots=True)
class Held:
    """The messages of one node that are ahead, by sequence number."""

    messages: dict[int, tuple[Topic, bytes]] = field(default_factory=dict)
    size: int = 0

    def __bool__(self) -> bool:
        return bool(self.messages)

    def __contains__(self, seq: int) -> bool:
        return seq in self.messages


class Reorder:
    """Puts messages away and brings them back, and knows when too much waits."""

    def __init__(self, bounds: ReorderBounds) -> None:
        self._bounds = bounds
        self.size = 0  # bytes of all nodes

    def put(self, held: Held, seq: int, topic: Topic, payload: bytes) -> bool:
        """Keep a message; False when with it more waits than may, and the node's wait must end."""
        held.messages[seq] = (topic, payload)
        held.size += len(payload)
        self.size += len(payload)
        bounds = self._bounds
        return (
            len(held.messages) <= bounds.node_messages
            and held.size <= bounds.node_bytes
            and self.size <= bounds.all_bytes
        )

    def pop(self, held: Held, seq: int) -> tuple[Topic, bytes] | None:
        """Bring one message back, None when it does not wait."""
        found = held.messages.pop(seq, None)
        if found is not None:
            held.size -= len(found[1])
            self.size -= len(found[1])
        return found

    def first(self, held: Held, expected: int) -> int:
        """Return the sequence number that comes next among those held."""
        return min(held.messages, key=lambda seq: (seq - expected) & 255)
