"""Any driver in a thread of its own, so that a device that hangs delays no other and no stop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from minewatch_edge.drivers.driver import CheckResult, Driver, Keeping, Reading, Resuming
from minewatch_edge.errors import DriverSilent
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.spool import Reject

NEVER_NS = 2**62
_CLOSE_S = 1.0  # for a worker that has nothing to do; one that hangs is not waited for


class Apart:
    """A driver whose `poll` runs elsewhere, one at a time: asked here, answered at a later call.

    The time of a poll is the one it was asked at. Nothing piles up: while a poll is out no other is asked.
    ``answered`` says whether the last `poll` brought an answer, ``answered_ns`` to a poll of which time.
    ``wake`` is called by the worker when an answer is there; it must not block.
    """

    def __init__(
        self,
        make: Callable[[Callable[[Reject], None]], Driver],
        refuse: Callable[[Reject], None],
        *,
        hang_ns: int,
        wake: Callable[[], None],
    ) -> None:
        """``make`` is called here, with a ``refuse`` of its own that the worker may use."""
        self._refused: deque[Reject] = deque()
        self._driver = make(self._refused.append)
        self._refuse = refuse
        self._points = tuple(self._driver.points())
        self._hang_ns = hang_ns
        self._wake = wake
        self._tasks: SimpleQueue[int | None] = SimpleQueue()
        self._answers: deque[Sequence[Reading] | Exception] = deque()
        self._asked_ns = 0
        self._busy = False
        self._said = False
        self._handed = 0
        self.answered = False
        self.answered_ns = 0
        self._thread: threading.Thread | None = None

    @property
    def missed(self) -> int:
        """Slots of its grid that the driver has missed."""
        return getattr(self._driver, "missed", 0)

    @property
    def busy(self) -> bool:
        """Whether a poll is out."""
        return self._busy

    def points(self) -> Sequence[PointBirth]:
        """Return the driver's points."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return now when an answer is there; while a poll is out, when patience ends."""
        if self._answers:
            return now_ns
        if self._busy:
            return NEVER_NS if self._said else self._asked_ns + self._hang_ns
        return self._driver.due_ns(now_ns)

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return what the worker has brought, and ask again when it is time.

        Raises what the driver raised, and DriverSilent once when a poll stays out for too long.
        """
        answer: Sequence[Reading] | Exception = ()
        self.answered = bool(self._answers)
        if self.answered:
            self.answered_ns = self._asked_ns
            answer = self._answers.popleft()
            self._busy = self._said = False
            self._handed += 1
            while self._refused:
                self._refuse(self._refused.popleft())
        if isinstance(answer, Exception):
            raise answer
        if not self._busy:
            if self._driver.due_ns(now_ns) <= now_ns:
                self._ask(now_ns)
        elif not self._said and now_ns - self._asked_ns >= self._hang_ns:
            self._said = True
            raise DriverSilent(f"it has not answered for {self._hang_ns / 1e9:g} s")
        return answer

    def moved(self, by_ns: int) -> None:
        """Learn that the time of polls was set forward while one may be out: that is no silence."""
        self._asked_ns += by_ns

    def resume(self, mark: str) -> None:
        """Tell the driver how far it was read, before it is first asked."""
        if isinstance(self._driver, Resuming):
            self._driver.resume(mark)

    @property
    def keeps(self) -> bool:
        """Whether the driver wants to be told by `kept`."""
        return isinstance(self._driver, Keeping)

    def kept(self) -> None:
        """Tell the driver that all that was handed out so far is on the disk."""
        if isinstance(self._driver, Keeping):
            self._driver.kept(self._handed)

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Ask each sensor once, in the caller's thread."""
        return self._driver.check(now_ns)

    def close(self) -> None:
        """End the worker, which lets go of the source; one that hangs does so when it comes back."""
        if self._thread is None:
            self._driver.close()
            return
        self._tasks.put(None)
        if not self._busy or self._answers:
            self._thread.join(_CLOSE_S)

    def _ask(self, now_ns: int) -> None:
        if self._thread is None:
            name = self._points[0].device if self._points else "driver"
            self._thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._thread.start()
        self._busy, self._asked_ns = True, now_ns
        self._tasks.put(now_ns)

    def _work(self) -> None:
        while (now_ns := self._tasks.get()) is not None:
            try:
                answer: Sequence[Reading] | Exception = self._driver.poll(now_ns)
            except Exception as error:  # noqa: BLE001 (the agent's thread raises it and tells what it is)
                answer = error
            self._answers.append(answer)
            self._wake()
        self._driver.close()
