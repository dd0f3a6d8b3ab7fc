"""Rules, points and transitions to try the alerts room with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from minewatch.alerts.rule import Match, Rule, key_of
from minewatch.contracts import Comparison, PointInfo, Text, Transitions
from minewatch.detect.catalogue import IDS as DETECTORS

S = 1_000_000_000
T0 = 1_400_000_000 * S


def rule(**changes: Any) -> Rule:
    """Return a rule about methane above 1 %, or one that differs as asked."""
    made: dict[str, Any] = {
        "id": "methane-high",
        "quantity": "methane",
        "unit": "% CH4",
        "detector": "value",
        "comparison": Comparison.ABOVE,
        "threshold": 1.0,
        "deadband": 0.1,
        "on_delay_s": 0.0,
        "off_delay_s": 30.0,
        "priority": 2,
        "page": True,
        "jurisdiction": "site",
        "citation": "the mine's own",
        "verified": False,
        "evidence": "",
        "effective_from": date(2014, 1, 1),
        "match": Match(),
        "message": Text("метан жоғары", "метан высокий", "methane is high"),
        "where": "a.toml:1",
    }
    made |= changes
    return Rule(detector_id=DETECTORS[made["detector"]], **made)


def point(name: str = "mm1", **changes: Any) -> PointInfo:
    """Return a methane point at a face."""
    made: dict[str, Any] = {
        "place": f"north/{name}/ch4",
        "site": "north",
        "gateway": "gw-1",
        "device": name,
        "metric": "ch4",
        "quantity": "methane",
        "unit": "% CH4",
        "zone": "longwall-7/face",
        "interval_s": 1.0,
    }
    return PointInfo(**(made | changes))


def moved(
    *rows: tuple[bool, float, float], key: int | None = None, since: Sequence[float] = ()
) -> Transitions:
    """Return transitions (active, second, value) of one limit; ``since`` are the seconds of their causes."""
    key = key_of("methane-high", "north/mm1/ch4") if key is None else key
    causes = since or [second for _, second, _ in rows]
    return Transitions(
        key=np.full(len(rows), key, np.int64),
        ts_ns=np.asarray([T0 + round(second * S) for _, second, _ in rows], np.int64),
        since_ns=np.asarray([T0 + round(second * S) for second in causes], np.int64),
        active=np.asarray([active for active, _, _ in rows], np.bool_),
        value=np.asarray([value for _, _, value in rows], np.float64),
    )
