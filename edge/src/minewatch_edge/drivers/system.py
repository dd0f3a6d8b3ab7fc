"""The gateway itself: disk, memory, temperature, load, its clock and its links, as points like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.drivers.grid import Grid
from minewatch_edge.drivers.system_sources import SOURCES, Missing, Source
from minewatch_edge.errors import DriverError
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

if TYPE_CHECKING:
    from minewatch_edge.config import DeviceConfig

DEVICE_KEYS = ("root",)
POINT_KEYS = ("source", "of")


class System:
    """One figure a point; what cannot be read is a bad reading, never a zero."""

    def __init__(
        self, points: Sequence[PointBirth], sources: Sequence[tuple[Source, str]], root: Path
    ) -> None:
        """``sources`` are with what they are of: a path, a thermal zone, an interface."""
        self._points = tuple(points)
        self._sources = tuple(sources)
        self._root = root
        self._grid = Grid([p.interval_s for p in points])

    @property
    def missed(self) -> int:
        """Slots of its grid that it has missed."""
        return self._grid.missed

    def points(self) -> Sequence[PointBirth]:
        """Return its figures."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return when the next figure is due."""
        return self._grid.due_ns(now_ns)

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return the figures that are due.

        Raises DriverError when there is no file tree at all.
        """
        due = self._grid.take(now_ns)
        self._need_root()
        found = []
        for index in due:
            source, what = self._sources[index]
            try:
                found.append(Reading(index, now_ns, source.read(self._root, what)))
            except Missing:
                found.append(Reading(index, now_ns, nan, BAD))
        return found

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Read each figure once; one that is not there is a fault, with what is there instead."""
        found = []
        for point, (source, what) in zip(self._points, self._sources, strict=True):
            try:
                self._need_root()
                ok, text = True, f"{source.read(self._root, what):g} {point.unit}"
            except (Missing, DriverError) as error:
                ok, text = False, str(error)
            found.append(CheckResult(f"{point.device}/{point.metric}", ok, text))
        return found

    def close(self) -> None:
        """Let go of nothing."""

    def _need_root(self) -> None:
        if not self._root.is_dir():
            raise DriverError(f"{self._root}: there is no such folder", mend="Look at root, as a rule /")


def usual(table: Table) -> tuple[str, str]:
    """Return the quantity and unit of a point by its source."""
    source = SOURCES[table.text("source", choices=tuple(SOURCES))]
    return source.quantity, source.unit


def make(device: DeviceConfig, folder: Path, _refuse: Callable[[Reject], None]) -> System:
    """Make the driver of a device from its tables."""
    root = folder / device.options.text("root", "/")
    return System([p.birth for p in device.points], [_source(p.options) for p in device.points], root)


def _source(table: Table) -> tuple[Source, str]:
    name = table.text("source", choices=tuple(SOURCES))
    source = SOURCES[name]
    what = table.text("of", source.usual)
    if source.needed and not what:
        raise table.error("of", f"{name} needs one", 'Name the interface, as of = "eth0"')
    return source, what
