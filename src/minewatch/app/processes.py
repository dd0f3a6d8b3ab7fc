"""Starting processes, keeping them alive, ending them in order.

Each part runs in a process of its own and is started anew when it dies, after a pause that grows while it
keeps dying. A child ends by itself when its parent is gone, so that no kill leaves half a service behind.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pkgutil
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
from minewatch.errors import MinewatchError, StoreError

log = structlog.get_logger(__name__)

CONTEXT = multiprocessing.get_context("spawn")
OF_THE_SUPERVISOR = (signal.SIGINT, signal.SIGHUP)  # it decides what comes of them
LONGEST_PAUSE_S = 5.0
QUIET_S = 30.0  # alive for this long, and the next death is treated as the first
ENDED_BY_ERROR = 3  # exit code of a child that a person must help; its message is in the log


@dataclass(slots=True)
class Part:
    """One process: what it runs, and how it has fared.

    ``target`` is "module:function", so that only the process itself imports what it needs;
    ``function(*args, stop, ready)`` must return on stop.
    """

    name: str
    target: str
    args: tuple[Any, ...]
    process: BaseProcess | None = None
    ready: Any = None
    started: float = 0.0
    pause_s: float = 0.0
    restarts: int = 0
    due: float = field(default=0.0)


def _child(name: str, target: str, args: tuple[Any, ...], ready: Any, trouble: Path) -> None:
    """Run a part until it is told to stop or its parent is gone."""
    for whole_group in OF_THE_SUPERVISOR:  # Ctrl-C and a closed terminal reach every process of the group
        signal.signal(whole_group, signal.SIG_IGN)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel, stop), daemon=True).start()
    set_up_logs()
    own_log = structlog.get_logger(name)

    def is_ready() -> None:
        if not ready.is_set():
            ready.set()
            if why_not(trouble):
                own_log.info("goes on again")
                trouble.unlink(missing_ok=True)

    try:
        pkgutil.resolve_name(target)(*args, stop.is_set, is_ready)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and the part is started again
        if not isinstance(error, MinewatchError):
            own_log.exception("failed")
        if tell(trouble, error):
            own_log.error("cannot go on; it is tried again and again", problem=str(error))
        os._exit(ENDED_BY_ERROR)


def tell(trouble: Path, error: Exception) -> bool:
    """Leave for others why a part cannot go on; False when that was said already."""
    wrong = "store" if isinstance(error, StoreError) else ""
    text = str(error) if isinstance(error, MinewatchError) else f"it failed: {type(error).__name__}: {error}"
    found = {"part": wrong, "problem": text}
    if why_not(trouble) == found:
        return False
    with contextlib.suppress(OSError):  # the disk may be what is wrong
        trouble.write_text(json.dumps(found))
    return True


def why_not(trouble: Path) -> dict[str, str]:
    """Return why a part cannot go on: ``part`` (may be empty) and ``problem``; nothing when it can."""
    try:
        found: dict[str, str] = json.loads(trouble.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _end_with(sentinel: int, stop: threading.Event) -> None:
    wait([sentinel])
    stop.set()
    time.sleep(10)
    os._exit(1)


def trouble_file(folder: Path, part: str) -> Path:
    """Return the file in which a part says why it cannot go on."""
    return folder / f"{part}.problem"


class Supervisor:
    """Keeps parts alive. Parts are given downstream first; they stop upstream first."""

    def __init__(self, parts: Sequence[Part], state_file: Path) -> None:
        self.parts = list(parts)
        self._state_file = state_file

    def start(self, patience_s: float, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Start all parts, downstream first; False when not all are ready in time.

        None waits for another: each seeks the one that it speaks to until it is there, and what is wrong
        with one must be seen on the page.
        """
        until = time.monotonic() + patience_s
        for part in self.parts:
            self._trouble(part).unlink(missing_ok=True)  # of an earlier run
            self._launch(part)
        while not all(part.ready.is_set() for part in self.parts):
            if give_up() or time.monotonic() > until:
                return False
            self.look_after()
            time.sleep(0.05)
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
                if process.exitcode != ENDED_BY_ERROR:  # that one has said why itself
                    log.error("process died; it is started again", part=part.name, code=process.exitcode)
            if part.due and now >= part.due:
                self._launch(part)

    def renew(self, name: str, args: tuple[Any, ...]) -> None:
        """Start a part with other arguments the next time that it has to be started."""
        next(part for part in self.parts if part.name == name).args = args

    def problems(self) -> dict[str, str]:
        """Return, by part, why those that cannot go on cannot."""
        found = {part.name: why_not(self._trouble(part)) for part in self.parts}
        return {name: why["problem"] for name, why in found.items() if why}

    def _launch(self, part: Part) -> None:
        part.ready = CONTEXT.Event()
        part.process = CONTEXT.Process(
            target=_child,
            args=(part.name, part.target, part.args, part.ready, self._trouble(part)),
            name=f"minewatch-{part.name}",
        )
        # inherited: a Ctrl-C before the new process ignores it would end it with a traceback
        before = signal.pthread_sigmask(signal.SIG_BLOCK, OF_THE_SUPERVISOR)
        try:
            part.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        part.started, part.due = time.monotonic(), 0.0
        self._write_state()

    def _write_state(self) -> None:
        state = {
            part.name: {"pid": part.process.pid, "restarts": part.restarts}
            for part in self.parts
            if part.process is not None
        }
        beside = self._state_file.with_suffix(".new")
        try:
            beside.write_text(json.dumps({"supervisor": os.getpid(), "parts": state}))
            beside.replace(self._state_file)
        except OSError as error:  # a full disk must not end the service
            log.warning("process ids not written", file=str(self._state_file), reason=error.strerror)

    def _trouble(self, part: Part) -> Path:
        return trouble_file(self._state_file.parent, part.name)

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
        for part in self.parts:
            self._trouble(part).unlink(missing_ok=True)
        self._state_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End every part at once, as a power cut would; what they hold on disk is made for that."""
        for part in self.parts:
            if part.process is not None and part.process.pid is not None:
                part.process.kill()
                part.process.join(1)
