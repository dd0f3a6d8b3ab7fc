"""Sampling: a grid without drift, and readings that are not sent because they say nothing new."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minewatch_edge import config
from minewatch_edge.drivers.grid import Grid
from minewatch_edge.drivers.simulated import Simulated, Wave
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.reporting import Reporter, Reporting
from minewatch_edge.rows import Columns
from minewatch_edge.sampling import Sampler
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.tables import Table
from minewatch_edge.testing import ListDriver

S = 1_000_000_000
START = 1_800_000_000 * S
CH4 = PointBirth("gas", "CH4", "methane", "% CH4", interval_s=1.0)
CO = PointBirth("gas", "CO", "carbon_monoxide", "ppm", interval_s=1.0)
QUIET = {("gas", "CH4"): Reporting(0.05, 60.0)}
Sent = list[tuple[float, float]]


def test_the_grid_does_not_drift() -> None:
    """Whoever comes late for each slot still comes at whole multiples of the interval."""
    grid, now, polls = Grid([1.0, 0.5]), START + S // 3, []
    for _ in range(2_000):
        found = grid.take(now)
        polls.append((now, found))
        now = grid.due_ns(now) + 7_000_000
    assert {(at - START) % (S // 2) for at, _ in polls[1:]} == {7_000_000}
    assert sum(0 in found for _, found in polls) == pytest.approx(1_000, abs=2)
    assert grid.missed == 0


def test_missed_slots_are_counted_and_not_made_up_for() -> None:
    """After ten seconds away there is one reading of each point, and nine slots of each were missed."""
    driver = Simulated([CH4, CO], [Wave(mean=1.0)] * 2, 1)
    sampler = Sampler([driver])
    sampler.poll(START)
    assert [len(row.columns.points) for row in sampler.poll(START + 10 * S)] == [2]
    assert sampler.missed == 18
    assert sampler.poll(START + 10 * S + 1) == []


def test_a_time_that_is_set_forward_has_missed_nothing() -> None:
    """A day that the clock left out is no day of missed slots."""
    sampler = Sampler([Simulated([CH4], [Wave()], 1)])
    sampler.poll(START)
    sampler.poll(START + 86_400 * S, jumped_ns=86_399 * S)
    assert sampler.missed == 0


def quiet(values: list[float], *, every_s: float = 1.0, qualities: list[int] | None = None) -> Sent:
    """Return (second, value) of what a point with deadband 0.05 and a heartbeat of a minute sends."""
    reporter = Reporter(QUIET["gas", "CH4"], 1.0)
    sent: Sent = []
    for k, value in enumerate(values):
        quality = qualities[k] if qualities else 192
        sent += [(at / 1e3, v) for at, v, _ in reporter.take(int(k * every_s * 1e3), value, quality)]
    return sent


def test_small_changes_are_not_sent_and_the_heartbeat_is() -> None:
    """Within the deadband one reading a minute goes out, the present one."""
    values = [0.3 + 0.001 * (k % 40) for k in range(130)]
    assert quiet(values) == [(0.0, values[0]), (60.0, values[60]), (120.0, values[120])]


def test_a_change_brings_the_reading_before_it() -> None:
    """After a long silence a jump comes with the value from just before, so that it is no slope."""
    assert quiet([0.3] * 30 + [1.4, 1.4]) == [(0.0, 0.3), (29.0, 0.3), (30.0, 1.4)]


def test_a_change_of_quality_always_goes_out() -> None:
    """Good to uncertain to bad without a value and back: each change is sent, each state once."""
    values = [0.3] * 4 + [math.nan] * 3 + [0.3] * 2
    qualities = [192, 192, 64, 64, 0, 0, 0, 192, 192]
    sent = quiet(values, qualities=qualities)
    assert [second for second, _ in sent] == [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0]


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_what_is_not_sent_is_within_the_deadband(values: list[float]) -> None:
    """At every moment the last value sent is that near to the present one, and not too old."""
    reporter = Reporter(QUIET["gas", "CH4"], 1.0)
    last: tuple[int, float] = (0, math.nan)
    for k, value in enumerate(values):
        for at, sent, _ in reporter.take(k * 1_000, value, 192):
            assert at > last[0] or k == 0 or math.isnan(last[1])
            last = at, sent
        assert abs(last[1] - value) <= 0.05
        assert k * 1_000 - last[0] <= 60_000


def test_the_observer_sees_what_is_not_sent_and_the_service_is_told_of_the_silence() -> None:
    """Limits at the edge get every reading; the birth declares the heartbeat as the interval."""
    driver = ListDriver([CH4, CO])
    sampler = Sampler([driver], QUIET)
    seen: list[tuple[str, Columns]] = []
    sampler.observer = lambda device, columns: seen.append((device, columns))
    sent = []
    for second in range(10):
        for point in (0, 1):
            driver.give(point, START + second * S, 0.5)
        sent += [p for row in sampler.poll(START + second * S) for p in row.columns.points]
    assert sorted(sent) == [0] + [1] * 10
    assert sum(len(columns.points) for _, columns in seen) == 20
    assert (sampler.taken, sampler.unsaid) == (20, 9)
    assert [p.interval_s for p in sampler.points] == [60.0, 1.0]
    assert [p.interval_s for p in driver.points()] == [1.0, 1.0]


def test_readings_of_a_clock_that_waits_carry_its_time_and_quality() -> None:
    """What drivers stamp by the clock that keeps its pace goes out in readings' time."""
    driver = ListDriver([CH4])
    sampler = Sampler([driver])
    driver.give(0, START + 100 * S, 1.0)
    (row,) = sampler.poll(START + 100 * S, lead_ns=30 * S, clock=2)
    assert (row.columns.times, row.columns.clock) == ([(START + 70 * S) // 1_000_000], 2)


def point(**keys: object) -> config.EdgeConfig:
    """Return a configuration whose one point has these keys."""
    table = {
        "gateway": {"site": "s", "id": "g"},
        "broker": {"host": "h"},
        "device": [
            {
                "id": "gas",
                "driver": "simulated",
                "point": [{"metric": "CH4", "quantity": "methane", "unit": "% CH4", **keys}],
            }
        ],
    }
    return config.parse(Table(table, "edge.toml"), Path())


def test_deadband_and_heartbeat_are_read() -> None:
    """Without a deadband every reading goes out; with one there is a heartbeat of a minute."""
    assert point().reports == {}
    assert point(deadband=0).reports == {("gas", "CH4"): Reporting(0.0, 60.0)}
    assert point(deadband=0.1, heartbeat_s=5).reports == {("gas", "CH4"): Reporting(0.1, 5.0)}
    for wrong in ({"heartbeat_s": 5}, {"deadband": -1}, {"deadband": 0, "heartbeat_s": 0.5}):
        with pytest.raises(EdgeConfigError, match=r"device\[0\].point\[0\]"):
            point(**wrong)
