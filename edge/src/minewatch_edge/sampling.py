"""Ask the drivers when they are due, and make spool rows of what they deliver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import nan
from typing import TypeAlias

from minewatch_edge.clocks import UNKNOWN, Stamps, SteadyClock
from minewatch_edge.drivers.apart import NEVER_NS, Apart
from minewatch_edge.drivers.driver import Batch, Driver, Reading, Resuming
from minewatch_edge.errors import DriverError, DriverSilent
from minewatch_edge.reporting import Reporter, Reporting
from minewatch_edge.rows import Columns, NewRow
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD

log = logging.getLogger(__name__)

# Called with a device and every reading taken of it, before those are left out that say nothing new.
Observer: TypeAlias = Callable[[str, Columns], None]

_FAILURES_BORNE = 3  # polls that fail before the points are said to be without a signal
_RETRY_NS = 1_000_000_000
_RETRY_MOST_NS = 30_000_000_000
_ROW_READINGS = 500
_Lists: TypeAlias = tuple[list[int], list[int], list[float], list[int]]


@dataclass(slots=True)
class _Source:
    """One driver and how it does."""

    driver: Driver
    points: tuple[PointBirth, ...]
    first: int
    names: tuple[str, ...]
    stamps: Stamps
    reporters: list[Reporter | None]
    declared: tuple[PointBirth, ...]
    failures: int = 0
    retry_ns: int = 0
    problem: str = ""
    hung: bool = False
    missed: int = 0
    jumped: bool = False
    resumed: bool = False
    outside: set[int] = field(default_factory=set)


class Sampler:
    """The drivers of one gateway; points are numbered through in order of the drivers.

    Figures since the start: ``taken`` readings, ``unsaid`` of them left out because they say nothing new,
    ``late`` ones of a device that hung, older than the word that it had no signal, and ``missed`` slots.
    """

    def __init__(
        self, drivers: Sequence[Driver], reports: Mapping[tuple[str, str], Reporting] | None = None
    ) -> None:
        """``reports`` holds, by device and metric, the points that report by exception."""
        self.points: tuple[PointBirth, ...] = ()
        self.taken = self.unsaid = self.late = self.missed = 0
        self.observer: Observer | None = None
        self.marks_wanted = False  # true while the spool, and the marks in it, cannot be read
        self._sources: list[_Source] = []
        self._keepers: list[Apart] = []
        self.replace(drivers, reports)

    def replace(
        self, drivers: Sequence[Driver], reports: Mapping[tuple[str, str], Reporting] | None = None
    ) -> None:
        """Go on with other drivers; of those that stay nothing is forgotten, those that go are closed."""
        known = {id(source.driver): source for source in self._sources}
        self.points, self._sources = (), []
        for driver in drivers:
            source = known.pop(id(driver), None) or _source(driver, reports or {})
            source.first = len(self.points)
            self._sources.append(source)
            self.points += source.declared
        aparts = (s.driver for s in self._sources if isinstance(s.driver, Apart))
        self._keepers = [apart for apart in aparts if apart.keeps]
        for source in known.values():
            source.driver.close()

    def asks_others(self, staying: Sequence[Driver]) -> bool:
        """Return whether an answer is still to come of a driver that is not among these."""
        known = {id(driver) for driver in staying}
        return any(
            isinstance(s.driver, Apart) and s.driver.busy for s in self._sources if id(s.driver) not in known
        )

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by device."""
        found = {}
        for source in self._sources:
            if source.problem:
                found.update(dict.fromkeys(source.names, source.problem))
            elif source.stamps.shifted:
                late_s = source.stamps.shift_ms / 1e3
                text = f"its clock went back; readings are stamped {late_s:.0f} s later"
                found.update(dict.fromkeys(source.names, text))
        return found

    def resume(self, marks: Mapping[str, str]) -> None:
        """Tell each driver, once, how far the rows on the disk go, by device."""
        self.marks_wanted = False
        for source in self._sources:
            if source.resumed:
                continue
            source.resumed = True
            mark = next((marks[name] for name in source.names if name in marks), "")
            if mark and isinstance(source.driver, Resuming):
                source.driver.resume(mark)

    def silent(self) -> frozenset[str]:
        """Return the devices whose points were said to have no signal, because nothing answers."""
        dead = (s.names for s in self._sources if s.hung or s.failures >= _FAILURES_BORNE)
        return frozenset(name for names in dead for name in names)

    def due_ns(self, now_ns: int) -> int:
        """Return when the first driver is due."""
        asked = (s for s in self._sources if not self._waits(s))
        return min((max(s.driver.due_ns(now_ns), s.retry_ns) for s in asked), default=NEVER_NS)

    def sample(self, clock: SteadyClock) -> list[NewRow]:
        """Ask every driver that is due by the clock's time."""
        return self.poll(clock.poll_ns, lead_ns=clock.lead_ns, clock=clock.quality, jumped_ns=clock.jumped_ns)

    def poll(self, now_ns: int, *, lead_ns: int = 0, clock: int = 0, jumped_ns: int = 0) -> list[NewRow]:
        """Ask every driver that is due, by the drivers' time, and return what they bring as rows.

        ``lead_ns`` is how far the drivers' time is before that of readings, ``clock`` the quality of both,
        ``jumped_ns`` by how much the drivers' time was set forward since the last call.
        """
        if jumped_ns:
            self._jumped(jumped_ns)
        rows: list[NewRow] = []
        for source in self._sources:
            if self._waits(source):
                continue
            if now_ns >= source.retry_ns and source.driver.due_ns(now_ns) <= now_ns:
                readings = self._ask(source, now_ns, lead_ns)
                if readings:
                    rows += self._rows(source, readings, now_ns - lead_ns, clock)
        return rows

    def kept(self) -> None:
        """Tell the drivers that confirm to their source that all rows handed out so far are on the disk."""
        for apart in self._keepers:
            apart.kept()

    def close(self) -> None:
        """Close every driver."""
        for source in self._sources:
            source.driver.close()

    def _waits(self, source: _Source) -> bool:
        """Tell whether a source that can be read again must first be told from where: it would come twice.

        What pushes is not kept waiting: it comes once, and what it says may be an alarm.
        """
        if not self.marks_wanted or source.resumed or isinstance(source.driver, Apart):
            return False
        return isinstance(source.driver, Resuming)

    def _jumped(self, by_ns: int) -> None:
        for source in self._sources:
            source.jumped = True
            if source.retry_ns:
                source.retry_ns += by_ns
            if isinstance(source.driver, Apart):
                source.driver.moved(by_ns)

    def _ask(self, source: _Source, now_ns: int, lead_ns: int) -> Sequence[Reading]:
        try:
            readings = source.driver.poll(now_ns)
        except DriverSilent as error:
            return self._silent(source, str(error), now_ns - lead_ns)
        except DriverError as error:
            return self._failed(source, str(error), now_ns, lead_ns)
        except Exception as error:
            # One driver's mistake must not silence the other sensors of the gateway.
            if not source.problem:
                log.exception("the driver of %s failed", ", ".join(source.names))
            return self._failed(source, f"{type(error).__name__}: {error}", now_ns, lead_ns)
        if isinstance(source.driver, Apart) and not source.driver.answered:
            return ()  # it was only asked
        if source.problem:
            log.warning("%s answers again", ", ".join(source.names))
        source.failures, source.retry_ns, source.problem = 0, 0, ""
        if lead_ns:
            asked_ns = source.driver.answered_ns if isinstance(source.driver, Apart) else now_ns
            readings = _own_time(readings, asked_ns, lead_ns)
        self._count_missed(source)
        if source.hung:
            source.hung = False
            return self._in_time(source, readings)
        return readings

    def _count_missed(self, source: _Source) -> None:
        """Count slots of the driver's grid that nobody came for; a time that was set has missed none."""
        missed: int = getattr(source.driver, "missed", 0)
        if not source.jumped:
            self.missed += missed - source.missed
        source.missed, source.jumped = missed, False

    def _in_time(self, source: _Source, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Return what is newer than the word that there was no signal; count the rest as late."""
        last = source.stamps.last
        taken = [r for r in readings if r.ts_ns // 1_000_000 > last[r.point]]
        self.late += len(readings) - len(taken)
        return Batch(taken, getattr(readings, "mark", ""))

    @staticmethod
    def _silent(source: _Source, why: str, at_ns: int) -> Sequence[Reading]:
        """Say for each point that it has no signal; the device goes on by itself when it answers."""
        log.warning("%s does not answer: %s", ", ".join(source.names), why)
        source.problem, source.hung = why, True
        return [Reading(i, at_ns, nan, BAD) for i in range(len(source.points))]

    @staticmethod
    def _failed(source: _Source, why: str, now_ns: int, lead_ns: int) -> Sequence[Reading]:
        """Wait longer each time; once, say for each point that it has no signal."""
        if not source.problem:
            log.warning("%s does not answer: %s", ", ".join(source.names), why)
        source.problem = why
        source.failures += 1
        source.retry_ns = now_ns + min(_RETRY_NS * 2 ** min(source.failures - 1, 10), _RETRY_MOST_NS)
        if source.failures != _FAILURES_BORNE:
            return ()
        return [Reading(i, now_ns - lead_ns, nan, BAD) for i in range(len(source.points))]

    def _rows(self, source: _Source, readings: Sequence[Reading], at_ns: int, clock: int) -> list[NewRow]:
        """Group readings by device, in rows of bounded size, with times that rise."""
        self.taken += len(readings)
        source.stamps.begin(at_ns // 1_000_000)
        found: list[NewRow] = []
        for begin in range(0, len(readings), _ROW_READINGS):
            found += self._some_rows(source, readings[begin : begin + _ROW_READINGS], clock)
        if found and isinstance(readings, Batch) and readings.mark:
            found[-1] = found[-1]._replace(mark=readings.mark)
        return found

    def _some_rows(self, source: _Source, readings: Sequence[Reading], clock: int) -> list[NewRow]:
        lists, priorities = _columns(source, readings)
        if source.stamps.shifted:
            clock = UNKNOWN
        rows = []
        for device, columns in lists.items():
            whole = Columns(*columns, clock)
            if self.observer is not None:
                self.observer(device, whole)
            if source.declared is not source.points:
                whole = self._news(source, whole)
            if whole.points:
                rows.append(NewRow(device, whole, priorities.get(device, 0)))
        return rows

    def _news(self, source: _Source, columns: Columns) -> Columns:
        """Leave out what says nothing new."""
        points, times, values, qualities = _lists()
        first, reporters = source.first, source.reporters
        for point, at, value, quality in zip(*columns[:4], strict=True):
            reporter = reporters[point - first]
            told = ((at, value, quality),) if reporter is None else reporter.take(at, value, quality)
            if not told:
                self.unsaid += 1
            for sample in told:
                points.append(point)
                times.append(sample[0])
                values.append(sample[1])
                qualities.append(sample[2])
            self.unsaid -= len(told) > 1
        return Columns(points, times, values, qualities, columns.clock)


def _columns(source: _Source, readings: Sequence[Reading]) -> tuple[dict[str, _Lists], dict[str, int]]:
    """Return readings as columns by device, and which of the devices has one newly out of its range."""
    stamp, births, outside, first = source.stamps.stamp, source.points, source.outside, source.first
    lists: dict[str, _Lists] = {}
    priorities: dict[str, int] = {}
    device = ""
    points, times, values, qualities = _lists()
    for point, ts_ns, value, quality in readings:
        birth = births[point]
        if birth.device != device:
            device = birth.device
            points, times, values, qualities = lists.setdefault(device, _lists())
        points.append(first + point)
        times.append(stamp(point, ts_ns))
        values.append(value)
        qualities.append(quality if value == value else BAD)
        if not birth.low <= value <= birth.high:
            if point not in outside:
                outside.add(point)
                priorities[device] = 1
        elif outside:
            outside.discard(point)
    return lists, priorities


def _lists() -> _Lists:
    return [], [], [], []


def _own_time(readings: Sequence[Reading], asked_ns: int, lead_ns: int) -> Sequence[Reading]:
    """Bring readings that carry the time they were asked at back to that of readings.

    Those with another time have a device's own.
    """
    asked_ms = asked_ns // 1_000_000
    moved = [r._replace(ts_ns=r.ts_ns - lead_ns) if r.ts_ns // 1_000_000 == asked_ms else r for r in readings]
    return Batch(moved, getattr(readings, "mark", ""))


def _source(driver: Driver, reports: Mapping[tuple[str, str], Reporting]) -> _Source:
    points = tuple(driver.points())
    names = tuple(dict.fromkeys(p.device for p in points))
    found = [reports.get((p.device, p.metric)) for p in points]
    reporters = [Reporter(r, p.interval_s) if r else None for r, p in zip(found, points, strict=True)]
    # A quiet point is not a lost one: the service is told the longest silence there can be.
    declared = tuple(
        replace(p, interval_s=max(r.heartbeat_s, p.interval_s)) if r else p
        for r, p in zip(found, points, strict=True)
    )
    return _Source(
        driver, points, 0, names, Stamps(len(points)), reporters, declared if any(found) else points
    )
