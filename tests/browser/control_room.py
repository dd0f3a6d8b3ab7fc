"""The control room as a test sees it; works against any service that serves the page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect

RECOVERY_MS = 30_000


@dataclass
class ControlRoom:
    """One window of one desk."""

    page: Page
    base_url: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @staticmethod
    def open(desk: BrowserContext, base_url: str, language: str = "en") -> ControlRoom:
        """Open the page and wait until it is live and its alerts are loaded."""
        room = ControlRoom(desk.new_page(), base_url)
        room.page.on("console", room.heard)
        room.page.on("pageerror", lambda error: room.errors.append(str(error)))
        room.page.on("request", room.asked)
        room.page.goto(f"{base_url}?lang={language}")
        expect(room.link).to_have_attribute("data-link", "live")
        expect(room.page.locator(".skeleton")).to_have_count(0)
        return room

    def heard(self, message: ConsoleMessage) -> None:
        """Keep what the browser complains of, a broken content policy among it."""
        if message.type == "error":
            self.errors.append(message.text)

    def asked(self, request: Request) -> None:
        """Keep every request to another host."""
        if not request.url.startswith(self.base_url):
            self.foreign.append(request.url)

    @property
    def link(self) -> Locator:
        """The link field of the bar."""
        return self.page.get_by_test_id("link")

    @property
    def grid(self) -> Locator:
        """The alert list."""
        return self.page.locator("#alerts")

    @property
    def rows(self) -> Locator:
        """The rendered rows."""
        return self.grid.locator("tbody tr[id]")

    @property
    def notice(self) -> Locator:
        """The outcome of the last command."""
        return self.page.get_by_test_id("notice")

    @property
    def total(self) -> Locator:
        """The count over the list."""
        return self.page.get_by_test_id("total")

    def row(self, alert_id: str) -> Locator:
        """One alert's row."""
        return self.page.locator(f"#alert-{alert_id}")

    def banner(self, name: str) -> Locator:
        """The banner of a state: lost, late, problem, flood, sound."""
        return self.page.get_by_test_id(f"banner-{name}")

    def count(self) -> int:
        """How many alerts the list holds, shown or not."""
        return int(self.grid.get_attribute("aria-rowcount") or "0") - 1

    def expect_count(self, n: int) -> None:
        """Wait until the list holds ``n`` alerts."""
        expect(self.grid).to_have_attribute("aria-rowcount", str(n + 1))

    def focus(self) -> None:
        """Give the list the focus."""
        self.grid.focus()

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def leave(self) -> None:
        """Take the pointer off the list, which then moves again."""
        self.page.mouse.move(2, 2)

    def select(self, alert_id: str) -> None:
        """Walk down with the keyboard to an alert."""
        self.focus()
        self.press("Home")
        expect(self.grid).to_have_attribute("aria-activedescendant", re.compile("alert-"))
        for _ in range(self.count()):
            if self.grid.get_attribute("aria-activedescendant") == f"alert-{alert_id}":
                return
            self.press("ArrowDown")
        raise AssertionError(f"no alert {alert_id} in the list")
