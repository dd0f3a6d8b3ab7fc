"""The whole service on this machine: its three processes, started together."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minewatch.app.link import socket_path_problem
from minewatch.app.processes import Part, Supervisor
from minewatch.config import Config
from minewatch.errors import ConfigError


@contextmanager
def own_folder(config: Config) -> Iterator[None]:
    """Hold the data folder for this service alone. Raises ConfigError when another one has it."""
    if problem := socket_path_problem(config.socket):
        raise ConfigError(problem, where="data", mend="Choose a data folder with a shorter path.")
    try:
        config.run.mkdir(parents=True, exist_ok=True)
        lock = (config.run / "lock").open("a+")
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})",
            where=f"data folder {config.data}",
            mend="Choose another with --data, or mend its permissions.",
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise ConfigError(
                f"is in use by another minewatch (process {lock.read().strip() or 'unknown'})",
                where=f"data folder {config.data}",
                mend="Stop that one, or choose another folder with --data.",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def service(config: Config, listener: socket.socket) -> Supervisor:
    """Return the service's supervisor, not started yet."""
    parts = [
        Part("core", "minewatch.app.core:run_core", (config,)),
        Part("serve", "minewatch.app.serve:run_serve", (config, listener)),
        Part("ingest", "minewatch.app.ingest:run_ingest", (config,)),
    ]
    return Supervisor(parts, config.run / "processes.json")


def data_folder(path: Path) -> Path:
    """Return a folder as an absolute path, so that every process means the same one."""
    return path.expanduser().resolve()
