"""Ask the drivers when they are due, and make spool rows of what they deliver."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan

from minewatch_edge.clocks import NOTICEABLE_NS, Stamps
from minewatch_edge.drivers.apart import Apart
from minewatch_edge.drivers.driver import Batch, Driver, Reading, Resuming
from minewatch_edge.errors import DriverError, DriverSilent
from minewatch_edge.rows import Columns, NewRow
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD, GOOD, UNCERTAIN

log = logging.getLogger(__name__)

_FAILURES_BORNE = 3  # polls that fail before the points are said to be without a signal
_RETRY_NS = 1_000_000_000
_RETRY_MOST_NS = 30_000_000_000
_ROW_READINGS = 500


@dataclass(slots=True)
class _Source:
    """One driver and how it does."""

    driver: Driver
    points: tuple[PointBirth, ...]
    first: int
    names: tuple[str, ...]
    stamps: Stamps
    failures: int = 0
    retry_ns: int = 0
    problem: str = ""
    hung: bool = False
    outside: set[int] = field(default_factory=set)


class Sampler:
    """The drivers of one gateway; points are numbered through in order of the drivers."""

    def __init__(self, drivers: Sequence[Driver]) -> None:
        self.points: tuple[PointBirth, ...] = ()
        self.late = 0  # readings of devices that hung, older than the word that they had no signal
        self._sources: list[_Source] = []
        self.replace(drivers)

    def replace(self, drivers: Sequence[Driver]) -> None:
        """Go on with other drivers; of those that stay nothing is forgotten, those that go are closed."""
        known = {id(source.driver): source for source in self._sources}
        self.points, self._sources = (), []
        for driver in drivers:
            source = known.pop(id(driver), None) or _source(driver)
            source.first = len(self.points)
            self._sources.append(source)
            self.points += source.points
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
            elif source.stamps.shift_ms * 1_000_000 > NOTICEABLE_NS:
                late_s = source.stamps.shift_ms / 1e3
                text = f"its clock went back; readings are stamped {late_s:.0f} s later"
                found.update(dict.fromkeys(source.names, text))
        return found

    def resume(self, marks: Mapping[str, str]) -> None:
        """Tell the drivers how far the rows on the disk go, by device."""
        for source in self._sources:
            mark = next((marks[name] for name in source.names if name in marks), "")
            if mark and isinstance(source.driver, Resuming):
                source.driver.resume(mark)

    def due_ns(self, now_ns: int) -> int:
        """Return when the first driver is due."""
        return min(max(s.driver.due_ns(now_ns), s.retry_ns) for s in self._sources)

    def poll(self, now_ns: int, *, doubtful: bool = False) -> list[NewRow]:
        """Ask every driver that is due; ``doubtful`` marks good readings uncertain (a wrong clock)."""
        rows: list[NewRow] = []
        for source in self._sources:
            if now_ns >= source.retry_ns and source.driver.due_ns(now_ns) <= now_ns:
                readings = self._ask(source, now_ns)
                if readings:
                    rows += _rows(source, readings, now_ns, doubtful=doubtful)
        return rows

    def close(self) -> None:
        """Close every driver."""
        for source in self._sources:
            source.driver.close()

    def _ask(self, source: _Source, now_ns: int) -> Sequence[Reading]:
        try:
            readings = source.driver.poll(now_ns)
        except DriverSilent as error:
            return self._silent(source, str(error), now_ns)
        except DriverError as error:
            return self._failed(source, str(error), now_ns)
        except Exception as error:
            # One driver's mistake must not silence the other sensors of the gateway.
            if not source.problem:
                log.exception("the driver of %s failed", ", ".join(source.names))
            return self._failed(source, f"{type(error).__name__}: {error}", now_ns)
        if isinstance(source.driver, Apart) and not source.driver.answered:
            return ()  # it was only asked
        if source.problem:
            log.warning("%s answers again", ", ".join(source.names))
        source.failures, source.retry_ns, source.problem = 0, 0, ""
        if source.hung:
            source.hung = False
            return self._in_time(source, readings)
        return readings

    def _in_time(self, source: _Source, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Return what is newer than the word that there was no signal; count the rest as late."""
        last = source.stamps.last
        taken = [r for r in readings if r.ts_ns // 1_000_000 > last[r.point]]
        self.late += len(readings) - len(taken)
        return taken

    @staticmethod
    def _silent(source: _Source, why: str, now_ns: int) -> Sequence[Reading]:
        """Say for each point that it has no signal; the device goes on by itself when it answers."""
        log.warning("%s does not answer: %s", ", ".join(source.names), why)
        source.problem, source.hung = why, True
        return [Reading(i, now_ns, nan, BAD) for i in range(len(source.points))]

    @staticmethod
    def _failed(source: _Source, why: str, now_ns: int) -> Sequence[Reading]:
        """Wait longer each time; once, say for each point that it has no signal."""
        if not source.problem:
            log.warning("%s does not answer: %s", ", ".join(source.names), why)
        source.problem = why
        source.failures += 1
        source.retry_ns = now_ns + min(_RETRY_NS * 2 ** min(source.failures - 1, 10), _RETRY_MOST_NS)
        if source.failures != _FAILURES_BORNE:
            return ()
        return [Reading(i, now_ns, nan, BAD) for i in range(len(source.points))]


def _source(driver: Driver) -> _Source:
    points = tuple(driver.points())
    names = tuple(dict.fromkeys(p.device for p in points))
    return _Source(driver, points, 0, names, Stamps(len(points)))


def _rows(source: _Source, readings: Sequence[Reading], now_ns: int, *, doubtful: bool) -> list[NewRow]:
    """Group readings by device, in rows of bounded size, with times that rise."""
    stamps, points = source.stamps, source.points
    stamps.begin(now_ns // 1_000_000)
    open_rows: dict[str, tuple[list[int], list[int], list[float], list[int]]] = {}
    priorities: dict[str, int] = {}
    done: list[NewRow] = []
    for point, ts_ns, value, quality in readings:
        birth = points[point]
        columns = open_rows.get(birth.device)
        if columns is None:
            columns = open_rows[birth.device] = ([], [], [], [])
        columns[1].append(stamps.stamp(point, ts_ns))
        if quality == GOOD and (doubtful or stamps.shift_ms * 1_000_000 > NOTICEABLE_NS):
            quality = UNCERTAIN
        columns[0].append(source.first + point)
        columns[2].append(value)
        columns[3].append(BAD if isnan(value) else quality)
        if not birth.low <= value <= birth.high:
            if point not in source.outside:
                source.outside.add(point)
                priorities[birth.device] = 1
        elif source.outside:
            source.outside.discard(point)
        if len(columns[0]) >= _ROW_READINGS:
            done.append(NewRow(birth.device, Columns(*columns), priorities.pop(birth.device, 0)))
            del open_rows[birth.device]
    done += [NewRow(d, Columns(*columns), priorities.get(d, 0)) for d, columns in open_rows.items()]
    if isinstance(readings, Batch) and readings.mark:
        done[-1] = done[-1]._replace(mark=readings.mark)
    return done
