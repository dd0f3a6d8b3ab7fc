"""Bytes that come piece by piece, cut into whole lines of bounded length."""

from __future__ import annotations

from typing import NamedTuple

LONGEST_LINE = 65_536
_SHOWN = 300


class Line(NamedTuple):
    """One line without its end; ``end`` counts the bytes up to its end; not ``whole``: it was too long.

    Of a line that is too long only the first bytes are kept.
    """

    raw: bytes
    end: int
    whole: bool = True


class LineBuffer:
    """What is left of a stream after its last whole line; half a line never comes out."""

    def __init__(self, at: int = 0, *, ending: bytes = b"\n", longest: int = LONGEST_LINE) -> None:
        """``at`` is the place of the stream's next byte."""
        self.at = at  # just after the last whole line
        self._ending = ending
        self._longest = longest
        self._rest = b""
        self._skipped = 0
        self._front = b""

    @property
    def rest(self) -> bytes:
        """Return the half line that waits for its end."""
        return self._front or self._rest

    def feed(self, block: bytes) -> list[Line]:
        """Take the next bytes and return the lines that are whole now."""
        *found, self._rest = (self._rest + block).split(self._ending)
        lines = []
        for raw in found:
            self.at += self._skipped + len(raw) + len(self._ending)
            if self._front or len(raw) > self._longest:
                lines.append(Line(self._front or raw[:_SHOWN], self.at, whole=False))
            else:
                lines.append(Line(raw, self.at))
            self._skipped, self._front = 0, b""
        if len(self._rest) > self._longest:
            keep = len(self._ending) - 1  # an ending may lie across two blocks
            cut = len(self._rest) - keep
            self._front = self._front or self._rest[:_SHOWN]
            self._skipped += cut
            self._rest = self._rest[cut:]
        return lines
