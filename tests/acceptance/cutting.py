"""A small mine in which everything happens, as steps that a pipeline takes and may be stopped after.

Sensors come, go and are replaced, rows come late or with a clock set back, settings change at a time, gas
comes from a bottle and from the mine, and every kind of limit is judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from acceptance.playing import SECOND
from acceptance.playing import START as MORNING
from minewatch.alerts.book import AlertBook
from minewatch.alerts.rule import Rule
from minewatch.alerts.rules import RuleSet
from minewatch.alerts.settings import AlertSettings
from minewatch.app import snapshot
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import EventKind, PointInfo, ReadingBatch
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.settings import DetectSettings
from minewatch.testing import MemoryRecords, MemoryTelemetry
from unit.app.a_mine import rule
from unit.detect.mine import SETTINGS

START = MORNING + 3520 * SECOND  # 50 s later another hour begins
LENGTH = 160  # steps of a second
ARRIVES, LEAVES, RETURNS, REPLACED = 45, 60, 100, 85
LATE, BACK = 110, 70
KINDS = {
    "ch4-a": ("methane", "% CH4"), "ch4-b": ("methane", "% CH4"), "air": ("air_velocity", "m/s"),
    "co": ("carbon_monoxide", "ppm"), "bearing": ("vibration", "mm/s"), "dust": ("dust", "mg/m3"),
    "level": ("water_level", "m"),
}  # fmt: skip
LIMITS = (
    ("methane", "value", 1.0, 0), ("methane", "rate-of-rise", 2.0, 2), ("methane", "mean-15min", 0.5, 0),
    ("methane", "forecast", 1.2, 0), ("carbon_monoxide", "cusum", 6.0, 0),
    ("carbon_monoxide", "ewma", 3.0, 0), ("carbon_monoxide", "above-ambient", 2.0, 3),
    ("carbon_monoxide", "novelty", 1.0, 0), ("carbon_monoxide", "value", 11.0, 0),
    ("vibration", "wear", 0.2, 0), ("dust", "sentinel", 1.0, 0), ("dust", "range", 1.0, 0),
    ("dust", "value", 4.0, 5), ("water_level", "frozen", 1.0, 0), ("water_level", "forecast", 5.0, 0),
)  # fmt: skip
UNITS = dict(KINDS.values())


def _rule(quantity: str, unit: str, detector: str, limit: float, delay_s: float) -> Rule:
    made = rule(f"{detector}-{quantity}", detector, BY_NAME[detector], limit)
    return replace(made, quantity=quantity, unit=unit, on_delay_s=delay_s, page=False)


RULES = RuleSet(
    (*(_rule(q, UNITS[q], *more) for q, *more in LIMITS), _rule("water_level", "ft", "value", 12.0, 0))
)
CHANGES = [
    {
        "valid_from": datetime.fromtimestamp(START / 1e9 + second, UTC), "by": "engineer", "reason": "try",
        "set": values,
    }
    for second, values in (
        (50, {"cusum_slack": 0.1, "rate_window_s": 20.0, "coverage": 0.05}),
        (120, {"forecast_horizon_s": 10.0, "frozen_factor": 1.5, "test_gas": {"decide_s": 6.0}}),
    )
]  # fmt: skip
CHANGED = DetectSettings.model_validate({**SETTINGS.model_dump(), "changes": CHANGES})


@dataclass(frozen=True, slots=True)
class Step:
    """What happens in one second: sensors described, readings of (place, time, value)."""

    now_ns: int
    born: tuple[PointInfo, ...]
    rows: tuple[tuple[str, int, float], ...]
    late: tuple[tuple[str, int, float], ...] = ()


@cache
def story(seed: int) -> tuple[Step, ...]:
    """Return the steps of a mine; the same seed tells the same."""
    noise = np.random.default_rng(seed).normal(0, 1, (LENGTH, len(KINDS)))
    return tuple(_step(second, noise[second]) for second in range(LENGTH))


def play(
    steps: Sequence[Step], folder: Path, *, cut: int, saved: int, settings: DetectSettings = CHANGED
) -> Pipeline:
    """Take steps up to ``cut`` and die; go on from what ``saved`` left and the store holds, to the end."""
    records, telemetry = MemoryRecords(), MemoryTelemetry()
    mine = _open(records, telemetry, settings, steps[0].now_ns)
    for number, step in enumerate(steps):
        if number == cut:
            mine = _open(records, telemetry, settings, step.now_ns)
            snapshot.load(mine, folder / "state", step.now_ns)
        if step.born:
            mine.register(step.born, step.now_ns)
        for rows, historical in ((step.late, True), (step.rows, False)):
            if rows:
                where = {info.place: index for index, info in enumerate(mine.points.infos)}
                places, times, values = zip(*rows, strict=True)
                batch = ReadingBatch.of([where[p] for p in places], times, values, historical=historical)
                mine.take(batch, step.now_ns)
        mine.tick(step.now_ns)
        mine.flush()
        if number == saved:
            snapshot.save(mine, folder / "state", step.now_ns)
    return mine


def told(mine: Pipeline) -> list[tuple[object, ...]]:
    """Return the journal: who, what, where, when, how much, why; not how long, see docs/detectors.md."""
    return [
        (
            e.alert.id,
            e.event,
            e.alert.rule,
            e.alert.place,
            e.time_ns,
            e.alert.why.en.partition("; it lasted")[0],
            e.alert.retrospective,
        )
        for e in mine.records.events(limit=10_000)
        if e.event is not EventKind.EXPLAINED
    ]


def _open(
    records: MemoryRecords, telemetry: MemoryTelemetry, settings: DetectSettings, now_ns: int
) -> Pipeline:
    book = AlertBook(AlertSettings(), records, started_ns=now_ns)
    return Pipeline(settings, RULES, book, telemetry, records, now_ns=now_ns)


def _info(name: str, second: int) -> PointInfo:
    quantity, unit = KINDS[name]
    if name == "level" and second >= REPLACED:
        unit = "ft"
    return PointInfo(
        f"mine/{name}/v", "mine", "gw", name, "v", quantity, unit, "longwall-7/face", 0.0,
        400.0 if name == "bearing" else 40.0,
        (-2.0,), 1.0, 0.01, valid_from_ns=START + second * SECOND,
    )  # fmt: skip


def _step(second: int, noise: np.ndarray) -> Step:
    born = [_info(name, 0) for name in KINDS if name != "dust"] if second == 0 else []
    if second == ARRIVES:
        born.append(_info("dust", second))
    if second == REPLACED:
        born.append(_info("level", second))
    now = START + second * SECOND
    rows = [
        (f"mine/{name}/v", now, value)
        for name, value in _shown(second, noise).items()
        if not (name == "co" and LEAVES <= second < RETURNS) and not (name == "dust" and second < ARRIVES)
    ]
    if second in (BACK, BACK + 1):  # a clock set back: live, and yet not newer
        rows.append(("mine/ch4-b/v", now - 30 * SECOND, 1.5))
    late = [("mine/co/v", START + (LEAVES + k) * SECOND, 3.0 + 9.0 * (k > 5)) for k in range(12)]
    return Step(now, tuple(born), tuple(rows), tuple(late) if second == LATE else ())


def _shown(second: int, noise: np.ndarray) -> dict[str, float]:
    gas = 0.3 + (2.0 * -math.expm1(-(second - 20) / 4) if 20 <= second < 60 else 0.0)  # a bottle
    rise = 0.3 + max(0, min(second - 130, 25)) * 0.06  # and gas of the mine
    water = 3.0 + (2.5 * math.sin(second / 8) if second < 40 or second >= 75 else 0.0)
    shown = {
        "ch4-a": max(gas, rise),
        "ch4-b": rise + 0.02 * noise[1],
        "air": 1.8 - (1.5 if 135 <= second < 150 else 0.0) + 0.01 * noise[2],
        "co": 3.0 + 0.5 * noise[3] + (6.0 if second >= 125 else 0.0),
        "bearing": 2.0 + 0.05 * noise[4] + (150.0 if second > 80 else 0.0),
        "dust": -2.0 if 90 <= second < 95 else 50.0 if second == 99 else 3.0 + 2.0 * (noise[5] > 0.3),
        "level": water * (3.28 if second >= REPLACED else 1.0),
    }
    return {name: round(value, 2) for name, value in shown.items()}
