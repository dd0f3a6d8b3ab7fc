"""A whole system of real processes: broker, service, agent; each can be killed and looked at."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from minewatch.config import load
from minewatch.contracts import AlertEvent, Counts
from minewatch.store.records import open_records
from minewatch.store.telemetry import open_telemetry
from servers.process import Server, free_port

PATIENCE_S = 60.0


def wait_for(what: str, test: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until something is true; fail with its name when it does not become so."""
    until = time.monotonic() + patience_s
    while not test():
        if time.monotonic() > until:
            raise AssertionError(f"not within {patience_s:.0f} s: {what}")
        time.sleep(0.05)


def family(pid: int) -> set[int]:
    """Return the process ids of all that a process has started, and of what these have started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found, before = {pid}, set[int]()
    while found != before:
        before = set(found)
        found |= {child for child, parent in pairs if parent in before}
    return found - {pid}


def running_of(pids: set[int]) -> set[int]:
    """Return those of some processes that still run; a zombie does not."""
    listed = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(pid) for pid, state in rows if not state.startswith("Z")} & pids


def edge_toml(folder: Path, port: int, *, points: int, interval_s: float) -> Path:
    """Write an agent's configuration: a meter that goes over its limit every 20 s, and quiet ones."""
    lines = [
        '[gateway]\nsite = "kill-test"\nid = "gw-1"\n',
        f'[broker]\nhost = "127.0.0.1"\nport = {port}\nkeepalive_s = 5\n',
        f'[spool]\npath = "{folder}/edge.spool"\nresend_s = 3\n',
        '[[device]]\nid = "gas"\nzone = "longwall-7/face"\ndriver = "simulated"\n',
        f"interval_s = {interval_s}\n",
        '[[device.point]]\nmetric = "CH4"\nquantity = "methane"\nunit = "% CH4"\nlow = 0.0\nhigh = 40.0\n'
        'wave = "sine"\nmean = 1.5\namplitude = 1.5\nperiod_s = 20\n',
    ]
    lines += [
        f'[[device.point]]\nmetric = "CO-{i}"\nquantity = "carbon_monoxide"\nunit = "ppm"\n'
        "low = 0.0\nhigh = 500.0\nmean = 3.0\nnoise = 0.2\n"
        for i in range(points - 1)
    ]
    path = folder / "edge.toml"
    path.write_text("\n".join(lines))
    return path


class System:
    """Starts the parts, kills them, and counts what came through."""

    def __init__(
        self, folder: Path, broker: Server, *, points: int = 50, interval_s: float = 0.2, more: str = ""
    ) -> None:
        self.folder = folder
        self.broker = broker
        self.port = free_port()
        self.config = folder / "minewatch.toml"
        self.config.write_text(
            f'data = "{folder}/data"\n'
            f'[ingest]\nbrokers = ["mqtt://127.0.0.1:{broker.port}"]\nkeepalive_s = 5\n'
            f"[core]\nsnapshot_interval_s = 2\n[serve]\nport = {self.port}\n{more}"
        )
        self.points = points
        self.edge = edge_toml(folder, broker.port, points=points, interval_s=interval_s)
        self.service: subprocess.Popen[bytes] | None = None
        self.agent: subprocess.Popen[bytes] | None = None

    # ---- parts -------------------------------------------------------------------------------

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{command[0].replace('.', '-')}.log").open("ab")
        with log:
            return subprocess.Popen([sys.executable, "-m", *command], stdout=log, stderr=log)

    def start_service(self, *, wait: bool = True) -> None:
        """Start the service and wait until it says it is ready."""
        self.service = self._start("minewatch", "serve", "--config", str(self.config))
        if wait:
            wait_for("the service is ready", self.ready, 120)

    def start_agent(self) -> None:
        """Start the agent and wait until it has its spool."""
        self.agent = self._start("minewatch_edge.cli", "run", str(self.edge))
        wait_for("the agent runs", (self.folder / "edge.spool.state.json").exists)

    def kill_agent(self) -> None:
        """Kill the agent and start it again."""
        assert self.agent is not None
        self.agent.kill()
        self.agent.wait()
        self.start_agent()

    def drain_agent(self) -> None:
        """Let the agent empty its spool while it takes (almost) nothing new, then end it."""
        assert self.agent is not None
        self.agent.terminate()
        self.agent.wait(30)
        if self.held()["held"]:  # one more reading of each point is taken when it starts, and delivered too
            edge_toml(self.folder, self.broker.port, points=self.points, interval_s=3600)
            self.start_agent()
            wait_for("the spool is empty", lambda: self.held()["held"] == 0, 90)
            self.agent.terminate()
            self.agent.wait(30)
        assert self.held()["held"] == 0

    def part_pid(self, part: str) -> int:
        """Return the process id of core, serve or ingest."""
        state = json.loads((self.folder / "data/run/processes.json").read_text())
        return int(state["parts"][part]["pid"])

    def kill_part(self, part: str) -> None:
        """Kill a process of the service and wait until another runs in its place."""
        pid = self.part_pid(part)
        os.kill(pid, signal.SIGKILL)
        wait_for(f"{part} runs again", lambda: self.part_pid(part) != pid)

    def stop(self) -> None:
        """End what runs, agent first."""
        for process in (self.agent, self.service):
            if process is not None and process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(40)
                if process.poll() is None:
                    process.kill()
                    process.wait()

    # ---- looking -----------------------------------------------------------------------------

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of a GET; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, None

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> tuple[int, Any]:
        """Return status and JSON of a POST."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def problems(self) -> dict[str, str]:
        """Return what /readyz says is wrong, by part; nothing when all is well or nobody answers."""
        status, body = self.get("/readyz")
        return dict(body["problems"]) if status == 503 else {}

    def ready(self) -> bool:
        """Return whether the service says it is ready."""
        return self.get("/readyz")[0] == 200

    def held(self) -> dict[str, Any]:
        """Return what the agent's spool says: counters and what is held."""
        done = subprocess.run(
            [sys.executable, "-m", "minewatch_edge.cli", "spool", str(self.edge), "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def counts(self) -> Counts:
        """Return what the store holds; the service must have ended."""
        store = open_telemetry(load(self.config).telemetry_settings)
        try:
            return store.counts()
        finally:
            store.close()

    def journal(self) -> list[AlertEvent]:
        """Return the whole journal, after its chain was walked."""
        config = load(self.config)
        records = open_records(config.records, config.data, writer=False)
        try:
            records.verify()
            found: list[AlertEvent] = []
            while page := records.events(after=found[-1].row if found else 0, limit=1000):
                found += page
            return found
        finally:
            records.close()


@contextlib.contextmanager
def system(folder: Path, broker: Server, **options: Any) -> Iterator[System]:
    """Yield a system with service and agent running; print their logs when the test fails."""
    made = System(folder, broker, **options)
    try:
        made.start_service()
        made.start_agent()
        yield made
    except BaseException:
        for log in folder.glob("*.log"):
            sys.stderr.write(f"==== {log.name}\n{log.read_text(errors='replace')[-4000:]}\n")
        raise
    finally:
        made.stop()
