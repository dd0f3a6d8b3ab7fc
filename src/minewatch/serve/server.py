"""The HTTP server, on a socket that was bound before: a taken port is told at once, a restart keeps it."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from minewatch.errors import ConfigError
from minewatch.serve.room import Room
from minewatch.serve.settings import ServeSettings

GRACE_S = 3
BACKLOG = 1_024
REQUESTS = 200  # connections beside the viewers; beyond them uvicorn answers 503


def bind(settings: ServeSettings) -> socket.socket:
    """Return a listening socket; raises ConfigError when the port cannot be had. Port 0 takes a free one."""
    # The name is not looked up: it must be this machine whatever a hosts file says.
    at = "127.0.0.1" if settings.host == "localhost" else settings.host
    family = socket.AF_INET6 if ipaddress.ip_address(at).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((at, settings.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _cannot_listen(settings, error) from None
    sock.setblocking(False)
    return sock


def _cannot_listen(settings: ServeSettings, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(f"port {settings.port} is in use", where="serve.port", mend="choose --port")
    if error.errno in (errno.EACCES, errno.EPERM):
        what = f"port {settings.port} may not be opened by this user"
        return ConfigError(what, where="serve.port", mend="choose --port of 1024 or more")
    what = f"cannot listen on {settings.host}: {error.strerror}"
    return ConfigError(what, where="serve.host", mend='Write host = "127.0.0.1"')


def address(sock: socket.socket) -> str:
    """Return the address of the pages, as a person types it."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Server(uvicorn.Server):
    """uvicorn, which ends the push streams first: they would never end by themselves.

    ``failure`` is what broke the push stream, if anything did; then the process must be started anew.
    """

    def __init__(self, app: FastAPI, settings: ServeSettings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="on",
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=30,
                limit_concurrency=settings.max_viewers + REQUESTS,
            )
        )
        room: Room = app.state.room
        self._feed = room.feed
        self._feed.on_failure = self._stop

    @property
    def failure(self) -> BaseException | None:
        """Return what broke the push stream."""
        return self._feed.failure

    def _stop(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then the server."""
        self._feed.close()
        await super().shutdown(sockets)


def make_server(app: FastAPI, settings: ServeSettings) -> Server:
    """Return a server for an app of ``create_app``; run it by ``await server.serve([socket])``."""
    return Server(app, settings)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what ``asyncio.Runner`` makes its loop with: uvloop, where it is installed."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.new_event_loop
    return uvloop.new_event_loop
