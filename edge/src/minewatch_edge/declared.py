"""What a gateway declares: its drivers' points, and those that only rows in the spool speak of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from math import isnan

from minewatch_edge.rows import Columns
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.edge_session import Reading
from minewatch_edge.spool import SpoolPoint


class Declared:
    """Births for the session, and where in them each point of the spool is found."""

    def __init__(self, points: Sequence[PointBirth], retired: Sequence[SpoolPoint]) -> None:
        births = list(points)
        taken = {(b.device.casefold(), b.metric.casefold()): i for i, b in enumerate(births)}
        spelled = {b.device.casefold(): b.device for b in births}
        numbers = list(range(len(births)))
        for point in retired:
            # A metric that was only written in another case since is the same one to Sparkplug.
            same = taken.setdefault((point.device.casefold(), point.metric.casefold()), len(births))
            if same == len(births):
                births.append(_born_again(point, spelled))
            numbers.append(same)
        places, count = [], dict[str, int]()
        for birth in births:
            index = count.get(birth.device, 0)
            count[birth.device] = index + 1
            places.append((birth.device, index))
        self.births = tuple(births)
        self._places = [places[n] for n in numbers]

    def device(self, columns: Columns, default: str) -> str:
        """Return the device a row belongs to as it is called now."""
        return self._places[columns.points[0]][0] if columns.points else default

    def readings(self, columns: Columns) -> list[Reading]:
        """Return readings as the session takes them: NaN has become a null value."""
        places = self._places
        return [
            (places[p][1], ts, None if isnan(value) else value, quality)
            for p, ts, value, quality in zip(*columns[:4], strict=True)
        ]


def spool_points(points: Sequence[PointBirth]) -> list[SpoolPoint]:
    """Return points as the spool keeps them, so that they can be declared again later."""
    return [SpoolPoint(p.device, p.metric, json.dumps(asdict(p))) for p in points]


def _born_again(point: SpoolPoint, spelled: dict[str, str]) -> PointBirth:
    values = json.loads(point.birth)
    values["device"] = spelled.setdefault(point.device.casefold(), point.device)
    values["sentinels"] = tuple(values["sentinels"])
    return PointBirth(**values)
