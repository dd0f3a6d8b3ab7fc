"""A socket that reads far ahead of paho, and hands plain PUBLISH packets over without paho.

paho makes three small reads and one select for each packet and spends some 18 us on it. Here one read of the
system serves many packets, and those that need no answer (QoS 0) are taken straight from the buffer; every
other packet goes through paho as always.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

READ_BYTES = 262_144
_PLAIN = (0x30, 0x31)  # PUBLISH of QoS 0, fresh or retained
_CUT, _NONE = -1, -2


class BufferedSocket:
    """The socket that paho sees; ``pending`` is what can be read of it without select knowing."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self._at = 0
        self.hungry = True  # the front of the buffer is nothing, or a plain PUBLISH that is not whole yet
        self.ended = False
        self.error: OSError | None = None  # what ended it, where something said so

    def fileno(self) -> int:
        """Return the descriptor for select."""
        return self._sock.fileno()

    def pending(self) -> int:
        """Return how many bytes can be read at once."""
        inside = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        return len(self._buffer) - self._at + inside

    def recv(self, size: int) -> bytes:
        """Return up to ``size`` bytes, from what was read ahead if there is any."""
        if self._at >= len(self._buffer):
            self._buffer = b""
            self._at = 0
            try:
                self._buffer = self._sock.recv(READ_BYTES)
            except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
                raise
            except OSError as error:
                self.error = error
                raise
        piece = self._buffer[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def fill(self) -> bool:
        """Read ahead; False when nothing came, and then ``ended`` says whether anything ever will."""
        try:
            more = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return False
        except OSError as error:
            self.error = error
            more = b""
        if not more:
            self.ended = True
            return False
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
        return True

    def take_publishes(self, take: Callable[[str, bytes], None], most: int, *, five: bool) -> int:
        """Hand over (topic, payload) of the plain PUBLISH packets at the front; return how many.

        ``five`` is MQTT 5, where only packets without properties are plain. What stays at the front is for
        paho, or not whole yet (``hungry``).
        """
        buffer, at, end = self._buffer, self._at, len(self._buffer)
        count = 0
        self.hungry = False
        while count < most:
            if at + 2 > end:
                self.hungry = at == end or buffer[at] in _PLAIN
                break
            if buffer[at] not in _PLAIN:
                break
            body, size = _remaining(buffer, at + 1, end)
            stop = body + size
            if stop > end or size < 3:  # paho is better at large packets, and at faulty ones
                self.hungry = 3 <= size < READ_BYTES or size == _CUT
                break
            topic_end = body + 2 + (buffer[body] << 8 | buffer[body + 1])
            start = topic_end + 1 if five else topic_end
            if start > stop or (five and buffer[topic_end]):
                break
            try:
                topic = buffer[body + 2 : topic_end].decode()
            except UnicodeDecodeError:
                break
            at = stop
            self._at = at  # before the call: a handler that raises does not see the packet again
            take(topic, buffer[start:stop])
            count += 1
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _remaining(buffer: bytes, at: int, end: int) -> tuple[int, int]:
    """Return (where the body begins, its size); the size is _CUT when not all of it is there, _NONE else."""
    size = shift = 0
    for i in range(at, min(at + 4, end)):
        byte = buffer[i]
        size |= (byte & 127) << shift
        if byte < 128:
            return i + 1, size
        shift += 7
    return at, _CUT if end - at < 4 else _NONE
