"""Walk Sparkplug DATA payloads straight into columns: only aliases, times, flags and plain numbers.

Whatever else a payload holds (names, texts, unknown fields or aliases, bytes that are no payload) makes the
walker give the whole message back with status ``ELSE``, and protobuf decides. What it accepts protobuf
accepts with the same values; a differential fuzz test holds the two together.
"""

from __future__ import annotations

import numpy as np

from minewatch.ingest.kernels.jit import kernel
from minewatch.ingest.kernels.memory import float32_of, float64_of, load8, load32, load64

TAKEN, ELSE = 0, 1  # status of a message

# codes of an alias in the table, below zero; from zero up it is the index of a point
UNKNOWN, MSG_ID, REFUSED, NODE_VALUE, SENDER_CLOCK = -1, -2, -3, -4, -5

# forms in which a value travels
_NONE, _INT, _LONG, _FLOAT, _DOUBLE, _BOOL = 0, 1, 2, 3, 4, 5

# qualities (contracts.Quality), given here as numbers because kernels import nothing of ours
_GOOD, _UNCERTAIN, _BAD, _BAD_NAN, _BAD_NO_SIGNAL = 0, 64, 128, 130, 131
_GOOD_HOLDOVER, _UNCERTAIN_CLOCK = 1, 67

LAST_MS = 9_223_372_036_854  # the last millisecond that fits into nanoseconds
_QUALI = 0x74696C617551070A  # "\\n\\x07Qualit", the head of a property set with the first key Quality
# The rest of one with the second key minewatch/quality and a Quality of 192, as our own agent writes it.
_KEY_2 = np.uint64(int.from_bytes(b"minewatc", "little"))
_KEY_3 = np.uint64(int.from_bytes(b"h/qualit", "little"))
_GOOD_FIRST = np.uint64(int.from_bytes(b"\x12\x05\x08\x03\x18\xc0\x01\x12", "little"))

_U0, _U1, _U2, _U4, _U5, _U7 = (np.uint64(n) for n in (0, 1, 2, 4, 5, 7))
_U8, _U9, _U13, _U63, _U127, _U128 = (np.uint64(n) for n in (8, 9, 13, 63, 127, 128))
_LOW32 = np.uint64(0xFFFFFFFF)
_LAST = np.uint64(LAST_MS)
_HEAD = np.uint64(_QUALI)


@kernel
def varint(p, end):  # type: ignore[no-untyped-def]  # compiled: numba infers (u8, u8) -> (u8, u8)
    """Return (value, address after it); address 0 when it is cut short or longer than 64 bits."""
    if p >= end:
        return _U0, _U0
    byte = load8(p)
    p += _U1
    value = byte & _U127
    shift = _U7
    while byte >= _U128:
        if p >= end or shift > _U63:
            return _U0, _U0
        byte = load8(p)
        p += _U1
        if shift == _U63 and byte > _U1:
            return _U0, _U0
        value |= (byte & _U127) << shift
        shift += _U7
    return value, p


@kernel
def quality_of(code):  # type: ignore[no-untyped-def]  # compiled: u8 -> i8
    """Return the quality that a Sparkplug or OPC code stands for."""
    if code >= np.uint64(192) and code < np.uint64(256):
        return _GOOD
    if (code >= np.uint64(64) and code < np.uint64(128)) or code == np.uint64(500):
        return _UNCERTAIN
    return _BAD


@kernel
def with_clock(quality, clock):  # type: ignore[no-untyped-def]  # compiled: (u1, u8) -> i8
    """Return a quality as the sender's clock leaves it: 0 synchronised, 1 holdover, else unknown.

    A reading that is uncertain or bad stays what it is: that weighs more than its time.
    """
    if clock == np.uint64(0) or quality >= _UNCERTAIN:
        return quality
    return _GOOD_HOLDOVER if clock == np.uint64(1) else _UNCERTAIN_CLOCK


@kernel
def finer_quality(p, end):  # type: ignore[no-untyped-def]  # compiled: (u8, u8) -> i8
    """Return the quality in a property set of Quality = 192 and minewatch/quality; -1 for any other."""
    if load8(p + _U8) != np.uint64(0x79) or load8(p + np.uint64(10)) != np.uint64(17):
        return -1
    if load64(p + np.uint64(11)) != _KEY_2 or load64(p + np.uint64(19)) != _KEY_3:
        return -1
    if load8(p + np.uint64(27)) != np.uint64(0x79) or load64(p + np.uint64(28)) != _GOOD_FIRST:
        return -1
    if load8(p + np.uint64(36)) != end - p - np.uint64(37):
        return -1
    if load32(p + np.uint64(36)) >> _U8 != np.uint64(0x180308):
        return -1
    code, q = varint(p + np.uint64(40), end)
    if q != end:
        return -1
    return quality_of(code & _LOW32)


@kernel
def quality_property(p, end):  # type: ignore[no-untyped-def]  # compiled: (u8, u8) -> i8
    """Return the quality in a property set of Quality, or of Quality and ours, as Int32; -1 for any other."""
    if end - p < np.uint64(15) or load64(p) != _HEAD:
        return -1
    if end - p > np.uint64(40) and load8(p + _U9) == np.uint64(0x0A):
        return finer_quality(p, end)
    # y, tag of values, its length, type = Int32 (3), tag of int_value
    if load8(p + _U8) != np.uint64(0x79) or load8(p + _U9) != np.uint64(0x12):
        return -1
    if load8(p + np.uint64(10)) != end - p - np.uint64(11):
        return -1
    if load32(p + np.uint64(10)) >> _U8 != np.uint64(0x180308):
        return -1
    code, q = varint(p + np.uint64(14), end)
    if q != end:
        return -1
    return quality_of(code & _LOW32)


@kernel
def number(form, bits, kind):  # type: ignore[no-untyped-def]  # compiled: (i8, u8, u1) -> (f8, b1)
    """Return (value, whether the form fits the data type of the birth)."""
    if form in (_DOUBLE, _FLOAT):
        value = float64_of(bits) if form == _DOUBLE else float32_of(bits)
        return value, kind == 9 or kind == 10
    if form == _BOOL:
        return np.float64(bits != _U0), kind == 11
    if form == _INT:
        bits &= _LOW32
    if kind < 1 or kind > 8:
        return 0.0, False
    if kind > 4:
        return np.float64(bits), True
    width = np.uint64(8) << np.uint64(kind - 1)
    if width < np.uint64(64):
        bits &= (_U1 << width) - _U1
        if bits >> (width - _U1):
            return np.float64(np.int64(bits) - np.int64(_U1 << width)), True
    return np.float64(np.int64(bits)), True


@kernel
def walk_message(p, end, base, size, table_point, table_type, n, columns, figures, i):  # type: ignore[no-untyped-def]
    """Write one message's rows from row ``n`` on; return the row after them, -1 when it is not for us.

    ``columns`` is (point, ts_ns, value, quality, historical), ``figures`` (rows, seq, stamp_ms, msg_id).
    """
    point, ts_ns, value, quality, historical = columns
    _, seqs, stamps, msg_ids = figures
    stamp = np.int64(-1)
    seq = np.int64(-1)
    msg_id = np.int64(-1)
    seen_metric = False
    clock = np.uint64(0)
    begin = n
    while p < end:
        tag = load8(p)
        if tag == np.uint64(0x12):
            length, p = varint(p + _U1, end)
            if p == _U0 or length > end - p:
                return -1
            q = p + length
            seen_metric = True
            alias = np.int64(-1)
            when = stamp
            form = _NONE
            bits = _U0
            null = False
            old = False
            grade = -1
            while p < q:
                tag = load8(p)
                if tag == np.uint64(0x69):
                    if q - p < _U9:
                        return -1
                    bits = load64(p + _U1)
                    form = _DOUBLE
                    p += _U9
                elif tag == np.uint64(0x10):
                    found, p = varint(p + _U1, q)
                    if p == _U0 or found >= np.uint64(size):
                        return -1
                    alias = np.int64(found)
                elif tag == np.uint64(0x18):
                    found, p = varint(p + _U1, q)
                    if p == _U0 or found > _LAST:
                        return -1
                    when = np.int64(found)
                elif tag == np.uint64(0x65):
                    if q - p < _U5:
                        return -1
                    bits = load32(p + _U1)
                    form = _FLOAT
                    p += _U5
                elif tag == np.uint64(0x50) or tag == np.uint64(0x58) or tag == np.uint64(0x70):
                    bits, p = varint(p + _U1, q)
                    if p == _U0:
                        return -1
                    form = _INT if tag == np.uint64(0x50) else (_LONG if tag == np.uint64(0x58) else _BOOL)
                elif tag == np.uint64(0x28) or tag == np.uint64(0x38):
                    found, p = varint(p + _U1, q)
                    if p == _U0:
                        return -1
                    if tag == np.uint64(0x28):
                        old = found != _U0
                    else:
                        null = found != _U0
                elif tag == np.uint64(0x4A):
                    length, p = varint(p + _U1, q)
                    if p == _U0 or length > q - p or grade >= 0:
                        return -1
                    grade = quality_property(p, p + length)
                    if grade < 0:
                        return -1
                    p += length
                else:
                    return -1
            if alias < 0:
                return -1
            target = table_point[base + alias]
            if target == MSG_ID:
                if null or (form != _INT and form != _LONG) or bits >> _U63:
                    return -1
                msg_id = np.int64(bits & _LOW32) if form == _INT else np.int64(bits)
                continue
            if target == SENDER_CLOCK:
                if null or (form != _INT and form != _LONG):
                    return -1
                clock = bits & _LOW32 if form == _INT else bits
                continue
            if target < 0 or when < 0 or n >= len(point):
                return -1
            if null or form == _NONE:
                value[n] = np.nan
                quality[n] = _BAD_NO_SIGNAL
            else:
                x, fits = number(form, bits, table_type[base + alias])
                if not fits:
                    return -1
                value[n] = x
                worst = max(grade, 0)
                quality[n] = max(worst, _BAD_NAN) if not np.isfinite(x) else worst
            point[n] = target
            ts_ns[n] = when * 1_000_000
            historical[n] = old
            n += 1
        elif tag == np.uint64(0x08) and not seen_metric:
            found, p = varint(p + _U1, end)
            if p == _U0 or found > _LAST:
                return -1
            stamp = np.int64(found)
        elif tag == np.uint64(0x18):
            found, p = varint(p + _U1, end)
            if p == _U0 or found > np.uint64(255):
                return -1
            seq = np.int64(found)
        else:
            return -1
    if seq < 0:
        return -1
    if clock != _U0:
        for k in range(begin, n):
            quality[k] = with_clock(quality[k], clock)
    seqs[i] = seq
    stamps[i] = stamp
    msg_ids[i] = msg_id
    return n


@kernel
def walk(buffer, starts, bases, sizes, table_point, table_type, columns, figures, status):  # type: ignore[no-untyped-def]
    """Walk messages that lie one after the other in a buffer; return how many rows were written.

    ``starts`` (i8, one more than messages) bounds them; ``bases`` and ``sizes`` (i8) say which piece of the
    alias table belongs to each. A message that is not for the walker gets no rows and status ELSE.
    """
    address = np.uint64(buffer.ctypes.data)
    rows = figures[0]
    n = 0
    for i in range(len(bases)):
        after = walk_message(
            address + np.uint64(starts[i]), address + np.uint64(starts[i + 1]),
            bases[i], sizes[i], table_point, table_type, n, columns, figures, i,
        )  # fmt: skip
        if after < 0:
            status[i] = ELSE
            rows[i] = 0
        else:
            status[i] = TAKEN
            rows[i] = after - n
            n = after
    return n
