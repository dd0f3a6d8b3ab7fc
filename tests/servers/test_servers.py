"""The servers of the tests themselves: they answer, they are ours alone, and they leave nothing behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from servers import Absent, Server, influxd, mosquitto
from servers.process import accepts, folder_for, free_port


def roundtrip(port: int, payload: bytes) -> bytes:
    """Publish to a broker and return what a subscriber got."""
    got: list[bytes] = []
    done = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)

    def received(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        got.append(message.payload)
        done.set()

    client.on_message = received
    client.on_connect = lambda *_: client.subscribe("t", qos=1)
    client.on_subscribe = lambda *_: client.publish("t", payload, qos=1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert done.wait(10)
    client.disconnect()
    client.loop_stop()
    return got[0]


def test_a_broker_carries_a_large_birth(broker: Server) -> None:
    """A megabyte, the birth of a large gateway, goes through either broker as we configure it."""
    payload = os.urandom(1 << 20)
    assert roundtrip(broker.port, payload) == payload


def test_a_stopped_server_is_gone(tmp_path: Path) -> None:
    """After the block its port is free and its process has ended; the folder it was given stays."""
    try:
        with mosquitto.running(tmp_path) as server:
            pid = server.pid
            assert accepts(server.port)
    except Absent as absent:
        pytest.skip(f"absent part: {absent}")
    assert not accepts(server.port)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert server.log.exists()


def test_a_killed_broker_comes_back_on_the_same_port(broker: Server) -> None:
    """A test can cut a broker's power and switch it on again."""
    broker.kill()
    assert not accepts(broker.port)
    broker.start()
    assert roundtrip(broker.port, b"again") == b"again"


def test_servers_listen_on_loopback_only(broker: Server) -> None:
    """Nobody on the network can reach a test's broker: every listening socket is 127.0.0.1."""
    port = f":{broker.port:04X}"
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{broker.pid}/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if local.endswith(port) and state == "0A":  # listening
                assert local == f"0100007F{port}"


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    """A wrong configuration fails at once with what the server said, not after the time limit."""
    (tmp_path / "x.conf").write_text("nonsense = [\n")
    try:
        program = mosquitto.find()
    except Absent as absent:
        pytest.skip(f"absent part: {absent}")
    port = free_port()
    server = Server("mosquitto", port, tmp_path, [program, "-c", "x.conf"], lambda: accepts(port))
    with pytest.raises(RuntimeError, match=r"(?s)does not answer .*nonsense"):
        server.start()


def test_a_missing_influxd_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where it is nowhere, the line names the command that builds it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MINEWATCH_INFLUXD", raising=False)
    monkeypatch.setattr(influxd, "ROOT", tmp_path)
    with pytest.raises(Absent, match=r"python3 -m tests\.servers\.influxd install"):
        influxd.find()


def test_a_borrowed_folder_is_removed() -> None:
    """Without a folder of the caller's, the server's data does not outlive it."""
    with folder_for("x", None) as folder:
        assert folder.is_dir()
    assert not folder.exists()
