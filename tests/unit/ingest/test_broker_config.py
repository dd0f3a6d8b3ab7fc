"""The mosquitto settings that we ship: the broker takes them, and the access list keeps its word."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from minewatch_edge.sparkplug.actions import Publish
from minewatch_edge.sparkplug.mqtt import Broker, Connection
from servers import Absent, Server, mosquitto
from servers.process import accepts, free_port

DEPLOY = Path(__file__).parents[3] / "deploy"
USERS = ("minewatch", "viewer", "karaganda.gw-1")
COMMAND = "spBv1.0/karaganda/NCMD/gw-1"
DATA = "spBv1.0/karaganda/DDATA/gw-1/fan"


def shipped(folder: Path, port: int) -> Path:
    """The shipped files with the paths and the listener of this test."""
    passwords = folder / "passwd"
    passwords.touch()
    for user in USERS:
        subprocess.run(
            ["mosquitto_passwd", "-b", str(passwords), user, "secret"], check=True, capture_output=True
        )
    lines = (DEPLOY / "mosquitto.conf").read_text().splitlines()
    changed = {
        "password_file": str(passwords),
        "acl_file": str(DEPLOY / "minewatch.acl"),
        "listener": f"{port} 127.0.0.1",
        "persistence_location": f"{folder}/",
    }
    tls = ("cafile", "certfile", "keyfile", "tls_version")
    keys = [line.split(" ")[0] for line in lines]
    kept = [
        f"{key} {changed[key]}" if key in changed else line
        for key, line in zip(keys, lines, strict=True)
        if key not in tls
    ]
    if os.geteuid() == 0:
        kept.append("user root")
    path = folder / "mosquitto.conf"
    path.write_text("\n".join(kept) + "\n")
    return path


@pytest.fixture
def shipped_broker(tmp_path: Path) -> Server:
    """A mosquitto with the shipped settings."""
    try:
        program = mosquitto.find()
    except Absent as absent:
        pytest.skip(f"absent part: {absent}")
    port = free_port()
    command = [program, "-c", str(shipped(tmp_path, port))]
    return Server("mosquitto", port, tmp_path, command, lambda: accepts(port))


class Client:
    """A client with an account, that notes what it hears."""

    def __init__(self, port: int, user: str, password: str = "secret") -> None:
        self.user = user
        self.heard: list[str] = []
        self.ready = False
        self.now_s = 0.0
        self.connection = Connection(
            Broker("127.0.0.1", port, f"client-{user}", username=user, password=password, retry_min_s=0.1),
            self,
        )

    def will(self) -> Publish:
        return Publish("not/allowed", b"", 1)

    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        return (("spBv1.0/#", 1),)

    def subscribed(self) -> None:
        self.ready = True

    def message(self, topic: str, payload: bytes) -> None:
        self.heard.append(topic)

    def lost(self, why: str) -> None:
        self.ready = False


def drive(clients: list[Client], until: Callable[[], bool], steps: int = 400) -> None:
    """Drive all until something holds or the steps are over."""
    for _ in range(steps):
        if until():
            return
        for client in clients:
            client.now_s += 0.01
            client.connection.drive(0.003, client.now_s)


def test_access_list(shipped_broker: Server) -> None:
    """Only the service commands and says STATE, a gateway speaks for itself alone, a viewer says nothing."""
    shipped_broker.start()
    clients = {user: Client(shipped_broker.port, user) for user in USERS}
    everyone = list(clients.values())
    try:
        for user, topic in [
            ("karaganda.gw-1", COMMAND),
            ("karaganda.gw-1", "spBv1.0/karaganda/DDATA/gw-2/fan"),
            ("karaganda.gw-1", "spBv1.0/STATE/minewatch"),
            ("viewer", COMMAND),
            ("viewer", DATA),
            ("minewatch", DATA),
            ("minewatch", COMMAND),
            ("karaganda.gw-1", DATA),
        ]:
            drive(everyone, lambda: all(c.ready for c in everyone))
            assert clients[user].connection.publish(Publish(topic, b"x"))
            drive(everyone, lambda: False, steps=10)  # mosquitto may cut off who says what he may not
        drive(everyone, lambda: DATA in clients["viewer"].heard)
        assert clients["minewatch"].heard == [COMMAND, DATA]
        assert clients["viewer"].heard == [COMMAND, DATA]
        assert clients["karaganda.gw-1"].heard == [COMMAND]
        stranger = Client(shipped_broker.port, "minewatch", "wrong")
        drive([stranger], lambda: stranger.connection.attempts > 0)
        assert not stranger.ready
        assert "username, password" in stranger.connection.problem
    finally:
        for client in everyone:
            client.connection.stop()
        shipped_broker.stop()
