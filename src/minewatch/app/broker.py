"""The embedded broker of the demo: a Rust broker from a wheel, always with our own settings.

Its defaults listen on every address, cap payloads at 20 kB and let memory grow without bound.
"""

from __future__ import annotations

import importlib.util
import socket
import time
from collections.abc import Callable
from pathlib import Path

from minewatch.errors import ConfigError

SETTINGS = """\
id = 0
[router]
id = 0
max_connections = 1000
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


def free_port() -> int:
    """Return a TCP port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_settings(folder: Path, port: int) -> Path:
    """Write the broker's settings. Raises ConfigError when the broker is not installed."""
    if importlib.util.find_spec("iotcore") is None:
        raise ConfigError(
            "the embedded broker is not installed",
            where="demo",
            mend="Install it with: pip install 'minewatch[demo]'",
        )
    path = folder / "broker.toml"
    path.write_text(SETTINGS.format(port=port))
    return path


def run_broker(settings: Path, stop: Callable[[], bool], ready: Callable[[], None]) -> None:
    """Run the broker in this process until told to stop."""
    from iotcore import Broker  # only the demo has it

    broker = Broker(config_path=str(settings))
    broker.start()
    ready()
    try:
        while not stop():
            time.sleep(0.05)
    finally:
        broker.stop()
