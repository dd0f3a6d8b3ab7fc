"""The control room in a real browser, against the stub service."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser.conftest import NewDesk, StubService
from browser.control_room import RECOVERY_MS, ControlRoom

pytestmark = pytest.mark.browser

StartStub = Callable[[int], StubService]
LOST_WITHIN_MS = 6_000  # five seconds, and one of this busy machine's own


def test_live_and_alone(stub: StubService, new_desk: NewDesk) -> None:
    """The page is live, moves, asks nobody but its own host, and breaks no rule of the content policy."""
    room = ControlRoom.open(new_desk(), stub.url)
    value = room.page.locator("article b").first
    before = value.inner_text()
    expect(value).not_to_have_text(before)
    expect(room.page.locator("article")).to_have_count(12)
    fonts = room.page.evaluate(
        "document.fonts.ready.then(f => [...f].filter(x => x.status === 'loaded').length)"
    )
    assert fonts > 0
    assert room.foreign == []
    assert room.errors == []


def test_ten_thousand_alerts(start_stub: StartStub, new_desk: NewDesk) -> None:
    """Ten thousand alerts are listed; only those that can be seen are in the document."""
    room = ControlRoom.open(new_desk(), start_stub(10_000).url)
    assert room.count() > 8_000
    assert room.rows.count() < 50
    room.focus()
    room.press("End")
    last = room.rows.last
    expect(last).to_have_attribute("aria-rowindex", str(room.count() + 1))
    expect(last).to_have_attribute("aria-selected", "true")


def test_filter_by_text_zone_and_priority(stub: StubService, new_desk: NewDesk) -> None:
    """Text, zone and priority narrow the list; an empty result names the filter and offers to clear it."""
    room = ControlRoom.open(new_desk(), stub.url)
    everything = room.count()
    room.page.get_by_label("Filter", exact=True).fill("methane")
    expect(room.total).to_contain_text("Shown")
    assert 0 < room.count() < everything
    room.page.get_by_label("Filter", exact=True).fill("no such thing")
    expect(room.page.get_by_test_id("empty")).to_contain_text("no such thing")
    room.page.get_by_role("button", name="Clear the filter").click()
    room.expect_count(everything)
    room.page.locator("[data-zone='longwall-7/face']").click()
    expect(room.page.get_by_test_id("zone-chip")).to_contain_text("longwall-7/face")
    expect(room.page.locator("article")).to_have_count(5)
    room.page.get_by_test_id("zone-chip").click()
    room.focus()
    room.press("1")
    expect(room.page.get_by_role("button", name="≤ 1")).to_have_attribute("aria-pressed", "true")
    assert room.rows.first.get_by_role("img", name=re.compile("^1")).count() == 1


def test_an_incident_from_raised_to_acknowledged(stub: StubService, new_desk: NewDesk) -> None:
    """An alert appears, is acknowledged with the keyboard, and another desk sees who did it."""
    room = ControlRoom.open(new_desk(), stub.url)
    other = ControlRoom.open(new_desk(), stub.url, "ru")
    alert = stub.lever("raise", point=0)
    expect(room.rows.first).to_have_id(f"alert-{alert['id']}")
    room.select(alert["id"])
    room.press("a")
    expect(room.row(alert["id"])).to_have_attribute("data-state", "acknowledged")
    expect(room.notice).to_have_text("Acknowledged: 1")
    commands = stub.lever("commands")
    assert [c["path"] for c in commands] == [f"/api/v1/alerts/{alert['id']}/acknowledge"]
    expect(other.rows.first).not_to_have_id(f"alert-{alert['id']}")
    other.page.get_by_label("Фильтр", exact=True).fill(alert["place"])
    expect(other.row(alert["id"])).to_contain_text("Квитирована")


def test_comment_and_life(stub: StubService, new_desk: NewDesk) -> None:
    """A comment by keyboard stands in the life of the alert with its desk; reasons have a line each."""
    room = ControlRoom.open(new_desk(), stub.url)
    why = "measured 1.2 % CH4 (limit > 1 % CH4); the air at mine/v1 fell from 1.7 to 0.4 m/s"
    alert = stub.lever("raise", point=0, why=dict.fromkeys(("kk", "ru", "en"), why))
    room.select(alert["id"])
    room.press("c")
    room.page.get_by_role("button", name="Save").click()
    expect(room.page.get_by_text("Write a comment first.")).to_be_visible()
    room.page.get_by_label("What was seen or done").fill("Забой проветривается")
    room.page.get_by_role("button", name="Save").click()
    expect(room.notice).to_have_text("Comment saved")
    expect(room.grid).to_be_focused()
    room.press("Enter")
    life = room.page.get_by_role("dialog").get_by_role("row")
    expect(life).to_have_count(3)
    expect(life.last).to_contain_text("Забой проветривается")
    expect(life.last).to_contain_text("operator")
    expect(room.page.get_by_role("dialog").get_by_role("listitem")).to_have_text(why.split("; "))
    room.press("Escape")
    expect(room.grid).to_be_focused()


def test_a_refused_command_is_said_in_words(stub: StubService, new_desk: NewDesk) -> None:
    """The page shows nothing as acknowledged that the service refused, and says why."""
    room = ControlRoom.open(new_desk(), stub.url)
    alert = stub.lever("raise", point=0)
    stub.lever("refuse", status=409)
    room.select(alert["id"])
    room.press("a")
    expect(room.notice).to_contain_text("Not acknowledged. The state of the alert forbids it.")
    expect(room.row(alert["id"])).to_have_attribute("data-state", "unacknowledged")


def test_acknowledge_what_is_visible(stub: StubService, new_desk: NewDesk) -> None:
    """One press acknowledges the rows on the screen, in one request, and no others."""
    room = ControlRoom.open(new_desk(), stub.url)
    button = room.page.get_by_test_id("ack-many")
    expect(button).to_contain_text("visible")
    button.click()
    expect(room.notice).to_contain_text("Acknowledged")
    (command,) = stub.lever("commands")
    assert 10 <= len(command["body"]["ids"]) <= 30
    room.leave()
    expect(room.rows.first).to_have_attribute("data-state", re.compile("unacknowledged"))


def test_what_was_refused_among_many_is_said(stub: StubService, new_desk: NewDesk) -> None:
    """When one of several alerts is refused, the page says how many were not acknowledged, and why."""
    room = ControlRoom.open(new_desk(), stub.url)
    first, second = (stub.lever("raise", point=0) for _ in range(2))
    room.select(second["id"])
    room.press("Shift+ArrowDown")
    expect(room.row(first["id"])).to_have_attribute("aria-selected", "true")
    stub.lever("quietly", id=first["id"])
    room.press("a")
    expect(room.notice).to_have_text(
        re.compile(r"Acknowledged: 1\. Not acknowledged: 1\. the alert is acknowledged already")
    )
    expect(room.notice).to_have_attribute("role", "alert")


def test_a_hidden_selection_is_not_acknowledged(stub: StubService, new_desk: NewDesk) -> None:
    """What a filter hides was not seen: it is not acknowledged, though it was selected before."""
    room = ControlRoom.open(new_desk(), stub.url)
    alert = stub.lever("raise", point=0)
    room.select(alert["id"])
    room.press("Shift+ArrowDown")
    room.page.get_by_label("Filter", exact=True).fill("no such thing")
    room.expect_count(0)
    expect(room.page.get_by_test_id("ack-many")).to_contain_text("(0)")
    room.focus()
    room.press("a")
    room.page.get_by_role("button", name="Clear the filter").click()
    expect(room.row(alert["id"])).to_have_attribute("data-state", "unacknowledged")
    assert stub.lever("commands") == []


def test_a_hint_is_no_fault(stub: StubService, new_desk: NewDesk) -> None:
    """A point that no rule watches is said quietly, in full on request; a lost part stays a fault."""
    room = ControlRoom.open(new_desk(), stub.url, "ru")
    stub.lever("problem", rules="fan-1/flow: flow comes in 'm3/h' <b>", **{"core-link": "not followed"})
    hint = room.banner("hint")
    expect(hint).to_have_text("Замечание, правила: fan-1/flow: flow comes in 'm3/h' <b>")
    expect(hint).to_have_attribute("title", re.compile("<b>"))
    expect(room.banner("problem")).to_contain_text("Неисправность, ядро тревог: not followed")
    expect(room.banner("problem")).to_have_count(1)


def test_rows_stand_still_under_the_hand(stub: StubService, new_desk: NewDesk) -> None:
    """While the pointer is over the list nothing moves: a new alert is announced and comes on request."""
    room = ControlRoom.open(new_desk(), stub.url)
    first = room.rows.first.get_attribute("id")
    room.rows.nth(3).hover()
    alert = stub.lever("raise", point=0)
    pending = room.page.get_by_test_id("pending")
    expect(pending).to_contain_text("New: 1")
    assert room.rows.first.get_attribute("id") == first
    pending.dispatch_event("click")  # a pointer that leaves the list lets it follow at once
    expect(room.rows.first).to_have_id(f"alert-{alert['id']}")


@pytest.mark.parametrize(
    ("language", "heading", "key"),
    [("kk", "Дабылдар", "Растау"), ("ru", "Тревоги", "Квитировать"), ("en", "Alerts", "Acknowledge")],
)
def test_three_languages(stub: StubService, new_desk: NewDesk, language: str, heading: str, key: str) -> None:
    """The whole page speaks the chosen language, the alerts' own texts too, and no heading is cut off."""
    room = ControlRoom.open(new_desk(), stub.url, language)
    expect(room.page.locator("html")).to_have_attribute("lang", language)
    expect(room.page.get_by_role("heading", name=heading)).to_be_visible()
    expect(room.rows.first.get_by_role("button", name=key)).to_be_visible()
    message = {"kk": "Метан шектен көп", "ru": "Метан выше нормы", "en": "Methane above the limit"}[language]
    expect(room.rows.first).to_contain_text(message)
    cut = room.page.evaluate(
        "[...document.querySelectorAll('th, button, header span')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline'"
        " && !e.classList.contains('sr') && !e.classList.contains('name')).map(e => e.textContent)"
    )
    assert cut == []
    assert room.page.evaluate("document.documentElement.scrollHeight <= innerHeight"), (
        "the page must not scroll"
    )


def test_killed_service(stub: StubService, new_desk: NewDesk) -> None:
    """A service that dies is announced within five seconds; the page recovers by itself."""
    room = ControlRoom.open(new_desk(), stub.url)
    stub.kill()
    expect(room.banner("lost")).to_be_visible(timeout=LOST_WITHIN_MS)
    expect(room.banner("lost")).to_have_attribute("role", "alert")
    expect(room.link).to_contain_text("— — —")
    expect(room.page.locator("article b").first).to_have_text("— — —")
    acknowledge = room.rows.first.get_by_role("button", name="Acknowledge")
    expect(acknowledge).to_have_attribute("aria-disabled", "true")
    expect(acknowledge).to_have_attribute("title", "Not possible without a connection to the service")
    stub.restart()
    expect(room.banner("lost")).to_have_count(0, timeout=RECOVERY_MS)
    expect(room.link).to_have_attribute("data-link", "live")
    expect(acknowledge).to_have_attribute("aria-disabled", "false")


def test_frozen_service(stub: StubService, new_desk: NewDesk) -> None:
    """A service that hangs with its connections open is announced just the same."""
    room = ControlRoom.open(new_desk(), stub.url)
    stub.freeze()
    try:
        expect(room.banner("lost")).to_be_visible(timeout=LOST_WITHIN_MS)
    finally:
        stub.thaw()
    expect(room.link).to_have_attribute("data-link", "live", timeout=RECOVERY_MS)
    expect(room.banner("lost")).to_have_count(0)


def test_late_frames_are_stale(stub: StubService, new_desk: NewDesk) -> None:
    """Frames that arrive every second but tell of half a minute ago are never shown as live."""
    room = ControlRoom.open(new_desk(), stub.url)
    stub.lever("late", seconds=30)
    expect(room.banner("late")).to_be_visible(timeout=LOST_WITHIN_MS)
    expect(room.link).to_have_attribute("data-link", "late")
    stub.lever("late", seconds=0)
    expect(room.link).to_have_attribute("data-link", "live")


def test_silent_sensor_and_lost_gateway(stub: StubService, new_desk: NewDesk) -> None:
    """A silent sensor keeps its value, hatched, with its age; a lost gateway and a fault are named."""
    room = ControlRoom.open(new_desk(), stub.url)
    place = room.page.locator("article").first.get_attribute("data-place") or ""
    point = int(place.split("/")[1].split("-")[1])
    stub.lever("silent", points=[point])
    stub.lever("offline", gateways=["gw-shaft-1"])
    stub.lever("problem", store="disk is full")
    card = room.page.locator(f"article[data-place='{place}']")
    expect(card).to_have_class(re.compile("stale"))
    expect(card.locator("strong")).to_contain_text("?")
    expect(card.locator("b")).not_to_have_text("— — —")
    expect(room.page.get_by_text("saryarka/gw-shaft-1: no signal since")).to_be_visible()
    expect(room.banner("problem")).to_have_text("! Fault in readings store: disk is full")


@pytest.mark.parametrize(
    ("language", "problem"),
    [
        ("en", "Two gateways speak under this name"),
        ("ru", "Под этим именем говорят два шлюза"),
        ("kk", "Осы атпен екі шлюз сөйлеп тұр"),
    ],
)
def test_table_of_gateways(stub: StubService, new_desk: NewDesk, language: str, problem: str) -> None:
    """The table shows every gateway's session, those in trouble first with what is wrong in words."""
    room = ControlRoom.open(new_desk(), stub.url, language)
    stub.lever("offline", gateways=["gw-shaft-1"])
    stub.lever("troubles", **{"gw-longwall-9": ["two-agents", "gaps"], "gw-plant": ["of-a-newer-service"]})
    strip = room.page.locator("li", has_text="saryarka/gw-longwall-9")
    expect(strip).to_contain_text(problem)
    room.page.get_by_test_id("gateways").click()
    table = room.page.get_by_role("dialog")
    rows = table.locator("tr[data-gateway]")
    expect(rows).to_have_count(9)
    expect(rows.nth(0)).to_have_attribute("data-gateway", "gw-shaft-1")
    expect(table.locator("tr[data-gateway='gw-longwall-9'] + tr.problem")).to_contain_text(problem)
    expect(table.get_by_text("of-a-newer-service")).to_be_visible()
    found = Axe().run(room.page)
    assert found.violations_count == 0, found.generate_report()
    assert room.errors == []


@pytest.mark.parametrize(
    ("language", "tag", "said"),
    [
        ("en", "gateway", "Also found over"),
        ("ru", "от шлюза", "Также завершено"),
        ("kk", "шлюзден", "Басылғаны тағы анықталды"),
    ],
)
def test_what_a_gateway_told(
    stub: StubService, new_desk: NewDesk, language: str, tag: str, said: str
) -> None:
    """An alert of a gateway is marked as such; its life shows who told what, with both times."""
    room = ControlRoom.open(new_desk(), stub.url, language)
    alert = stub.lever("raise", point=0, origin="gateway")
    expect(room.row(alert["id"])).to_contain_text(tag)
    told = {"actor": "gateway:mine/gw-1", "source": "mine/gw-1"}
    stub.lever("told", id=alert["id"], event="also-cleared", **told)
    room.select(alert["id"])
    room.press("Enter")
    rows = room.page.get_by_role("dialog").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0).locator("td").nth(1)).to_have_text("—")
    expect(rows.nth(1).locator("td").nth(1)).to_have_text(re.compile(r"^[0-9:]{8}$"))
    expect(rows.nth(1)).to_contain_text(said)
    expect(rows.nth(1)).to_contain_text("gateway:mine/gw-1")
    assert room.errors == []


def test_flood(stub: StubService, new_desk: NewDesk) -> None:
    """Ten new alarms in ten minutes are called a flood, with the worst zone."""
    room = ControlRoom.open(new_desk(), stub.url)
    for point in range(10):
        stub.lever("raise", point=point)
    expect(room.banner("flood")).to_contain_text("10 new in 10 minutes")
    expect(room.page.locator("header .flood")).to_be_visible()


def test_reset_reads_everything_anew(stub: StubService, new_desk: NewDesk) -> None:
    """After a reset the list is read again quietly: no banner, no empty list, nothing lost."""
    room = ControlRoom.open(new_desk(), stub.url)
    before = room.count()
    with room.page.expect_response(lambda r: "/api/v1/alerts?" in r.url):
        stub.lever("reset")
    room.expect_count(before)
    expect(room.banner("lost")).to_have_count(0)


def test_tags(stub: StubService, new_desk: NewDesk) -> None:
    """A limit that nobody has verified says so wherever it is shown; so does an alert from the past."""
    room = ControlRoom.open(new_desk(), stub.url)
    alert = stub.lever("raise", point=1, retrospective=True, paged=False)
    room.page.get_by_label("Filter", exact=True).fill(alert["place"])
    row = room.row(alert["id"])
    expect(row.get_by_text("unverified", exact=True)).to_be_visible()
    expect(row.get_by_text("retrospective", exact=True)).to_be_visible()
    card = room.page.locator(f"article[data-place='{alert['place']}']")
    room.page.locator(f"[data-zone='{alert['zone']}']").click()
    expect(card.get_by_text("unverified")).to_be_visible()
    room.select(alert["id"])
    room.press("Enter")
    expect(room.page.get_by_role("dialog")).to_contain_text("17 ppm · unverified")


def test_sound(stub: StubService, new_desk: NewDesk) -> None:
    """Sound is blocked until the shift begins, then sounds for a new alarm and is silenced by a key."""
    room = ControlRoom.open(new_desk(), stub.url)
    expect(room.banner("sound")).to_be_visible()
    room.page.get_by_test_id("sound").click()
    room.page.get_by_label("Name of this desk").fill("Пульт 1")
    room.page.get_by_role("button", name="Sound the test and begin").click()
    expect(room.banner("sound")).to_have_count(0)
    expect(room.page.get_by_test_id("sound")).to_have_text("Sound on")
    silence = room.page.get_by_role("button", name="Silence")
    expect(silence).to_be_visible()
    room.focus()
    room.press("Space")
    expect(silence).to_have_count(0)
    alert = stub.lever("raise", point=0)
    expect(silence).to_be_visible()
    room.leave()
    room.select(alert["id"])
    room.press("a")
    expect(silence).to_have_count(0)
    assert stub.lever("commands")[-1]["actor"] == "Пульт 1"


def test_eight_windows(stub: StubService, new_desk: NewDesk) -> None:
    """Eight windows of one desk are all live: they share one stream (a browser allows six)."""
    desk = new_desk()
    rooms = [ControlRoom.open(desk, stub.url) for _ in range(8)]
    alert = stub.lever("raise", point=0)
    for room in rooms:
        room.page.bring_to_front()
        expect(room.row(alert["id"])).to_be_visible()


@pytest.mark.parametrize("width", [1920, 1000])
def test_accessible(stub: StubService, new_desk: NewDesk, width: int) -> None:
    """Nothing that axe knows is wrong: live, in a dialog, and disconnected; wide and narrow."""
    room = ControlRoom.open(new_desk(viewport={"width": width, "height": 1080}), stub.url, "kk")
    options = {"resultTypes": ["violations"]}

    def check() -> None:
        results = Axe().run(room.page, options=options)
        assert results.violations_count == 0, results.generate_report()

    check()
    room.focus()
    room.press("Home", "Enter")
    expect(room.page.get_by_role("dialog").get_by_role("row").first).to_be_visible()
    check()
    room.press("Escape")
    stub.kill()
    expect(room.banner("lost")).to_be_visible(timeout=LOST_WITHIN_MS)
    check()
