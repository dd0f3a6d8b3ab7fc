"""TLS of the agent: when certificates expire, what a broker with TLS refuses, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from minewatch_edge.certificates import Expiry, Watch, not_after, pem_certificates
from minewatch_edge.runtime import moment

DAY_NS = 86_400 * 10**9


def now() -> datetime:
    """Return the time of this machine, from the agent's own clock."""
    return datetime.fromtimestamp(moment().wall_ns / 1e9, UTC)


class Authority:
    """An authority and the certificates it makes, as files."""

    def __init__(self, folder: Path, name: str = "ca", days: float = 3650) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        until = now() + timedelta(days=days)
        self.certificate = self._sign(
            self.name, self.key.public_key(), until, x509.BasicConstraints(True, None)
        )
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, days: float = 365, *, host: str = "127.0.0.1") -> tuple[str, str]:
        """Return the files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
        made = self._sign(subject, key.public_key(), now() + timedelta(days=days), names)
        cert_file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(cert_file), str(key_file)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime, more: x509.ExtensionType
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).add_extension(more, critical=False)
        builder = builder.not_valid_before(until - timedelta(days=4000)).not_valid_after(until)
        return builder.sign(self.key, hashes.SHA256())


@pytest.mark.parametrize("days", [-400, 10, 20_000])
def test_expiry_is_read_from_der(tmp_path: Path, days: int) -> None:
    """Expiry as our reader finds it is what cryptography says, before and after 2050."""
    authority = Authority(tmp_path, days=days)
    (der,) = pem_certificates("rubbish\n" + authority.file.read_text() + "more")
    assert not_after(der) == authority.certificate.not_valid_after_utc


@pytest.mark.parametrize("cut", [0, 1, 2, 40, 100, -1])
def test_what_is_no_certificate(tmp_path: Path, cut: int) -> None:
    """Bytes that are no certificate are refused with ValueError, never another error."""
    (der,) = pem_certificates(Authority(tmp_path).file.read_text())
    with pytest.raises(ValueError, match="certificate"):
        not_after(der[:cut])
    for i in range(0, len(der), 3):
        spoilt = bytearray(der)
        spoilt[i] ^= 0xFF
        try:
            not_after(bytes(spoilt))
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("days", "says"), [(31, ""), (29.5, "in 29 days"), (0.5, "in 0 days"), (-0.5, "expired on")]
)
def test_warning(days: float, says: str) -> None:
    """A certificate is announced from 30 days before it expires, and otherwise not at all."""
    until = datetime(2030, 6, 1, tzinfo=UTC)
    at_ns = int((until - timedelta(days=days)).timestamp() * 1e9)
    text = Expiry("our certificate c.pem", until).warning(at_ns)
    assert (says in text) if says else text == ""


def test_watch_logs_once_and_reads_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each certificate that expires soon is logged once, and a new file ends the warning within the hour."""
    authority = Authority(tmp_path)
    cert, _ = authority.issue("gw", days=10)
    watch = Watch({"our certificate": cert, "the authority's certificate": str(authority.file)})
    at_ns = moment().wall_ns
    for _ in range(3):
        (text,) = watch.warnings(at_ns).values()
    assert "our certificate" in text
    assert len(caplog.records) == 1
    authority.issue("gw", days=300)
    assert watch.warnings(at_ns + DAY_NS) == {}
