"""Real gas in the clothes of a test: through rules, engine and book, it calls in time, announced or not."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acceptance.playing import SECOND, START, shipped_rules
from minewatch.alerts.book import AlertBook
from minewatch.alerts.settings import AlertSettings
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import EventKind, PointInfo, ReadingBatch
from minewatch.detect.settings import DetectSettings
from minewatch.testing import MemoryRecords, MemoryTelemetry

Shown = Callable[[int], float | None]
CALLS = (EventKind.RAISED, EventKind.ESCALATED)
METHANE, AIR = ("methane", "% CH4"), ("air_velocity", "m/s")
STEP = 60  # the second the gas comes
BOUND, DECIDE = 180, 8  # what the detector allows itself, see docs/detectors.md


def points(names: dict[str, tuple[str, str]]) -> list[PointInfo]:
    """Return the points of one heading."""
    return [
        PointInfo(f"m/{name}", "m", "gw", name, "v", *kind, "heading-9/face", -5.0, 100.0, (), 5.0, 0.01)
        for name, kind in names.items()
    ]


def played(
    names: dict[str, tuple[str, str]], shown: dict[str, Shown], seconds: int, *, announced: bool
) -> tuple[list[tuple[int, str, str]], list[str]]:
    """Return every call (second, rule, place) and every kind of event."""
    test_gas: dict[str, Any] = {}
    if announced:
        begin = datetime.fromtimestamp(START / SECOND, UTC)
        test = {
            "place": "m/a",
            "begin": begin,
            "end": begin + timedelta(hours=1),
            "by": "order 1",
            "gas_pct": 2.2,
        }
        test_gas = {"announced": [test]}
    records = MemoryRecords()
    book = AlertBook(AlertSettings(), records, started_ns=START)
    detect = DetectSettings(test_gas=test_gas)  # type: ignore[arg-type] # pydantic reads a mapping
    pipeline = Pipeline(detect, shipped_rules(), book, MemoryTelemetry(), records, now_ns=START)
    rows = pipeline.register(points(names)).tolist()
    events = []
    for second in range(seconds):
        now = START + second * SECOND
        given = [(row, shown[name](second)) for row, name in zip(rows, names, strict=True)]
        there = [(row, x) for row, x in given if x is not None]
        batch = ReadingBatch.of([row for row, _ in there], [now] * len(there), [x for _, x in there])
        events += pipeline.take(batch, now)
        events += pipeline.tick(now)
    calls = [
        ((e.time_ns - START) // SECOND, e.alert.rule, e.alert.place)
        for e in events
        if e.event in CALLS and e.alert.paged
    ]
    return calls, [e.event.value for e in events]


def gas(to: float = 2.2, at: int = STEP, tau: float = 4.0) -> Shown:
    """Return what a meter shows of gas that is suddenly there."""
    return lambda s: 0.2 if s < at else round(0.2 + (to - 0.2) * -math.expm1(-(s - at) / tau), 2)


def still(x: float) -> Shown:
    """Return what shows the same for ever."""
    return lambda s: x


FACE = {"a": METHANE, "b": METHANE, "air": AIR}
QUIET = {"a": gas(), "b": still(0.2), "air": still(1.5)}


@pytest.mark.parametrize("announced", [False, True])
def test_a_quiet_test_calls_nobody(announced: bool) -> None:
    """The step of a bottle, taken away after a minute, is tagged and calls nobody."""
    shown = QUIET | {"a": lambda s: gas()(s) if s < 120 else 0.2}
    calls, events = played(FACE, shown, 260, announced=announced)
    assert calls == []
    assert "tagged" in events


@pytest.mark.parametrize("announced", [False, True])
@pytest.mark.parametrize("after", [2, 5, 20, 90])
def test_a_second_meter_that_follows_calls_at_once(after: int, announced: bool) -> None:
    """An outburst reaches the next meter seconds later: who was not called yet is called within three."""
    shown = QUIET | {"b": gas(1.2, at=STEP + after)}
    calls, _ = played(FACE, shown, 200, announced=announced)
    assert calls[0][0] <= STEP + after + 4
    assert calls[0][2] == "m/a"


@pytest.mark.parametrize("announced", [False, True])
@pytest.mark.parametrize("after", [-30, 0, 5, 60])
def test_air_that_fails_calls_at_once(after: int, announced: bool) -> None:
    """Without air the very same step is no test."""
    shown = QUIET | {"air": lambda s: 1.5 if s < STEP + after else 0.1}
    calls, _ = played(FACE, shown, 200, announced=announced)
    limit = next(s for s in range(200) if gas()(s) > 1.0)
    assert calls[0][0] <= max(limit, STEP + after + 2)


def test_gas_left_on_calls_after_the_bound() -> None:
    """A bottle that nobody takes away, or gas that only looks like one, calls after three minutes."""
    calls, _ = played(FACE, QUIET, 300, announced=False)
    assert [rule for _, rule, _ in calls] == ["methane-high", "methane-trip"]
    assert {second for second, _, _ in calls} == {STEP + BOUND + 1}


@pytest.mark.parametrize("names", [{"a": METHANE, "air": AIR}, {"a": METHANE}, {"a": METHANE, "b": METHANE}])
def test_an_outburst_at_the_only_meter_calls_at_the_limit(names: dict[str, Any]) -> None:
    """Nobody near can say that it is a test: nothing waits. Announced, a level that is not its gas calls."""
    limit = next(s for s in range(200) if gas(6.0)(s) > 1.0)
    calls, _ = played(names, QUIET | {"a": gas(6.0)}, 120, announced=False)
    assert calls[0][0] == limit
    calls, _ = played(names, QUIET | {"a": gas(6.0)}, 120, announced=True)
    assert calls[0][0] <= limit + 3


def test_a_meter_that_dies_in_its_step_calls() -> None:
    """An outburst that destroys the meter: its silence is no test."""
    shown = QUIET | {"a": lambda s: gas()(s) if s < STEP + 4 else None}
    calls, _ = played(FACE, shown, 140, announced=False)
    assert calls[0][0] <= STEP + DECIDE + 4


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    to=st.floats(1.2, 30.0),
    tau=st.floats(0.5, 60.0),
    follows=st.integers(0, 150),
    air=st.none() | st.integers(-20, 150),
    announced=st.booleans(),
)
def test_whatever_rises_calls_in_time(
    to: float, tau: float, follows: int, air: int | None, announced: bool
) -> None:
    """A rise of any height and speed, followed by a neighbour or by failing air: the call comes in time.

    In time is when the limit is passed, or the neighbour or the air has spoken, whichever is later, and never
    more than the bound of a test after the step, announced within the hour or not, because here a neighbour
    follows within 150 s.
    """
    shown = {
        "a": gas(to, tau=tau),
        "b": gas(1.0, at=STEP + follows, tau=2.0),
        "air": still(1.5) if air is None else (lambda s: 1.5 if s < STEP + air else 0.1),
    }
    limit = next((s for s in range(STEP, 400) if (shown["a"](s) or 0) > 1.0), None)
    if limit is None:
        return
    calls, _ = played(FACE, shown, limit + 240, announced=announced)
    speaks = min([STEP + follows + 3, *([] if air is None else [STEP + air + 3])])
    at_meter = [second for second, _, place in calls if place in ("m/a", "m/heading-9")]
    assert at_meter
    assert at_meter[0] <= max(limit, speaks)
