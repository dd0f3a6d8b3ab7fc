"""The tables of a serial device, read and checked: the line, what is whole, which piece is a value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minewatch_edge.drivers import serial_frames as frames
from minewatch_edge.drivers.serial_frames import Unusable
from minewatch_edge.drivers.serial_port import BAUDS, PortSettings
from minewatch_edge.tables import Table

if TYPE_CHECKING:
    from minewatch_edge.config import DeviceConfig

DEVICE_KEYS = (
    "port", "baud", "parity", "stop_bits", "data_bits", "mode", "lines", "pattern", "ignore", "ending",
    "checksum", "checksum_as", "request", "request_hex", "length", "timeout_s",
)  # fmt: skip
POINT_KEYS = (
    "sentence", "field", "valid_field", "valid_value", "pattern", "group", "number", "scale",
    "request", "request_hex",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where a point's value stands: a field of a sentence, or a group of a pattern; and what asks for it."""

    sentence: str = ""
    field: int = 0
    valid_field: int = 0
    valid_value: str = ""
    pattern: re.Pattern[str] | None = None
    group: str = ""
    number: str = "decimal"
    scale: float = 1.0
    request: bytes = b""


@dataclass(frozen=True, slots=True)
class Pick:
    """The piece of a line that a point is; ``found`` empty says that the instrument has no value."""

    point: int
    found: str

    def value(self, wanted: Wanted) -> float:
        """Return its number in the unit; raise Unusable when it is none."""
        if not self.found:
            raise Unusable("empty", "it says that it has no value")
        return frames.number(self.found, wanted.number) * wanted.scale


@dataclass(frozen=True, slots=True)
class Framing:
    """When a line or an answer is whole, and how it is checked."""

    nmea: bool = False
    ending: bytes = b"\n"
    length: int = 0
    timeout_s: float = 1.0
    checksum: str = "none"
    as_hex: bool = False
    ignore: re.Pattern[str] | None = None

    def picks(self, raw: bytes, wanted: Sequence[Wanted]) -> list[Pick]:
        """Return the points that a line holds; raise Unusable when it is none that is known."""
        if self.nmea:
            return self._fields(frames.sentence(raw, required=self.checksum == "nmea"), wanted)
        text = raw.decode("latin-1")
        if self.ignore is not None and self.ignore.fullmatch(text):
            return []
        body = frames.opened(raw, self.checksum, as_hex=self.as_hex).decode("latin-1")
        found = []
        for index, one in enumerate(wanted):
            match = one.pattern.fullmatch(body) if one.pattern else None
            if match:
                found.append(Pick(index, match.group(one.group) or ""))
        if not found:
            raise Unusable("garbage", "no pattern fits")
        return found

    @staticmethod
    def _fields(fields: list[str], wanted: Sequence[Wanted]) -> list[Pick]:
        found = []
        for index, one in enumerate(wanted):
            if not frames.named(fields[0], one.sentence):
                continue
            if max(one.field, one.valid_field) >= len(fields):
                raise Unusable("field", f"it has {len(fields) - 1} fields, {one.field} is needed")
            valid = not one.valid_field or fields[one.valid_field] == one.valid_value
            found.append(Pick(index, fields[one.field].strip() if valid else ""))
        return found

    def whole(self, raw: bytes) -> bool:
        """Tell whether an answer is whole."""
        if self.length:
            return len(raw) >= self.length
        return bool(self.ending) and raw.endswith(self.ending)

    def answer(self, raw: bytes, index: int, wanted: Wanted) -> Pick:
        """Return the piece of an answer that a point is; raise Unusable."""
        if not raw:
            raise Unusable("timeout", f"no answer within {self.timeout_s:g} s")
        if (self.length or self.ending) and not self.whole(raw):
            raise Unusable("half", f"the answer ended after {len(raw)} bytes")
        body = raw[: self.length] if self.length else raw.removesuffix(self.ending).removesuffix(b"\r")
        text = frames.opened(body, self.checksum, as_hex=self.as_hex).decode("latin-1")
        match = wanted.pattern.fullmatch(text) if wanted.pattern else None
        if match is None:
            raise Unusable("garbage", "the pattern does not fit the answer")
        return Pick(index, match.group(wanted.group) or "")


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """Everything the tables of a device say."""

    port: PortSettings
    asks: bool
    framing: Framing
    wanted: tuple[Wanted, ...]


def read(device: DeviceConfig, folder: Path) -> SerialSettings:
    """Read the tables of a device; raise EdgeConfigError with file, key, value and mend."""
    table = device.options
    asks = table.text("mode", "listen", choices=("listen", "ask")) == "ask"
    nmea = not asks and table.text("lines", "nmea", choices=("nmea", "pattern")) == "nmea"
    framing = _framing(table, nmea)
    usual = Wanted(pattern=_pattern(table, "pattern"), request=_request(table, framing))
    point = _sentence if nmea else _patterned
    wanted = tuple(point(p.options, usual, framing) for p in device.points)
    if asks:
        _need_requests(device, wanted, framing)
    return SerialSettings(_port(table, folder), asks, framing, wanted)


def _port(table: Table, folder: Path) -> PortSettings:
    baud = table.whole("baud", 9600, least=1, most=10_000_000)
    if baud not in BAUDS:
        usual = ", ".join(str(b) for b in sorted(BAUDS) if 1200 <= b <= 921_600)
        raise table.error("baud", f"{baud} is no speed of a line", f"Use one of: {usual}")
    return PortSettings(
        path=folder / table.text("port"),
        baud=baud,
        parity=table.text("parity", "none", choices=("none", "even", "odd")),
        stop_bits=table.whole("stop_bits", 1, least=1, most=2),
        data_bits=table.whole("data_bits", 8, least=7, most=8),
    )


def _framing(table: Table, nmea: bool) -> Framing:
    sums = ("nmea", "none") if nmea else ("none", *frames.CHECKSUMS)
    ending = table.text("ending", "\n")
    if not ending and table.text("mode", "listen") == "listen":
        raise table.error("ending", "lines without an end cannot be told apart", 'Use "\\n" or "\\r"')
    return Framing(
        nmea=nmea,
        ending=_bytes(table, "ending", ending),
        length=table.whole("length", 0, least=0, most=4_096),
        timeout_s=table.number("timeout_s", 1.0, least=0.01, most=60),
        checksum=table.text("checksum", sums[0], choices=sums),
        as_hex=table.text("checksum_as", "bytes", choices=("bytes", "hex")) == "hex",
        ignore=_pattern(table, "ignore"),
    )


def _need_requests(device: DeviceConfig, wanted: Sequence[Wanted], framing: Framing) -> None:
    for point, one in zip(device.points, wanted, strict=True):
        if not one.request:
            raise point.options.error(
                "request", "there is none, here or at the device", "Add request or request_hex"
            )
    longest_s = len({one.request for one in wanted}) * framing.timeout_s
    if longest_s >= device.hang_s:
        raise device.options.error(
            "timeout_s",
            f"all requests together may take {longest_s:g} s, hang_s is {device.hang_s:g}",
            "Lower timeout_s or raise hang_s",
        )


def _sentence(table: Table, _usual: Wanted, _framing: Framing) -> Wanted:
    valid_field = table.whole("valid_field", 0, least=0, most=99)
    return Wanted(
        sentence=table.text("sentence"),
        field=table.whole("field", least=1, most=99),
        valid_field=valid_field,
        valid_value=table.text("valid_value", "A") if valid_field else "",
        number=_number(table),
        scale=table.number("scale", 1.0),
    )


def _patterned(table: Table, usual: Wanted, framing: Framing) -> Wanted:
    pattern = _pattern(table, "pattern") or usual.pattern
    if pattern is None:
        raise table.error(
            "pattern", "there is none, here or at the device", r"Add one, as 'T=(?P<value>[-0-9.]+)'"
        )
    group = table.text("group", "value")
    if group not in pattern.groupindex:
        named = ", ".join(pattern.groupindex) or "none"
        raise table.error(
            "group", f"{group!r} is no group of {pattern.pattern!r}", f"Its groups are: {named}"
        )
    return Wanted(
        pattern=pattern,
        group=group,
        number=_number(table),
        scale=table.number("scale", 1.0),
        request=_request(table, framing) or usual.request,
    )


def _number(table: Table) -> str:
    return table.text("number", "decimal", choices=("decimal", "hex", *frames.NUMBERS))


def _pattern(table: Table, key: str) -> re.Pattern[str] | None:
    text = table.text(key, "")
    try:
        return re.compile(text, re.DOTALL) if text else None
    except re.error as error:
        raise table.error(
            key, f"{text!r} is no regular expression: {error}", "Mend it; write it in 'single quotes'"
        ) from error


def _request(table: Table, framing: Framing) -> bytes:
    text, digits = table.text("request", ""), table.text("request_hex", "")
    if text and digits:
        raise table.error("request_hex", "there is a request too", "Keep one of the two")
    try:
        body = bytes.fromhex(digits)
    except ValueError as error:
        raise table.error("request_hex", f"{digits!r}: {error}", 'Write it as "01 04 00 00"') from error
    body = _bytes(table, "request", text) or body
    return body and frames.seal(body, framing.checksum, as_hex=framing.as_hex)


def _bytes(table: Table, key: str, text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise table.error(key, f"{text!r} holds more than bytes", r'Use plain letters and "\r\n"') from error
