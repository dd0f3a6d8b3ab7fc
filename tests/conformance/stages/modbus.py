"""A Modbus TCP server with a float of two holding registers and a scaled input register."""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from . import stage
from .modbus_peer import ModbusPeer


class Stage(stage.Stage):
    """Point 0 is a float32 with a sentinel, point 1 an int16 in hundredths."""

    kind = "modbus"
    cannot: ClassVar = {"stamp": "a register has no time of its own"}
    tolerance = 1e-6

    def __init__(self, folder: stage.Path) -> None:
        super().__init__(folder)
        self._peer = ModbusPeer()

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self._peer.port}"

    def device(self) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self._peer.port, "timeout_s": 0.5}

    def points(self) -> list[dict[str, Any]]:
        return [
            {"register": 10, "type": "float32", "order": "CDAB", "sentinels": [-999.0]},
            {"register": 4, "table": "input", "type": "int16", "scale": 0.01},
        ]

    def start(self) -> None:
        self._peer.start()

    def set(self, point: int, value: float, ts_ns: int | None = None) -> None:
        if point == 0:
            high, low = struct.unpack(">HH", struct.pack(">f", value))
            self._peer.set(10, [low, high])
        else:
            self._peer.set(4, [round(value * 100) & 0xFFFF], "input")

    def set_bad(self, point: int) -> None:
        self.set(point, -999.0)

    def stop(self) -> None:
        self._peer.stop()

    def hang(self) -> None:
        self._peer.hang()

    def close(self) -> None:
        self._peer.stop()
