"""The serve process: FastAPI, pages and push, with the core at the other end of a socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from minewatch.app.clock import SystemClock
from minewatch.app.core_client import CoreClient
from minewatch.config import Config
from minewatch.contracts import Clock, RecordStore
from minewatch.errors import CoreUnavailable, StoreError
from minewatch.serve.http import create_app
from minewatch.serve.server import loop_factory, make_server
from minewatch.store.records import open_records

CORE_OPENS_NS = 10_000_000_000  # the core, started beside us, creates or migrates the records within it


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
    records = await _records(config, clock, stop)
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


async def _records(config: Config, clock: Clock, stop: Callable[[], bool]) -> RecordStore:
    """Open the records, which a core that starts at the same time may not have made ready yet."""
    until = clock.monotonic_ns() + CORE_OPENS_NS
    while True:
        try:
            return open_records(config.records, config.data, writer=False)
        except StoreError:
            if stop() or clock.monotonic_ns() > until:
                raise
        await asyncio.sleep(0.1)
