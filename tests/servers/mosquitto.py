"""Mosquitto, the broker of production, from the system's packages."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .process import Absent, Server, accepts, folder_for, free_port

CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
{user}persistence true
persistence_location {folder}/
max_queued_messages 0
max_inflight_messages 200
log_dest stderr
"""


def find() -> str:
    """Return the path of the program; raises Absent."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Absent("mosquitto is not installed (apt-get install mosquitto)")
    return found


@contextlib.contextmanager
def running(folder: Path | None = None, port: int = 0) -> Iterator[Server]:
    """Yield a broker that keeps sessions and retained messages over a restart."""
    program = find()
    port = port or free_port()
    with folder_for("mosquitto", folder) as home:
        config = home / "mosquitto.conf"
        # Started by root it would become another user, who may not write here.
        user = "user root\n" if os.geteuid() == 0 else ""
        config.write_text(CONFIG.format(port=port, folder=home, user=user))
        server = Server("mosquitto", port, home, [program, "-c", str(config)], lambda: accepts(port))
        server.start()
        try:
            yield server
        finally:
            server.stop()
