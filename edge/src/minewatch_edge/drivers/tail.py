"""A file that another program writes to and rotates: its whole lines, each once, from a place that is known.

A file is known by its inode and by a checksum of its first bytes: inodes are given again, and a file that was
copied away and cut keeps its inode.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from minewatch_edge.drivers.lines import LONGEST_LINE, LineBuffer
from minewatch_edge.errors import DriverError

_MEND = "Look whether the program that writes it runs, and whether the agent may read it"
_BYTES_A_READ = 262_144
_HEAD = 1_024
_QUIET_READS = 2  # a writer may have the old file open for a moment after it was renamed
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")


@dataclass(frozen=True, slots=True)
class Place:
    """Just after a line of a file; ``crc`` is that of its first ``head`` bytes."""

    inode: int
    at: int
    head: int
    crc: int

    def text(self) -> str:
        """Return it as text for the spool."""
        return json.dumps(asdict(self))


def place_of(text: str) -> Place | None:
    """Read a place back; None when the text is none (of another version, or of another driver)."""
    try:
        found = json.loads(text)
        return Place(**{k: int(found[k]) for k in ("inode", "at", "head", "crc")})
    except (ValueError, TypeError, KeyError):
        return None


class TailLine(NamedTuple):
    """One line of the file; ``first`` is its header, which comes anew with each file."""

    raw: bytes
    place: Place
    whole: bool
    first: bool


class Tail:
    """One file by its name, through every rotation; ``lost`` takes (reason, words) of what cannot be read."""

    def __init__(self, path: Path, *, from_start: bool, lost: Callable[[str, str], None]) -> None:
        self._path = path
        self._from_start = from_start
        self._lost = lost
        self._stream: FileIO | None = None
        self._inode = 0
        self._lines = LineBuffer()
        self._head = (0, 0)  # length and checksum
        self._headed = False
        self._quiet = 0
        self._wanted: Place | None = None

    def resume(self, place: Place) -> None:
        """Begin at a place, wherever its file is now."""
        self._wanted = place

    def read(self) -> list[TailLine]:
        """Return the next lines that are whole; none when there is nothing new.

        Raises DriverError when the file is not there and nothing of it is left to read.
        """
        try:
            return self._read()
        except OSError as error:
            raise DriverError(f"{self._path}: {error.strerror or error}", mend=_MEND) from error

    def again(self, place: Place | None) -> None:
        """Go back after a fault: the next read begins after that place, or at the start of this file."""
        if place is None or place.inode != self._inode:
            place = Place(self._inode, 0, *self._head)
        self.close()
        self._wanted = place

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # --- reading --------------------------------------------------------------------------------------------

    def _read(self) -> list[TailLine]:
        found = [] if self._stream is not None else self._begin()
        if self._cut():
            self._leave(cut=True)
            found += self._header()
        block = self._next_block()
        self._quiet = 0 if block else self._quiet + 1
        if not block and self._quiet >= _QUIET_READS and self._replaced():
            self._leave(cut=False)
            found += self._header()
            block = self._next_block()
        return found + self._whole(block)

    def _next_block(self) -> bytes:
        assert self._stream is not None  # noqa: S101 (for the type checker: every way here opened it)
        return self._stream.read(_BYTES_A_READ)

    def _whole(self, block: bytes) -> list[TailLine]:
        lines = self._lines.feed(block)
        if self._head[0] < _HEAD and lines:
            self._head = _checksum(self._fd, min(_HEAD, self._lines.at))
        found = []
        for line in lines:
            found.append(TailLine(line.raw, self._place(line.end), line.whole, not self._headed))
            self._headed = True
        return found

    def _tell(self) -> int:
        assert self._stream is not None  # noqa: S101 (for the type checker)
        return self._stream.tell()

    def _place(self, at: int) -> Place:
        return Place(self._inode, at, *self._head)

    @property
    def _fd(self) -> int:
        assert self._stream is not None  # noqa: S101 (for the type checker)
        return self._stream.fileno()

    # --- which file -----------------------------------------------------------------------------------------

    def _begin(self) -> list[TailLine]:
        """Open the file of the place wanted, or the one of the name."""
        wanted = self._wanted
        if wanted is None:
            self._begin_new()
        else:
            file = self._holder(wanted) if wanted.at else None
            if file is not None:
                self._open(file, wanted.at)
            else:
                self._open(self._path, 0)
                if wanted.at or self._inode != wanted.inode:
                    self._say_lost(wanted)
        self._wanted = None
        return self._header()

    def _begin_new(self) -> None:
        try:
            self._open(self._path, 0)
        except FileNotFoundError:
            self._from_start = True  # whoever makes it, its first line is new
            raise
        if not self._from_start:
            self._open(self._path, _after_last_line(self._fd))

    def _open(self, file: Path, at: int) -> None:
        stream = FileIO(file)
        self.close()
        stream.seek(at)
        self._stream = stream
        self._inode = os.fstat(stream.fileno()).st_ino
        self._lines = LineBuffer(at)
        self._head = _checksum(self._fd, min(_HEAD, at))
        self._headed, self._quiet = False, 0

    def _header(self) -> list[TailLine]:
        """Return the first line of a file that is read from its middle."""
        if not self._lines.at:
            return []
        first = LineBuffer().feed(os.pread(self._fd, LONGEST_LINE, 0))
        self._headed = True
        return [TailLine(first[0].raw, self._place(self._lines.at), first[0].whole, True)] if first else []

    def _cut(self) -> bool:
        """Tell whether the open file no longer begins as it did, or is shorter than what was read of it."""
        if os.fstat(self._fd).st_size < self._tell():
            return True
        return _checksum(self._fd, self._head[0]) != self._head

    def _replaced(self) -> bool:
        """Tell whether the name belongs to another file by now; raise OSError when to none."""
        return self._path.stat().st_ino != self._inode

    def _leave(self, *, cut: bool) -> None:
        """Go on with the file that comes after the open one; of a cut one the copy is looked for."""
        place = self._place(self._lines.at)
        if cut:
            copy = self._holder(place)
            if copy is not None:
                self._open(copy, place.at)
                return
            self._say_lost(place)
            self._open(self._path, 0)
            return
        if self._lines.rest:
            self._lost("half", "the last line of a rotated file has no end: " + _words(self._lines.rest))
        self._open(self._successor() or self._path, 0)

    def _say_lost(self, place: Place) -> None:
        what = f"held after byte {place.at} cannot be found" if place.at else "held could not be read"
        self._lost("rotated", f"a file was rotated; what it {what}")

    def _holder(self, place: Place) -> Path | None:
        """Return the file that holds a place: that of the inode, or a copy."""
        copies = []
        for file in (self._path, *self._siblings()):
            try:
                with file.open("rb") as stream:
                    there = os.fstat(stream.fileno())
                    if there.st_size < place.at:
                        continue
                    if _checksum(stream.fileno(), place.head) != (place.head, place.crc):
                        continue
            except OSError:
                continue
            if there.st_ino == place.inode:
                return file
            if place.head:  # without a byte read, every file looks like a copy
                copies.append(file)
        return copies[0] if copies else None

    def _successor(self) -> Path | None:
        """Return the oldest file that was rotated away after the open one and was never read."""
        mine = os.fstat(self._fd)
        later = []
        for file in self._siblings():
            try:
                with file.open("rb") as stream:
                    there = os.fstat(stream.fileno())
                    copy = _checksum(stream.fileno(), self._head[0]) == self._head and self._head[0] > 0
            except OSError:
                continue
            if there.st_ino != mine.st_ino and there.st_mtime_ns > mine.st_mtime_ns and not copy:
                later.append((there.st_mtime_ns, file))
        return min(later)[1] if later else None

    def _siblings(self) -> list[Path]:
        """Return the files beside it that rotation may have made of it."""
        stems = tuple(self._path.name + mark for mark in (".", "-"))
        try:
            files = sorted(self._path.parent.iterdir())
        except OSError:
            return []
        named = [f for f in files if f.name.startswith(stems) and f.suffix not in _PACKED]
        return [f for f in named if f.is_file()]


def _checksum(fd: int, length: int) -> tuple[int, int]:
    block = os.pread(fd, length, 0)
    return len(block), zlib.crc32(block)


def _after_last_line(fd: int) -> int:
    """Return the place after the last line end: what is half now will be whole later."""
    size = os.fstat(fd).st_size
    start = max(0, size - LONGEST_LINE)
    found = os.pread(fd, size - start, start).rfind(b"\n")
    return start + found + 1 if found >= 0 or not start else size


def _words(raw: bytes) -> str:
    return raw[:300].decode("utf-8", "replace")
