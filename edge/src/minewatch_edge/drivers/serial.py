"""Instruments on a serial line: lines that they send by themselves, or answers to what they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from typing import TYPE_CHECKING

from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.drivers.grid import Grid
from minewatch_edge.drivers.lines import Line, LineBuffer
from minewatch_edge.drivers.serial_frames import Unusable
from minewatch_edge.drivers.serial_port import Port
from minewatch_edge.drivers.serial_settings import DEVICE_KEYS, POINT_KEYS, Framing, Pick, Wanted
from minewatch_edge.drivers.serial_settings import read as read_settings
from minewatch_edge.errors import DriverError
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD, GOOD
from minewatch_edge.spool import Reject

if TYPE_CHECKING:
    from pathlib import Path

    from minewatch_edge.config import DeviceConfig

__all__ = ["DEVICE_KEYS", "POINT_KEYS", "Asking", "Listening", "make"]

_LONGEST = 1_024
_BYTES_A_POLL = 65_536
_LISTEN_NS = 100_000_000  # a line carries the time of the poll, so polls are close
_CHECK_S = 5.0
_WAIT_MEND = "Look at the cable, baud, parity, and whether the instrument is switched on"


class Listening:
    """An instrument that talks by itself. A line that cannot be used is refused with its reason."""

    def __init__(
        self,
        points: Sequence[PointBirth],
        port: Port,
        framing: Framing,
        wanted: Sequence[Wanted],
        refuse: Callable[[Reject], None],
    ) -> None:
        self._points = tuple(points)
        self._port = port
        self._framing = framing
        self._wanted = tuple(wanted)
        self._refuse = refuse
        self._lines = LineBuffer(ending=framing.ending, longest=_LONGEST)
        self._fresh = True  # the first line is perhaps the end of one that began before
        self._due_ns = 0
        shortest = min((p.interval_s for p in points if p.interval_s), default=1.0)
        self._step_ns = min(_LISTEN_NS, int(shortest * 1e9))

    def points(self) -> Sequence[PointBirth]:
        """Return its points."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return when to look for new lines."""
        return min(self._due_ns, now_ns + self._step_ns)

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return the readings of the lines that came; raise DriverError when the line is not there."""
        self._due_ns = now_ns + self._step_ns
        if self._port.open():
            self._lines = LineBuffer(ending=self._framing.ending, longest=_LONGEST)
            self._fresh = True
        lines = self._lines.feed(self._port.read(_BYTES_A_POLL))
        return _apart([reading for line in lines for reading in self._take(line, now_ns)])

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Listen for some seconds and say what each point gave."""
        seen: dict[int, Reading] = {}
        told: list[Reject] = []
        probe = Listening(self._points, self._port, self._framing, self._wanted, told.append)
        try:
            self._port.open()
            self._port.ask(b"", lambda _all: _heard(probe, seen, now_ns, _all), _CHECK_S, _BYTES_A_POLL)
        except DriverError as error:
            return [CheckResult(f"{p.device}/{p.metric}", False, str(error)) for p in self._points]
        finally:
            self._port.close()
        why = f"{self._port.settings.path}: nothing came in {_CHECK_S:g} s that holds it"
        if told:
            why += f"; {told[-1].reason}: {told[-1].text}"
        return _words(self._points, seen, dict.fromkeys(range(len(self._points)), why))

    def close(self) -> None:
        """Let go of the line."""
        self._port.close()

    def _take(self, line: Line, now_ns: int) -> list[Reading]:
        fresh, self._fresh = self._fresh, False
        raw = line.raw.rstrip(b"\r\n")
        if fresh and (raw or not line.whole):
            # Half of "12.5" is "2.5": what began before we listened is never taken for whole.
            self._reject(now_ns, Unusable("half", "it may have begun before the line was opened"), raw)
            return []
        if not raw:
            return []
        try:
            if not line.whole:
                raise Unusable("length", f"a line of more than {_LONGEST} bytes")
            picks = self._framing.picks(raw, self._wanted)
        except Unusable as error:
            self._reject(now_ns, error, raw)
            return []
        return [self._reading(pick, now_ns, raw) for pick in picks]

    def _reading(self, pick: Pick, now_ns: int, raw: bytes) -> Reading:
        try:
            return Reading(pick.point, now_ns, pick.value(self._wanted[pick.point]))
        except Unusable as error:
            if error.reason != "empty":
                self._reject(now_ns, error, raw)
            return Reading(pick.point, now_ns, nan, BAD)

    def _reject(self, now_ns: int, error: Unusable, raw: bytes) -> None:
        self._refuse(_rejected(self._points[0].device, now_ns, error, raw))


class Asking:
    """An instrument that answers: each request is sent once a poll, for all of its points."""

    def __init__(
        self,
        points: Sequence[PointBirth],
        port: Port,
        framing: Framing,
        wanted: Sequence[Wanted],
        refuse: Callable[[Reject], None],
    ) -> None:
        self._points = tuple(points)
        self._port = port
        self._framing = framing
        self._wanted = tuple(wanted)
        self._refuse = refuse
        self._grid = Grid([p.interval_s for p in points])

    @property
    def missed(self) -> int:
        """Slots of its grid that it has missed."""
        return self._grid.missed

    def points(self) -> Sequence[PointBirth]:
        """Return its points."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return when the next point is due."""
        return self._grid.due_ns(now_ns)

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return the readings that are due.

        Raises DriverError when the line is not there, or when nothing at all was answered.
        """
        due = self._grid.take(now_ns)
        found, why = self._ask(due, now_ns, self._refuse)
        if due and len(why) == len(due) and all(w.reason == "timeout" for w in why.values()):
            raise DriverError(f"{self._port.settings.path}: {why[due[0]]}", mend=_WAIT_MEND)
        return [found[i] for i in sorted(found)]

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Ask for each point once."""
        place = self._port.settings.path
        try:
            found, why = self._ask(range(len(self._points)), now_ns, lambda _reject: None)
        except DriverError as error:
            return [CheckResult(f"{p.device}/{p.metric}", False, str(error)) for p in self._points]
        finally:
            self._port.close()
        texts = {i: f"{place}: {error}. {_WAIT_MEND}" for i, error in why.items()}
        return _words(self._points, found, texts)

    def close(self) -> None:
        """Let go of the line."""
        self._port.close()

    def _ask(
        self, due: Sequence[int], now_ns: int, refuse: Callable[[Reject], None]
    ) -> tuple[dict[int, Reading], dict[int, Unusable]]:
        """Return a reading of each point, and what was wrong with those that are bad."""
        self._port.open()
        found: dict[int, Reading] = {}
        why: dict[int, Unusable] = {}
        for request in dict.fromkeys(self._wanted[i].request for i in due):
            group = [i for i in due if self._wanted[i].request == request]
            raw = self._port.ask(request, self._framing.whole, self._framing.timeout_s)
            for index in group:
                try:
                    pick = self._framing.answer(raw, index, self._wanted[index])
                    value = pick.value(self._wanted[index])
                    found[index] = Reading(index, now_ns, value)
                except Unusable as error:
                    found[index] = Reading(index, now_ns, nan, BAD)
                    why[index] = error
            faults = {w.reason: w for i, w in why.items() if i in group}
            for fault in faults.values():
                if fault.reason != "empty":
                    refuse(_rejected(self._points[0].device, now_ns, fault, raw))
        return found, why


def _heard(probe: Listening, seen: dict[int, Reading], now_ns: int, everything: bytes) -> bool:
    """Take all that came so far, and tell whether every point has a good value."""
    probe._lines = LineBuffer(ending=probe._framing.ending, longest=_LONGEST)
    probe._fresh = True
    for line in probe._lines.feed(everything):
        seen.update({r.point: r for r in probe._take(line, now_ns) if r.quality == GOOD})
    return len(seen) == len(probe._points)


def _apart(readings: list[Reading]) -> list[Reading]:
    """Give lines of one poll times of their own, a millisecond each, the last one the poll's."""
    later: dict[int, int] = {}
    found = []
    for reading in reversed(readings):
        back = later.get(reading.point, 0)
        later[reading.point] = back + 1
        found.append(reading._replace(ts_ns=reading.ts_ns - back * 1_000_000))
    return found[::-1]


def _words(points: Sequence[PointBirth], seen: dict[int, Reading], why: dict[int, str]) -> list[CheckResult]:
    found = []
    for i, p in enumerate(points):
        ok = i in seen and seen[i].quality == GOOD
        text = f"{seen[i].value:g} {p.unit}" if ok else why.get(i, "it says that it has no value")
        found.append(CheckResult(f"{p.device}/{p.metric}", ok, text))
    return found


def _rejected(device: str, now_ns: int, error: Unusable, raw: bytes) -> Reject:
    return Reject(now_ns, device, error.reason, f"{error}: {raw[:300].decode('ascii', 'backslashreplace')}")


def make(device: DeviceConfig, folder: Path, refuse: Callable[[Reject], None]) -> Listening | Asking:
    """Make the driver of a device from its tables."""
    made = read_settings(device, folder)
    kind = Asking if made.asks else Listening
    return kind([p.birth for p in device.points], Port(made.port), made.framing, made.wanted, refuse)
