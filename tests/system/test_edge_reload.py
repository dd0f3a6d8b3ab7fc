"""A configuration read again under load: nothing is lost, and a device that did not change misses no slot."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers import Server, mosquitto
from system.running import wait_for
from unit.edge.acking_host import AckingHost

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
Delivered = Counter[tuple[str, str, int, float | None]]
STEADY_S = 0.5  # the slot of the device that never changes
METRICS = ("m0", "m1", "m2")


class Agent:
    """The agent's process, its file, and what its drivers wrote down."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.file = folder / "edge.toml"
        self.log = folder / "log"
        self.log.mkdir()
        self.port = port
        self.state = folder / "edge.spool.state.json"

    def write(self, devices: dict[str, float], more: str = "") -> None:
        """Write the configuration; devices by their interval in seconds."""
        lines = [
            '[gateway]\nsite = "reload"\nid = "gw"',
            f'[broker]\nhost = "127.0.0.1"\nport = {self.port}\nkeepalive_s = 5\n{more}',
            "[spool]\nresend_s = 2",
        ]
        for name, interval_s in devices.items():
            lines.append(f'[[device]]\nid = "{name}"\ndriver = "logged"\nlog = "{self.log}"')
            lines.append(f"interval_s = {interval_s}")
            lines += [f'[[device.point]]\nmetric = "{m}"\nquantity = "q"\nunit = "1"' for m in METRICS]
        whole = self.file.with_suffix(".new")
        whole.write_text("\n".join(lines))
        whole.replace(self.file)

    def told(self, key: str) -> int:
        """Return a figure of the state file."""
        return int(json.loads(self.state.read_text())[key]) if self.state.exists() else 0

    @contextmanager
    def running(self, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
        """Run it, and end it in order."""
        command = [sys.executable, str(Path(__file__).with_name("reloading_agent.py")), str(self.file)]
        with (self.folder / "stderr").open("w") as stderr:
            process = subprocess.Popen(
                command, stderr=stderr, text=True, env={**os.environ, **(environment or {})}
            )
        try:
            wait_for("readings", lambda: self.told("sampled") > 0)
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130, self.stderr()
            assert "Traceback" not in self.stderr()

    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def reload(self, process: subprocess.Popen[str], key: str = "reloads") -> None:
        """Ask for the file to be read again and wait until it was taken (or refused)."""
        before = self.told(key)
        process.send_signal(signal.SIGHUP)
        wait_for(f"{key} to grow", lambda: self.told(key) > before)

    def delivered(self) -> Delivered:
        """Return every reading that a driver gave, as the host counts it."""
        return Counter(
            (path.name, metric, int(ms), float(value))
            for path in self.log.iterdir()
            if path.name != "stop"
            for ms, value, _late in map(str.split, path.read_text().splitlines())
            for metric in METRICS
        )

    def late(self, device: str) -> int:
        """Return the slots that a device has missed."""
        return sum(int(line.split()[2]) for line in (self.log / device).read_text().splitlines())


def test_twenty_reloads_under_load_lose_nothing(broker: Server, tmp_path: Path) -> None:
    """Devices change, come and go, the client id changes, wrong files are refused: each reading arrives once.

    The device that never changes misses no slot of its grid, and keeps its driver (its file is opened once).
    """
    agent = Agent(tmp_path, broker.port)
    steady = {"steady": STEADY_S, "busy": 0.02}
    agent.write(steady)
    with AckingHost(broker.port) as host, agent.running() as process:
        wait_for("the first readings at the host", lambda: host.count > 30)
        for turn in range(20):
            if turn % 5 == 4:
                agent.file.write_text(f"[gateway]\nsite = {turn}\n")
                agent.reload(process, "reloads_refused")
                assert "configuration" in json.loads(agent.state.read_text())["problems"]
            devices = {**steady, "changing": 0.02 + 0.01 * (turn % 3)}
            if turn % 2:
                devices[f"guest-{turn % 4}"] = 0.03
            before = len(agent.delivered())
            agent.write(devices, f'client_id = "c-{turn // 4}"')
            agent.reload(process)
            wait_for("readings after a reload", lambda before=before: len(agent.delivered()) > before + 60)
        (agent.log / "stop").touch()
        wait_for("every reading at the host", lambda: host.readings == agent.delivered())
        # status is written every so often: what it says may be of a moment before the last reading
        every = sum(agent.delivered().values())
        wait_for("status that counts every row as acknowledged", lambda: agent.told("acked") >= every)
        sampled, acked, held = (agent.told(name) for name in ("sampled", "acked", "held"))
    assert (sampled, acked, held) == (every, every, 0)
    assert max(host.readings.values()) == 1
    assert agent.late("steady") == 0
    assert agent.stderr().count("is refused") == 4
    assert agent.stderr().count("was read again") == 20


def test_another_broker_is_taken_without_a_loss(iotcore_server: Server, tmp_path: Path) -> None:
    """The agent goes to the broker of the new file; what both hosts have together is what was sampled."""
    with (
        mosquitto.running() as other,
        AckingHost(other.port) as second,
        AckingHost(iotcore_server.port) as first,
    ):
        agent = Agent(tmp_path, iotcore_server.port)
        agent.write({"steady": STEADY_S, "busy": 0.02})
        with agent.running() as process:
            wait_for("readings at the first host", lambda: first.count > 100)
            agent.port = other.port
            agent.write({"steady": STEADY_S, "busy": 0.02})
            agent.reload(process)
            wait_for("readings at the second host", lambda: second.count > 100)
            (agent.log / "stop").touch()
            both = lambda: first.readings | second.readings  # noqa: E731
            wait_for("every reading at one of the hosts", lambda: both() == agent.delivered())
            wait_for("every row acknowledged", lambda: agent.told("held") == 0)
        assert agent.late("steady") == 0


def test_systemd_hears_of_start_reload_and_end(iotcore_server: Server, tmp_path: Path) -> None:
    """The command under NOTIFY_SOCKET says READY, RELOADING then READY, WATCHDOG and STOPPING, in order."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(address))
        ear.settimeout(30)
        agent = Agent(tmp_path, iotcore_server.port)
        agent.write({"steady": STEADY_S})
        words: list[str] = []

        def hear(word: str) -> None:
            while not words or not words[-1].startswith(word):
                words.append(ear.recv(4096).decode())

        environment = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "400000"}
        with agent.running(environment) as process:
            hear("READY=1\nSTATUS=")
            hear("WATCHDOG=1")
            agent.write({"steady": STEADY_S, "new": 0.1})
            process.send_signal(signal.SIGHUP)
            hear("RELOADING=1\nMONOTONIC_USEC=")
            hear("READY=1\n")
        hear("STOPPING=1")
    assert [w.split("=")[0] for w in words if not w.startswith(("WATCHDOG", "STATUS"))] == [
        "READY", "RELOADING", "READY", "STOPPING",
    ]  # fmt: skip


def test_a_loop_that_hangs_is_not_fed(iotcore_server: Server, tmp_path: Path) -> None:
    """A stopped process (SIGSTOP) sends no WATCHDOG, so systemd would end it; it goes on when it is woken."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(address))
        ear.settimeout(30)
        agent = Agent(tmp_path, iotcore_server.port)
        agent.write({"steady": 0.1})
        with agent.running({"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "200000"}) as process:
            while ear.recv(4096) != b"WATCHDOG=1":
                pass
            process.send_signal(signal.SIGSTOP)
            ear.settimeout(0.5)
            silent = False
            while not silent:  # what was said before the signal is still to be read
                try:
                    ear.recv(4096)
                except TimeoutError:
                    silent = True
            process.send_signal(signal.SIGCONT)
            ear.settimeout(30)
            while ear.recv(4096) != b"WATCHDOG=1":
                pass
