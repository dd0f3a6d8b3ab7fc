"""The serve process: FastAPI, pages and push, with the core at the other end of a socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from minewatch.app.clock import SystemClock
from minewatch.app.core_client import CoreClient
from minewatch.config import Config
from minewatch.errors import CoreUnavailable
from minewatch.serve.http import create_app
from minewatch.serve.server import loop_factory, make_server
from minewatch.store.records import open_records


def run_serve(
    config: Config, listener: socket.socket, stop: Callable[[], bool], ready: Callable[[], None]
) -> None:
    """Run the serve process on a socket that is bound already, so that a restart keeps the port."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(config, listener, stop, ready))


async def _serve(
    config: Config, listener: socket.socket, stop: Callable[[], bool], ready: Callable[[], None]
) -> None:
    clock = SystemClock()
    records = open_records(config.records, config.data, writer=False)
    core = CoreClient(config.socket, clock, telemetry=config.telemetry.kind)
    await core.start()
    server = make_server(create_app(records, core, config.serve, clock), config.serve)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        while not stop() and not serving.done():
            if server.started:
                ready()
            await asyncio.sleep(0.05)
    finally:
        server.should_exit = True
        await serving
        await core.stop()
        records.close()
    if server.failure is not None:
        raise CoreUnavailable(f"the push stream broke: {server.failure!r}")
