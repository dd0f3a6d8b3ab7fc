"""When certificates expire: ours, the authority's, and the one the broker shows.

The standard library decodes only certificates it has verified, so the one field wanted here is read from the
DER itself. Source: RFC 5280, 4.1 (Certificate, Validity), ITU-T X.690 (DER).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)

WARN_DAYS = 30
_READ_AGAIN_NS = 3_600 * 10**9
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _EXPLICIT_0 = 0x30, 0x17, 0x18, 0xA0


def not_after(der: bytes) -> datetime:
    """Return when a certificate expires; raise ValueError when the bytes are none."""
    try:
        (tag, certificate), *_ = _elements(der)
        (_, signed), *_ = _elements(certificate)
        fields = [(t, v) for t, v in _elements(signed) if t != _EXPLICIT_0]
        # serialNumber, signature, issuer, validity, ...
        (_, _), (kind, until), *_ = _elements(fields[3][1])
    except (ValueError, IndexError) as error:
        raise ValueError(f"these {len(der)} bytes are no X.509 certificate") from error
    if tag != _SEQUENCE or kind not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError("the certificate names no time of expiry")
    text = until.decode("ascii")
    if kind == _UTC_TIME:  # two digits of the year, 1950..2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def pem_certificates(text: str) -> list[bytes]:
    """Return the certificates of a PEM file as DER; what else is in it is passed over."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    parts = text.split(begin)[1:]
    return [ssl.PEM_cert_to_DER_cert(begin + part.split(end)[0] + end) for part in parts if end in part]


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, content) of DER elements that stand one after the other."""
    at = 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            if not 1 <= width <= 4:
                raise ValueError("no DER length")
            size = int.from_bytes(der[at : at + width], "big")
            at += width
        if at + size > len(der):
            raise ValueError("a DER element is cut off")
        yield tag, der[at : at + size]
        at += size


@dataclass(frozen=True, slots=True)
class Expiry:
    """One certificate, called ``name`` in messages, and when it expires."""

    name: str
    until: datetime

    def warning(self, now_ns: int) -> str:
        """Return what to tell a person now; "" until 30 days before."""
        days = (self.until - datetime.fromtimestamp(now_ns / 1e9, UTC)).total_seconds() / 86_400
        day = self.until.date().isoformat()
        if days < 0:
            return f"{self.name} expired on {day}; put a new one in its place"
        if days <= WARN_DAYS:
            return f"{self.name} expires on {day}, in {int(days)} days; put a new one in its place"
        return ""


def of_files(files: Mapping[str, str]) -> list[Expiry]:
    """Return the expiries of PEM files, named by what they are for; a file that cannot be read has none."""
    found = []
    for name, path in files.items():
        try:
            ders = pem_certificates(Path(path).read_text(encoding="ascii", errors="replace"))
            untils = [not_after(der) for der in ders]
        except (OSError, ValueError):
            continue  # the connection says what is wrong with a file it cannot use
        # Of a bundle of authorities one that expired matters only when it is the last of them.
        if untils:
            until = max(untils) if name.startswith("the authority") else min(untils)
            found.append(Expiry(f"{name} {path}", until))
    return found


class Watch:
    """The certificates of one connection; files are read again every hour, as somebody may replace them."""

    def __init__(self, files: Mapping[str, str]) -> None:
        """``files`` are PEM files by what they are for."""
        self._files = dict(files)
        self._expiries: list[Expiry] = []
        self._peer: list[Expiry] = []
        self._read_ns: int | None = None
        self._told: set[str] = set()

    def peer(self, der: bytes) -> None:
        """Take the certificate that the broker shows, as DER."""
        try:
            self._peer = [Expiry("the broker's certificate", not_after(der))]
        except ValueError:
            self._peer = []

    def warnings(self, now_ns: int) -> Mapping[str, str]:
        """Return what expires within 30 days, by name; each is logged once."""
        if self._read_ns is None or now_ns - self._read_ns >= _READ_AGAIN_NS or now_ns < self._read_ns:
            self._expiries, self._read_ns = of_files(self._files), now_ns
        found = {e.name: text for e in (*self._expiries, *self._peer) if (text := e.warning(now_ns))}
        for name, text in found.items():
            if name not in self._told:
                self._told.add(name)
                log.warning("%s", text)
        return found
