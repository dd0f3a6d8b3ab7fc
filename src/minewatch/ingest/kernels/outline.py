"""Count what a payload holds before anything is made of it: one pass over the bytes, no recursion, no memory.

A few megabytes can hold two million empty metrics, or one template with as many: protobuf would make an
object of each. The table of message types says which fields are messages; whatever else is only stepped over.
"""

from __future__ import annotations

import numpy as np

from minewatch.ingest.kernels.jit import kernel

SOUND, BROKEN, METRICS, PARTS, DEPTH = 0, 1, 2, 3, 4  # what was found, see `outline`
DEEPEST = 64  # levels the pass itself can follow
LEAF, REPEATED = -1, -2  # entries of the table that are no message type

_FIELDS = 32  # field numbers of the table; higher ones are unknown


@kernel
def varint_at(data, at, end):  # type: ignore[no-untyped-def]  # compiled: (u1[], i8, i8) -> (u8, i8)
    """Return (value, index after it); index -1 when it is cut short or longer than 64 bits."""
    value = np.uint64(0)
    for i in range(10):
        if at >= end:
            return value, -1
        byte = data[at]
        at += 1
        value |= np.uint64(byte & 127) << np.uint64(7 * i)
        if byte < 128:
            return value, at
    return value, -1


@kernel
def outline(data, table, most_metrics, most_parts, most_depth):  # type: ignore[no-untyped-def]
    """Return (verdict, metrics, parts, depth) of a payload.

    ``table`` (i1, message type x field number) holds the type of a message field, REPEATED for a repeated
    field that is none, LEAF otherwise; type 0 is the payload, its field 2 a metric. A part is a message or a
    repeated field's element at any depth. BROKEN means that lengths or tags contradict the bytes: protobuf
    refuses those, having made no more than the parts before.
    """
    ends = np.empty(DEEPEST + 1, np.int64)
    kinds = np.empty(DEEPEST + 1, np.int64)
    ends[0], kinds[0] = len(data), 0
    level = deepest = metrics = parts = 0
    at = 0
    while True:
        while level > 0 and at == ends[level]:
            level -= 1
        end = ends[level]
        if at >= end:
            return SOUND, metrics, parts, deepest
        tag, at = varint_at(data, at, end)
        if at < 0:
            return BROKEN, metrics, parts, deepest
        field, wire = np.int64(tag >> np.uint64(3)), np.int64(tag & np.uint64(7))
        inner = table[kinds[level], field] if 0 <= field < _FIELDS else LEAF
        size = np.int64(0)
        if wire == 0:
            _, at = varint_at(data, at, end)
            if at < 0:
                return BROKEN, metrics, parts, deepest
        elif wire == 1 or wire == 5:
            size = np.int64(8) if wire == 1 else np.int64(4)
        elif wire == 2:
            length, at = varint_at(data, at, end)
            if at < 0 or length > np.uint64(end - at):
                return BROKEN, metrics, parts, deepest
            size = np.int64(length)
        else:
            return BROKEN, metrics, parts, deepest
        if size > end - at:
            return BROKEN, metrics, parts, deepest
        if inner == LEAF or (inner >= 0 and wire != 2):
            at += size
            continue
        parts += 1
        if level == 0 and inner == 1:
            metrics += 1
            if metrics > most_metrics:
                return METRICS, metrics, parts, deepest
        if parts > most_parts:
            return PARTS, metrics, parts, deepest
        if inner == REPEATED:
            at += size
            continue
        level += 1
        deepest = max(deepest, level)
        if level > most_depth or level > DEEPEST:
            return DEPTH, metrics, parts, deepest
        ends[level], kinds[level] = at + size, inner
