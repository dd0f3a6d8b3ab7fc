"""Cut the power of a running agent, again and again, and look at what is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from minewatch_edge import state
from minewatch_edge.errors import EdgeConfigError

HERE = Path(__file__).parent


class NoCompiler(Exception):
    """There is no C compiler, so the layer that drops unsynced writes cannot be built."""


def build(folder: Path) -> Path:
    """Compile the layer; raises NoCompiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("no C compiler (cc): install gcc")
    layer = folder / "unsynced.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(layer), str(HERE / "unsynced.c")]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return layer


@dataclass(frozen=True)
class Seen:
    """A row that a spool had committed."""

    row: int
    time_ms: int
    value: float
    durable: bool


@dataclass
class Cuts:
    """An agent on a disk that loses what was not synced; ``cut`` takes its power."""

    layer: Path
    folder: Path
    port: int
    seed: int
    sync: str = "normal"
    boot: int = 0
    lost_files: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.live, self.durable = self.folder / "live", self.folder / "durable"
        self.live.mkdir(parents=True)
        self.durable.mkdir()
        self.witness = self.folder / "witness"
        self.chance = Random(self.seed)

    def start(self) -> None:
        """Start the agent, on a machine that was booted anew."""
        self.boot += 1
        environment = dict(
            os.environ, LD_PRELOAD=str(self.layer), POWER_LIVE=str(self.live), POWER_DURABLE=str(self.durable)
        )
        if self.chance.random() < 0.5:
            environment["POWER_TORN"] = str(self.chance.randrange(1, 1 << 30))
        arguments = (self.port, self.live / "edge.spool", self.witness, self.boot, self.sync)
        with (self.folder / "agent.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(HERE / "agent.py"), *map(str, arguments)],
                env=environment, stdin=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def cut(self) -> None:
        """Take the power: what is not on the disk is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        shutil.rmtree(self.live)
        shutil.copytree(self.durable, self.live)

    def end(self, patience_s: float = 60.0) -> bool:
        """Let the agent deliver what it holds, then end it; False when it did not within the time."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        done = until(self._empty, patience_s)
        self._process.stdin.close()
        self._process.wait(20)
        return done

    def _empty(self) -> bool:
        try:
            found = state.read(state.state_path(self.live / "edge.spool"))
        except (EdgeConfigError, OSError):
            return False
        return bool(found["pid"] == self._process.pid and not found["held_rows"] and not found["waiting"])  # type: ignore[union-attr]

    def seen(self) -> list[Seen]:
        """Return the rows that were committed, in order."""
        if not self.witness.exists():
            return []
        lines = self.witness.read_text().splitlines(keepends=True)
        parts = [line.split() for line in lines if line.endswith("\n")]
        return [Seen(int(i), int(ms), float(value), full == "1") for i, ms, value, full in parts]

    def run(self, rounds: int) -> None:
        """Cut the power at random moments; each time a few rows were committed."""
        for _ in range(rounds):
            before = len(self.seen())
            self.start()
            wanted = before + self.chance.randrange(1, 120)
            if not until(lambda wanted=wanted: len(self.seen()) >= wanted, 30.0):
                raise AssertionError(f"the agent takes nothing any more: {self.folder / 'agent.log'}")
            self.cut()


def until(truth: Callable[[], object], seconds: float) -> bool:
    """Wait for something to become true."""
    never = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if truth():
            return True
        never.wait(0.02)
    return False
