"""A tree of files as the kernel shows it: a thermal zone and the load."""

from __future__ import annotations

import shutil
from typing import Any, ClassVar

from . import stage


class Stage(stage.Stage):
    """The temperature in thousandths, the load beside two other averages."""

    kind = "system"
    cannot: ClassVar = {
        "hang": "files of the kernel answer or are not there",
        "stamp": "they have no times of their own",
    }

    def __init__(self, folder: stage.Path) -> None:
        super().__init__(folder)
        self._root = folder / "root"
        self._values = [0.5, 0.5]

    @property
    def where(self) -> str:
        return str(self._root)

    def device(self) -> dict[str, Any]:
        return {"root": "root"}

    def points(self) -> list[dict[str, Any]]:
        return [{"source": "temperature", "of": "cpu"}, {"source": "load"}]

    def start(self) -> None:
        (self._root / "proc").mkdir(parents=True)
        zone = self._root / "sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True)
        (zone / "type").write_text("cpu\n")
        for point in (0, 1):
            self._write(point, self._values[point])

    def set(self, point: int, value: float, ts_ns: int | None = None) -> None:
        self._values[point] = value
        self._write(point, value)

    def set_bad(self, point: int) -> None:
        self._file(point).unlink()

    def stop(self) -> None:
        shutil.rmtree(self._root)

    def _file(self, point: int) -> stage.Path:
        return self._root / ("sys/class/thermal/thermal_zone0/temp", "proc/loadavg")[point]

    def _write(self, point: int, value: float) -> None:
        if self._root.exists():
            new = self._file(point).with_suffix(".new")
            new.write_text(f"{value * 1000:.0f}\n" if point == 0 else f"{value} 9.9 8.8 1/300 77\n")
            new.replace(self._file(point))
