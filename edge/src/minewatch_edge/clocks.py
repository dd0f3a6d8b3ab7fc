"""The time of readings: it rises whatever people and servers do to the clock, and says how good it is.

Two clocks come in: the wall's, which is set and steps, and one that never goes back. Readings carry the time
of the wall while it can be followed. A wall that steps is not believed at once: time goes on at the pace of
the clock that never goes back, until the system says that the new time is right or it has stood for ten
minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from minewatch_edge.clock_status import ClockStatus

SYNCHRONISED, HOLDOVER, UNKNOWN = 0, 1, 2
CLOCK_WORDS = ("synchronised", "holdover", "unknown")

# A clock that is behind readings is waited for at nine tenths of its pace: averages, rates and delays of the
# service stay right within a tenth, and an hour is made up for in ten. Beyond an hour, at half of it.
_PACE = 0.9
_PACE_FAR = 0.5
_JUMP_MS = 1_000  # less is jitter: the reading is only moved behind the one before
_SECOND_NS = 1_000_000_000
NOTICEABLE_NS = 2 * _SECOND_NS
_FAR_NS = 3_600 * _SECOND_NS
_FRESH_NS = 5 * _SECOND_NS  # what the system said before a step says nothing about the time after it
_PANIC_NS = 1_000 * _SECOND_NS  # as ntpd: a good clock that is told to move further is not moved at once
_STOOD_NS = 600 * _SECOND_NS


class Moment(NamedTuple):
    """One instant on two clocks: the wall's, which people set, and one that never goes back.

    ``status`` is what the system says of the wall's; None when nobody asked it.
    """

    wall_ns: int
    mono_ns: int
    status: ClockStatus | None = None


@dataclass(frozen=True, slots=True)
class ClockConfig:
    """How the gateway's clock is judged; with ``source`` "none" it is taken to be right until it steps."""

    source: str = "none"
    holdover_h: float = 24.0
    max_error_ms: float = 2_000.0


class SteadyClock:
    """The time of readings, and its quality.

    ``now_ns`` never goes back. ``poll_ns`` is the time by which drivers are asked: it never goes back either,
    and keeps its pace while ``now_ns`` waits for the wall; ``lead_ns`` is how far it has come before it.
    ``ahead_ns`` says how far readings are before the wall.
    """

    def __init__(self, start: Moment, floor_ns: int = 0, config: ClockConfig | None = None) -> None:
        """Begin at the wall's time, or at ``floor_ns`` if that is later (what an earlier run had reached)."""
        self.config = config or ClockConfig()
        self._wall_ns, self._mono_ns = start.wall_ns, start.mono_ns
        self.now_ns = max(start.wall_ns, floor_ns)
        self.ahead_ns = self.now_ns - start.wall_ns
        self.lead_ns = 0
        self.jumped_ns = 0
        self.steps = 0
        self.leaps = 0
        self.told = ""
        self.turned = False
        self._leap = ""
        self._held = False
        self._slewing = False
        self._step_mono_ns = start.mono_ns - _FRESH_NS
        self._good_mono_ns: int | None = None
        self.quality = self._judge(start)

    @property
    def poll_ns(self) -> int:
        """The time by which drivers are asked."""
        return self.now_ns + self.lead_ns

    @property
    def held(self) -> bool:
        """Whether the wall has stepped and is not believed."""
        return self._held

    def advance(self, moment: Moment) -> int:
        """Return the time of readings at a moment.

        ``told`` is what there is to log, "" as a rule, ``turned`` whether the wall was set or is followed
        again, ``jumped_ns`` how far this call has set ``poll_ns`` forward.
        """
        gone = max(0, moment.mono_ns - self._mono_ns)
        step = moment.wall_ns - self._wall_ns - gone
        self._mono_ns, self._wall_ns = moment.mono_ns, moment.wall_ns
        self.told = ""
        self.turned = abs(step) > NOTICEABLE_NS
        if self.turned:
            self.steps += 1
            self._held, self._step_mono_ns = True, moment.mono_ns
            self.told = f"the clock stepped by {step / 1e9:+.0f} s; readings keep their order"
        self._note_leap(moment.status)
        self.quality = self._judge(moment)
        if self._held and self._believed(moment, moment.wall_ns - self.now_ns - gone):
            self._held, self.turned = False, True
            self.told = self.told or "the clock, which had stepped, is followed again"
        self._go(moment.wall_ns, gone)
        if self.quality != UNKNOWN and not self._held and self.ahead_ns > NOTICEABLE_NS:
            self.quality = UNKNOWN
        return self.now_ns

    def _go(self, wall_ns: int, gone: int) -> None:
        before = self.now_ns
        if self._held:
            self._slewing = False
            self.now_ns += gone
        else:
            self._slewing = self.ahead_ns > (0 if self._slewing else NOTICEABLE_NS)
            pace = _PACE_FAR if self.ahead_ns > _FAR_NS else _PACE
            self.now_ns = max(wall_ns, before + int(gone * pace))
        self.jumped_ns = 0
        extra = self.now_ns - before - gone
        if extra > NOTICEABLE_NS:
            self.jumped_ns = max(0, extra - self.lead_ns)
            self.lead_ns = max(0, self.lead_ns - extra)
        elif self._slewing:
            self.lead_ns = max(0, self.lead_ns - extra)
        self.ahead_ns = self.now_ns - wall_ns

    def _judge(self, moment: Moment) -> int:
        """Return how good the time is; a system that says "synchronised" is believed a while after a step."""
        if self.config.source == "none":
            return UNKNOWN if self._held else SYNCHRONISED
        fresh = moment.mono_ns - self._step_mono_ns >= _FRESH_NS
        if fresh and not self._held and self._said_right(moment):
            self._good_mono_ns = moment.mono_ns
            return SYNCHRONISED
        return HOLDOVER if self._good(moment.mono_ns) else UNKNOWN

    def _said_right(self, moment: Moment) -> bool:
        status = moment.status
        if self.config.source == "none" or status is None:
            return False
        return status.synchronised and status.max_error_ms <= self.config.max_error_ms

    def _good(self, mono_ns: int) -> bool:
        """Return whether readings' time was synchronised not too long ago."""
        if self._good_mono_ns is None:
            return False
        return mono_ns - self._good_mono_ns <= self.config.holdover_h * 3_600 * _SECOND_NS

    def _believed(self, moment: Moment, difference_ns: int) -> bool:
        """Return whether the wall is followed again after a step."""
        if abs(difference_ns) <= NOTICEABLE_NS:
            return True
        stood = moment.mono_ns - self._step_mono_ns
        good = self._good(moment.mono_ns)
        said = self._said_right(moment)
        if said and stood >= _FRESH_NS and not (good and abs(difference_ns) > _PANIC_NS):
            return True
        return stood >= _STOOD_NS and (said or not good)

    def _note_leap(self, status: ClockStatus | None) -> None:
        leap = status.leap if status is not None else ""
        if leap and not self._leap:
            self.leaps += 1
            self.told = self.told or f"the system announces a leap second ({leap})"
        self._leap = leap

    def problem(self) -> str:
        """Return what is wrong with the clock in a line, "" when nothing is."""
        if self._held:
            by = (self._wall_ns - self.now_ns) / 1e9
            return f"the clock stepped by {by:+.0f} s; readings go on by the time from before"
        if self.ahead_ns > NOTICEABLE_NS:
            return (
                f"the clock went back; readings are stamped {self.ahead_ns / 1e9:.0f} s ahead of it,"
                " their clock said to be unknown, until it has caught up"
            )
        if self.quality == UNKNOWN:
            return "nothing says that the clock is right: start a time service, as chrony"
        return ""


class Stamps:
    """The times of one device's readings, strictly rising for each point, in whole milliseconds."""

    def __init__(self, points: int) -> None:
        self.last = [-(2**62)] * points
        self._polled_ms = 0
        self._elapsed_ms = 0
        self.shift_ms = 0

    @property
    def shifted(self) -> bool:
        """Whether the device's clock went back so far that its readings' times are not its own."""
        return self.shift_ms * 1_000_000 > NOTICEABLE_NS

    def begin(self, now_ms: int) -> None:
        """Begin the readings of one poll."""
        self._elapsed_ms = max(1, now_ms - self._polled_ms) if self._polled_ms else 1
        self._polled_ms = now_ms
        if self.shift_ms:
            self.shift_ms = max(0, self.shift_ms - max(1, int(self._elapsed_ms * (1 - _PACE))))

    def stamp(self, point: int, ts_ns: int) -> int:
        """Return the time of a reading in milliseconds, after that of the one before."""
        at = ts_ns // 1_000_000 + self.shift_ms
        last = self.last[point]
        if at <= last:
            if last - at > _JUMP_MS:  # the device's clock went back: all its points go on from here
                self.shift_ms += last - at + self._elapsed_ms
                at = last + self._elapsed_ms
            else:
                at = last + 1
        self.last[point] = at
        return at
