import asyncio
import socket

import httpx
import pytest

from minewatch.contracts import Push
from minewatch.errors import ConfigError
from minewatch.serve.server import address, bind, make_server
from minewatch.serve.settings import ServeSettings
from unit.serve.stage import NOW, Stage, alert

pytestmark = pytest.mark.anyio
FREE = ServeSettings(port=0)


def test_a_taken_port_is_told_at_once() -> None:
    """Before anything is started: which port, and the option that chooses another."""
    with bind(FREE) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is in use. choose --port"):
            bind(ServeSettings(port=port))


@pytest.mark.parametrize(
    ("host", "shown"), [("localhost", "http://127.0.0.1:"), ("127.0.0.2", "http://127.0.0.2:")]
)
def test_the_address_is_told_as_a_person_types_it(host: str, shown: str) -> None:
    """The socket listens where the settings say, and only there; localhost is not looked up."""
    with bind(ServeSettings(host=host, port=0)) as sock:
        assert address(sock).startswith(shown)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


async def test_a_real_server_serves_pushes_and_stops_with_open_streams(stage: Stage) -> None:
    """Over a real socket: ready, an alert on the stream, and a stop that does not wait for viewers."""
    sock = bind(FREE)
    server = make_server(stage.app, FREE)
    serving = asyncio.create_task(server.serve([sock]))
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=address(sock), trust_env=False) as client:
        assert (await client.get("/readyz")).status_code == 200
        async with client.stream("GET", "/api/v1/stream") as stream:
            lines = stream.aiter_lines()
            while "event: reading" not in await anext(lines):
                pass
            stage.core.tell(Push(NOW, tuple(stage.journal(alert("b1")))))
            while "id: 4" not in await anext(lines):
                pass
            server.should_exit = True
            async for _ in lines:
                pass
        await serving
    assert server.failure is None


async def test_a_broken_push_stream_ends_the_server(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the feed is not a page that looks alive: the process stops, so that it is started anew."""

    async def broken(push: Push) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(stage.feed, "take", broken)
    sock = bind(FREE)
    server = make_server(stage.app, FREE)
    async with asyncio.timeout(20):
        await server.serve([sock])
    assert server.failure is not None
    assert "push" in stage.feed.state().problems
