"""The whole system on this machine, with embedded parts: broker, real edge agents, service, pages."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minewatch.app.broker import free_port, write_settings
from minewatch.app.logs import set_up_logs
from minewatch.app.present import Tally, summary
from minewatch.app.processes import Part, Supervisor
from minewatch.app.service import data_folder, own_folder, service
from minewatch.app.viewer import Viewer
from minewatch.config import Config, build
from minewatch.contracts import Counts
from minewatch.errors import ConfigError, StoreError
from minewatch.serve.server import address, bind
from minewatch.store.records import open_records
from minewatch.store.telemetry import open_telemetry

START_S = 90.0
DRAIN_S = 60.0
INTERRUPTED = 130
SIMULATOR = (sys.executable, "-m", "minewatch_sim.cli")


class Ending:
    """Turns signals into one orderly end; a second Ctrl-C ends at once, after ``at_once`` was done."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.interrupted = False
        self.at_once: list[Callable[[], object]] = []

    def install(self) -> None:
        """Take SIGINT and SIGTERM."""
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, _: Any) -> None:
        if self.asked.is_set():
            for do in self.at_once:
                with contextlib.suppress(Exception):  # it must end, whatever is half made
                    do()
            os._exit(INTERRUPTED)
        self.interrupted = number == signal.SIGINT
        self.asked.set()


def dying_with_us() -> Callable[[], None]:
    """Return what a new process calls so that Linux ends it with its parent, even after ``kill -9``.

    The simulated mine would else try to deliver for a minute; its spools are made for being killed.
    """
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None).prctl  # found before the fork: after it nothing may be loaded
    return lambda: prctl(1, signal.SIGKILL)


@contextmanager
def demo_folder(data: Path | None) -> Iterator[Path]:
    """Yield the folder of a demo: the one asked for is kept, a temporary one is removed."""
    if data is not None:
        yield data_folder(data)
        return
    with tempfile.TemporaryDirectory(prefix="minewatch-demo-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def demo_config(folder: Path, *, port: int, broker_port: int, telemetry: str, influx_url: str) -> Config:
    """Return the configuration of a demo."""
    return build(
        {
            "data": str(folder),
            "ingest": {"brokers": [f"mqtt://127.0.0.1:{broker_port}"]},
            "telemetry": {"kind": telemetry, "influxdb": {"url": influx_url}},
            "serve": {"port": port},
        },
        where="demo",
    )


def run_demo(
    *,
    minutes: float | None,
    speed: float,
    port: int,
    data: Path | None,
    telemetry: str,
    influx_url: str,
    scenario: str,
    say: Callable[[str], None],
) -> tuple[dict[str, Any], int]:
    """Run the demo until Ctrl-C or for some minutes; return its summary and the exit code."""
    ending = Ending()
    ending.install()
    os.environ.setdefault("MINEWATCH_LOG", "warning")  # the processes of the service inherit it
    set_up_logs()
    began = time.monotonic()
    check_scenario(scenario)
    with demo_folder(data) as folder:
        broker_port = free_port()
        config = demo_config(
            folder, port=port, broker_port=broker_port, telemetry=telemetry, influx_url=influx_url
        )
        with own_folder(config), bind(config.serve) as listener:
            settings = write_settings(config.run, broker_port)
            before = _baseline(config)
            keeper = service(config, listener)
            keeper.parts.insert(0, Part("broker", "minewatch.app.broker:run_broker", (settings,)))
            viewer = Viewer(address(listener))
            mine: subprocess.Popen[str] | None = None
            ending.at_once.append(keeper.kill)
            if data is None:
                ending.at_once.append(lambda: shutil.rmtree(folder))
            try:
                say("starting (the first time compiles the detectors: about half a minute) ...")
                _start(keeper, ending)
                viewer.start()
                mine = _start_mine(scenario, speed, broker_port, folder)
                ending.at_once.insert(0, mine.kill)
                say(f"minewatch is at {address(listener)}  (ready after {time.monotonic() - began:.1f} s)")
                say("no accounts yet: the page answers to this machine only. Ctrl-C ends the demo.")
                started = time.monotonic()
                until = started + minutes * 60 if minutes else float("inf")
                while not ending.asked.wait(0.1) and time.monotonic() < until:
                    keeper.look_after()
                    if mine.poll() is not None:
                        raise StoreError("the simulated mine ended by itself; the lines above say why")
                seconds = time.monotonic() - started
                say("ending: waiting until every reading is stored ...")
                sent = _end_mine(mine, keeper.look_after)
                if sent is None:
                    say("it had not begun yet: no summary")
                    raise SystemExit(INTERRUPTED if ending.interrupted else 0)
            finally:
                if mine is not None and mine.poll() is None:
                    mine.kill()
                    mine.wait()
                viewer.stop()
                keeper.stop()
            found = _summarise(config, seconds, sent, viewer, before)
    readings = found["summary"]["readings"]
    faulty = readings["lost"] or readings["duplicate"]
    return found, INTERRUPTED if ending.interrupted else 1 if faulty else 0


def check_scenario(scenario: str) -> None:
    """Raise ConfigError for a scenario that is neither a file nor one of the simulator's own."""
    if scenario == "demo" or Path(scenario).is_file():
        return
    listed = subprocess.run([*SIMULATOR, "list", "--json"], capture_output=True, text=True, check=False)
    names = [json.loads(line)["name"] for line in listed.stdout.splitlines()]
    if scenario not in names:
        raise ConfigError(
            f"there is no scenario {scenario!r}",
            where="--scenario",
            mend=f"Give a file, or one of: {', '.join(names)}.",
        )


def _start(keeper: Supervisor, ending: Ending) -> None:
    """Start the service; leave when that is asked for meanwhile, raise StoreError when it does not start."""
    if keeper.start(START_S, ending.asked.is_set):
        return
    if ending.asked.is_set():
        raise SystemExit(INTERRUPTED if ending.interrupted else 0)
    why = "; ".join(f"{part}: {problem}" for part, problem in keeper.problems().items())
    raise StoreError(f"the service is not ready after {START_S:.0f} s: {why or 'this machine is very busy'}")


def _start_mine(scenario: str, speed: float, broker_port: int, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(*SIMULATOR, "run", scenario, "--json"),
            *("--speed", str(speed), "--broker", f"mqtt://127.0.0.1:{broker_port}"),
            *("--data", str(folder / "gateways")),
        ],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the demo, which ends the mine first
        preexec_fn=dying_with_us(),
    )


def _end_mine(mine: subprocess.Popen[str], meanwhile: Callable[[], None]) -> int | None:
    """Stop sampling, wait until the spools are empty, return how many readings the agents took.

    None when the mine had not come so far that it could count.
    """
    mine.terminate()
    deadline = time.monotonic() + DRAIN_S
    while mine.poll() is None and time.monotonic() < deadline:
        meanwhile()
        time.sleep(0.05)
    if mine.poll() is None:
        raise StoreError(f"the gateways still hold readings after {DRAIN_S:.0f} s")
    if mine.returncode == -signal.SIGTERM:
        return None
    lines = mine.stdout.read().splitlines() if mine.stdout else []
    try:
        return int(json.loads(lines[-1])["sent"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise StoreError(f"the simulated mine ended without its count: {lines[-1:]}") from None


def _counts(config: Config) -> Counts:
    """Count what the telemetry store holds, by a query of our own; the service must not run."""
    with contextlib.closing(open_telemetry(config.telemetry_settings)) as telemetry:
        return telemetry.counts()


def _baseline(config: Config) -> Counts:
    """Return what the store held before the first demo in this folder: a server may hold others' readings.

    The agents' counters in a kept folder go on from demo to demo, and so does what is counted against them.
    """
    file = config.data / "demo-baseline.json"
    if not file.exists():
        file.write_text(json.dumps(asdict(_counts(config))))
    return Counts(**json.loads(file.read_text()))


def _summarise(config: Config, seconds: float, sent: int, viewer: Viewer, before: Counts) -> dict[str, Any]:
    """Count what the stores hold after the service has ended; a server may have held more before."""
    after_run = _counts(config)
    with contextlib.closing(open_records(config.records, config.data, writer=False)) as records:
        tally, after = Tally(), 0
        while events := records.events(after=after, limit=1000):
            tally.add(events)
            after = events[-1].row
        return summary(
            seconds=seconds,
            sent=sent,
            counts=Counts(after_run.stored - before.stored, after_run.distinct - before.distinct),
            rejected=0,
            points=len(records.points()),
            tally=tally,
            latency_ms=viewer.latency_ms,
            telemetry=config.telemetry.kind,
        )
