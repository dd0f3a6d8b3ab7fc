"""What polling costs: 1,000 registers of pymodbus' own server, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from conformance.stages.modbus_peer import ModbusPeer
from minewatch_edge.drivers.modbus import ModbusDriver, Unit
from minewatch_edge.drivers.modbus_registers import Register
from minewatch_edge.sparkplug.births import PointBirth

REGISTERS = 1_000
POLLS = 60
S = 1_000_000_000


def serve() -> None:
    """Serve until stdin ends."""
    peer = ModbusPeer()
    peer.set(0, list(range(REGISTERS)))
    peer.start()
    print(peer.port, flush=True)
    sys.stdin.read()
    peer.stop()


def main() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.edge_modbus", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        points = [PointBirth("d", f"m{i}", "q", "u", interval_s=1.0) for i in range(REGISTERS)]
        driver = ModbusDriver(
            points, [Register("holding", i) for i in range(REGISTERS)], Unit("127.0.0.1", port)
        )
        driver.poll(0)
        requests = driver.requests
        began, cpu, readings = time.perf_counter(), time.process_time(), 0
        for turn in range(1, POLLS + 1):
            readings += len(driver.poll(turn * S))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        driver.close()
        assert server.stdin is not None
        server.stdin.close()
        server.wait()
    print(f"edge.modbus.requests {requests} requests/poll")
    print(f"edge.modbus.readings {readings / wall:.0f} readings/s")
    print(f"edge.modbus.cpu {cpu / readings * 1e6:.2f} us/reading")


if __name__ == "__main__":
    serve() if "serve" in sys.argv else main()
