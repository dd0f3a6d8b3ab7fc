"""A real browser, the built pages, and the stub service beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=10_000)  # machines that test are busy

NewDesk = Callable[..., BrowserContext]


def skip_or_fail(why: str) -> None:
    """Skip on a user's machine, fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def pages() -> Path:
    """Build the pages when they are missing."""
    static = ROOT / "src/minewatch/serve/static"
    if not (static / "index.html").exists():
        sys.path.insert(0, str(ROOT))
        try:
            from hatch_build import build_pages

            build_pages(ROOT)
        except (ImportError, OSError, subprocess.CalledProcessError) as error:
            skip_or_fail(f"the pages are not built ({error}): run 'python hatch_build.py'")
        finally:
            sys.path.remove(str(ROOT))
    return static


@pytest.fixture(scope="module")  # its event loop must be gone before other modules run theirs
def chromium() -> Iterator[Browser]:
    """Start the system's chromium."""
    if not CHROMIUM.exists():
        skip_or_fail(f"no {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def new_desk(chromium: Browser) -> Iterator[NewDesk]:
    """Make desks: browser contexts with storage of their own and a full-size screen."""
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        screen = {"width": 1920, "height": 1080}
        context = chromium.new_context(**({"viewport": screen, "reduced_motion": "reduce"} | options))
        context.set_default_timeout(15_000)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


class StubService:
    """The stub as a process of its own, so that it can be frozen and killed."""

    def __init__(self, alerts: int) -> None:
        self.alerts = alerts
        self.process = self._start(0)
        self.url = self._address()
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))

    def _start(self, port: int) -> subprocess.Popen[str]:
        stub = Path(__file__).parent / "stub.py"
        command = [sys.executable, str(stub), "--port", str(port), "--alerts", str(self.alerts)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def _address(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def lever(self, name: str, **body: Any) -> Any:
        """Pull a lever of the stub."""
        return httpx.post(f"{self.url}stub/{name}", json=body, timeout=10).raise_for_status().json()

    def freeze(self) -> None:
        """Stop the process without closing a connection."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the frozen process go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def restart(self) -> None:
        """Start again on the same port."""
        self.process = self._start(self.port)
        self._address()


@pytest.fixture
def start_stub(pages: Path) -> Iterator[Callable[[int], StubService]]:
    """Start stubs with a given number of alerts."""
    made: list[StubService] = []

    def start(alerts: int = 60) -> StubService:
        made.append(StubService(alerts))
        return made[-1]

    yield start
    for stub in made:
        stub.kill()


@pytest.fixture
def stub(start_stub: Callable[[int], StubService]) -> StubService:
    """Start one stub with sixty alerts."""
    return start_stub(60)
