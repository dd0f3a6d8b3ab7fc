"""Real servers for the tests: each module finds or installs one, starts it on loopback, and stops it.

Only the standard library is used, so that `python3 -m tests.servers.influxd install` runs before anything is
installed.
"""

from .process import Absent, Server, free_port

__all__ = ["Absent", "Server", "free_port"]
