"""Conservation: whatever is killed or goes dead, each reading that was ever made is stored, once, in order.

The devices are CSV files to which the test itself appends, so that what was sent is on the disk before the
agent can see it. Faults come at random moments from a seed, and may overlap with the healing of the last one.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from minewatch.config import load
from minewatch.contracts import F8, I8, AlertEvent, EventKind
from minewatch.store.records import open_records
from minewatch.store.telemetry import open_telemetry
from servers import influxd, iotcore, mosquitto
from servers.process import Server
from system.link import Link
from system.running import System, wait_for

BROKERS = {"mosquitto": mosquitto.running, "iotcore": iotcore.running}
STORES = ("duckdb", "influxdb")

_ROWS_A_SECOND = 40
_POINTS = 4
_FILES = 2


@dataclass
class Outcome:
    """What was sent and what the store holds of it; ``lost``, ``twice`` and ``disordered`` must be 0."""

    rounds: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    foreign: int = 0
    disordered: int = 0
    raised_twice: int = 0

    @property
    def whole(self) -> bool:
        """Whether each reading sent is stored once, in order, and nothing else is."""
        return self.stored == self.sent and not (
            self.lost or self.twice or self.foreign or self.disordered or self.raised_twice
        )


class Writer:
    """Devices that append numbered rows to their files; the files are the log of what was sent."""

    def __init__(self, folder: Path) -> None:
        self.files = [folder / f"device-{i}.csv" for i in range(_FILES)]
        self.rows = 0
        self._stop = threading.Event()
        self._last_ms = 0
        for file in self.files:
            file.write_text("time," + ",".join(f"p{i}" for i in range(_POINTS)) + "\n")
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """End with a whole line."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        with ExitStack() as stack:
            streams = [stack.enter_context(file.open("a")) for file in self.files]
            while not self._stop.wait(1 / _ROWS_A_SECOND):
                self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
                self.rows += 1
                when = datetime.fromtimestamp(self._last_ms / 1000, UTC).isoformat(timespec="milliseconds")
                for stream in streams:
                    stream.write(f"{when}," + ",".join([str(self.rows)] * _POINTS) + "\n")
                    stream.flush()

    def log(self, file: int) -> dict[int, int]:
        """Return value -> time in ms of every row that a device wrote, read back from its file."""
        found = {}
        for line in self.files[file].read_text().splitlines()[1:]:
            when, value, *_ = line.split(",")
            found[int(value)] = round(datetime.fromisoformat(when).timestamp() * 1000)
        return found


class Conserving:
    """One system under faults: an agent and a broker behind links that can go dead, a service, a store."""

    def __init__(
        self,
        folder: Path,
        broker: Server,
        store: Server | None,
        chance: random.Random,
        say: Callable[[str], None],
    ) -> None:
        self.chance = chance
        self.broker = broker
        self.store = store
        self.say = say
        self.writer = Writer(folder)
        self.agent_link, self.service_link = Link(broker.port), Link(broker.port)
        self.store_link = Link(store.port) if store else None
        more = ""
        if self.store_link:
            url = f"http://127.0.0.1:{self.store_link.port}"
            more = f'[telemetry]\nkind = "influxdb"\n[telemetry.influxdb]\nurl = "{url}"\ntimeout_s = 3\n'
        self.system = System(folder, broker, more=more)
        config = self.system.config
        config.write_text(
            config.read_text()
            .replace(f"127.0.0.1:{broker.port}", f"127.0.0.1:{self.service_link.port}")
            .replace("keepalive_s = 5", "keepalive_s = 3")
        )
        self._write_edge()
        self.outcome = Outcome()

    def _write_edge(self) -> None:
        lines = [
            '[gateway]\nsite = "kill-test"\nid = "gw-1"\n',
            f'[broker]\nhost = "127.0.0.1"\nport = {self.agent_link.port}\nkeepalive_s = 3\n',
            f'[spool]\npath = "{self.system.folder}/edge.spool"\nresend_s = 2\n',
        ]
        for i, file in enumerate(self.writer.files):
            lines.append(
                f'[[device]]\nid = "device-{i}"\nzone = "longwall-7/face"\ndriver = "csv"\nfile = "{file}"\n'
                'time = "time"\nmode = "follow"\nstart = "start"\ninterval_s = 0.05\n'
            )
            lines += [
                f'[[device.point]]\nmetric = "P{p}"\nquantity = "count"\nunit = "1"\ncolumn = "p{p}"\n'
                for p in range(_POINTS)
            ]
        self.system.edge.write_text("\n".join(lines))

    # ---- faults --------------------------------------------------------------------------------

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return what can go wrong here, by name."""
        found: dict[str, Callable[[], None]] = {
            "kill agent": self._kill_agent,
            "kill broker": lambda: self._kill_server(self.broker),
            "dead link of the agent": lambda: self._dead(self.agent_link),
            "dead link of the service": lambda: self._dead(self.service_link),
            "frozen broker": lambda: self._freeze(self.broker.pid),
            "frozen agent": self._freeze_agent,
        }
        for part in ("ingest", "core"):
            found[f"kill {part}"] = lambda part=part: self.system.kill_part(part)  # type: ignore[misc]  # bound now
            found[f"frozen {part}"] = lambda part=part: self._freeze(self.system.part_pid(part))  # type: ignore[misc]
        store, link = self.store, self.store_link
        if store and link:
            found["kill store"] = lambda: self._kill_server(store)
            found["frozen store"] = lambda: self._freeze(store.pid)
            found["dead link of the store"] = lambda: self._dead(link)
        else:
            found["kill store"] = lambda: self.system.kill_part("core")  # the embedded store lives there
        return found

    def _pause(self, least_s: float, most_s: float) -> None:
        time.sleep(self.chance.uniform(least_s, most_s))

    def _kill_agent(self) -> None:
        agent = self.system.agent
        assert agent is not None
        agent.kill()
        agent.wait()
        self._pause(0.0, 1.0)
        self.system.start_agent()

    def _kill_server(self, server: Server) -> None:
        server.kill()
        self._pause(0.0, 3.0)
        server.start()

    def _freeze_agent(self) -> None:
        assert self.system.agent is not None
        self._freeze(self.system.agent.pid)

    def _freeze(self, pid: int) -> None:
        """Let a process stand still: its connections live, and nobody answers."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self._pause(0.5, 5.0)
            os.kill(pid, signal.SIGCONT)

    def _dead(self, link: Link) -> None:
        link.up = False
        self._pause(0.5, 8.0)
        link.up = True

    # ---- a run ---------------------------------------------------------------------------------

    def run(self, rounds: int) -> Outcome:
        """Run so many rounds, let all heal, and count."""
        self.writer.start()
        self.system.start_service()
        self.system.start_agent()
        wait_for("readings are acknowledged", lambda: self.system.held()["acked"] > 0, 90)
        faults = self.faults()
        order = list(faults) * (rounds // len(faults) + 1)
        order = order[:rounds]
        self.chance.shuffle(order)
        for number, name in enumerate(order, 1):
            self.say(f"round {number}: {name}")
            faults[name]()
            self.outcome.rounds[name] += 1
            self._pause(0.0, 3.0)
        self.writer.stop()
        self._settle()
        self.system.stop()
        self._count()
        return self.outcome

    def _settle(self) -> None:
        expected = self.writer.rows * _POINTS * _FILES
        self.say(f"healing: {expected} readings were sent")
        wait_for("the service is ready", self.system.ready, 120)

        def done() -> bool:
            held = self.system.held()
            return bool(held["sampled"] >= expected and held["held"] == 0)

        wait_for("all is sampled and acknowledged", done, 180)

    def _count(self) -> None:
        """Hold what the store has of each point against the file of its device."""
        made = self.outcome
        config = load(self.system.config)
        records = open_records(config.records, config.data, writer=False)
        store = open_telemetry(config.telemetry_settings)
        try:
            points = records.points()
            store.add_points(points)
            ids = {info.place: index for index, info in points.items()}
            for number in range(_FILES):
                log = self.writer.log(number)
                for point in range(_POINTS):
                    found = store.readings(ids[f"kill-test/device-{number}/P{point}"], 0, 2**62, 10**8)
                    self._compare(log, found.value, found.ts_ns // 1_000_000)
            made.foreign += abs(store.counts().stored - made.stored)
        finally:
            store.close()
            records.close()
        made.raised_twice = _raised_twice(self.system.journal())

    def _compare(self, log: dict[int, int], values: F8, times_ms: I8) -> None:
        made = self.outcome
        got = Counter(zip(values.astype(int).tolist(), times_ms.tolist(), strict=True))
        want = set(log.items())
        made.sent += len(want)
        made.stored += int(got.total())
        made.lost += len(want - set(got))
        made.twice += sum(times - 1 for times in got.values())
        made.foreign += len(set(got) - want)
        made.disordered += int(np.count_nonzero(np.diff(values) < 0))

    def close(self) -> None:
        """End what runs."""
        self.writer.stop()
        if self.system.agent is not None and self.system.agent.poll() is None:
            os.kill(self.system.agent.pid, signal.SIGCONT)
        self.system.stop()
        for link in (self.agent_link, self.service_link, self.store_link):
            if link:
                link.close()


def _raised_twice(events: Sequence[AlertEvent]) -> int:
    """Count how often an alert was raised that stood already: an activation must end before the next."""
    standing: set[str] = set()
    found = 0
    for event in events:
        if event.event is EventKind.RAISED:
            found += event.alert.id in standing
            standing.add(event.alert.id)
        elif event.event is EventKind.CLEARED:
            standing.discard(event.alert.id)
    return found


@contextmanager
def conserving(
    folder: Path, broker: str, telemetry: str, seed: int, say: Callable[[str], None]
) -> Iterator[Conserving]:
    """Yield a system on a broker and a store of these kinds; raises Absent when one is not here."""
    with ExitStack() as stack:
        server = stack.enter_context(BROKERS[broker](folder / "broker"))
        store = stack.enter_context(influxd.running(folder / "influxd")) if telemetry == "influxdb" else None
        made = Conserving(folder, server, store, random.Random(seed), say)
        try:
            yield made
        finally:
            made.close()
