"""The pages: built files of ``static``, and the API's documentation; nothing comes from off this machine."""

from __future__ import annotations

import mimetypes
from html import escape
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

STATIC = Path(__file__).parent / "static"
OPENAPI = "/api/v1/openapi.json"
ROBOTS = "User-agent: *\nDisallow: /\n"
FOREVER = "public, max-age=31536000, immutable"  # names of assets carry a digest of their content
FRESH = "no-cache"
SWAGGER = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
START = f"""SwaggerUIBundle({{
  url: "{OPENAPI}", dom_id: "#docs", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout",
}});
"""
DOCS = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>minewatch: HTTP API</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head><body><div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
PLAIN = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>minewatch</title></head>
<body><main><h1>{title}</h1><p lang="en">{en}</p><p lang="ru">{ru}</p><p lang="kk">{kk}</p>
<ul><li><a href="/docs">/docs</a></li><li><a href="{openapi}">{openapi}</a></li>
<li><a href="/readyz">/readyz</a></li></ul></main></body></html>
"""


def plain(title: str, *, en: str, ru: str, kk: str, status: int = 200) -> Response:
    """Return a page without any file."""
    words = {"title": escape(title), "en": escape(en), "ru": escape(ru), "kk": escape(kk), "openapi": OPENAPI}
    return HTMLResponse(PLAIN.format(**words), status, {"Cache-Control": "no-store"})


def swagger_files() -> Path | None:
    """Return the folder where the page build put its own copy of Swagger UI; None before it ran."""
    folder = STATIC / "docs"
    return folder if all((folder / name).is_file() for name in SWAGGER) else None


def find(root: Path, name: str) -> Path:
    """Return a file below a folder; raises HTTPException 404, also for a way out of the folder."""
    if "\0" in name:
        raise HTTPException(404)
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise HTTPException(404)
    return path


def file(path: Path, cache: str) -> Response:
    """Answer with a file."""
    return FileResponse(path, media_type=mimetypes.guess_type(path.name)[0], headers={"Cache-Control": cache})


def install(app: FastAPI, static: Path = STATIC) -> None:
    """Add the pages to an app; whether they are built is looked up at each request."""

    async def index(request: Request) -> Response:
        if not (static / "index.html").is_file():
            return plain(
                "minewatch",
                en="The service runs, its pages are not built. Run: make pages",
                ru="Служба работает, но страницы не собраны. Выполните: make pages",
                kk="Қызмет жұмыс істеп тұр, бірақ беттері жиналмаған. Орындаңыз: make pages",
            )
        return file(static / "index.html", FRESH)

    async def asset(request: Request) -> Response:
        return file(await run_in_threadpool(find, static / "assets", request.path_params["name"]), FOREVER)

    async def other(request: Request) -> Response:
        return file(await run_in_threadpool(find, static, request.path_params["name"]), FRESH)

    async def docs(request: Request) -> Response:
        if swagger_files() is None:
            return plain(
                "minewatch: HTTP API",
                en="The viewer of this page is not built. In a checkout run: make pages",
                ru="Просмотрщик этой страницы не собран. В рабочей копии выполните: make pages",
                kk="Бұл беттің көрсеткіші құрастырылмаған. Жұмыс көшірмесінде орындаңыз: make pages",
            )
        return HTMLResponse(DOCS, headers={"Cache-Control": FRESH})

    async def docs_file(request: Request) -> Response:
        name = request.path_params["name"]
        folder = swagger_files()
        if name == "start.js":
            return Response(START, media_type="text/javascript", headers={"Cache-Control": FRESH})
        if folder is None or name not in SWAGGER:
            raise HTTPException(404)
        return FileResponse(folder / name, media_type=SWAGGER[name], headers={"Cache-Control": FRESH})

    async def robots(request: Request) -> Response:
        return Response(ROBOTS, media_type="text/plain")

    app.add_route("/", index, include_in_schema=False)
    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/docs/{name}", docs_file, include_in_schema=False)
    app.add_route("/robots.txt", robots, include_in_schema=False)
    app.add_route("/assets/{name:path}", asset, include_in_schema=False)
    app.add_route("/{name}", other, include_in_schema=False)
