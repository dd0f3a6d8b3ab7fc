"""Servers and recordings for every test; what is absent skips on a user's machine and fails in CI."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

import pytest

from servers import Absent, Server, chromium, influxd, iotcore, mosquitto

ABSENT = "absent part: "
ROOT = Path(__file__).resolve().parents[1]
UNIT = ROOT / "tests" / "unit"


def _absent(why: object) -> NoReturn:
    pytest.skip(f"{ABSENT}{why}")


def _serve(running: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    try:
        server = running()
        with server as started:
            yield started
    except Absent as absent:
        _absent(absent)


@pytest.fixture(scope="session")
def influxd_server() -> Iterator[Server]:
    """An InfluxDB for the whole session: each test takes a database of its own."""
    yield from _serve(influxd.running)


@pytest.fixture
def mosquitto_server() -> Iterator[Server]:
    """A mosquitto of this test alone."""
    yield from _serve(mosquitto.running)


@pytest.fixture
def iotcore_server() -> Iterator[Server]:
    """An iotcore of this test alone."""
    yield from _serve(iotcore.running)


@pytest.fixture(params=["mosquitto", "iotcore"])
def broker(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each of the two brokers in turn."""
    yield from _serve({"mosquitto": mosquitto.running, "iotcore": iotcore.running}[request.param])


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser that the pages are tested in."""
    try:
        return chromium.find()
    except Absent as absent:
        _absent(absent)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder with a folder for each recording."""
    folder = Path(os.environ.get("MINEWATCH_DATA", ROOT.parent / "shared/data"))
    if not folder.is_dir():
        _absent(f"no recordings in {folder} (set MINEWATCH_DATA to their folder)")
    return folder


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of unit tests last: they are short, so no worker is left alone with a long one."""
    items.sort(key=lambda item: UNIT in item.path.parents)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Let a test fail in CI whose part is absent: a green run there must have run everything."""
    report = yield
    _fail_if_absent(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """The same for a module that skips itself."""
    report = yield
    _fail_if_absent(report)
    return report


def _fail_if_absent(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") != "true" or not report.skipped or not isinstance(report.longrepr, tuple):
        return
    file, line, reason = report.longrepr
    if ABSENT in reason:
        report.outcome = "failed"
        report.longrepr = f"{file}:{line}: {reason} - and CI must run everything"
