"""One agent at 10,000 readings a second, and one that comes back after three days without its uplink.

Both are the real program on a real broker with the real service behind it. The three days are 500 points,
each read once a minute and again whenever it changed (a point changes every five minutes): 2,592,000 readings
in about 475,000 rows of the spool, made by the agent's own code on a clock that the bench tells.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from minewatch.config import load
from minewatch.store.telemetry import open_telemetry
from minewatch_edge import config as edge_config
from minewatch_edge.agent import Agent
from minewatch_edge.clocks import Moment
from minewatch_edge.sparkplug import codec
from minewatch_edge.spool import Spool
from minewatch_edge.testing import FakeBroker, ListDriver
from tests.bench.service import service

SECONDS = float(os.environ.get("MINEWATCH_BENCH_SECONDS", "60")) / 2
HOURS = float(os.environ.get("MINEWATCH_BENCH_HOURS", "72"))
_TICKS = os.sysconf("SC_CLK_TCK")


def edge_toml(folder: Path, port: int, devices: int, points: int, interval_s: float) -> Path:
    """Write a configuration: so many devices with so many waveforms each."""
    lines = [
        '[gateway]\nsite = "bench"\nid = "gw-1"\n',
        f'[broker]\nhost = "127.0.0.1"\nport = {port}\n',
        f'[spool]\npath = "{folder}/edge.spool"\nmax_mb = 4096\n',
    ]
    for device in range(devices):
        lines.append(
            f'[[device]]\nid = "device-{device}"\nzone = "longwall-7/face"\ndriver = "simulated"\n'
            f"interval_s = {interval_s}\n"
        )
        lines += [
            f'[[device.point]]\nmetric = "CO-{p}"\nquantity = "carbon_monoxide"\nunit = "ppm"\n'
            'low = 0.0\nhigh = 500.0\nwave = "sine"\nmean = 3.0\namplitude = 1.0\n'
            for p in range(points)
        ]
    path = folder / "edge.toml"
    path.write_text("\n".join(lines))
    return path


def state(folder: Path) -> dict[str, int]:
    """Return what the agent last said of itself; nothing before it did."""
    try:
        found: dict[str, int] = json.loads((folder / "edge.spool.state.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int) -> float:
    """Return the largest resident memory of a process so far, in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def start(config: Path) -> subprocess.Popen[bytes]:
    """Start the agent."""
    return subprocess.Popen([sys.executable, "-m", "minewatch_edge.cli", "run", str(config)])


def wait_until(what: str, test, patience_s: float) -> None:  # type: ignore[no-untyped-def]  # a bench
    until = time.monotonic() + patience_s
    while not test():
        if time.monotonic() > until:
            sys.exit(f"not within {patience_s:.0f} s: {what}")
        time.sleep(0.1)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)


def under_load() -> None:
    """Print what 10,000 readings a second cost the gateway."""
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as made, service(Path(made)) as running:
        folder = Path(made)
        agent = start(edge_toml(folder, running.broker_port, devices=20, points=50, interval_s=0.1))
        try:
            wait_until("readings are acknowledged", lambda: state(folder).get("acked", 0) > 20_000, 60)
            before, cpu, began = state(folder), cpu_s(agent.pid), time.monotonic()
            time.sleep(SECONDS)
            after, used, took = state(folder), cpu_s(agent.pid) - cpu, time.monotonic() - began
            print(f"edge.agent.readings {(after['sampled'] - before['sampled']) / took:.0f} readings/s")
            print(f"edge.agent.acked {(after['acked'] - before['acked']) / took:.0f} readings/s")
            print(f"edge.agent.cpu {100 * used / took:.1f} %-of-a-core")
            print(f"edge.agent.memory {memory_mb(agent.pid):.1f} MB", flush=True)
        finally:
            stop(agent)


def three_days(config: Path) -> int:
    """Fill the spool as an agent without uplink does; return how many readings it holds."""
    settings = edge_config.load(config)
    drivers = [ListDriver([p.birth for p in device.points]) for device in settings.devices]
    broker = FakeBroker()
    agent = Agent(settings, drivers, Spool(settings.spool.path), broker)
    end_ns = time.time_ns() - 60_000_000_000
    begin_ns = end_ns - int(HOURS * 3.6e12)
    chance = random.Random(1)
    agent.start(Moment(begin_ns, 1))
    seconds = int(HOURS * 3600)
    changes = sum(len(d.points()) for d in drivers) / 300  # a second
    owed = 0.0
    for second in range(seconds):
        now_ns = begin_ns + second * 1_000_000_000
        if second % 60 == 0:
            for driver in drivers:
                for point in range(len(driver.points())):
                    driver.give(point, now_ns, 3.0 + chance.random())
        owed += changes
        while owed >= 1:
            owed -= 1
            driver = chance.choice(drivers)
            driver.give(chance.randrange(len(driver.points())), now_ns + 1_000_000, 3.0 + chance.random())
        agent.step(Moment(now_ns, 1 + second * 1_000_000_000))
    moment = Moment(end_ns, 1 + seconds * 1_000_000_000)
    agent.step(moment)
    held = agent.state(moment).counters.held
    agent.stop(moment)
    return held


class Latency:
    """Listens beside the service: how old live readings are when the broker hands them out."""

    def __init__(self, port: int) -> None:
        self.found: list[float] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("spBv1.0/bench/DDATA/#")
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        now_ms = time.time_ns() / 1e6
        metrics = codec.parse(message.payload).metrics
        if metrics and not metrics[0].is_historical:
            self.found.append(now_ms - metrics[0].timestamp)

    def close(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


def after_three_days() -> None:
    """Print how fast history goes out, and how live readings fare meanwhile."""
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as made, service(Path(made)) as running:
        folder = Path(made)
        config = edge_toml(folder, running.broker_port, devices=10, points=50, interval_s=1.0)
        began = time.monotonic()
        held = three_days(config)
        print(f"edge.agent.spooled {held} readings")
        print(f"edge.agent.spool_rate {held / (time.monotonic() - began):.0f} readings/s")
        print(f"edge.agent.spool_bytes {spool_bytes(folder) / held:.1f} B/reading", flush=True)
        listener = Latency(running.broker_port)
        agent = start(config)
        began = time.monotonic()
        try:
            wait_until("three days are acknowledged", lambda: state(folder).get("acked", 0) >= held, 1200)
            took = time.monotonic() - began
            live = sorted(listener.found)
        finally:
            stop(agent)
            listener.close()
        acked = state(folder)["acked"]
        print(f"edge.agent.drain {HOURS * 3600 / took:.0f} times-real-time")
        print(f"edge.agent.drain_rate {held / took:.0f} readings/s")
        print(f"edge.agent.drain_live {len(live)} messages")
        print(f"edge.agent.drain_live_p50 {live[len(live) // 2]:.0f} ms")
        print(f"edge.agent.drain_live_p99 {live[int(len(live) * 0.99)]:.0f} ms", flush=True)
        running.process.terminate()
        running.process.wait(60)
        store = open_telemetry(load(running.config).telemetry_settings)
        counts = store.counts()
        store.close()
        print(f"edge.agent.drain_lost {max(0, acked - counts.distinct)} readings")
        print(f"edge.agent.drain_twice {counts.stored - counts.distinct} readings", flush=True)


def spool_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("edge.spool*"))


if __name__ == "__main__":
    under_load()
    after_three_days()
