"""A stub of the service for the page: the shapes of the HTTP interface, and a few levers for tests.

Run it beside the built pages: ``python tests/browser/stub.py --port 8080 --alerts 200 --life``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.stub_calibrations import Calibrations
from browser.stub_mine import Json, Mine, iso, value

STATIC = Path(__file__).parents[2] / "src/minewatch/serve/static"
RING = 20_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Stub:
    """One mine, one ring of frames, viewers that are cursors into it."""

    def __init__(self, alerts: int, *, life: bool, load: bool = False) -> None:
        self.mine = Mine()
        self.life = life
        self.load = load
        self.ring: list[tuple[int, bytes]] = []
        self.base = 0
        self.woken = asyncio.Event()
        self.late = timedelta(0)
        self.silent: set[int] = set()
        self.problems: dict[str, str] = {}
        self.refuse: list[int] = []
        self.commands: list[Json] = []
        self.offline: set[str] = set()
        self.troubles: dict[str, list[str]] = {}
        self.calibrations = Calibrations(self.mine)
        self.mine.seed(self.now(), alerts)

    def now(self) -> datetime:
        """Tell the server's time."""
        return datetime.now(UTC)  # noqa: TID251 - a server has a clock

    def push(self, event: str, data: Json, row: int = 0) -> None:
        """Put one frame on the ring."""
        head = f"id: {row}\n" if row else ""
        frame = f"{head}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
        self.ring.append((row, frame))
        if len(self.ring) > RING:
            self.base += len(self.ring) - RING
            del self.ring[: len(self.ring) - RING]
        self.woken.set()
        self.woken = asyncio.Event()

    def push_event(self, entry: Json) -> None:
        """Push a journal entry as an alert frame."""
        self.push("alert", entry | {"sent": iso(self.now())}, entry["row"])

    def state(self) -> Json:
        """Tell how the parts are."""
        return {
            "time": iso(self.now() - self.late),
            "ready": True,
            "problems": self.problems,
            "gateways": self.gateways(),
            "telemetry": "duckdb",
        }

    def gateways(self) -> list[Json]:
        """List the gateways of the points."""
        now = self.now()
        names = dict.fromkeys((p["site"], p["gateway"]) for p in self.mine.points)
        return [
            {
                "site": site,
                "gateway": gateway,
                "online": gateway not in self.offline,
                "since": iso(now - timedelta(hours=3)),
                "last_seen": iso(now - timedelta(minutes=4 if gateway in self.offline else 0)),
                "clock_offset_ms": 12.0,
                "clock": "synchronised",
                "spool_rows": 0,
                "spool_oldest": None,
                "version": "0.1.0",
                "points": sum(p["gateway"] == gateway for p in self.mine.points),
                "births": 2,
                "bd_seq": 17,
                "sequence_gaps": 0,
                "duplicates": 0,
                "rebirths": 1,
                "problems": self.troubles.get(gateway, []),
            }
            for site, gateway in names
        ]

    def readings(self) -> Json:
        """Give the readings of this second as columns."""
        at = self.now() - self.late
        live = [p for p in self.mine.points if p["id"] not in self.silent]
        return {
            "time": iso(at),
            "point": [p["id"] for p in live],
            "ts_ms": [int(at.timestamp() * 1000)] * len(live),
            "value": [value(p, at.timestamp()) for p in live],
            "quality": [0] * len(live),
        }

    async def run(self) -> None:
        """Push a ping, a state and the readings every second, and now and then an alert."""
        beat = 0
        while True:
            self.push("ping", {"time": iso(self.now() - self.late)})
            self.push("reading", self.readings())
            if beat % 2 == 0:
                self.push("state", self.state())
            if self.life and beat % 20 == 19:
                self.push_event(self.mine.raise_alert(self.now(), beat * 7 % len(self.mine.points)))
            beat += 1
            await asyncio.sleep(1)

    async def run_load(self) -> None:
        """Push 5,000 values and 100 alert changes a second, as a flood over a large mine would."""
        alerts = list(self.mine.alerts.values())
        n = 0
        while True:
            for _ in range(10):
                n += 1
                state = ("acknowledged", "unacknowledged")[n // len(alerts) % 2]
                changed = alerts[n * 7 % len(alerts)] | {"state": state}
                self.push_event(self.mine.record(self.now(), "acknowledged", changed))
            if n % 25 < 10:
                frame = self.readings()
                spare = range(1000, 2250 - len(frame["point"]))
                for key, filler in (("point", spare), ("ts_ms", spare), ("value", spare), ("quality", spare)):
                    frame[key] = [*frame[key], *filler]
                self.push("reading", frame)
            await asyncio.sleep(0.1)

    async def follow(self, since: int) -> AsyncIterator[bytes]:
        """Yield the frames from a journal row on, then the new ones as they come."""
        at = self.base + len(self.ring)
        if since:
            later = [frame for row, frame in self.ring if row > since]
            yield b"".join(later) if self.ring and since <= len(self.mine.journal) else b""
            if since > len(self.mine.journal):
                yield b"event: reset\ndata: {}\n\n"
        yield (
            b"id: %d\nevent: state\ndata: " % len(self.mine.journal)
            + json.dumps(self.state()).encode()
            + b"\n\n"
        )
        while True:
            woken = self.woken
            frames = [frame for _, frame in self.ring[max(0, at - self.base) :]]
            at = self.base + len(self.ring)
            if frames:
                yield b"".join(frames)
            await woken.wait()

    # ---- routes that the page uses

    async def stream(self, request: Request) -> Response:
        since = int(request.headers.get("last-event-id") or request.query_params.get("since") or 0)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self.follow(since), media_type="text/event-stream", headers=headers)

    def page(self, request: Request, items: list[Json]) -> Response:
        limit = min(1000, int(request.query_params.get("limit", 100)))
        start = int(request.query_params.get("cursor") or 0)
        more = start + limit < len(items)
        return JSONResponse(
            {"items": items[start : start + limit], "next": str(start + limit) if more else None}
        )

    async def alerts(self, request: Request) -> Response:
        return self.page(request, self.mine.not_normal())

    async def points(self, request: Request) -> Response:
        return self.page(request, self.mine.points)

    async def events(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        return self.page(request, [e for e in self.mine.journal if e["alert"]["id"] == wanted])

    async def zones(self, request: Request) -> Response:
        return self.page(request, list(self.mine.zones()))

    async def list_gateways(self, request: Request) -> Response:
        return self.page(request, self.gateways())

    async def latest(self, _: Request) -> Response:
        frame = self.readings()
        rows = zip(frame["point"], frame["value"], strict=True)
        common = {"time": frame["time"], "age_s": 0.1, "quality": 0, "quality_text": "good"}
        return JSONResponse({"items": [{"point": p, "value": v} | common for p, v in rows]})

    async def buckets(self, request: Request) -> Response:
        point = self.mine.points[int(request.path_params["id"])]
        query = request.query_params
        start, end = (datetime.fromisoformat(query[k]).timestamp() for k in ("from", "to"))
        n = int(query["buckets"])
        step = (end - start) / n
        now = self.now().timestamp()
        times = [start + i * step for i in range(n)]
        values = [value(point, t) if t < now else None for t in times]
        return JSONResponse(
            {
                "point": point["id"],
                "from": query["from"],
                "to": query["to"],
                "coverage": 1.0,
                "start": [iso(datetime.fromtimestamp(t, UTC)) for t in times],
                "min": [v and v * 0.98 for v in values],
                "max": [v and v * 1.02 for v in values],
                "mean": values,
                "count": [0 if v is None else 5 for v in values],
            }
        )

    async def command(self, request: Request) -> Response:
        """Acknowledge or comment; the answer is the alert after it."""
        actor = unquote(request.headers.get("x-actor", "operator"))
        body = await request.json()
        self.commands.append({"path": request.url.path, "actor": actor, "body": body})
        if self.refuse:
            return self.refusal()
        ids = body["ids"] if "ids" in body else [request.path_params["id"]]
        done, refused = [], []
        for alert_id in ids:
            if alert_id not in self.mine.alerts:
                return JSONResponse({"title": "no such alert", "status": 404}, 404)
            if "ids" in body and self.mine.alerts[alert_id]["state"] == "acknowledged":
                refused.append(_refusal(alert_id))
                continue
            if request.url.path.endswith("/comment"):
                alert = self.mine.alerts[alert_id]
                entry = self.mine.record(self.now(), "commented", alert, actor, body["comment"])
            else:
                entry = self.mine.acknowledge(self.now(), alert_id, actor, body.get("comment", ""))
            self.push_event(entry)
            done.append(entry["alert"])
        return JSONResponse({"items": done, "refused": refused} if "ids" in body else done[0])

    def refusal(self) -> Response:
        """Refuse as the test asked for."""
        status = self.refuse.pop(0)
        problem = {"title": "refused", "status": status, "code": "refused", "detail": "asked for by the test"}
        return JSONResponse(problem, status, media_type="application/problem+json")

    async def ledger(self, request: Request) -> Response:
        query = request.query_params
        shown = self.calibrations.ledger(self.now(), query.get("place", ""), query.get("from", ""))
        return self.page(request, shown)

    async def announced(self, request: Request) -> Response:
        return self.page(request, self.calibrations.standing())

    async def announce(self, request: Request) -> Response:
        """Announce tests of meters, or end them; the answer is their windows after it."""
        actor = unquote(request.headers.get("x-actor", "operator"))
        body = await request.json()
        self.commands.append({"path": request.url.path, "actor": actor, "body": body})
        if self.refuse:
            return self.refusal()
        ends = request.url.path.endswith("/end")
        made = list(self.calibrations.announce(self.now(), actor, body, ends=ends))
        for _, entry in made:
            self.push_event(entry)
        return JSONResponse({"items": [window for window, _ in made], "next": None})

    # ---- levers for tests

    async def lever(self, request: Request) -> Response:
        """Change the stub: raise, clear, quietly, late, silent, problem, refuse, reset, offline."""
        body = await request.json() if await request.body() else {}
        match request.path_params["name"]:
            case "raise":
                point = body.pop("point", 0)
                entry = self.mine.raise_alert(self.now(), point, **body)
                self.push_event(entry)
                return JSONResponse(entry["alert"])
            case "clear":
                self.push_event(self.mine.clear(self.now(), body["id"]))
            case "quietly":  # somebody acknowledged it, and the page has not heard of it yet
                self.mine.acknowledge(self.now(), body["id"], "elsewhere", "")
            case "late":
                self.late = timedelta(seconds=body["seconds"])
            case "silent":
                self.silent = set(body["points"])
            case "problem":
                self.problems = body
            case "refuse":
                self.refuse.append(body["status"])
            case "offline":
                self.offline = set(body["gateways"])
            case "told":  # by a gateway, a second after it happened there
                entry = self.mine.record(
                    self.now(), body["event"], self.mine.alerts[body["id"]], body["actor"]
                )
                entry |= {"gateway_time": iso(self.now() - timedelta(seconds=1)), "source": body["source"]}
                self.push_event(entry)
            case "troubles":
                self.troubles = body
            case "reset":
                self.push("reset", {"time": iso(self.now())})
            case "commands":
                return JSONResponse(self.commands)
        return JSONResponse({})

    def app(self) -> Starlette:
        """Put the routes together."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            tasks = [asyncio.create_task(self.run())]
            if self.load:
                tasks.append(asyncio.create_task(self.run_load()))
            yield
            for task in tasks:
                task.cancel()

        api = "/api/v1"
        routes = [
            Route(f"{api}/stream", self.stream),
            Route(f"{api}/alerts", self.alerts),
            Route(f"{api}/alerts/acknowledge", self.command, methods=["POST"]),
            Route(f"{api}/alerts/{{id}}/acknowledge", self.command, methods=["POST"]),
            Route(f"{api}/alerts/{{id}}/comment", self.command, methods=["POST"]),
            Route(f"{api}/alerts/{{id}}/events", self.events),
            Route(f"{api}/calibrations", self.ledger),
            Route(f"{api}/calibrations/announced", self.announced),
            Route(f"{api}/calibrations/announced", self.announce, methods=["POST"]),
            Route(f"{api}/calibrations/announced/end", self.announce, methods=["POST"]),
            Route(f"{api}/points", self.points),
            Route(f"{api}/points/{{id}}/readings", self.buckets),
            Route(f"{api}/readings/latest", self.latest),
            Route(f"{api}/zones", self.zones),
            Route(f"{api}/gateways", self.list_gateways),
            Route("/stub/{name}", self.lever, methods=["POST"]),
            Mount("/", StaticFiles(directory=STATIC, html=True)),
        ]
        middleware = [Middleware(GZipMiddleware, minimum_size=1000), Middleware(Policy)]
        return Starlette(routes=routes, middleware=middleware, lifespan=lifespan)


def _refusal(alert_id: str) -> dict[str, Any]:
    return {
        "id": alert_id,
        "status": 409,
        "code": "state-forbids",
        "detail": "the alert is acknowledged already",
        "state": "acknowledged",
    }


class Policy:
    """Adds the Content-Security-Policy of the service, without touching streams."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, cast("Any", add))


async def serve(port: int, alerts: int, *, life: bool, load: bool) -> None:
    """Serve on loopback and print the address once it is bound."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)  # noqa: T201 - the test reads it
        config = uvicorn.Config(
            Stub(alerts, life=life, load=load).app(), log_level="warning", timeout_graceful_shutdown=1
        )
        await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--alerts", type=int, default=60)
    parser.add_argument("--life", action="store_true", help="raise an alert every 20 s")
    parser.add_argument("--load", action="store_true", help="5,000 values and 100 alert changes a second")
    args = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(args.port, args.alerts, life=args.life, load=args.load))
