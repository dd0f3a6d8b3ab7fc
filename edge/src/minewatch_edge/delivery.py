"""Which rows go out when: live ones at once, history after them at a bounded rate, and again what got lost.

Ids up to ``cursor`` were sent as history, those in ``(cursor, history_end]`` still have to be, and what came
after ``history_end`` went out live. Notes among the history go first, up to ``notes_end``: one of them may be
what the host waits for.
"""

from __future__ import annotations

from dataclasses import dataclass

_WINDOW_ROWS = 5_000  # history sent beyond what the host has acknowledged
_SLICE_READINGS = 2_000  # then live rows get their turn
_SLICE_ROWS = 100
_BURST_S = 0.1
_BACK_OFF_MOST = 8  # times resend_s, when the host acknowledges nothing
_KEEPALIVES = 3  # what a host without acknowledgements is given to notice that the link is dead


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How history is sent; ``keepalive_s`` matters only without acknowledgement."""

    resend_s: float = 10.0
    resend_per_s: float = 20_000.0
    acknowledgement: bool = True
    keepalive_s: float = 30.0


class Delivery:
    """The state of one session's delivery; ids are those of the spool."""

    def __init__(self, settings: DeliverySettings) -> None:
        self.settings = settings
        self.cursor = 0
        self.history_end = 0
        self.notes_cursor = 0
        self.notes_end = 0
        self.sent_to = 0
        self.resends = 0
        self._held_from = 1
        self._moved_ns = 0
        self._patience = 1
        self._tokens = 0.0
        self._filled_ns = 0
        self._sent_marks: list[tuple[int, int]] = []

    def begin(self, first_id: int, last_id: int, mono_ns: int) -> None:
        """Begin a session, or begin again: everything held is history."""
        self.cursor = self.notes_cursor = first_id - 1
        self.history_end = self.notes_end = self.sent_to = last_id
        self._held_from = first_id
        self._moved_ns = mono_ns
        self._sent_marks.clear()

    def live(self, row_id: int) -> None:
        """Note a row that went out live."""
        self.sent_to = row_id

    def late(self, first_id: int, last_id: int) -> None:
        """Note new rows that must go out as history, behind what waits already."""
        if self.cursor >= self.history_end:
            self.cursor = first_id - 1
        self.history_end = self.sent_to = last_id

    def held(self, first_id: int, mono_ns: int) -> None:
        """Note which row is the oldest held: acknowledged (or evicted) rows need not be sent."""
        if first_id > self._held_from:
            self._held_from = first_id
            self._moved_ns = mono_ns
            self._patience = 1
            self.cursor = max(self.cursor, first_id - 1)

    def stalled(self, mono_ns: int) -> bool:
        """Tell whether the oldest row was sent long ago and is still not acknowledged."""
        if not self.settings.acknowledgement or self._held_from > self._contiguous():
            self._moved_ns = mono_ns
            return False
        return mono_ns - self._moved_ns >= self.settings.resend_s * self._patience * 1e9

    def again(self, first_id: int, last_id: int, mono_ns: int) -> None:
        """Send everything held again, and wait longer the next time."""
        self._patience = min(self._patience * 2, _BACK_OFF_MOST)
        self.resends += 1
        self.begin(first_id, last_id, mono_ns)

    def allowance(self, mono_ns: int) -> tuple[int, int]:
        """Return how many rows and readings of history may go out now."""
        rate = self.settings.resend_per_s
        gone = max(0, mono_ns - self._filled_ns) / 1e9
        self._filled_ns = mono_ns
        self._tokens = min(self._tokens + gone * rate, max(1.0, rate * _BURST_S))
        if self.cursor >= self.history_end or self._tokens < 1:
            return 0, 0
        rows = _SLICE_ROWS
        if self.settings.acknowledgement:
            rows = min(rows, self._held_from - 1 + _WINDOW_ROWS - self.cursor)
        return max(0, rows), min(_SLICE_READINGS, int(self._tokens))

    @property
    def notes_due(self) -> bool:
        """Whether notes of the history may still have to go out."""
        return self.notes_cursor < self.notes_end

    def history(self, row_id: int, readings: int) -> None:
        """Note a row that went out as history; it may cost more than there is, and the next one waits."""
        self.cursor = row_id
        self._tokens -= readings

    def due_ns(self, mono_ns: int) -> int | None:
        """Return when history may go on; None when there is none or the host must acknowledge first."""
        if self.cursor >= self.history_end:
            return None
        if self.notes_due:
            return mono_ns
        if self.settings.acknowledgement and self.cursor >= self._held_from - 1 + _WINDOW_ROWS:
            return None
        lacking = max(0.0, 1.0 - self._tokens)
        return mono_ns + int(lacking / self.settings.resend_per_s * 1e9)

    def assumed(self, mono_ns: int) -> int:
        """Return up to which id a host that acknowledges nothing must have everything, by the time gone."""
        upto = self._contiguous()
        if not self._sent_marks or self._sent_marks[-1][1] < upto:
            self._sent_marks.append((mono_ns, upto))
        wait = int(_KEEPALIVES * self.settings.keepalive_s * 1e9)
        sure = 0
        while self._sent_marks and mono_ns - self._sent_marks[0][0] >= wait:
            sure = self._sent_marks.pop(0)[1]
        return sure

    def _contiguous(self) -> int:
        return self.cursor if self.cursor < self.history_end else self.sent_to
