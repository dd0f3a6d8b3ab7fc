"""The whole service: MQTT in, decode, detect, alert, store, acknowledge; all on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minewatch.app.viewer import Viewer
from minewatch.config import load
from minewatch.store.telemetry import open_telemetry
from tests.servers import iotcore
from tests.servers.process import free_port

SECONDS = float(os.environ.get("MINEWATCH_BENCH_SECONDS", "60"))


@dataclass
class Running:
    """A service under load."""

    process: subprocess.Popen[bytes]
    broker_port: int
    address: str
    config: Path
    ready_s: float


@contextlib.contextmanager
def service(folder: Path) -> Iterator[Running]:
    """Run broker and service; yield once the service is ready."""
    with iotcore.running() as broker:
        port = free_port()
        config = folder / "minewatch.toml"
        config.write_text(
            f'data = "{folder}"\n[serve]\nport = {port}\n'
            f'[ingest]\nbrokers = ["mqtt://127.0.0.1:{broker.port}"]\n'
        )
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "minewatch", "serve", "--config", str(config)],
            env=os.environ | {"MINEWATCH_LOG": "warning"},
        )
        try:
            address = f"http://127.0.0.1:{port}/"
            wait_ready(address, process)
            yield Running(process, broker.port, address, config, time.monotonic() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def wait_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until /readyz says so."""
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address + "readyz", timeout=1) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    sys.exit("the service is not ready")


def load_it(running: Running, *options: str) -> dict[str, float]:
    """Run the load and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load", "--port", str(running.broker_port), *options],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    """Return the resident memory of the service's processes, in MiB."""
    pids = [process.pid]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if children.exists():
        pids += [int(pid) for pid in children.read_text().split()]
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
            total += int(found[1]) if found else 0
    return total / 1024


def throughput(name: str, *options: str) -> None:
    """Print readings/s acknowledged, and what was lost or stored twice."""
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as made:
        folder = Path(made)
        with service(folder) as running:
            warm = load_it(running, "--seconds", "3", *options)  # caches, births: counted, not timed
            before = memory_mb(running.process)
            found = load_it(running, "--seconds", str(SECONDS), *options)
            after = memory_mb(running.process)
        store = open_telemetry(load(running.config).telemetry_settings)
        counts = store.counts()
        store.close()
    sent = warm["readings"] + found["readings"]
    rate = found["stored_in_time"] / found["seconds"]
    print(f"service.readings_{name} {rate:.0f} readings/s")
    print(f"service.lost_{name} {sent - counts.distinct} readings")
    print(f"service.duplicate_{name} {counts.stored - counts.distinct} readings")
    print(f"service.memory_before_{name} {before:.0f} MiB")
    print(f"service.memory_after_{name} {after:.0f} MiB", flush=True)


def latency() -> None:
    """Print how long an alert takes from the sensor's time stamp to a viewer, at 5,000 readings/s."""
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as made, service(Path(made)) as running:
        viewer = Viewer(running.address)
        viewer.start()
        load_it(
            running,
            *("--seconds", str(min(SECONDS, 40)), "--devices", "1", "--rate", "50", "--crossings", "0.25"),
        )
        viewer.stop()
        found = sorted(viewer.latency_ms)
        if len(found) < 20:
            sys.exit(f"only {len(found)} alerts seen")
        print(f"service.latency_p50 {found[len(found) // 2]:.0f} ms")
        print(f"service.latency_p99 {found[int(len(found) * 0.99)]:.0f} ms")
        print(f"service.latency_alerts {len(found)} alerts", flush=True)


if __name__ == "__main__":
    throughput("100")
    throughput("1", "--per-message", "1", "--window", "20000")
    latency()
