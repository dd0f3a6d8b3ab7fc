"""Starting processes, keeping them alive, ending them in order.

Each part runs in a process of its own and is started anew when it dies, after a pause that grows while it
keeps dying. A child ends by itself when its parent is gone, so that no kill leaves half a service behind.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import structlog

from minewatch.app.logs import set_up_logs
from minewatch.errors import MinewatchError

log = structlog.get_logger(__name__)

CONTEXT = multiprocessing.get_context("spawn")
LONGEST_PAUSE_S = 5.0
QUIET_S = 30.0  # alive for this long, and the next death is treated as the first
ENDED_BY_ERROR = 3  # exit code of a child that a person must help; its message is in the log


@dataclass(slots=True)
class Part:
    """One process: what it runs, and how it has fared. ``target(*args, stop, ready)`` must return on stop."""

    name: str
    target: Callable[..., None]
    args: tuple[Any, ...]
    process: BaseProcess | None = None
    ready: Any = None
    started: float = 0.0
    pause_s: float = 0.0
    restarts: int = 0
    due: float = field(default=0.0)


def _child(name: str, target: Callable[..., None], args: tuple[Any, ...], ready: Any) -> None:
    """Run a part until it is told to stop or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel, stop), daemon=True).start()
    set_up_logs()
    try:
        target(*args, stop.is_set, ready.set)
    except MinewatchError as error:
        structlog.get_logger(name).error("cannot go on", problem=str(error))
        os._exit(ENDED_BY_ERROR)


def _end_with(sentinel: int, stop: threading.Event) -> None:
    wait([sentinel])
    stop.set()
    time.sleep(10)
    os._exit(1)


class Supervisor:
    """Keeps parts alive. Parts are given downstream first; they stop upstream first."""

    def __init__(self, parts: Sequence[Part], state_file: Path) -> None:
        self.parts = list(parts)
        self._state_file = state_file

    def start(self, patience_s: float) -> bool:
        """Start each part once the one before it is ready; False when one is not ready in time."""
        deadline = time.monotonic() + patience_s
        for part in self.parts:
            self._launch(part)
            while not part.ready.wait(0.05):
                self.look_after()
                if time.monotonic() > deadline:
                    return False
        return True

    def look_after(self) -> None:
        """Start again what has died and whose pause is over; never blocks."""
        now = time.monotonic()
        for part in self.parts:
            process = part.process
            if process is None:
                continue
            if process.exitcode is not None and not part.due:
                if now - part.started > QUIET_S:
                    part.pause_s = 0.0
                part.due = now + part.pause_s
                part.pause_s = min(LONGEST_PAUSE_S, max(0.1, part.pause_s * 2))
                part.restarts += 1
                log.error("process died; it is started again", part=part.name, code=process.exitcode)
            if part.due and now >= part.due:
                self._launch(part)

    def _launch(self, part: Part) -> None:
        part.ready = CONTEXT.Event()
        part.process = CONTEXT.Process(
            target=_child, args=(part.name, part.target, part.args, part.ready), name=f"minewatch-{part.name}"
        )
        part.process.start()
        part.started, part.due = time.monotonic(), 0.0
        self._write_state()

    def _write_state(self) -> None:
        state = {
            part.name: {"pid": part.process.pid, "restarts": part.restarts}
            for part in self.parts
            if part.process is not None
        }
        beside = self._state_file.with_suffix(".new")
        beside.write_text(json.dumps({"supervisor": os.getpid(), "parts": state}))
        beside.replace(self._state_file)

    def stop(self, patience_s: float = 15.0) -> None:
        """End the parts in order, upstream first; what does not end in time is killed, and said."""
        for part in reversed(self.parts):
            process = part.process
            if process is None or process.exitcode is not None:
                continue
            process.terminate()
            process.join(patience_s)
            if process.exitcode is None:
                log.error("process did not end in time and is killed", part=part.name, after_s=patience_s)
                process.kill()
                process.join()
        self._state_file.unlink(missing_ok=True)
