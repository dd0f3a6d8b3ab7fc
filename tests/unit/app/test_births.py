"""Points that come later are bound beside those that stand, which go on as they were."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from minewatch.alerts import packs
from minewatch.alerts.rules import load
from minewatch.alerts.settings import AlertSettings
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import PointInfo, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME
from unit.app.a_mine import T0, S, meter, pipeline

RULES = load(packs.paths(AlertSettings()), BY_NAME)
KINDS = (
    ("methane", "% CH4"), ("air_velocity", "m/s"), ("carbon_monoxide", "ppm"), ("methane", "ppm"),
    ("temperature", "°C"),
)  # fmt: skip
POINTS = [
    replace(
        meter(f"d{n // 5}"), place=f"mine/d{n // 5}/m{n % 5}", metric=f"m{n % 5}", quantity=quantity,
        unit=unit, zone=f"face-{n // 20}", interval_s=0.0 if n % 7 == 0 else 1.0, gateway=f"gw-{n % 2}",
    )
    for n in range(60)
    for quantity, unit in [KINDS[n % 5]]
]  # fmt: skip


def _bound(mine: Pipeline) -> dict[str, Any]:
    """Return everything that was bound to points."""
    engines = {"live": mine.engine, "second": mine.history.engine}
    return {
        **{f"{name} limit": engine.state.limit.tolist() for name, engine in engines.items()},
        **{f"{name} first": engine.state.limit_first.tolist() for name, engine in engines.items()},
        "unwatched": set(mine.rule_problems),
        "groups": sorted(mine.outside.company.groups),
        "subjects": {(s.detector, s.about.place) for s in mine.outside.subjects},
    }


def _born(*parts: list[PointInfo]) -> Pipeline:
    mine = pipeline(rules=RULES)
    for part in parts:
        mine.register(part, T0)
    return mine


@pytest.mark.parametrize("cuts", [[1], [59], [20, 21, 47], list(range(1, 60))])
def test_points_that_come_in_pieces_are_bound_as_if_they_came_at_once(cuts: list[int]) -> None:
    """Whatever the pieces, limits, groups and what no rule watches are the same in the end."""
    parts = [POINTS[a:b] for a, b in zip([0, *cuts], [*cuts, 60], strict=True)]
    assert _bound(_born(*parts)) == _bound(_born(POINTS))


def test_a_birth_that_describes_a_known_point_anew_binds_all() -> None:
    """A meter that comes back with another unit, beside new ones, is judged by the rules of that unit."""
    anew = replace(POINTS[3], unit="% CH4")
    wanted = [*POINTS[:3], anew, *POINTS[4:]]
    assert _bound(_born(POINTS[:30], [anew, *POINTS[30:]])) == _bound(_born(wanted))


def test_a_limit_that_stands_goes_on_over_a_birth() -> None:
    """An alert raised before other points come stands beside them, is cleared, and is not raised twice."""
    mine = _born(POINTS[:10])
    told = []
    for second, value in enumerate([0.1, 3.0, 3.0, 3.0, *[0.1] * 200]):
        if second == 2:
            mine.register(POINTS[10:], T0)
        at = T0 + second * S
        told += mine.take(ReadingBatch.of([5], [at], [value]), at)
    mine.tick(at)
    values = [e.event.value for e in told if e.alert.place == POINTS[5].place and e.alert.detector == "value"]
    assert values.count("raised") >= 1
    assert values.count("raised") == values.count("cleared")
    assert np.diff(mine.engine.state.limit["point"]).min() >= 0
