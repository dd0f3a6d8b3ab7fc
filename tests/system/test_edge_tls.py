"""The agent and a broker with TLS that asks for a certificate."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minewatch_edge import state
from minewatch_edge.config import BrokerConfig, EdgeConfig, SpoolConfig
from minewatch_edge.runtime import run_agent
from minewatch_edge.sparkplug.mqtt import Tls
from servers import Absent, free_port, mosquitto
from servers.process import Server, accepts
from unit.edge import logging_driver
from unit.edge.acking_host import AckingHost
from unit.edge.test_broker_and_kill import until
from unit.edge.test_certificates import Authority

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@contextmanager
def tls_broker(folder: Path, authority: Authority, server: tuple[str, str]) -> Iterator[Server]:
    """Run a mosquitto that speaks TLS and wants a certificate, with a plain port beside it for the host."""
    try:
        program = mosquitto.find()
    except Absent as absent:
        pytest.skip(f"absent part: {absent}")
    plain, secure = free_port(), free_port()
    config = folder / "tls.conf"
    config.write_text(
        f"user root\nallow_anonymous true\nlog_dest stderr\nlistener {plain} 127.0.0.1\n"
        f"listener {secure} 127.0.0.1\ncafile {authority.file}\ncertfile {server[0]}\nkeyfile {server[1]}\n"
        "require_certificate true\ntls_version tlsv1.2\n"
    )
    broker = Server("mosquitto", secure, folder, [program, "-c", str(config)], lambda: accepts(plain))
    broker.plain = plain  # type: ignore[attr-defined]  # of this test alone
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def problems(folder: Path) -> dict[str, str]:
    """Return what status shows."""
    file = state.state_path(folder / "edge.spool")
    return dict(state.read(file)["problems"]) if file.exists() else {}


@contextmanager
def agent(folder: Path, port: int, tls: Tls, host: str = "127.0.0.1") -> Iterator[None]:
    """Run an agent over TLS."""
    stop = threading.Event()
    driver = logging_driver.LoggingDriver(folder / "driver.log", 1, 50)
    broker = BrokerConfig(host, port, tls=tls, keepalive_s=4)
    config = EdgeConfig("site", "gw", broker, SpoolConfig(folder / "edge.spool"))
    thread = threading.Thread(target=run_agent, args=(config, [driver], stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def test_a_broker_that_wants_certificates(tmp_path: Path) -> None:
    """With the right ones readings arrive, and those that expire soon are named, the broker's too."""
    authority = Authority(tmp_path)
    server, ours = authority.issue("server", days=20), authority.issue("gw", days=9)
    with (
        tls_broker(tmp_path, authority, server) as broker,
        AckingHost(broker.plain) as host,  # type: ignore[attr-defined]  # see above
        agent(tmp_path, broker.port, Tls(str(authority.file), *ours)),
    ):
        assert until(lambda: host.count > 10)
        assert until(lambda: "the broker's certificate" in problems(tmp_path))
        said = problems(tmp_path)
        assert "expires on" in said["the broker's certificate"]
        assert "expires on" in said[f"our certificate {ours[0]}"]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("no certificate of ours", "refuses our certificate"),
        ("ours is of another authority", "refuses our certificate"),
        ("ours has expired", "refuses our certificate"),
        ("the broker's has expired", "certificate has expired"),
        ("the broker's is of another authority", "not trusted"),
        ("the broker's is for another name", "not trusted"),
    ],
)
def test_wrong_certificates(tmp_path: Path, case: str, says: str) -> None:
    """Whatever is wrong with a certificate, status says which end refused which, in a line."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    days = -1 if case == "the broker's has expired" else 300
    address = "127.0.0.9" if case == "the broker's is for another name" else "127.0.0.1"
    server = authority.issue("server", days=days, host=address)
    ours = ("", "")
    if case != "no certificate of ours":
        issuer = other if case == "ours is of another authority" else authority
        ours = issuer.issue("gw", days=-1 if case == "ours has expired" else 365)
    trusted = other.file if case == "the broker's is of another authority" else authority.file
    with (
        tls_broker(tmp_path, authority, server) as broker,
        agent(tmp_path, broker.port, Tls(str(trusted), *ours)),
    ):
        assert until(lambda: says in problems(tmp_path).get("broker", "")), problems(tmp_path)
        assert "\n" not in problems(tmp_path)["broker"]
