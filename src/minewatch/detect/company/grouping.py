"""Which points are judged together: those of a device, of a quantity in a zone, the air and gas of a zone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from minewatch.contracts import PointInfo
from minewatch.detect.company.settings import MixtureMember

AIR, METHANE = "air_velocity", "methane"
LEAST_NEIGHBOURS = 3  # of two nobody can say which is wrong
LEAST_SENSORS = 2


class Grouping:
    """The groups of the points added so far; a birth costs what it brings, and a look at each group."""

    def __init__(self, mixture: Sequence[MixtureMember]) -> None:
        self._acting = {(m.quantity, m.unit) for m in mixture}
        self._devices: dict[str, list[int]] = defaultdict(list)
        self._meters: dict[str, list[int]] = defaultdict(list)
        self._zones: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))  # air, methane
        self._mixed: dict[str, list[int]] = defaultdict(list)
        self._gases: dict[str, set[str]] = defaultdict(set)  # of the points in ``mixed``

    def add(self, first: int, points: Iterable[PointInfo]) -> None:
        """Add the points whose indices begin at ``first``."""
        for p, info in enumerate(points, first):
            zone = f"{info.site}/{info.zone}"
            self._devices[f"{info.site}/{info.gateway}/{info.device}"].append(p)
            self._meters[f"{zone}/{info.quantity}/{info.unit}"].append(p)
            if info.quantity in (AIR, METHANE):
                self._zones[zone][info.quantity == METHANE].append(p)
            if (info.quantity, info.unit) in self._acting:
                self._mixed[zone].append(p)
                self._gases[zone].add(info.quantity)

    def groups(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield what is judged together: "detector group" and its points."""
        for zone, (air, gas) in self._zones.items():  # first what lives hang on
            if air and gas:
                yield f"airflow-gas {zone}", (*air, *gas)
        for zone, members in self._mixed.items():
            if len(self._gases[zone]) > 1:
                yield f"mixture {zone}", tuple(members)
        for name, members in self._meters.items():
            if len(members) >= LEAST_NEIGHBOURS:
                yield f"neighbours {name}", tuple(members)
        for name, members in self._devices.items():
            if len(members) >= LEAST_SENSORS:
                yield f"mahalanobis {name}", tuple(members)
