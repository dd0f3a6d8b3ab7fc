"""What the suite asks of a stage, and two parts that stages of networked drivers share."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


class Stage:
    """A real peer of one kind of driver with two points; everything it opens is in ``folder`` or on loopback.

    The suite calls `start` once, then the rest in any order, `close` at the end. ``cannot`` names what this
    kind of peer cannot do, and why: ``set`` (while the driver lives), ``bad``, ``gone``, ``hang``, ``stamp``.
    """

    kind: str
    cannot: ClassVar[Mapping[str, str]] = {}
    tolerance: float = 1e-9
    # A poll answers or fails within this, and a dead peer is told within this of the first poll after.
    bound_s: float = 3.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def where(self) -> str:
        """Return what an error must name: ``host:port`` or the path."""
        raise NotImplementedError

    def device(self) -> dict[str, Any]:
        """Return the keys of [[device]] beyond id, driver and interval_s."""
        return {}

    def points(self) -> list[dict[str, Any]]:
        """Return the keys of the two [[device.point]] beyond metric, quantity and unit."""
        return [{}, {}]

    def start(self) -> None:
        """Start the peer, also again on the same port after `stop` or `hang`, with the values it had."""

    def set(self, point: int, value: float, ts_ns: int | None = None) -> None:
        """Have the peer give a value of the unit; with a time where it has times of its own."""
        raise NotImplementedError

    def set_bad(self, point: int) -> None:
        """Have the peer say, in its way, that it has no value of this point."""
        raise NotImplementedError

    def stop(self) -> None:
        """Take the peer away: connections end, the port is closed, the file is gone."""
        raise NotImplementedError

    def hang(self) -> None:
        """Let the peer take connections and never answer; those that are open fall silent or end."""
        raise NotImplementedError

    def close(self) -> None:
        """End everything."""


class LoopThread:
    """An event loop in a thread, for peers that are written with asyncio."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="peer", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 30.0) -> T:
        """Run a coroutine there and return what it returned."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""

        async def rest() -> None:
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        with contextlib.suppress(TimeoutError):
            self.run(rest(), 5.0)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5.0)
        self.loop.close()


class Deaf:
    """Takes connections on a port and never says a word."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen(16)

    def close(self) -> None:
        """Close the port."""
        self._socket.close()
