"""A file that another program writes to."""

from __future__ import annotations

from typing import Any, ClassVar

from minewatch_edge.runtime import moment

from . import stage


class Stage(stage.Stage):
    """A growing CSV file with a line for each value that is set."""

    kind = "csv"
    cannot: ClassVar = {"hang": "a file answers or is not there"}

    def __init__(self, folder: stage.Path) -> None:
        super().__init__(folder)
        self._file = folder / "peer.csv"
        self._last_ns = 0

    @property
    def where(self) -> str:
        return str(self._file)

    def device(self) -> dict[str, Any]:
        return {
            "file": self._file.name, "time": "t", "format": "unix_ms", "mode": "follow", "start": "start",
        }  # fmt: skip

    def points(self) -> list[dict[str, Any]]:
        return [{"column": "a"}, {"column": "b", "scale": 0.01}]

    def start(self) -> None:
        self._file.write_text("t,a,b\n", encoding="utf-8")

    def set(self, point: int, value: float, ts_ns: int | None = None) -> None:
        self._write(point, repr(value if point == 0 else value * 100), ts_ns)

    def set_bad(self, point: int) -> None:
        self._write(point, "no signal", None)

    def stop(self) -> None:
        self._file.unlink()

    def _write(self, point: int, cell: str, ts_ns: int | None) -> None:
        self._last_ns = ts_ns or max(moment().wall_ns, self._last_ns + 1_000_000)
        cells = ["", ""]
        cells[point] = cell
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{self._last_ns // 1_000_000},{','.join(cells)}\n")
