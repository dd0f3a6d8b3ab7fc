import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from minewatch.serve import pages
from unit.serve.stage import HOST, Stage

pytestmark = pytest.mark.anyio
ABROAD = re.compile(rb"(?:src|href|url\()\s*[=(]?\s*[\"']?(?:https?:)?//", re.IGNORECASE)


def site(static: Path) -> httpx.AsyncClient:
    """Serve a folder of pages."""
    app = FastAPI()
    pages.install(app, static)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOST)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Return a folder as the page build leaves it, with a secret beside it."""
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<h1>control room</h1>")
    (static / "assets" / "app-4f2a.js").write_text("start()")
    (static / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return static


async def test_pages_are_fresh_and_their_assets_kept(built: Path) -> None:
    """The page is asked for anew each time; what it loads has its digest in the name and is kept."""
    async with site(built) as client:
        index = await client.get("/")
        script = await client.get("/assets/app-4f2a.js")
        icon = await client.get("/favicon.svg")
    assert ("control room" in index.text, index.headers["cache-control"]) == (True, "no-cache")
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert (icon.headers["content-type"], icon.headers["cache-control"]) == ("image/svg+xml", "no-cache")


@pytest.mark.parametrize(
    "path", ["/%2e%2e%2fsecret.txt", "/assets/..%2f..%2fsecret.txt", "/assets/", "/assets/x.js", "/a%00b"]
)
async def test_nothing_outside_the_folder_is_served(built: Path, path: str) -> None:
    """No way of writing an address leads out of the folder of pages."""
    async with site(built) as client:
        assert (await client.get(path)).status_code == 404


async def test_pages_that_are_not_built_are_explained(tmp_path: Path) -> None:
    """Without a build there is a plain page that says how to make one, in three languages."""
    async with site(tmp_path / "nothing") as client:
        answer = await client.get("/")
    assert answer.status_code == 200
    assert {f'lang="{language}"' for language in ("en", "ru", "kk")} <= set(
        re.findall(r'lang="\w+"', answer.text)
    )
    assert "make pages" in answer.text


async def test_the_documentation_asks_nothing_of_the_internet(stage: Stage) -> None:
    """The page of the API and every file it loads come from this service."""
    async with stage.client() as client:
        page = await client.get("/docs")
        assert page.status_code == 200
        assert not ABROAD.search(page.content)
        for link in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            answer = await client.get(link)
            assert answer.status_code in (200, 503), link
        assert (await client.get("/docs/start.js")).text.count("/api/v1/openapi.json") == 1
        assert (await client.get("/docs/other.js")).status_code == 404


async def test_documentation_without_its_viewer_is_explained(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the viewer's files are not installed, a plain page says how to get them and names the document."""
    monkeypatch.setattr(pages, "swagger_files", lambda: None)
    async with stage.client() as client:
        page = await client.get("/docs")
        assert (await client.get("/docs/swagger-ui.css")).status_code == 404
    assert "make pages" in page.text
    assert "/api/v1/openapi.json" in page.text


def test_the_viewer_is_the_own_copy_of_the_page_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are taken from where the page build puts them; half a copy counts as none."""
    folder = tmp_path / "docs"
    folder.mkdir()
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    for name in pages.SWAGGER:
        assert pages.swagger_files() is None
        (folder / name).write_text(name)
    assert pages.swagger_files() == folder
