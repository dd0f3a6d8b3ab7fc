"""The control room in a real browser, against the real service with a simulated mine: no stand-ins."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from browser.conftest import NewDesk
from browser.control_room import RECOVERY_MS, ControlRoom
from system.demo_runs import Demo, ask, demo
from system.running import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.system, pytest.mark.timeout(300)]

LOST_WITHIN_MS = 6_000  # five seconds, and one of this busy machine's own
AGAIN_MS = 60_000  # a process starts anew, on a busy machine


@pytest.fixture
def mine(tmp_path: Path, pages: Path) -> Iterator[Demo]:
    """A demo that has just begun; its incident comes within half a minute."""
    with demo(tmp_path, "--data", str(tmp_path / "data")) as running:
        running.wait_until_up()
        yield running


def kill(folder: Path, part: str, how: int = signal.SIGKILL) -> None:
    """Kill a process of the service as a power cut would."""
    state = json.loads((folder / "data/run/processes.json").read_text())
    os.kill(state["parts"][part]["pid"], how)


def incident(mine: Demo) -> dict[str, Any]:
    """Return the alert of the methane limit, once somebody was called."""
    url = f"{mine.address}api/v1/alerts?rule=methane-trip"
    wait_for("the incident is raised", lambda: ask(url)["items"])
    found: dict[str, Any] = ask(url)["items"][0]
    return found


def announce_a_test(room: ControlRoom) -> None:
    """Announce the test of a meter: the real core takes it, and the page reads it back from the journal."""
    room.page.get_by_test_id("tests").click()
    dialog = room.page.get_by_role("dialog")
    dialog.get_by_label("Meter, or zone").select_option(label="karaganda-demo/ch4-heading-12-out/ch4")
    dialog.get_by_role("button", name="Announce test").click()
    expect(dialog.locator("[data-announced]")).to_contain_text("operator")
    expect(dialog.get_by_text("No tests in this period.")).to_be_visible()
    room.press("Escape")
    expect(room.notice).to_have_text("Tests announced: 1")


def test_an_incident_and_three_failures(mine: Demo, new_desk: NewDesk, tmp_path: Path) -> None:
    """An incident is seen and acknowledged by keyboard; killed processes are told, and all comes back."""
    room = ControlRoom.open(new_desk(), mine.address)
    other = ControlRoom.open(new_desk(), mine.address, "ru")
    alert = incident(mine)
    expect(room.row(alert["id"])).to_have_attribute("data-state", "unacknowledged")
    expect(room.row(alert["id"])).to_contain_text(alert["message"]["en"])
    expect(other.row(alert["id"])).to_contain_text(alert["message"]["ru"])
    room.page.screenshot(path=tmp_path / "incident.png")
    room.select(alert["id"])
    room.press("a")
    expect(room.notice).to_have_text("Acknowledged: 1")
    expect(room.row(alert["id"])).not_to_have_attribute("data-state", "unacknowledged")
    expect(other.row(alert["id"])).not_to_have_attribute("data-state", "unacknowledged")
    assert ask(f"{mine.address}api/v1/alerts/{alert['id']}")["acknowledged_by"] == "operator"
    room.page.screenshot(path=tmp_path / "acknowledged.png")
    other.page.screenshot(path=tmp_path / "other-desk.png")

    announce_a_test(room)
    kill(tmp_path, "core")
    core_away = room.banner("problem").filter(has_text=re.compile("core|reachable", re.I))
    expect(core_away.first).to_be_visible(timeout=LOST_WITHIN_MS)
    room.page.screenshot(path=tmp_path / "core-killed.png")
    expect(core_away).to_have_count(0, timeout=AGAIN_MS)
    room.page.screenshot(path=tmp_path / "core-back.png")

    kill(tmp_path, "serve", signal.SIGSTOP)  # killed at once it would be back before the page may say so
    expect(room.banner("lost")).to_be_visible(timeout=LOST_WITHIN_MS)
    expect(other.banner("lost")).to_be_visible(timeout=LOST_WITHIN_MS)
    room.page.screenshot(path=tmp_path / "serve-killed.png")
    kill(tmp_path, "serve")
    expect(room.banner("lost")).to_have_count(0, timeout=RECOVERY_MS + AGAIN_MS)
    expect(room.link).to_have_attribute("data-link", "live")
    value = room.page.locator("article b").first
    expect(value).not_to_have_text("— — —")
    room.page.screenshot(path=tmp_path / "serve-back.png")
    assert room.foreign == []

    mine.press_ctrl_c()
    _, summary = mine.end()
    assert (summary["readings"]["lost"], summary["readings"]["duplicate"]) == (0, 0)
