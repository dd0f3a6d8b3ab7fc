"""Waveforms: there is no peer, so nothing can be taken away."""

from __future__ import annotations

from typing import Any

from . import stage

_NO_PEER = "a simulated device has no peer"


class Stage(stage.Stage):
    """Two constants, set before the driver is made."""

    kind = "simulated"
    cannot = dict.fromkeys(("set", "bad", "gone", "hang", "stamp"), _NO_PEER)

    def __init__(self, folder: stage.Path) -> None:
        super().__init__(folder)
        self._values = [0.0, 0.0]

    def points(self) -> list[dict[str, Any]]:
        return [{"wave": "constant", "mean": value} for value in self._values]

    def set(self, point: int, value: float, ts_ns: int | None = None) -> None:
        self._values[point] = value
