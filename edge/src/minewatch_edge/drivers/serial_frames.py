"""What comes over a serial line: checksums, NMEA-like sentences, and numbers in text or bytes."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

NUMBERS = {
    "u8": ">B", "i8": ">b", "u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f", "f64": ">d",
    "u16le": "<H", "i16le": "<h", "u32le": "<I", "i32le": "<i", "f32le": "<f", "f64le": "<d",
}  # fmt: skip


def xor(body: bytes) -> bytes:
    """Return the exclusive or of all bytes."""
    value = 0
    for byte in body:
        value ^= byte
    return bytes((value,))


def total(body: bytes) -> bytes:
    """Return the sum of all bytes, its lowest byte."""
    return bytes((sum(body) & 0xFF,))


def crc16_modbus(body: bytes) -> bytes:
    """Return the CRC of Modbus RTU, low byte first (Modbus over Serial Line V1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {"xor": xor, "sum": total, "crc16-modbus": crc16_modbus}


class Unusable(ValueError):
    """Something that came cannot be used; ``reason`` is a stable word, the text says what it is."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason


def seal(body: bytes, checksum: str, *, as_hex: bool) -> bytes:
    """Return a frame with its checksum, before the line end if it has one."""
    if checksum not in CHECKSUMS:
        return body
    front = body.rstrip(b"\r\n")
    ending = body[len(front) :] if as_hex else b""
    front = front if as_hex else body
    value = CHECKSUMS[checksum](front)
    return front + (value.hex().upper().encode() if as_hex else value) + ending


def opened(frame: bytes, checksum: str, *, as_hex: bool) -> bytes:
    """Return a frame without its checksum; raise Unusable when it is not the right one."""
    if checksum not in CHECKSUMS:
        return frame
    width = len(CHECKSUMS[checksum](b"")) * (2 if as_hex else 1)
    body, value = frame[:-width], frame[-width:]
    wanted = CHECKSUMS[checksum](body)
    told = value.upper() if as_hex else value
    if len(frame) <= width or told != (wanted.hex().upper().encode() if as_hex else wanted):
        raise Unusable("checksum", f"the checksum is {value!r}, it should be {wanted.hex().upper()}")
    return body


def sentence(raw: bytes, *, required: bool) -> list[str]:
    """Return the fields of a sentence ``$WIMWV,...*CS``; the first is its name without the sign.

    Raises Unusable: garbage, or a checksum that is wrong or (``required``) not there.
    """
    try:
        text = raw.decode("ascii").strip()
    except UnicodeDecodeError:
        raise Unusable("garbage", "bytes that are no ASCII") from None
    if text[:1] not in ("$", "!") or len(text) < 2:
        raise Unusable("garbage", "no sentence: it does not begin with $ or !")
    body, star, told = text[1:].partition("*")
    if not star and required:
        raise Unusable("checksum", "it has no checksum")
    wanted = xor(body.encode()).hex().upper()
    if star and told.upper() != wanted:
        raise Unusable("checksum", f"the checksum is {told!r}, it should be {wanted}")
    return body.split(",")


def named(name: str, wanted: str) -> bool:
    """Tell whether a sentence is the one: ``WIMWV``, or ``MWV`` of any talker."""
    return name == wanted or (len(wanted) == 3 and len(name) == 5 and name[2:] == wanted)


def number(found: str, how: str) -> float:
    """Return the number that a piece of an answer holds; ``found`` is its bytes as Latin-1.

    Raises Unusable when it holds none.
    """
    try:
        if "_" in found and how not in NUMBERS:
            raise ValueError  # Python would take it
        if how in NUMBERS:
            value = float(struct.unpack(NUMBERS[how], found.encode("latin-1"))[0])
        elif how == "hex":
            value = float(int(found, 16))
        else:
            value = float(found.replace(",", "."))
    except (ValueError, struct.error, OverflowError):
        raise Unusable("value", f"{found!r} is no number ({how})") from None
    if not math.isfinite(value):
        raise Unusable("value", f"{found!r} is no finite number")
    return value
