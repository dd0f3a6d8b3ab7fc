"""How long the agent takes to start and how much memory it has: as a package, and as the zipapp alone."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.servers import iotcore
from tests.unit.edge.acking_host import AckingHost

ROOT = Path(__file__).resolve().parents[2]
RUNS = 5
ENCODE = """
import sys, time
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.edge_session import EdgeSession
points = [PointBirth("d", f"m{i}", "q", "1", interval_s=1.0) for i in range(100)]
session = EdgeSession("g", "n", points, spool="s")
session.on_subscribed(0)
rows = [(i, 1_700_000_000_000 + i, 1.5 + i, 192) for i in range(100)]
session.data("d", rows, 1, 0)
count, began = 0, time.process_time()
while time.process_time() - began < 1.0:
    session.data("d", rows, count, 0)
    count += 1
print((time.process_time() - began) / count / 100 * 1e6)
"""


def seconds(command: list[str]) -> float:
    """Return the median time of a command."""
    found = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - began)
    return sorted(found)[RUNS // 2]


def started(command: list[str], port: int) -> tuple[float, float]:
    """Return the seconds from the start to the first reading at the host, and MB of memory 5 s later."""
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as made, AckingHost(port) as host:
        folder = Path(made)
        for name in ("edge.toml", "air-return.csv"):
            shutil.copy(ROOT / "edge/sample" / name, folder / name)
        file = folder / "edge.toml"
        file.write_text(file.read_text().replace("# port = 1883", f"port = {port}"))
        until = time.monotonic() + 20
        while host.connection.problem and time.monotonic() < until:
            time.sleep(0.01)
        began = time.perf_counter()
        process = subprocess.Popen([*command, "run", str(file)], stderr=subprocess.DEVNULL)
        try:
            while not host.count and time.monotonic() < until:
                time.sleep(0.002)
            took = time.perf_counter() - began
            time.sleep(5)
            status = Path(f"/proc/{process.pid}/status").read_text()
            state = json.loads((folder / "edge.spool.state.json").read_text())
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        if not state["acked"]:
            raise RuntimeError("no reading was acknowledged")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return took, int(found[1]) / 1e3


def told(name: str, command: list[str], imports: list[str], port: int) -> None:
    """Print the figures of one way to run the agent."""
    runs = [started(command, port) for _ in range(3)]
    print(f"edge.start.{name}import {seconds(imports):.3f} s", flush=True)
    print(f"edge.start.{name}published {sorted(r[0] for r in runs)[1]:.3f} s", flush=True)
    print(f"edge.start.{name}rss {max(r[1] for r in runs):.1f} MB", flush=True)


def main() -> None:
    """Print every figure."""
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as made, iotcore.running() as broker:
        build = [sys.executable, str(ROOT / "edge/packaging/build.py"), made]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        app = Path(made) / "minewatch-edge.pyz"
        package = [sys.executable, "-m", "minewatch_edge.cli"]
        told("", package, [sys.executable, "-c", "import minewatch_edge.cli"], broker.port)
        alone = [sys.executable, "-I", "-S", str(app)]
        told("zipapp_", alone, [*alone, "--version"], broker.port)
        print(f"edge.start.zipapp_size {app.stat().st_size / 1e3:.0f} kB", flush=True)
        outside = "import os, sys; os.environ['PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION'] = 'python'\n" + ENCODE
        inside = f"import sys; sys.path.insert(0, {str(app)!r})\n{outside}"
        for name, command in (
            ("encode", [sys.executable, "-c", ENCODE]),
            ("zipapp_encode", [sys.executable, "-I", "-S", "-c", inside]),
        ):
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"edge.start.{name} {float(done.stdout):.2f} us/reading", flush=True)


if __name__ == "__main__":
    main()
