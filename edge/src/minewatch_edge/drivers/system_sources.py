"""What a gateway can say of itself: each source by its name, with quantity and unit, read from the kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from minewatch_edge import clock_status
from minewatch_edge.clock_status import ClockStatus


class Missing(Exception):
    """A sensor that is not there or says nothing that can be read; the text says which."""


@dataclass(frozen=True, slots=True)
class Source:
    """One figure; ``read`` takes the root of the file tree and what the point names beside the source."""

    quantity: str
    unit: str
    read: Callable[[Path, str], float]
    usual: str = ""  # what is meant when the point names nothing
    needed: bool = False  # whether the point must name something


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise Missing(f"{file}: {error.strerror}") from error


def _number(file: Path, text: str, scale: float = 1.0) -> float:
    try:
        return float(text) * scale
    except ValueError:
        raise Missing(f"{file}: {text[:40]!r} is no number") from None


def _statvfs(root: Path, what: str) -> os.statvfs_result:
    path = root / what.lstrip("/")
    try:
        return os.statvfs(path)
    except OSError as error:
        raise Missing(f"{path}: {error.strerror}") from error


def _disk_free(root: Path, what: str) -> float:
    """Return what a program without special rights can still write, in percent of what it could use."""
    disk = _statvfs(root, what)
    usable = disk.f_blocks - disk.f_bfree + disk.f_bavail
    if not usable:
        raise Missing(f"{root / what.lstrip('/')}: this file system has no size")
    return 100.0 * disk.f_bavail / usable


def _disk_free_bytes(root: Path, what: str) -> float:
    disk = _statvfs(root, what)
    return float(disk.f_bavail * disk.f_frsize)


def _inodes_free(root: Path, what: str) -> float:
    disk = _statvfs(root, what)
    if not disk.f_files:
        raise Missing(f"{root / what.lstrip('/')}: this file system does not count its inodes")
    return 100.0 * disk.f_favail / disk.f_files


def _temperature(root: Path, what: str) -> float:
    """Return the temperature of a zone, by its name (thermal_zone0) or its type (cpu-thermal)."""
    folder = root / "sys/class/thermal"
    zones = sorted(folder.glob("thermal_zone*"))
    for zone in zones:
        if what in ("", zone.name) or what == _type_of(zone):
            return _number(zone / "temp", _text(zone / "temp"), 1e-3)
    known = ", ".join(f"{z.name} ({_type_of(z)})" for z in zones) or "none"
    raise Missing(f"{folder}: there is no zone {what or 'at all'!r}; there is: {known}")


def _type_of(zone: Path) -> str:
    try:
        return _text(zone / "type")
    except Missing:
        return "?"


def _load(root: Path, _what: str) -> float:
    file = root / "proc/loadavg"
    return _number(file, (_text(file).split() or [""])[0])


def _memory_available(root: Path, _what: str) -> float:
    file = root / "proc/meminfo"
    found = dict(line.split(":", 1) for line in _text(file).splitlines() if ":" in line)
    try:
        total, free = (float(found[k].split()[0]) for k in ("MemTotal", "MemAvailable"))
    except (KeyError, IndexError, ValueError):
        raise Missing(f"{file}: it does not say MemTotal and MemAvailable") from None
    if total <= 0:
        raise Missing(f"{file}: MemTotal is {total:g}")
    return 100.0 * free / total


def _uptime(root: Path, _what: str) -> float:
    file = root / "proc/uptime"
    return _number(file, (_text(file).split() or [""])[0])


def _link(root: Path, what: str) -> float:
    """Return 1 while a network interface carries signals, 0 while it is down."""
    folder = root / "sys/class/net" / what
    state = _text(folder / "operstate")
    if state == "unknown":  # as loopback and some radios say; then the carrier counts
        return _number(folder / "carrier", _text(folder / "carrier"))
    return 1.0 if state == "up" else 0.0


def _clock() -> ClockStatus:
    status = clock_status.read()
    if status == clock_status.NOT_SAID:
        raise Missing("the kernel does not tell how its clock is")
    return status


def _clock_synchronised(_root: Path, _what: str) -> float:
    return 1.0 if _clock().synchronised else 0.0


def _clock_offset(_root: Path, _what: str) -> float:
    """Return how far the clock is still to be moved; of a clock that nobody disciplines, nobody knows."""
    status = _clock()
    if not status.synchronised:
        raise Missing("the clock is not synchronised: its offset is not known; set up chrony or timesyncd")
    return status.offset_ms * 1e-3


def _clock_error(_root: Path, _what: str) -> float:
    return _clock().max_error_ms * 1e-3


SOURCES: dict[str, Source] = {
    "disk_free": Source("disk_free", "%", _disk_free, "/"),
    "disk_used": Source("disk_used", "%", lambda root, what: 100.0 - _disk_free(root, what), "/"),
    "disk_free_bytes": Source("disk_free", "B", _disk_free_bytes, "/"),
    "inodes_free": Source("inodes_free", "%", _inodes_free, "/"),
    "temperature": Source("device_temperature", "°C", _temperature),
    "load": Source("load", "1", _load),
    "memory_available": Source("memory_available", "%", _memory_available),
    "uptime": Source("uptime", "s", _uptime),
    "clock_synchronised": Source("clock_synchronised", "1", _clock_synchronised),
    "clock_offset": Source("clock_offset", "s", _clock_offset),
    "clock_error": Source("clock_error", "s", _clock_error),
    "link": Source("link_up", "1", _link, needed=True),
}
