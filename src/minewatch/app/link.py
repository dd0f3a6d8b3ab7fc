"""Frames between the processes: one local socket, guarded by file mode.

A frame is ``<kind length u1><body length u4><columns length u4>``, the kind, a JSON body and raw columns.
Bodies are the contracts' dataclasses as JSON (NaN and infinity allowed: both ends are ours), readings go as
the raw bytes of their columns, because 4 MB/s of JSON would cost a core.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import TypeAdapter

from minewatch.contracts import Deliveries, ReadingBatch
from minewatch.errors import WireError

T = TypeVar("T")
HEAD = struct.Struct("<BII")
LARGEST = 256 * 1024 * 1024  # a frame over this is a broken peer, not data


@dataclass(frozen=True, slots=True)
class Frame:
    """One message between processes: what it is, a JSON-able body, raw columns."""

    kind: str
    body: Any = None
    columns: bytes = b""


def pack(kind: str, body: Any = None, columns: Sequence[bytes | memoryview] = ()) -> bytes:
    """Return the bytes of a frame; a dataclass body is turned into JSON."""
    text = json.dumps(plain(body), separators=(",", ":")).encode()
    name = kind.encode()
    size = sum(len(c) for c in columns)
    return b"".join((HEAD.pack(len(name), len(text), size), name, text, *columns))


def plain(body: Any) -> Any:
    """Return a body as JSON-able values: dataclasses become dicts, also inside lists and dicts."""
    if is_dataclass(body) and not isinstance(body, type):
        return asdict(body)
    if isinstance(body, dict):
        return {key: plain(value) for key, value in body.items()}
    if isinstance(body, (list, tuple)):
        return [plain(value) for value in body]
    return body


_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def read(kind: type[T], body: Any) -> T:
    """Return a JSON body as the contract it was; what does not fit raises pydantic's ValidationError."""
    adapter = _adapters.get(kind)
    if adapter is None:
        adapter = _adapters[kind] = TypeAdapter(kind)
    value: T = adapter.validate_python(body)
    return value


class Unpacker:
    """Collects bytes from a socket and yields whole frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes | memoryview) -> None:
        """Take what the socket gave."""
        self._bytes += data

    def frames(self) -> Iterator[Frame]:
        """Yield every frame that is complete; raises WireError for one that cannot be ours."""
        data = self._bytes
        at = 0
        try:
            while len(data) - at >= HEAD.size:
                name, text, columns = HEAD.unpack_from(data, at)
                if text + columns > LARGEST:
                    raise WireError(
                        f"a frame of {text + columns} bytes between processes: the peer is broken"
                    )
                end = at + HEAD.size + name + text + columns
                if len(data) < end:
                    break
                start = at + HEAD.size
                frame = Frame(
                    bytes(data[start : start + name]).decode(),
                    json.loads(bytes(data[start + name : start + name + text])),
                    bytes(data[end - columns : end]),
                )
                at = end
                yield frame
        finally:
            if at:
                del data[:at]


READING_COLUMNS = (
    ("point", "<i4"),
    ("ts_ns", "<i8"),
    ("value", "<f8"),
    ("quality", "u1"),
    ("historical", "?"),
)
DELIVERY_COLUMNS = (("spool", "<i4"), ("msg_id", "<i8"), ("rows", "<i4"))


def pack_readings(batch: ReadingBatch, deliveries: Deliveries | None = None) -> list[bytes]:
    """Return the columns of a batch, and of the messages it came in, as raw bytes."""
    columns = [np.ascontiguousarray(getattr(batch, name)).tobytes() for name, _ in READING_COLUMNS]
    if deliveries is not None:
        columns += [np.ascontiguousarray(getattr(deliveries, name)).tobytes() for name, _ in DELIVERY_COLUMNS]
    return columns


def unpack_readings(raw: bytes, rows: int, messages: int = 0) -> tuple[ReadingBatch, Deliveries]:
    """Return the ``rows`` readings and the ``messages`` deliveries that raw columns hold (read-only)."""
    at = 0
    columns: dict[str, Any] = {}
    for table, count in ((READING_COLUMNS, rows), (DELIVERY_COLUMNS, messages)):
        for name, dtype in table:
            columns[name] = np.frombuffer(raw, dtype, count, at)
            at += columns[name].nbytes
    batch = ReadingBatch(**{name: columns[name] for name, _ in READING_COLUMNS})
    return batch, Deliveries(**{name: columns[name] for name, _ in DELIVERY_COLUMNS})


class Link:
    """One end of a connection: sends frames whole, receives what is there.

    ``send`` blocks while the peer does not read: that is the back-pressure from core to ingest.
    ``offer`` never blocks: it queues up to ``capacity`` bytes and says whether it took the frame.
    """

    def __init__(self, sock: socket.socket, *, capacity: int = 16 * 1024 * 1024) -> None:
        self.socket = sock
        self.capacity = capacity
        self.refused = 0
        self._unpacker = Unpacker()
        self._waiting = bytearray()

    def fileno(self) -> int:
        """Return the descriptor, so that a selector takes a link."""
        return self.socket.fileno()

    def send(self, frame: bytes) -> None:
        """Hand over a frame, waiting for the peer to take it. Raises OSError when the peer is gone."""
        self.socket.settimeout(None)
        self.socket.sendall(frame)

    def offer(self, frame: bytes) -> bool:
        """Queue a frame for a peer that may be slow; False (and counted) when too much waits already."""
        if len(self._waiting) + len(frame) > self.capacity:
            self.refused += 1
            return False
        self._waiting += frame
        self.push()
        return True

    def push(self) -> bool:
        """Write what waits as far as the peer takes it now; True when nothing waits any more."""
        self.socket.setblocking(False)
        try:
            while self._waiting:
                sent = self.socket.send(memoryview(self._waiting)[: 1 << 20])
                del self._waiting[:sent]
        except BlockingIOError:
            return False
        return True

    def waiting(self) -> int:
        """Return how many bytes wait for the peer."""
        return len(self._waiting)

    def receive(self, *, at_most: int = 8 * 1024 * 1024) -> list[Frame]:
        """Return the frames that have arrived; raises EOFError when the peer closed it, OSError if broken."""
        self.socket.setblocking(False)
        taken = 0
        closed = False
        while taken < at_most:
            try:
                data = self.socket.recv(1 << 18)
            except BlockingIOError:
                break
            if not data:
                closed = True
                break
            taken += len(data)
            self._unpacker.feed(data)
        frames = list(self._unpacker.frames())
        if closed and not frames:
            raise EOFError("the peer closed the connection")
        return frames

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def socket_path_problem(path: Path) -> str:
    """Return why a socket cannot be at this path, or nothing: AF_UNIX paths end at 107 bytes."""
    size = len(str(path).encode())
    return f"the path of the local socket is {size} bytes long, 107 is the most: {path}" if size > 107 else ""
