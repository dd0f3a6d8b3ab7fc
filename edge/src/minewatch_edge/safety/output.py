"""One output in work: orders to its wire, again when it fails, and the beat of its watchdog.

A thread does the writing; the agent's loop only says what should be. So the beat proves that the loop lives,
and when the loop hangs the thread takes the fail-safe position.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from minewatch_edge.errors import DriverError
from minewatch_edge.safety.errands import Errands
from minewatch_edge.safety.lines import Line
from minewatch_edge.safety.positions import OutputConfig, Position

log = logging.getLogger(__name__)

_AGAIN_NS = 1_000_000_000  # the loop speaks at least so often, and a failed write is tried again
_FAILURES_BORNE = 3  # writes that fail before an alert says so
_HANGS_NS = 15_000_000_000
_STOP_S = 5.0


class _Order(NamedTuple):
    """What the wire should show; ``beat`` is None while the watchdog is not due."""

    on: bool
    held: bool
    beat: bool | None
    verify: bool


class Output:
    """One siren, beacon or relay; ``step`` is called by the agent's loop only."""

    def __init__(self, config: OutputConfig, line: Line) -> None:
        self.config = config
        self.failed = False
        self._line = line
        self._errands: Errands[_Order] = Errands(f"output-{config.id}", self._work, alone_s=config.hang_s)
        self._wanted = Position(config.safe_on, False, "start")
        self._pulse_ns = 0
        self._ordered_ns = -_AGAIN_NS
        self._ordered_on = False
        self._beat_ns = self._verify_ns = 0
        self._beat = False
        self._answered_ns = 0
        self._answers = 0
        # of the thread
        self._shown: bool | None = None
        self._held = False
        self._failures = 0
        self._obeys = False
        self._fault = ""

    def start(self) -> None:
        """Begin to drive it."""
        self._errands.start()

    @property
    def problem(self) -> str:
        """What is wrong with it; "" when it obeys."""
        return self._fault

    @property
    def wanted(self) -> Position:
        """The position it should have."""
        return self._wanted

    def step(self, wanted: Position, mono_ns: int) -> int:
        """Order what is due and return when to come again."""
        if wanted.on and not self._wanted.on:
            self._pulse_ns = mono_ns
        changed, self._wanted = wanted != self._wanted, wanted
        on, pulse_due = self._pulse(mono_ns)
        beat = self._next_beat(mono_ns)
        again_ns = self._ordered_ns + _AGAIN_NS
        if changed or beat is not None or on != self._ordered_on or mono_ns >= again_ns:
            self._order(on, beat, mono_ns)
        self._watch(mono_ns)
        due = [self._ordered_ns + _AGAIN_NS]
        if pulse_due is not None:
            due.append(pulse_due)
        if self.config.heartbeat_s:
            due.append(self._beat_ns + int(self.config.heartbeat_s * 1e9))
        return min(due)

    def _next_beat(self, mono_ns: int) -> bool | None:
        every_ns = int(self.config.heartbeat_s * 1e9)
        if not every_ns or mono_ns < self._beat_ns + every_ns:
            return None
        self._beat, self._beat_ns = not self._beat, mono_ns
        return self._beat

    def _order(self, on: bool, beat: bool | None, mono_ns: int) -> None:
        verify = mono_ns >= self._verify_ns + int(self.config.verify_s * 1e9)
        if verify:
            self._verify_ns = mono_ns
        self._ordered_ns, self._ordered_on = mono_ns, on
        self._errands.send(_Order(on, self._wanted.held, beat, verify))

    def stop(self) -> None:
        """Take the fail-safe position, unless an alert holds it; let go of the wire."""
        on = self._wanted.on if self._wanted.held else self.config.safe_on
        self._errands.send(_Order(on, self._wanted.held, None, True))
        if self._errands.stop(_STOP_S):
            self._line.close()
        else:
            log.error("output %s: its line hangs; it is left as it is", self.config.id)

    def _pulse(self, mono_ns: int) -> tuple[bool, int | None]:
        """Return whether it is on at this moment, and when that changes."""
        half_ns = int(self.config.pulse_s * 0.5e9)
        if not self._wanted.on or not half_ns:
            return self._wanted.on, None
        turn = (mono_ns - self._pulse_ns) // half_ns
        return turn % 2 == 0, self._pulse_ns + (turn + 1) * half_ns

    def _watch(self, mono_ns: int) -> None:
        answers = self._errands.done  # a line that is always busy, but answers, does not hang
        if answers != self._answers or not self._errands.busy or not self._answered_ns:
            self._answers, self._answered_ns = answers, mono_ns
        elif mono_ns - self._answered_ns > _HANGS_NS:
            self._fault = "its line hangs"
        if self._failures >= _FAILURES_BORNE or self._fault == "its line hangs":
            self.failed = True
        elif self._obeys:  # else nobody knows yet, as after a restart
            self.failed = False

    # --- in the thread --------------------------------------------------------------------------------------

    def _work(self, order: _Order | None) -> None:
        if order is None:  # the loop hangs: nobody judges any more
            # What an alert holds is on, also when the loop hung in the dark half of a pulse.
            order = _Order(self._held or self.config.safe_on, self._held, None, False)
        self._held = order.held
        try:
            if order.verify or self._failures or self._shown != order.on:
                self._shown = None
                self._line.write(order.on != self.config.inverted)
                self._shown = order.on
            if order.beat is not None:
                self._line.beat(order.beat)
        except DriverError as error:
            self._refused(str(error))
        except Exception as error:  # no mistake of a library may end this thread
            if not self._fault:
                log.exception("output %s failed", self.config.id)
            self._refused(f"{type(error).__name__}: {error}")
        else:
            if self._fault:
                log.warning("output %s obeys again", self.config.id)
            self._failures, self._fault, self._obeys = 0, "", True

    def _refused(self, why: str) -> None:
        if not self._fault:
            log.error("output %s: %s", self.config.id, why)
        self._obeys = False
        self._failures += 1
        self._fault = why
