"""What `check` says: each part in its time, in words with a mend, and never a traceback."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from minewatch_edge import checks, checks_system, cli
from minewatch_edge.checks import Finding, Part
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.runtime import moment
from minewatch_edge.sparkplug.mqtt import Tls

CONFIG = EdgeConfig("mine", "gw")
NOW_NS = moment().wall_ns
NOW = datetime.fromtimestamp(NOW_NS / 1e9, UTC)


@contextmanager
def parts(*made: Part) -> Iterator[None]:
    """Look at these parts only."""
    before = checks.PARTS[:]
    checks.PARTS[:] = [lambda _config: made]
    yield
    checks.PARTS[:] = before


def looked(*made: Part) -> tuple[int, list[Finding]]:
    """Return the worst and every finding."""
    found: list[Finding] = []
    with parts(*made):
        return checks.run(CONFIG, NOW_NS, found.append), found


def test_a_part_that_hangs_does_not_hold_up_the_rest() -> None:
    """Three that hang and one that answers take the time of one, and only those that hang are at fault."""
    never = threading.Event()

    def hang(_config: EdgeConfig, _now_ns: int) -> Sequence[Finding]:
        never.wait(60)
        return []

    def answer(_config: EdgeConfig, _now_ns: int) -> Sequence[Finding]:
        return [Finding("device", "good", 0, "1.5 m/s")]

    began = moment().mono_ns
    worst, found = looked(
        *(Part("device", f"bad-{i}", hang, 0.5) for i in range(3)), Part("device", "good", answer)
    )
    took_s = (moment().mono_ns - began) / 1e9
    never.set()
    assert (worst, [f.fault for f in found]) == (2, [2, 2, 2, 0])
    assert found[0].text == "it did not answer within 0.5 s"
    assert took_s < 1.4


@pytest.mark.parametrize(
    ("error", "text", "mend"),
    [
        (
            EdgeConfigError("is no port", where="device[0].url", mend="Name one"),
            "device[0].url: is no port",
            "Name one",
        ),
        (DriverError("no answer from 10.0.0.7"), "no answer from 10.0.0.7", ""),
        (ZeroDivisionError("oops"), "ZeroDivisionError: oops", "Report this"),
    ],
)
def test_a_part_that_raises_is_a_finding(error: Exception, text: str, mend: str) -> None:
    """Whatever a part raises is said in a line, with the mend it brings."""

    def fail(_config: EdgeConfig, _now_ns: int) -> Sequence[Finding]:
        raise error

    worst, (found,) = looked(Part("device", "d", fail))
    assert (worst, found) == (2, Finding("device", "d", 2, text, mend))


def certificate(folder: Path, days: int) -> Tls:
    """Write a certificate for 127.0.0.1 that is its own authority; return how to trust and to show it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(secret)
    return Tls(str(folder / "cert.pem"), str(folder / "cert.pem"), str(folder / "key.pem"))


@contextmanager
def tls_server(tls: Tls) -> Iterator[int]:
    """Run a server that does one TLS handshake after the other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert_file, tls.key_file)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                    with context.wrap_socket(plain, server_side=True) as secure:
                        secure.recv(1)
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize(("days", "fault"), [(200, 0), (12, 1)])
def test_the_brokers_certificate_is_looked_at(days: int, fault: int, tmp_path: Path) -> None:
    """A certificate that ends within 30 days is a warning with its days."""
    tls = certificate(tmp_path, days)
    with tls_server(tls) as port:
        config = replace(CONFIG, broker=BrokerConfig("localhost", port, tls=Tls(tls.ca_file)))
        found, *ours = checks_system.ask_broker(config, NOW_NS)
    assert len(ours) == fault  # the authority's file here is the same certificate
    assert (found.fault, f"valid for {days} days" in found.text) == (fault, True)
    assert found.text.startswith("it accepts TLSv1.")


def test_every_broker_and_our_own_certificate_are_looked_at(tmp_path: Path) -> None:
    """A fallback broker is asked too; a certificate of ours that ends soon is a warning of its own."""
    tls = certificate(tmp_path, 12)
    with tls_server(tls) as port:
        second = BrokerConfig("localhost", port, tls=tls)
        config = replace(CONFIG, broker=BrokerConfig("127.0.0.1", 9, fallback=(second,)))
        found: list[Finding] = []
        with parts(*(p for p in checks_system._parts(config) if p.name == "broker")):
            assert checks.run(config, NOW_NS, found.append) == 2
    assert [(f.place, f.fault) for f in found[:2]] == [("127.0.0.1:9", 2), (f"localhost:{port}", 1)]
    assert [f.place.rsplit(" ", 1)[0] for f in found[2:]] == [
        "our certificate",
        "the authority's certificate",
    ]
    assert all("in 12 days" in f.text and f.fault == 1 for f in found[2:])


def test_a_broker_that_cannot_be_trusted_is_a_fault(tmp_path: Path) -> None:
    """An expired certificate and a foreign authority are told in words; a closed port too."""
    tls = certificate(tmp_path, -3)
    with tls_server(tls) as port:
        config = replace(CONFIG, broker=BrokerConfig("localhost", port, tls=Tls(tls.ca_file)))
        (expired,) = checks_system.ask_broker(config, NOW_NS)
        (foreign,) = checks_system.ask_broker(
            replace(config, broker=BrokerConfig("localhost", port, tls=Tls())), NOW_NS
        )
    (closed,) = checks_system.ask_broker(replace(CONFIG, broker=BrokerConfig("127.0.0.1", 9)), NOW_NS)
    (nameless,) = checks_system.ask_broker(replace(CONFIG, broker=BrokerConfig("no..such", 9)), NOW_NS)
    assert [f.fault for f in (expired, foreign, closed, nameless)] == [2] * 4
    assert "certificate has expired" in expired.text
    assert "TLS fails: " in foreign.text
    assert closed.text == "it cannot be reached: Connection refused"
    assert all(f.mend for f in (expired, foreign, closed, nameless))


def test_the_spool_is_looked_at(tmp_path: Path) -> None:
    """A folder that is missing or takes no files is a fault, little room a warning with a figure."""

    def asked(path: Path, max_mb: float) -> Finding:
        (found,) = checks_system.ask_spool(replace(CONFIG, spool=SpoolConfig(path, max_mb=max_mb)), NOW_NS)
        return found

    assert asked(tmp_path / "edge.spool", 1).fault == 0
    missing = asked(tmp_path / "no" / "edge.spool", 1)
    assert (missing.fault, missing.mend) == (2, f"mkdir -p {tmp_path / 'no'}")
    small = asked(tmp_path / "edge.spool", 1e12)
    assert (small.fault, "spool.max_mb" in small.mend) == (1, True)
    if os.getuid() == 0:
        unwritable = Path("/proc/edge.spool")
    else:
        unwritable = tmp_path / "shut" / "edge.spool"
        unwritable.parent.mkdir(mode=0o500)
    assert asked(unwritable, 0).fault == 2


def test_the_clock_is_looked_at() -> None:
    """A clock that was never set is a fault; what the kernel says of it is asked, not guessed."""
    (unset,) = checks_system.ask_clock(CONFIG, 86_400 * 10**9)
    assert (unset.fault, "1970-01-02" in unset.text) == (2, True)
    trusting = replace(CONFIG, clock=replace(CONFIG.clock, source="none"))
    (trusted,) = checks_system.ask_clock(trusting, NOW_NS)
    assert (trusted.fault, "clock.source = none" in trusted.text) == (0, True)
    asking = replace(CONFIG, clock=replace(CONFIG.clock, source="system"))
    (found,) = checks_system.ask_clock(asking, NOW_NS)
    assert found.fault == {True: 0, None: 0, False: 1}[checks_system.synchronised()]


def test_a_hanging_sensor_is_told_and_check_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that nobody writes to hangs whoever opens it: that device is at fault, the other answers."""
    os.mkfifo(tmp_path / "hang.csv")
    monkeypatch.setattr(checks, "DEVICE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (tmp_path / "edge.toml").write_text(
            f'[gateway]\nsite = "mine"\nid = "gw"\n[broker]\nhost = "127.0.0.1"\nport = {port}\n'
            '[[device]]\nid = "stuck"\ndriver = "csv"\nfile = "hang.csv"\ntime = "t"\n'
            '[[device.point]]\nmetric = "m"\nquantity = "q"\nunit = "1"\ncolumn = "c"\n'
            '[[device]]\nid = "good"\ndriver = "simulated"\n'
            '[[device.point]]\nmetric = "m"\nquantity = "q"\nunit = "1"\n'
        )
        assert cli.main(["check", "--json", str(tmp_path / "edge.toml")]) == 1
    found = {f["place"]: f for f in map(json.loads, capsys.readouterr().out.splitlines())}
    assert "did not answer within" in found["stuck"]["text"]
    assert found["good/m"]["ok"]
    subprocess.run(["sh", "-c", "exec 3<>hang.csv"], cwd=tmp_path, timeout=5, check=True)  # let the thread go
