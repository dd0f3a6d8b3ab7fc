"""A thread that does one errand at a time, so that a line that hangs holds up nobody else.

Only the newest order counts. When no order comes for ``alone_s`` the thread itself says so: then the rest of
the agent hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Order = TypeVar("Order")


class Errands(Generic[Order]):
    """Carries orders to ``work`` in a thread of its own; ``work`` gets None when it was left alone."""

    def __init__(self, name: str, work: Callable[[Order | None], None], *, alone_s: float = 0.0) -> None:
        self._work = work
        self._alone_s = alone_s or None
        self._changed = threading.Condition()
        self._order: Order | None = None
        self._ended = False
        self.asked = 0
        self.done = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to take orders."""
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether the newest order is not done yet."""
        return self.done < self.asked

    def send(self, order: Order) -> None:
        """Give an order; one that still waits is replaced."""
        with self._changed:
            self._order = order
            self.asked += 1
            self._changed.notify()

    def stop(self, within_s: float) -> bool:
        """Do the last order and end; False when the thread hangs at it."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._order is None and not self._ended:
                    self._changed.wait(self._alone_s)
                order, self._order, number = self._order, None, self.asked
                if order is None and self._ended:
                    return
            self._work(order)
            self.done = number
