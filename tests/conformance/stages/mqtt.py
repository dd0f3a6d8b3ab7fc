"""A broker, and a device that publishes JSON with its own time, kept by the broker."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import paho.mqtt.publish as paho

from minewatch_edge.runtime import moment
from servers import Server, mosquitto

from . import stage


class Stage(stage.Stage):
    """Two topics at a mosquitto that keeps what it has over a restart."""

    kind = "mqtt"

    def __init__(self, folder: stage.Path) -> None:
        super().__init__(folder)
        self._stack = contextlib.ExitStack()
        self._server: Server = self._stack.enter_context(mosquitto.running(folder / "broker"))
        self._deaf: stage.Deaf | None = None
        self._last_ns = 0
        self._kept: dict[int, str] = {}
        self._here = True

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self._server.port}"

    def device(self) -> dict[str, Any]:
        return {
            "broker": {"host": "127.0.0.1", "port": self._server.port}, "time": "t", "format": "unix_ms",
        }  # fmt: skip

    def points(self) -> list[dict[str, Any]]:
        return [
            {"topic": "plant/gas/state", "path": "values[0]"},
            {"topic": "plant/air/state", "path": "values[0]", "scale": 0.01},
        ]

    def start(self) -> None:
        if self._deaf is not None:
            self._deaf.close()
            self._deaf = None
        if not self._here:
            self._server.start()
            self._here = True
        for point, payload in self._kept.items():
            self._publish(point, payload)

    def set(self, point: int, value: float, ts_ns: int | None = None) -> None:
        self._send(point, value if point == 0 else value * 100, ts_ns)

    def set_bad(self, point: int) -> None:
        self._send(point, "no signal", None)

    def stop(self) -> None:
        self._server.stop()
        self._here = False

    def hang(self) -> None:
        self.stop()
        self._deaf = stage.Deaf(self._server.port)

    def close(self) -> None:
        if self._deaf is not None:
            self._deaf.close()
        self._stack.close()

    def _send(self, point: int, value: object, ts_ns: int | None) -> None:
        self._last_ns = ts_ns or max(moment().wall_ns, self._last_ns + 1_000_000)
        self._kept[point] = json.dumps({"t": self._last_ns // 1_000_000, "values": [value]})
        if self._here:
            self._publish(point, self._kept[point])

    def _publish(self, point: int, payload: str) -> None:
        topic = ("plant/gas/state", "plant/air/state")[point]
        paho.single(topic, payload, qos=1, retain=True, hostname="127.0.0.1", port=self._server.port)
