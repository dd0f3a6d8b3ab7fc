"""iotcore, the broker of the demo, a wheel; always with our TOML: by default it listens on every address."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from .process import Absent, Server, accepts, folder_for, free_port

CONFIG = """\
id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 8388608
max_segment_count = 4

[v4.1]
name = "v4.1"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 5000000
max_inflight_count = 500
dynamic_filters = true
"""


def find() -> str:
    """Return the module's name; raises Absent."""
    if importlib.util.find_spec("iotcore") is None:
        raise Absent("iotcore is not installed (pip install 'minewatch[demo]')")
    return "iotcore"


@contextlib.contextmanager
def running(folder: Path | None = None, port: int = 0) -> Iterator[Server]:
    """Yield a broker that forgets everything when it ends."""
    module = find()
    port = port or free_port()
    with folder_for("iotcore", folder) as home:
        config = home / "iotcore.toml"
        config.write_text(CONFIG.format(port=port))
        command = [sys.executable, "-m", module, "--config", str(config), "--log-level", "WARNING"]
        server = Server("iotcore", port, home, command, lambda: accepts(port))
        server.start()
        try:
            yield server
        finally:
            server.stop()
