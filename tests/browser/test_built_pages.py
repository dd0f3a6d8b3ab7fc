"""What the page build leaves, looked at without a browser."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUDGET_KB = 150


def test_the_lock_names_no_registry() -> None:
    """The npm lock holds digests of every package and the address of none."""
    packages = json.loads((ROOT / "dashboards/web/package-lock.json").read_text())["packages"]
    fetched = {name: p for name, p in packages.items() if name}
    assert all("integrity" in p and "resolved" not in p for p in fetched.values())


def test_the_page_fits_its_budget(pages: Path) -> None:
    """All scripts, styles and the page itself are at most 150 kB compressed; fonts stand apart."""
    files = [p for p in pages.rglob("*") if p.suffix in {".js", ".css", ".html", ".svg"}]
    sizes = {p.name: len(gzip.compress(p.read_bytes())) / 1000 for p in files if "docs" not in p.parts}
    assert sizes
    assert sum(sizes.values()) <= BUDGET_KB, sizes


def test_nothing_is_inline_and_nothing_is_foreign(pages: Path) -> None:
    """The page holds no inline script or style and names no other host, so a strict content policy holds."""
    html = (pages / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"<style|\sstyle=|https?://", html) == []


def test_the_viewer_of_the_api_is_there(pages: Path) -> None:
    """The documentation of the API needs no internet: its viewer lies beside the pages."""
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"):
        assert (pages / "docs" / name).stat().st_size > 500


def test_licences_go_with_what_is_bundled(pages: Path) -> None:
    """The pages carry the licence of each library and font that was built into them."""
    for name in ("svelte", "uplot"):
        assert "Permission is hereby granted" in (pages / f"licences/{name}.txt").read_text()
    assert "SIL OPEN FONT LICENSE" in (pages / "licences/inter.txt").read_text().upper()
