"""OPC UA: security, users, statuses, fast changes, missing nodes, restarts, and options that are wrong."""

from __future__ import annotations

import logging
import math
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conformance.stages.opcua_peer import NODES, URI, OpcuaPeer, Secured
from minewatch_edge import config, drivers
from minewatch_edge.drivers.driver import Reading
from minewatch_edge.drivers.opcua import OpcuaDriver
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.runtime import moment
from minewatch_edge.sparkplug.codec import BAD, GOOD, UNCERTAIN
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

PATIENCE_S = 30.0
PORT = 9  # nobody listens there


@pytest.fixture(scope="module")
def peer() -> Iterator[OpcuaPeer]:
    """A server without security for the tests that do not end it."""
    made = OpcuaPeer(("a", "b", "fast", "late-0"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and certificates: of the server, of the agent, of a stranger."""
    folder = tmp_path_factory.mktemp("papers")
    for name, uri in (("server", URI), ("agent", "urn:mine:gw-1"), ("stranger", "urn:else:where")):
        certify(folder, name, uri)
    return folder


def certify(folder: Path, name: str, uri: str) -> None:
    """Make a key and a certificate of its own."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.fromtimestamp(moment().wall_ns / 1e9, UTC)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")])
    usage = x509.KeyUsage(True, True, True, True, False, True, False, False, False)
    cert = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(names, critical=False)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(cert.public_bytes(Encoding.PEM))
    (folder / f"{name}.key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


class Asked:
    """A driver with what it gave and refused."""

    def __init__(self, url: str, nodes: list[Any], folder: Path = Path(), **device: Any) -> None:
        points = [
            {"metric": f"m{i}", "quantity": "q", "unit": "u", **(n if isinstance(n, dict) else {"node": n})}
            for i, n in enumerate(nodes)
        ]
        options = {
            "id": "d",
            "driver": "opcua",
            "url": url,
            "interval_s": 0.05,
            "timeout_s": 5.0,
            "repeat": False,
        }
        top = {
            "gateway": {"site": "s", "id": "g"},
            "broker": {"host": "h"},
            "device": [{**options, **device, "point": points}],
        }
        made = config.parse(Table(top, "edge.toml"), folder)
        self.rejects: list[Reject] = []
        driver = drivers.make(made.devices[0], folder, self.rejects.append)
        assert isinstance(driver, OpcuaDriver)
        self.driver = driver
        self.readings: list[Reading] = []

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.close()

    def until(self, met: Callable[[], bool], *, through_faults: bool = False) -> list[str]:
        """Poll until a condition is met; return the errors on the way."""
        deadline, errors = time.monotonic() + PATIENCE_S, []
        while not met():
            assert time.monotonic() < deadline, (self.readings[-5:], errors[-3:])
            try:
                self.readings += self.driver.poll(moment().wall_ns)
            except DriverError as error:
                if not through_faults:
                    raise
                errors.append(str(error))
            threading.Event().wait(0.02)
        return errors

    def last(self, point: int) -> Reading | None:
        """Return the last reading of a point."""
        return next((r for r in reversed(self.readings) if r.point == point), None)

    def gave(self, point: int, value: float, quality: int = GOOD) -> bool:
        """Whether the last reading of a point is that."""
        found = self.last(point)
        return found is not None and (found.value, found.quality) == (value, quality)


def secured(papers: Path, policy: ua.SecurityPolicyType, password: str = "") -> OpcuaPeer:
    """Return a server that speaks one policy and trusts the agent only."""
    return OpcuaPeer(
        ("a",),
        Secured(papers / "server.pem", papers / "server.key.pem", papers / "agent.pem", (policy,), password),
    )


def files(papers: Path, *, agent: str = "agent", server: str = "server") -> dict[str, str]:
    """Return the keys of edge.toml that name certificates."""
    return {
        "cert_file": str(papers / f"{agent}.pem"),
        "key_file": str(papers / f"{agent}.key.pem"),
        "server_cert_file": str(papers / f"{server}.pem"),
    }


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize(
    ("security", "policy"),
    [("Basic256Sha256", "Basic256Sha256"), ("Aes128_Sha256_RsaOaep", "Aes128Sha256RsaOaep")],
)
def test_each_policy_and_mode_reads_with_certificates(
    papers: Path, security: str, policy: str, mode: str
) -> None:
    """A server that speaks this policy alone is read, and check says so."""
    peer = secured(papers, ua.SecurityPolicyType[f"{policy}_{mode}"])
    peer.start()
    peer.set("a", 2.5)
    try:
        with Asked(peer.url, ["ns=2;s=a"], security=security, security_mode=mode, **files(papers)) as asked:
            asked.until(lambda: asked.gave(0, 2.5))
            (said,) = asked.driver.check(moment().wall_ns)
            assert said.ok, said
    finally:
        peer.stop()


def test_who_is_not_trusted_is_told_with_the_mend(papers: Path, tmp_path: Path) -> None:
    """A stranger's certificate, another server, a wrong password: each is named, and no secret is."""
    peer = secured(papers, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt, "gas-7-secret")
    peer.start()
    peer.set("a", 2.5)
    (tmp_path / "right").write_text("gas-7-secret\n")
    (tmp_path / "wrong").write_text("gas-8-secret\n")
    who = {"security": "Basic256Sha256", "username": "minewatch"}
    right = {**who, "password_file": str(tmp_path / "right"), **files(papers)}
    try:
        with Asked(peer.url, ["ns=2;s=a"], **right) as asked:
            asked.until(lambda: asked.gave(0, 2.5))
        for wrong, words in (
            ({"password_file": str(tmp_path / "wrong")}, "username"),
            (files(papers, agent="stranger"), "trust|security"),
            (files(papers, server="stranger"), "server_cert_file"),
        ):
            with Asked(peer.url, ["ns=2;s=a"], **{**right, "timeout_s": 2.0, **wrong}) as asked:
                with pytest.raises(DriverError, match=f"127.0.0.1:{peer.port}: .*({words})") as caught:
                    asked.driver.poll(moment().wall_ns)
                assert "secret" not in str(caught.value)
                (said,) = asked.driver.check(moment().wall_ns)
                assert not said.ok
                assert "secret" not in said.text
    finally:
        peer.stop()


@pytest.mark.parametrize(
    ("value", "kind", "number"),
    [
        (True, ua.VariantType.Boolean, 1.0),
        (-7, ua.VariantType.Int16, -7.0),
        (65_000, ua.VariantType.UInt16, 65_000.0),
        (-7_000_000, ua.VariantType.Int32, -7_000_000.0),
        (2**40, ua.VariantType.Int64, 2.0**40),
        (0.5, ua.VariantType.Float, 0.5),
        (1e-9, ua.VariantType.Double, 1e-9),
    ],
)
def test_each_type_of_number_is_a_value(peer: OpcuaPeer, value: object, kind: Any, number: float) -> None:
    """Booleans, integers and floats come as they are."""
    peer.set("a", value, kind=kind)
    with Asked(peer.url, ["ns=2;s=a"]) as asked:
        asked.until(lambda: asked.gave(0, number))


@pytest.mark.parametrize(
    ("value", "status", "words"),
    [
        (math.nan, 0, "NaN"),
        (math.inf, 0, "infinite"),
        (None, 0, "null"),
        ("0.5", 0, "str"),
        ([1.0, 2.0], 0, "list"),
        (-999.0, 0, "sentinel"),
        (0.5, ua.StatusCodes.BadSensorFailure, "BadSensorFailure"),
        (0.5, ua.StatusCodes.BadNotConnected, "BadNotConnected"),
    ],
)
def test_what_is_no_value_is_bad_and_said_in_words(
    peer: OpcuaPeer, value: object, status: int, words: str
) -> None:
    """NaN, null, text, arrays, sentinels and bad statuses are bad without a number; check says which."""
    peer.set("a", value, status=status)
    with Asked(peer.url, [{"node": "ns=2;s=a", "sentinels": [-999.0]}]) as asked:
        asked.until(lambda: asked.last(0) is not None)
        found = asked.last(0)
        assert found is not None
        assert found.quality == BAD
        assert math.isnan(found.value)
        (said,) = asked.driver.check(moment().wall_ns)
        assert not said.ok
        assert words in said.text


def test_uncertain_stays_uncertain(peer: OpcuaPeer) -> None:
    """A value whose status is uncertain keeps its number and says so."""
    peer.set("a", 0.75, status=ua.StatusCodes.UncertainSensorNotAccurate)
    with Asked(peer.url, ["ns=2;s=a"]) as asked:
        asked.until(lambda: asked.gave(0, 0.75, UNCERTAIN))
        (said,) = asked.driver.check(moment().wall_ns)
        assert "UncertainSensorNotAccurate" in said.text


def test_a_source_time_that_cannot_be_draws_no_later_reading_after_it(peer: OpcuaPeer) -> None:
    """A source that says the year 9999 is stamped with the server's time, as if it had said none."""
    peer.set("a", 0.25, 253_402_300_799 * 1_000_000_000)
    with Asked(peer.url, ["ns=2;s=a"]) as asked:
        asked.until(lambda: asked.gave(0, 0.25))
        assert max(r.ts_ns for r in asked.readings) < moment().wall_ns + 3_600 * 10**9


def test_changes_faster_than_the_poll_all_arrive_with_their_times(peer: OpcuaPeer) -> None:
    """Two hundred changes between two polls are two hundred readings, each with its own time, in order."""
    start_ns = moment().wall_ns // 1_000_000 * 1_000_000
    peer.set("fast", 0.0, start_ns)
    with Asked(peer.url, ["ns=2;s=fast"], queue_size=500, sampling_s=0.0) as asked:
        asked.until(lambda: asked.gave(0, 0.0))
        for i in range(1, 201):
            peer.set("fast", float(i), start_ns + i * 1_000_000)
        asked.until(lambda: asked.gave(0, 200.0))
        assert [(r.value, r.ts_ns) for r in asked.readings] == [
            (float(i), start_ns + i * 1_000_000) for i in range(201)
        ]


def test_a_node_that_does_not_exist_is_told_for_that_point_only(
    peer: OpcuaPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are read; it is bad and said once, in words; once it is there it is read too."""
    peer.set("a", 1.5)
    missing = ["ns=2;s=a", "ns=2;s=late-1", "nsu=urn:nobody;s=a", f"nsu={NODES};s=a"]
    now_ns = moment().wall_ns
    with caplog.at_level(logging.WARNING, "minewatch_edge"), Asked(peer.url, missing) as asked:
        asked.until(lambda: asked.gave(0, 1.5) and asked.gave(3, 1.5))
        assert [(r.point, r.quality) for r in asked.readings if r.quality == BAD] == [(1, BAD), (2, BAD)]
        told = [r.getMessage() for r in caplog.records]
        assert len(told) == 2
        assert "d/m1: node ns=2;s=late-1: the server says BadNodeIdUnknown" in told[0]
        assert "the server has no namespace urn:nobody" in told[1]
        assert [r.ok for r in asked.driver.check(now_ns)] == [True, False, False, True]
        peer.add("late-1")
        peer.set("late-1", 4.0)
        asked.readings += asked.driver.poll(moment().wall_ns + 31_000_000_000)
        asked.driver._now.due_ns = None  # time goes back to that of the machine
        asked.until(lambda: asked.gave(1, 4.0))


@pytest.mark.parametrize("repeat", [False, True])
def test_subscriptions_are_made_anew_after_a_restart_and_nothing_comes_twice(repeat: bool) -> None:
    """The same value after a restart is no new reading; the next change arrives."""
    peer = OpcuaPeer()
    peer.start()
    peer.set("a", 1.0)
    peer.set("b", 2.0)
    try:
        with Asked(peer.url, ["ns=2;s=a", "ns=2;s=b"], timeout_s=2.0, repeat=repeat) as asked:
            asked.until(lambda: asked.gave(0, 1.0) and asked.gave(1, 2.0))
            asked.until(lambda: len(asked.readings) >= (8 if repeat else 2))
            peer.stop()
            with pytest.raises(DriverError, match=f"127.0.0.1:{peer.port}"):
                asked.until(lambda: False)
            peer.start()
            peer.set("b", 3.0)
            asked.until(lambda: asked.gave(1, 3.0), through_faults=True)
            steady = [r for r in asked.readings if r.point == 0]
            assert {r.value for r in steady} == {1.0}
            assert repeat or len(steady) == 1
            assert [r.ts_ns for r in steady] == sorted(r.ts_ns for r in steady)
            assert len({(r.point, r.ts_ns) for r in asked.readings}) == len(asked.readings)
    finally:
        peer.stop()


def test_a_server_that_freezes_is_told_and_read_again() -> None:
    """A connection that stays open but answers nothing is lost within two timeouts."""
    peer = OpcuaPeer()
    peer.start()
    peer.set("a", 1.0)
    try:
        with Asked(peer.url, ["ns=2;s=a"], timeout_s=1.0) as asked:
            asked.until(lambda: asked.gave(0, 1.0))
            peer.freeze()
            began = time.monotonic()
            with pytest.raises(DriverError, match=f"127.0.0.1:{peer.port}"):
                asked.until(lambda: False)
            assert time.monotonic() - began < 10.0
            with pytest.raises(DriverError, match="does not answer within 1 s"):
                asked.until(lambda: False)
            peer.thaw()
            peer.set("a", 5.0)
            asked.until(lambda: asked.gave(0, 5.0), through_faults=True)
    finally:
        peer.thaw()
        peer.stop()


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.0 400\r\n\r\n", bytes(64), b"ACKF\x1c\0\0\0" + b"\xff" * 20, b""]
)
def test_another_kind_of_server_is_told(answer: bytes) -> None:
    """What listens there is no OPC UA server: an error in time with place and mend; check never raises."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(2):
                peer, _ = listening.accept()
                with peer:
                    peer.recv(1000)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        with Asked(f"opc.tcp://127.0.0.1:{port}", ["i=2258"], timeout_s=1.0) as asked:
            with pytest.raises(DriverError, match=f"127.0.0.1:{port}") as caught:
                asked.driver.poll(moment().wall_ns)
            assert caught.value.mend
            (said,) = asked.driver.check(moment().wall_ns)
            assert not said.ok
        thread.join(5.0)


def test_what_does_not_change_is_given_again_once_an_interval(peer: OpcuaPeer) -> None:
    """While the server answers, a steady value is stated at the point's interval; times rise."""
    peer.set("b", 6.0)
    with Asked(peer.url, ["ns=2;s=b"], repeat=True) as asked:
        asked.until(lambda: len(asked.readings) >= 5)
        assert {r.value for r in asked.readings} == {6.0}
        stamps = [r.ts_ns for r in asked.readings]
        assert stamps == sorted(set(stamps))
        assert stamps[-1] <= moment().wall_ns


@pytest.mark.parametrize(
    ("device", "point", "key"),
    [
        ({"url": "http://h"}, {}, "url"),
        ({"url": "opc.tcp://u:p@h:4840"}, {}, "url"),
        ({"url": "opc.tcp://h:port"}, {}, "url"),
        ({"security": "Basic128Rsa15"}, {}, "security"),
        ({"security": "Basic256Sha256"}, {}, "cert_file"),
        ({"cert_file": "no.pem"}, {}, "cert_file"),
        ({"security_mode": "None"}, {}, "security_mode"),
        ({"password_file": "no.txt"}, {}, "password_file"),
        ({"username": "u", "password_env": "MINEWATCH_NO_SUCH_VARIABLE"}, {}, "password_env"),
        ({"password_env": "PATH"}, {}, "username"),
        ({"timeout_s": 0}, {}, "timeout_s"),
        ({"queue_size": 0}, {}, "queue_size"),
        ({}, {"node": "Gas.CH4"}, "node"),
        ({}, {"scale": "x"}, "scale"),
    ],
)
def test_a_wrong_option_is_named_before_any_network(
    tmp_path: Path, device: dict[str, Any], point: dict[str, Any], key: str
) -> None:
    """The error names file, key and mend; nothing listens at the port."""
    with pytest.raises(EdgeConfigError, match=rf"edge.toml: device\[0\].*{key}"):
        Asked(
            device.pop("url", f"opc.tcp://127.0.0.1:{PORT}"),
            [{"node": "i=2258", **point}],
            tmp_path,
            **device,
        )


def test_an_absent_library_is_told_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asyncua the configuration error says how to install it."""
    monkeypatch.setitem(sys.modules, "asyncua", None)
    with pytest.raises(EdgeConfigError, match=r"minewatch-edge\[opcua\]"):
        Asked(f"opc.tcp://127.0.0.1:{PORT}", ["i=2258"])
