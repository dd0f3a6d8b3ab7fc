"""Spool rows: the readings of one device taken together, or a note, and their packed form."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from minewatch_edge.errors import SpoolError
from minewatch_edge.sparkplug.codec import GOOD

_HEAD = struct.Struct("<BIq")
_OWN_TIMES = 1
_OWN_QUALITIES = 2
_CLOCK = 2  # two bits, above the others


class Columns(NamedTuple):
    """Readings as columns of equal length; ``points`` are indexes of the owner's points, times in ms.

    ``clock`` is how good the gateway's clock was for them all: 0 synchronised, 1 holdover, 2 unknown.
    """

    points: Sequence[int]
    times: Sequence[int]
    values: Sequence[float]
    qualities: Sequence[int]
    clock: int = 0


class NewRow(NamedTuple):
    """A row before it is committed: readings, or a note (JSON text) without readings.

    ``priority`` 0 is ordinary, 1 readings that matter most, 2 notes. Above 0 it asks for the disk, not only
    for its cache; a full spool gives up the lowest first. ``mark`` is how far its source was read with this
    row; it is committed in the same transaction.
    """

    device: str
    columns: Columns
    priority: int = 0
    mark: str = ""
    note: str = ""


class Row(NamedTuple):
    """A committed row; ``id`` is what goes out as ``minewatch/msg_id``."""

    id: int
    device: str
    columns: Columns
    note: str = ""


NO_READINGS = Columns((), (), (), ())
NOTE_PRIORITY = 2


def note_row(content: Mapping[str, Any]) -> NewRow:
    """Return a row that holds a note; ``content["kind"]`` says what it tells.

    Raises SpoolError when it cannot be JSON, or names no kind.
    """
    if not isinstance(content.get("kind"), str):
        raise SpoolError("a note must name its kind")
    try:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SpoolError(f"a note must be JSON: {error}") from error
    return NewRow("", NO_READINGS, NOTE_PRIORITY, note=text)


def pack(columns: Columns) -> bytes:
    """Pack columns: 12 bytes a reading, 8 more where times differ, 2 more where one is not good."""
    points, times, values, qualities, clock = columns
    n = len(points)
    first = times[0] if n else 0
    own_times = any(t != first for t in times)
    own_qualities = any(q != GOOD for q in qualities)
    flags = own_times * _OWN_TIMES | own_qualities * _OWN_QUALITIES | clock << _CLOCK
    body = _HEAD.pack(flags, n, first) + struct.pack(f"<{n}I{n}d", *points, *values)
    if own_times:
        body += struct.pack(f"<{n}q", *times)
    if own_qualities:
        body += struct.pack(f"<{n}H", *qualities)
    return body


def unpack(body: bytes) -> Columns:
    """Read packed columns back.

    Raises SpoolError when the bytes are not a whole row.
    """
    try:
        flags, n, first = _HEAD.unpack_from(body)
        numbers = struct.unpack_from(f"<{n}I{n}d", body, _HEAD.size)
        at = _HEAD.size + 12 * n
        times: Sequence[int] = (first,) * n
        if flags & _OWN_TIMES:
            times = struct.unpack_from(f"<{n}q", body, at)
            at += 8 * n
        qualities: Sequence[int] = (GOOD,) * n
        if flags & _OWN_QUALITIES:
            qualities = struct.unpack_from(f"<{n}H", body, at)
    except struct.error as error:
        raise SpoolError(f"a row of the spool cannot be read: {error}") from error
    return Columns(numbers[:n], times, numbers[n:], qualities, flags >> _CLOCK & 3)
