"""What stands before every route: who may ask, what a browser may do with the answer, and the count of it.

There are no accounts yet, so the browser of the person at this machine is the only way in for another site.
Two ways are closed: a name of theirs that resolves to this machine (the Host header tells), and a form or
script of theirs that posts here (the Origin header tells).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minewatch.contracts import Clock
from minewatch.serve import metrics
from minewatch.serve.problems import answer
from minewatch.serve.times import S

API = "/api/v1"
SAFE = ("GET", "HEAD", "OPTIONS")
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI writes style elements; its scripts are our own copies all the same.
DOCS_POLICY = POLICY.replace(
    "style-src 'self'; style-src-attr 'unsafe-inline'", "style-src 'self' 'unsafe-inline'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def own_host(host: str) -> bool:
    """Say whether a Host header names this machine by a loopback name or address."""
    name = host.rpartition(":")[0] if _has_port(host) else host
    name = name.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def refusal(method: str, headers: Mapping[str, str]) -> tuple[int, str, str] | None:
    """Return status, code and reason when a request may not pass."""
    host = headers.get("host", "")
    if not own_host(host):
        what = f"this service answers only to localhost and loopback addresses, not to {host[:80]!r}"
        return 421, "foreign-host", what
    if method in SAFE:
        return None
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        return 403, "foreign-origin", f"a page of {origin[:80]!r} may not give commands here"
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return 403, "foreign-origin", "a page of another site may not give commands here"
    return None


class Guard:
    """ASGI middleware; plain, because it also stands before the push stream."""

    def __init__(self, app: ASGIApp, clock: Clock, max_body_bytes: int) -> None:
        self._app = app
        self._clock = clock
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, pass on, add headers, count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_ns = self._clock.monotonic_ns()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._harden(scope, MutableHeaders(scope=message))
                self._count(scope, int(message["status"]), began_ns)
            await send(message)

        refused = refusal(scope["method"], Headers(scope=scope))
        if refused is None:
            await self._app(scope, self._bounded(receive), sending)
            return
        status, code, what = refused
        metrics.REFUSED.labels(code).inc()
        await answer(status, code, what, instance=scope["path"])(scope, receive, sending)

    def _bounded(self, receive: Receive) -> Receive:
        taken = 0

        async def receiving() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_body_bytes:
                metrics.REFUSED.labels("body-too-large").inc()
                raise HTTPException(413)
            return message

        return receiving

    def _harden(self, scope: Scope, headers: MutableHeaders) -> None:
        docs = str(scope["path"]).startswith("/docs")
        headers.setdefault("Content-Security-Policy", DOCS_POLICY if docs else POLICY)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)

    def _count(self, scope: Scope, status: int, began_ns: int) -> None:
        # The route's pattern, never the path: the number of series must not be in the hands of the caller.
        pattern = getattr(scope.get("route"), "path", None)
        root = API if str(scope["path"]).startswith(API) else ""
        route = "none" if pattern is None else root + pattern
        metrics.REQUESTS.labels(
            scope["method"] if scope["method"] in METHODS else "other", route, status
        ).inc()
        metrics.SECONDS.labels(route).observe((self._clock.monotonic_ns() - began_ns) / S)


METHODS = (*SAFE, "POST", "PUT", "PATCH", "DELETE")
