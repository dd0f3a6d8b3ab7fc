"""Push to 200 viewers: what 1,000 alert events a second cost the serve process, and how late they arrive.

Run: python -m tests.bench.push [--viewers 200] [--rate 1000] [--seconds 8]
The server is a process of its own with a core that only tells; its CPU time is read from itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from minewatch.app.clock import SystemClock
from minewatch.contracts import AlertEvent, EventKind, Push, ReadingBatch
from minewatch.serve.fake import FakeCore
from minewatch.serve.http import create_app
from minewatch.serve.server import address, bind, loop_factory, make_server
from minewatch.serve.settings import ServeSettings
from minewatch.store.records.memory import MemoryRecords
from unit.serve.stage import alert

STEP_S = 0.01
POINTS = 100


async def tell(core: FakeCore, clock: SystemClock, rate: int) -> None:
    """Tell events and readings as a busy core does, every 10 ms."""
    one, kind, row, begun = alert("0" * 16), EventKind.RAISED, 0, time.monotonic()
    while True:
        now = clock.now_ns()
        due = int((time.monotonic() - begun) * rate)
        events = tuple(
            AlertEvent(f"{r}", kind, one, now, now, "minewatch", row=r, hash="0" * 64)
            for r in range(row + 1, due + 1)
        )
        row = max(row, due)
        core.tell(Push(now, events, ReadingBatch.of(range(POINTS), [now] * POINTS, [1.5] * POINTS)))
        await asyncio.sleep(STEP_S)


async def server(rate: int) -> None:
    """Serve until told to stop on stdin; print the address, then the CPU time used between go and stop."""
    clock = SystemClock()
    settings = ServeSettings(port=0)
    core = FakeCore(MemoryRecords(), clock)
    sock = bind(settings)
    made = make_server(create_app(MemoryRecords(), core, settings, clock), settings)
    serving = asyncio.create_task(made.serve([sock]))
    print(address(sock), flush=True)
    line = asyncio.to_thread(sys.stdin.readline)
    await line
    telling = asyncio.create_task(tell(core, clock, rate))
    await asyncio.to_thread(sys.stdin.readline)  # warm
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    await asyncio.to_thread(sys.stdin.readline)
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - begun
    telling.cancel()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    system = (after.ru_stime - before.ru_stime) / seconds
    print(json.dumps({"cpu": cpu / seconds, "system": system, "rss_mb": after.ru_maxrss / 1024}), flush=True)
    made.should_exit = True
    await serving


class Viewer:
    """Counts events; one of them also reads the times."""

    def __init__(self, *, timing: bool) -> None:
        self.events = 0
        self.late_ms: list[float] = []
        self._timing = timing

    async def watch(self, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        rest = b""
        while data := await reader.read(1 << 18):
            self.events += data.count(b"event: alert")
            if self._timing:
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                now = time.time()
                self.late_ms += [
                    (now - datetime.fromisoformat(json.loads(line[6:])["service_time"]).timestamp()) * 1000
                    for line in lines
                    if line.startswith(b"data: ") and b'"service_time"' in line
                ]


async def bench(viewers: int, rate: int, seconds: float) -> dict[str, str]:
    """Run the server and the viewers; return the figures."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--server", "--rate", str(rate), stdin=-1, stdout=-1
    )
    assert child.stdin
    assert child.stdout
    line = (await child.stdout.readline()).decode()
    while not line.startswith("http://"):
        line = (await child.stdout.readline()).decode()
    host, port = line.strip().removeprefix("http://").rstrip("/").split(":")
    watching = [Viewer(timing=i == 0) for i in range(viewers)]
    tasks = [asyncio.create_task(v.watch(host, int(port))) for v in watching]
    await asyncio.sleep(1)
    child.stdin.write(b"go\n")
    await asyncio.sleep(2)
    child.stdin.write(b"measure\n")
    begun, first = time.monotonic(), [v.events for v in watching]
    watching[0].late_ms.clear()
    await asyncio.sleep(seconds)
    spent = time.monotonic() - begun
    got = [(v.events - f) / spent for v, f in zip(watching, first, strict=True)]
    late = sorted(watching[0].late_ms)
    child.stdin.write(b"stop\n")
    while not (line := (await child.stdout.readline()).decode()).startswith("{"):
        pass
    for task in tasks:
        task.cancel()
    await child.wait()
    told = json.loads(line)
    return {
        "cpu": f"{100 * told['cpu']:.1f} %",
        "cpu_kernel": f"{100 * told['system']:.1f} %",
        "memory": f"{told['rss_mb']:.0f} MB",
        "received": f"{min(got):.0f} events/s",
        "late_p50": f"{late[len(late) // 2]:.1f} ms",
        "late_p99": f"{late[int(len(late) * 0.99)]:.1f} ms",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--server", action="store_true")
    given = parser.parse_args()
    if given.server:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(server(given.rate))
    else:
        for name, figure in asyncio.run(bench(given.viewers, given.rate, given.seconds)).items():
            print(f"push.{name} {figure}")


if __name__ == "__main__":
    main()
