"""Tests of meters in a real browser, against the stub service: announce, end, read the ledger."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from browser.conftest import NewDesk, StubService
from browser.control_room import ControlRoom

pytestmark = pytest.mark.browser

METER = "saryarka/MM-000/methane"
ZONE = "longwall-7/face"


def opened(room: ControlRoom) -> Locator:
    """Open the tests of meters and return the dialog."""
    room.page.get_by_test_id("tests").click()
    dialog = room.page.get_by_role("dialog")
    expect(dialog.locator("[data-test]").first).to_be_visible()
    return dialog


def test_a_test_is_announced_and_ended(stub: StubService, new_desk: NewDesk) -> None:
    """A meter, the gas and the time are enough; another desk sees it at once, and can end it."""
    room, other = (ControlRoom.open(new_desk(), stub.url, language) for language in ("en", "ru"))
    dialog, elsewhere = opened(room), opened(other)
    dialog.get_by_role("button", name="Announce test").click()
    expect(dialog.get_by_text("Choose a meter or a zone.")).to_be_visible()
    dialog.get_by_label("Meter, or zone").select_option(label=METER)
    dialog.get_by_label("From now on, for").select_option(label="2 h")
    dialog.get_by_label("Gas in the bottle").fill("2,2")
    dialog.get_by_label("Comment").fill("Order 117")
    dialog.get_by_role("button", name="Announce test").click()
    for seen in (dialog, elsewhere):
        expect(seen.locator(f"[data-announced='{METER}']")).to_contain_text("Order 117")
    [command] = stub.lever("commands")
    assert command["path"] == "/api/v1/calibrations/announced"
    assert {name: command["body"][name] for name in ("place", "gas_pct", "comment")} == {
        "place": METER, "gas_pct": 2.2, "comment": "Order 117",
    }  # fmt: skip
    before = room.count()
    elsewhere.get_by_role("button", name=f"Закончить: {METER}").click()
    expect(dialog.get_by_text("No test is announced.")).to_be_visible()
    assert stub.lever("commands")[1]["body"] == {"place": METER}
    assert room.count() == before  # it is a row of the journal, and no alert


def test_what_the_service_refuses_is_said(stub: StubService, new_desk: NewDesk) -> None:
    """A refusal stands in the dialog in words, and what was filled in stays."""
    dialog = opened(ControlRoom.open(new_desk(), stub.url))
    stub.lever("refuse", status=503)
    dialog.get_by_label("Meter, or zone").select_option(label=ZONE)
    dialog.get_by_role("button", name="Announce test").click()
    expect(dialog.get_by_role("alert").first).to_contain_text("Not announced. The service is busy.")
    expect(dialog.get_by_label("Meter, or zone")).to_have_value(f"zone {ZONE}")


def test_the_ledger_is_read_by_meter_and_period(stub: StubService, new_desk: NewDesk) -> None:
    """A month at first, a week or everything on demand, page by page; what was no test says so."""
    dialog = opened(ControlRoom.open(new_desk(), stub.url))
    lines = dialog.locator("[data-test]")
    expect(lines).to_have_count(15)
    expect(lines.nth(0)).to_contain_text("runs")
    expect(lines.nth(1)).to_contain_text("9.2 s")
    expect(lines.nth(2)).to_contain_text("was no test")
    dialog.get_by_role("combobox", name="Meter", exact=True).select_option(label=METER)
    expect(lines).to_have_count(5)
    dialog.get_by_label("Period").select_option(label="7 d")
    expect(lines).to_have_count(1)
    dialog.get_by_role("combobox", name="Meter", exact=True).select_option(label="All")
    dialog.get_by_label("Period").select_option(label="All")
    expect(lines).to_have_count(100)
    dialog.get_by_role("button", name="Older tests").click()
    expect(lines).to_have_count(180)


@pytest.mark.parametrize(("language", "width"), [("kk", 1920), ("ru", 1000), ("en", 1920)])
def test_it_is_accessible(
    stub: StubService, new_desk: NewDesk, language: str, width: int, tmp_path: Path
) -> None:
    """Nothing that axe knows is wrong, in any language, wide and narrow."""
    room = ControlRoom.open(new_desk(viewport={"width": width, "height": 1080}), stub.url, language)
    dialog = opened(room)
    stub.lever("commands")
    dialog.locator("form select").first.select_option(label=METER)
    dialog.locator("form button").click()
    expect(dialog.locator(f"[data-announced='{METER}']")).to_be_visible()
    folder = Path(os.environ.get("MINEWATCH_SCREENSHOTS", tmp_path))
    room.page.screenshot(path=folder / f"calibrations-{language}.png")
    results = Axe().run(room.page, options={"resultTypes": ["violations"]})
    assert results.violations_count == 0, results.generate_report()
    assert room.errors == []
