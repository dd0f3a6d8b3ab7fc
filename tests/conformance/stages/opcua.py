"""An OPC UA server without security and two variables."""

from __future__ import annotations

from typing import Any

from asyncua import ua

from . import stage
from .opcua_peer import OpcuaPeer


class Stage(stage.Stage):
    """Point 0 is a double, point 1 in hundredths; the server says bad by status code."""

    kind = "opcua"
    bound_s = 6.0  # a probe each timeout, and its own timeout

    def __init__(self, folder: stage.Path) -> None:
        super().__init__(folder)
        self._peer = OpcuaPeer()

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self._peer.port}"

    def device(self) -> dict[str, Any]:
        return {"url": self._peer.url, "timeout_s": 2.0, "repeat": False}

    def points(self) -> list[dict[str, Any]]:
        return [{"node": "ns=2;s=a"}, {"node": "ns=2;s=b", "scale": 0.01}]

    def start(self) -> None:
        self._peer.start()

    def set(self, point: int, value: float, ts_ns: int | None = None) -> None:
        self._peer.set("ab"[point], value if point == 0 else value * 100, ts_ns)

    def set_bad(self, point: int) -> None:
        self._peer.set("ab"[point], 77.0, status=ua.StatusCodes.BadSensorFailure)

    def stop(self) -> None:
        self._peer.stop()

    def hang(self) -> None:
        self._peer.hang()

    def close(self) -> None:
        self._peer.stop()
