"""A serial line on the standard library: settings, exclusive use, reads that never wait for ever."""

from __future__ import annotations

import fcntl
import os
import select
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from minewatch_edge.errors import DriverError

BAUDS = {
    int(name[1:]): value
    for name, value in vars(termios).items()
    if name[:1] == "B" and name[1:].isdigit() and name != "B0"
}
_BYTES_A_READ = 4_096
_MEND = "Look whether the adapter is plugged in, whether port names it, and whether the agent may open it"


@dataclass(frozen=True, slots=True)
class PortSettings:
    """How the line is set; ``parity`` is none, even or odd."""

    path: Path
    baud: int = 9600
    parity: str = "none"
    stop_bits: int = 1
    data_bits: int = 8


class Port:
    """One line, opened when it is first used and again after it was unplugged; one program has it alone.

    ``clock`` measures waiting only (s).
    """

    def __init__(self, settings: PortSettings, clock: Callable[[], float] = monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._fd = -1
        self._device = 0

    def open(self) -> bool:
        """Open the line if it is not; return whether that was done now. Raises DriverError."""
        if self._fd >= 0:
            self._look()
            return False
        try:
            self._fd = os.open(self.settings.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._error(error.strerror or str(error)) from error
        try:
            self._take()
        except DriverError:
            self.close()
            raise
        except (OSError, termios.error) as error:
            self.close()
            raise self._error(f"it cannot be set up: {_words(error)}") from error
        return True

    def read(self, limit: int) -> bytes:
        """Return what has come, at most about ``limit`` bytes; nothing is an answer too."""
        found = b""
        while len(found) < limit:
            block = self._read()
            if not block:
                break
            found += block
        return found

    def ask(
        self, request: bytes, whole: Callable[[bytes], bool], timeout_s: float, limit: int = _BYTES_A_READ
    ) -> bytes:
        """Send a request and return what comes until ``whole`` says so, or until the time is over.

        What came unasked before is thrown away, so that no late answer is taken for this one's.
        """
        end = self._clock() + timeout_s
        try:
            termios.tcflush(self._fd, termios.TCIFLUSH)
        except termios.error as error:
            raise self._lost(_words(error)) from error
        self._write(request, end)
        found = b""
        while not whole(found) and len(found) < limit:
            left = end - self._clock()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                break
            found += self._read()
        return found

    def close(self) -> None:
        """Let go of the line."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _take(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._error("another program has it open") from error
        fcntl.ioctl(self._fd, termios.TIOCEXCL)
        wanted = attributes(self.settings, termios.tcgetattr(self._fd)[6])
        termios.tcsetattr(self._fd, termios.TCSANOW, wanted)
        termios.tcflush(self._fd, termios.TCIFLUSH)
        self._device = os.fstat(self._fd).st_rdev

    def _read(self) -> bytes:
        try:
            block = os.read(self._fd, _BYTES_A_READ)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost(_words(error)) from error
        if not block:
            raise self._lost("it was unplugged")
        return block

    def _write(self, request: bytes, end: float) -> None:
        left = request
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                if not select.select([], [self._fd], [], max(0.0, end - self._clock()))[1]:
                    raise self._error("it takes no bytes") from None
            except OSError as error:
                raise self._lost(_words(error)) from error

    def _look(self) -> None:
        """Raise DriverError when the name is gone or belongs to another device: the line was unplugged."""
        try:
            there = self.settings.path.stat().st_rdev
        except OSError as error:
            raise self._lost(_words(error)) from error
        if there != self._device:
            raise self._lost("it was unplugged, and another has its name")

    def _lost(self, why: str) -> DriverError:
        self.close()
        return self._error(why)

    def _error(self, why: str) -> DriverError:
        return DriverError(f"{self.settings.path}: {why}", mend=_MEND)


def attributes(s: PortSettings, chars: Sequence[bytes | int]) -> list[int | list[bytes | int]]:
    """Return raw mode as termios has it: nothing is translated, nothing answered."""
    flags = termios.CREAD | termios.CLOCAL | (termios.CS7 if s.data_bits == 7 else termios.CS8)
    flags |= {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}[s.parity]
    flags |= termios.CSTOPB if s.stop_bits == 2 else 0
    own = list(chars)
    own[termios.VMIN], own[termios.VTIME] = 1, 0
    # A byte of wrong parity comes as 0: it spoils its line, and never shortens a number.
    checked = termios.INPCK if s.parity != "none" else 0
    return [checked | termios.IGNBRK, 0, flags, 0, BAUDS[s.baud], BAUDS[s.baud], own]


def _words(error: OSError | termios.error) -> str:
    return str(error.args[1]) if len(error.args) > 1 else str(error)
