"""A core that dies at any moment: the next one goes on, and the journal shows nothing of it."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from acceptance.restarting import Core, Moment, Refusing, again, moments
from minewatch.contracts import AlertEvent, EventKind, Text
from minewatch.testing import MemoryRecords, MemoryTelemetry
from minewatch_sim.scenario import Scenario, at, dropout, ramp, spike, uplink_lost
from minewatch_sim.simulation import points

pytestmark = pytest.mark.timeout(600)
FACE = "karaganda-demo/ch4-face-60/ch4"
CARBON = "karaganda-demo/co-belt-7/co"
AIR = "karaganda-demo/air-face-7/velocity"
STORY = Scenario(
    "restart",
    Text("", "", ""),
    (
        at(0.5, spike(FACE, 1.6, for_min=0.8)),
        at(2.0, ramp(FACE, 0.3, 2.4, over_min=0.6, hold_min=0.3)),
        at(1.0, spike(AIR, 0.1, for_min=0.7)),
        at(3.2, spike(AIR, 0.1, for_min=0.4)),
        at(3.4, spike(FACE, 1.2, for_min=0.6)),
    ),
    minutes=5.0,
    sites=("karaganda-demo",),
)
SILENT = Scenario(
    "silent",
    Text("", "", ""),
    (
        at(0.5, dropout(FACE, for_min=1.5)),
        at(2.5, uplink_lost("karaganda-demo/gw-longwall", for_min=1.5)),
        at(3.0, spike(FACE, 1.6, for_min=0.5)),
    ),
    minutes=5.0,
    sites=("karaganda-demo",),
)
FRAMES = 301
CUT = st.integers(2, FRAMES - 2)
AGO = st.integers(0, 300)
EXAMPLES = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def story(name: str) -> tuple[Moment, ...]:
    """Return the moments of a scenario, made once."""
    return moments({"restart": STORY, "silent": SILENT}[name])


def told(records: MemoryRecords) -> list[tuple[str, EventKind, str, str]]:
    """Return the journal as a person would read it."""
    return [
        (e.alert.id, e.event, e.alert.rule, e.alert.place)
        for e in events(records)
        if e.event is not EventKind.EXPLAINED  # how often words are told anew is a matter of seconds
    ]


def events(records: MemoryRecords) -> list[AlertEvent]:
    """Return the whole journal."""
    return list(records.events(limit=10_000))


@cache
def undisturbed(name: str) -> tuple[tuple[str, EventKind, str, str], ...]:
    """Return the journal of a core that never stopped."""
    with tempfile.TemporaryDirectory() as folder:
        records = MemoryRecords()
        play(
            name,
            records,
            MemoryTelemetry(),
            Path(folder) / "state",
            cut=FRAMES,
            saved=FRAMES,
            acknowledged=FRAMES,
        )
    return tuple(told(records))


def play(
    name: str,
    records: MemoryRecords,
    telemetry: MemoryTelemetry,
    state: Path,
    *,
    cut: int,
    saved: int,
    acknowledged: int,
    full_from: int = FRAMES,
) -> Core:
    """Run to ``cut``, die, go on; state was saved at ``saved``, what is not ``acknowledged`` comes again."""
    infos = points({"restart": STORY, "silent": SILENT}[name])
    frames = story(name)
    core = Core(records, telemetry, state, frames[0].time_ns)
    core.hear(infos, frames[0].sessions, frames[0].time_ns)
    for number, moment in enumerate(frames):
        if number == full_from and isinstance(telemetry, Refusing):
            telemetry.full = True
        if number == cut:
            if isinstance(telemetry, Refusing):
                telemetry.full = False
            core = Core(records, telemetry, state, moment.time_ns)
            core.hear(infos, frames[number - 1].sessions, moment.time_ns)
        core.take(moment.intake, moment.time_ns)
        if number == saved:
            core.save(moment.time_ns)
        if number == cut and acknowledged < cut:
            core.take(again(frames[acknowledged:cut]), moment.time_ns)
    return core


def test_the_story_is_worth_cutting() -> None:
    """The undisturbed journal raises and clears several rules, with delays and without."""
    rules = {rule for _, _, rule, _ in undisturbed("restart")}
    assert {"methane-high", "methane-trip", "methane-warning", "face-airflow-lost"} <= rules
    assert {EventKind.RAISED, EventKind.CLEARED} <= {kind for _, kind, _, _ in undisturbed("restart")}


@EXAMPLES
@given(cut=CUT, saved_ago=AGO, acknowledged_ago=AGO)
def test_a_restart_at_any_moment_leaves_the_same_journal(
    cut: int, saved_ago: int, acknowledged_ago: int
) -> None:
    """Snapshot from earlier, store complete, messages sent again: ids and kinds as if never stopped."""
    with tempfile.TemporaryDirectory() as folder:
        records, telemetry = MemoryRecords(), MemoryTelemetry()
        play(
            "restart", records, telemetry, Path(folder) / "state",
            cut=cut, saved=max(0, cut - 1 - saved_ago), acknowledged=max(0, cut - acknowledged_ago),
        )  # fmt: skip
    assert told(records) == list(undisturbed("restart"))
    sent = sum(len(moment.intake.batch) for moment in story("restart"))
    assert (telemetry.counts().stored, telemetry.counts().distinct) == (sent, sent)


def stood(records: MemoryRecords) -> list[tuple[str, str]]:
    """Return rule and place of each raise that came while that alert already stood: there must be none."""
    active: set[tuple[str, str, bool]] = set()
    twice = []
    for event in events(records):
        alert = event.alert
        slot = (alert.rule, alert.place, alert.retrospective)
        if event.event is EventKind.RAISED and slot in active:
            twice.append(slot[:2])
        if event.event is EventKind.RAISED:
            active.add(slot)
        elif event.event is EventKind.CLEARED:
            active.discard(slot)
    return twice


@EXAMPLES
@example(cut=205, full_ago=73)  # evidence of a place that begins anew at another second
@given(cut=CUT, full_ago=st.integers(1, 150))
def test_what_was_told_before_the_store_had_it_is_not_told_again(cut: int, full_ago: int) -> None:
    """A store that refused up to the crash: every reading is in it once, no alert comes back as history."""
    with tempfile.TemporaryDirectory() as folder:
        records, telemetry = MemoryRecords(), Refusing()
        full_from = max(1, cut - full_ago)
        play(
            "restart", records, telemetry, Path(folder) / "state",
            cut=cut, saved=full_from - 1, acknowledged=full_from, full_from=full_from,
        )  # fmt: skip
    sent = sum(len(moment.intake.batch) for moment in story("restart"))
    assert (telemetry.counts().stored, telemetry.counts().distinct) == (sent, sent)
    limits = [e for e in events(records) if e.alert.detector == "value"]
    assert [e.alert.rule for e in limits if e.alert.retrospective] == []
    assert stood(records) == []


def test_an_alert_is_never_swallowed_because_its_cause_was_known() -> None:
    """Air that was low at the snapshot and low again after the crash is a new alert, told anew."""
    with tempfile.TemporaryDirectory() as folder:
        records, telemetry = MemoryRecords(), Refusing()
        play(
            "restart", records, telemetry, Path(folder) / "state",
            cut=192, saved=71, acknowledged=72, full_from=72,
        )  # fmt: skip
    of = [e for e in events(records) if e.alert.rule == "face-airflow-lost"]
    air = [(e.event, e.alert.id) for e in of if e.event is not EventKind.EXPLAINED]
    assert [kind for kind, _ in air] == [EventKind.RAISED, EventKind.CLEARED] * 2


@EXAMPLES
@given(cut=CUT, saved_ago=st.integers(0, 60))
def test_silences_are_told_once_whenever_the_core_dies(cut: int, saved_ago: int) -> None:
    """A lost sensor and an absent gateway stand once at a time, and nothing stands when all is well again."""
    with tempfile.TemporaryDirectory() as folder:
        records, telemetry = MemoryRecords(), MemoryTelemetry()
        saved = max(0, cut - 1 - saved_ago)
        play("silent", records, telemetry, Path(folder) / "state", cut=cut, saved=saved, acknowledged=cut)
    assert stood(records) == []
    live = [e for e in events(records) if e.alert.rule in ("signal-lost-methane", "gateway-offline")]
    assert {e.alert.place for e in live} <= {FACE, "karaganda-demo/gw-longwall"}
    assert sum(1 if e.event is EventKind.RAISED else -1 for e in live) == 0
