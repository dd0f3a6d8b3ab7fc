"""InfluxDB 1.8.10, built by Go; newer servers answer the two calls we make in the same way.

`python3 -m tests.servers.influxd install` builds it into build/bin (three minutes); instead of `install`:
`find` prints where it is, `run [PORT]` runs one until Ctrl-C.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from .process import Absent, Server, folder_for, free_port

ROOT = Path(__file__).resolve().parents[2]
MODULE = "github.com/influxdata/influxdb/cmd/influxd@v1.8.10"

CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
logging-enabled = false
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
index-version = "tsi1"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
auth-enabled = {auth}
[logging]
level = "warn"
"""


def find() -> Path:
    """Return the path of the program; raises Absent."""
    candidates = [
        os.environ.get("MINEWATCH_INFLUXD"),
        shutil.which("influxd"),
        str(ROOT / "build/bin/influxd"),
        str(Path("~/go/bin/influxd").expanduser()),
    ]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK) and Path(candidate).is_file():
            return Path(candidate)
    raise Absent("influxd is not installed (make it with: python3 -m tests.servers.influxd install)")


def go() -> str:
    """Return the path of the Go tool; raises Absent."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if found is None:
        raise Absent("go is not installed (apt-get install golang-go, version 1.20 or later)")
    return found


def install() -> Path:
    """Build the program into build/bin, unless there is one already."""
    with contextlib.suppress(Absent):
        return find()
    target = ROOT / "build/bin"
    target.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(target), "CGO_ENABLED": "0"}
    if "HOME" not in os.environ:
        environment |= {"GOPATH": str(ROOT / "build/go"), "GOCACHE": str(ROOT / "build/go/cache")}
    subprocess.run([go(), "install", MODULE], env=environment, check=True, cwd=target)
    return find()


@contextlib.contextmanager
def running(folder: Path | None = None, port: int = 0, *, auth: bool = False) -> Iterator[Server]:
    """Yield a server; with ``auth`` it answers only who has made himself known."""
    program = find()
    port = port or free_port()
    with folder_for("influxd", folder) as home:
        config = home / "influxd.conf"
        values = {"rpc": free_port(), "port": port, "folder": home, "auth": str(auth).lower()}
        config.write_text(CONFIG.format(**values))
        command = [str(program), "-config", str(config)]
        server = Server("influxd", port, home, command, lambda: _answers(port))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1) as answer:
            return bool(answer.status == 204)
    except (OSError, urllib.error.URLError):
        return False


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["install"]:
                print(install())
            case ["find"]:
                print(find())
            case ["run", *port]:
                _run(int(port[0]) if port else 0)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except Absent as absent:
        print(absent, file=sys.stderr)
        return 1
    return 0


def _run(port: int) -> None:
    with running(port=port) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"http://127.0.0.1:{server.port} (Ctrl-C ends it)", flush=True)
        assert server.process is not None
        server.process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
