"""How events and summaries are printed."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta, timezone

from conformance.record_examples import alert, event
from minewatch.app.present import (
    Tally,
    event_json,
    event_line,
    iso,
    number,
    percentiles,
    summary,
    summary_lines,
)
from minewatch.contracts import Counts, EventKind, Text


def test_times_carry_their_offset_and_no_empty_fractions() -> None:
    """UTC by default, any zone on request, microseconds where there are any."""
    assert iso(0) == "1970-01-01T00:00:00+00:00"
    assert iso(1_500_000_000) == "1970-01-01T00:00:01.500000+00:00"
    assert iso(0, timezone(timedelta(hours=5))) == "1970-01-01T05:00:00+05:00"


def test_what_is_not_finite_is_null() -> None:
    """JSON has no NaN."""
    assert [number(x) for x in (1.23456789, math.nan, math.inf, -math.inf)] == [1.234568, None, None, None]


def test_only_a_raise_calls_a_person() -> None:
    """`paged` is said of the event: clearing an alert that paged calls nobody."""
    raised, cleared = event(alert(1)), event(alert(1), kind=EventKind.CLEARED)
    assert event_json(raised)["paged"] == raised.alert.paged
    assert event_json(cleared)["paged"] is False
    assert "PAGED" not in event_line(cleared)


def test_a_limit_from_memory_says_so() -> None:
    """What nobody verified is marked wherever it is shown."""
    shown = event(alert(1))
    assert ("(limit unverified)" in event_line(shown)) == (not shown.alert.verified)
    assert event_json(shown)["verified"] == shown.alert.verified


def test_what_is_known_besides_is_printed() -> None:
    """An `explained` row says its words after the reason: in both forms."""
    more = Text("әрі", "ещё", "reaches 1 % CH4 in 12 min")
    shown = event(replace(alert(1), now=more), kind=EventKind.EXPLAINED)
    assert event_json(shown)["why"] == f"{alert(1).why.en}; {more.en}"
    assert f": {alert(1).why.en}; {more.en}" in event_line(shown)


def test_percentiles_of_nothing_are_null() -> None:
    """What was not measured is not zero."""
    assert percentiles([]) == {"p50": None, "p99": None}
    assert percentiles([3.0]) == {"p50": 3.0, "p99": 3.0}
    assert percentiles([float(i) for i in range(100)]) == {"p50": 50.0, "p99": 99.0}


def test_losses_and_doubles_come_from_both_ends() -> None:
    """Sent and stored are counted apart: a missing row is lost, a second one is a duplicate."""
    tally = Tally()
    tally.add([event(alert(1))])
    found = summary(
        seconds=2.0, sent=10, counts=Counts(stored=9, distinct=8), rejected=1, points=3, tally=tally,
        latency_ms=[5.0], telemetry="duckdb",
    )  # fmt: skip
    assert found["summary"]["readings"] == {
        "sent": 10, "stored": 9, "lost": 2, "duplicate": 1, "rejected": 1,
    }  # fmt: skip
    assert found["summary"]["readings_per_s"] == 5
    assert found["summary"]["alerts"]["raised"] == 1
    lines = summary_lines(found)
    assert any("lost 2, duplicate 1, rejected 1" in line for line in lines)
