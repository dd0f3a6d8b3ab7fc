"""Which rows matter most: those with a reading outside its instrument's range, or near an alarm."""

from __future__ import annotations

from collections.abc import Sequence

from minewatch_edge.config import EdgeConfig
from minewatch_edge.rows import NewRow
from minewatch_edge.sparkplug.births import PointBirth

MATTERS = 1  # such rows wait for the disk, and a full spool gives them up after the ordinary ones


class Ranks:
    """The bounds of each point between which a reading is ordinary."""

    def __init__(self, config: EdgeConfig, points: Sequence[PointBirth]) -> None:
        near = {(d.id, p.birth.metric): p.near for d in config.devices for p in d.points}
        none = (float("-inf"), float("inf"))
        self._bounds = [
            (max(p.low, low), min(p.high, high))
            for p in points
            for low, high in (near.get((p.device, p.metric), none),)
        ]

    def ranked(self, row: NewRow) -> NewRow:
        """Return the row with the priority its readings ask for; a missing value asks for none."""
        if row.priority:
            return row
        bounds = self._bounds
        for point, value in zip(row.columns.points, row.columns.values, strict=True):
            low, high = bounds[point]
            if value < low or value > high:
                return row._replace(priority=MATTERS)
        return row
