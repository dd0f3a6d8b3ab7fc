"""`minewatch demo` as a process of its own: what it says, its summary, and how it is ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from system.running import family, running_of, wait_for


def minewatch(*arguments: str, patience_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "minewatch", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False)


class Demo:
    """A running demo in a process group of its own, as a terminal would start it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.said = folder / "said.log"
        self.results = folder / "results.log"
        # a path of a local socket ends at 107 bytes: the folder of a test may be too deep for one
        folder.mkdir(parents=True, exist_ok=True)
        self.temporary = Path(tempfile.mkdtemp(prefix="mw-"))
        command = [sys.executable, "-m", "minewatch", "demo", "--json", "--port", "0", *arguments]
        with self.said.open("wb") as said, self.results.open("wb") as results:
            self.process = subprocess.Popen(
                command,
                stdout=results,
                stderr=said,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )

    def press_ctrl_c(self) -> None:
        """Do what a terminal does: signal the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait_until_up(self) -> str:
        """Wait until the demo says where its pages are; return that address."""
        wait_for("the demo is up", lambda: self.address or self.process.poll() is not None, 150)
        assert self.address, self.said.read_text()
        return self.address

    @property
    def address(self) -> str:
        """The address of the pages, empty before the demo is ready."""
        found = re.search(r"minewatch is at (http://\S+/)", self.said.read_text())
        return found[1] if found else ""

    def wait_for_readings(self) -> None:
        """Wait until readings of the simulated mine can be seen."""
        url = f"{self.wait_until_up()}api/v1/readings/latest"
        wait_for("readings are seen", lambda: ask(url)["items"])

    def family(self) -> set[int]:
        """Return the processes that the demo has started."""
        return family(self.process.pid)

    def end(self, patience_s: float = 120) -> tuple[int, dict[str, Any]]:
        """Wait until the demo has ended; return its exit code and its summary."""
        code = self.process.wait(patience_s)
        lines = self.results.read_text().splitlines()
        assert lines, f"no summary, exit code {code}: {self.said.read_text()}"
        summary: dict[str, Any] = json.loads(lines[-1])["summary"]
        return code, summary


@contextlib.contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[Demo]:
    """Yield a demo; whatever happens, nothing of it runs afterwards."""
    started = Demo(folder, *arguments)
    everyone = {started.process.pid}
    try:
        yield started
    except BaseException:
        sys.stderr.write(f"==== demo\n{started.said.read_text(errors='replace')[-4000:]}\n")
        raise
    finally:
        everyone |= started.family()
        for pid in running_of(everyone):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        started.process.wait(10)
        shutil.rmtree(started.temporary, ignore_errors=True)


def ask(url: str) -> Any:
    """Return the JSON of a GET."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
