"""Limits with dates: each row is judged by those in force at its own time; versions go on for each other."""

import dataclasses

import numpy as np
import pytest

from minewatch.contracts import LimitTable
from minewatch.detect.catalogue import index
from minewatch.detect.engine import Engine
from minewatch.detect.eras import FOREVER, TRUSTED_NS, Eras
from minewatch.detect.kernels.layout import NONE
from minewatch.detect.settings import DetectSettings
from minewatch.errors import ConfigError
from unit.detect.mine import START, S, batch, limits, point, told

CHANGE = START + 100 * S
VALUE, GAP = index("value"), index("gap")
DAY = 86_400 * S


def dated(table: LimitTable, *spans):
    """Return the table with (from, until) for each row."""
    first, last = np.array(spans, np.int64).T
    dates = sorted({*first.tolist(), *last.tolist()} - {NONE, FOREVER})
    return dataclasses.replace(table, from_ns=first, until_ns=last, dates_ns=np.array(dates, np.int64))


def engine(*rows, spans, points=1):
    """Return an engine with limits that are in force in spans of time."""
    made = Engine(DetectSettings())
    made.add_points([point(str(p), interval_s=1.0) for p in range(points)])
    made.set_limits(dated(limits(*rows), *spans))
    return made


def two(first=1.0, then=0.75, **more):
    """Return an engine with a limit of 1.0 that is 0.75 from CHANGE on."""
    rows = ((7, 0, VALUE, first, 1), (7, 0, VALUE, then, 1, 0.1))
    return engine(*rows, spans=((NONE, CHANGE), (CHANGE, FOREVER)), **more)


def rows(*values, first=95, p=0):
    """Return a reading a second."""
    return [(p, START + (first + k) * S, x) for k, x in enumerate(values)]


def moves(findings):
    """Return key, second and whether it became active."""
    return [(row[0], (row[1] - START) // S, bool(row[3])) for row in told(findings.transitions)]


def test_each_reading_is_judged_by_what_is_in_force_at_its_time():
    """0.8 is nothing before the date and an alert from it on, and it is told which version found it."""
    findings = two().step(batch(rows(*[0.8] * 8)))
    assert moves(findings) == [(7, 100, True)]
    assert findings.transitions.from_ns.tolist() == [CHANGE]


def test_what_stands_goes_on_under_the_later_version():
    """An alert of the first version is neither raised again nor lost, and clears by the second one's edge."""
    findings = two().step(batch(rows(1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 0.7, 0.7, 0.6)))
    assert moves(findings) == [(7, 95, True), (7, 103, False)]
    assert findings.transitions.from_ns.tolist() == [NONE, CHANGE]


def test_a_limit_is_over_when_its_version_ends_and_none_follows():
    """After the end of its time nothing is raised."""
    made = engine((7, 0, VALUE, 1.0, 1), spans=((NONE, CHANGE),))
    assert moves(made.step(batch(rows(*[0.5] * 6, 2.0, 2.0)))) == []


def test_a_delay_goes_on_over_the_date():
    """Beyond for six seconds, three by each version, is enough for a delay of five."""
    table = limits((7, 0, VALUE, 1.0, 1, 0.0, 5, 0), (7, 0, VALUE, 0.75, 1, 0.0, 5, 0))
    made = Engine(DetectSettings())
    made.add_points([point("0", interval_s=1.0)])
    made.set_limits(dated(table, (NONE, CHANGE), (CHANGE, FOREVER)))
    assert moves(made.step(batch(rows(0.5, 0.5, 1.1, 1.1, 1.1, 0.8, 0.8, 0.8)))) == [(7, 102, True)]


@pytest.mark.parametrize("cut", range(1, 12))
def test_any_cut_tells_the_same(cut):
    """In one batch, in two, over a snapshot or a new table with another date: the same transitions."""
    given = rows(0.8, 1.2, 1.2, 0.5, 1.2, 1.2, 0.8, 0.5, 0.8, 0.6, 0.8, 0.6)
    whole = moves(two().step(batch(given)))
    assert len(whole) > 4
    parts = two()
    found = moves(parts.step(batch(given[:cut])))
    again = two()
    again.restore(parts.snapshot())
    later = two()
    later.restore(parts.snapshot())
    table = limits((7, 0, VALUE, 1.0, 1), (7, 0, VALUE, 0.75, 1, 0.1), (8, 0, VALUE, 9.0, 1))
    later.set_limits(dated(table, (NONE, CHANGE), (CHANGE, FOREVER), (CHANGE - 3 * S, FOREVER)))
    for made in (parts, again, later):
        assert found + moves(made.step(batch(given[cut:]))) == whole


def test_points_cross_the_date_each_at_its_own_reading():
    """A point that lags behind is judged by the old version while another is past the date."""
    made = engine(
        *((7 + p, p, VALUE, x, 1) for p in (0, 1) for x in (1.0, 0.75)),
        spans=((NONE, CHANGE), (CHANGE, FOREVER)) * 2, points=2,
    )  # fmt: skip
    given = [
        row
        for pair in zip(rows(*[0.8] * 4, first=100), rows(*[0.8] * 4, first=97, p=1), strict=True)
        for row in pair
    ]
    assert moves(made.step(batch(given))) == [(7, 100, True), (8, 100, True)]


def test_a_live_row_with_a_wrong_clock_is_judged_by_what_is_in_force_now():
    """Years behind, or doubted: today's limits judge, never none; a few seconds late: those of its time."""
    for ts, quality, wanted in (
        (START - 900 * DAY, 0, True), (START - 900 * DAY, 67, True), (CHANGE - 2 * S, 0, False),
        (CHANGE - 2 * S, 67, True), (CHANGE + 2 * TRUSTED_NS, 0, True),
    ):  # fmt: skip
        made = engine((7, 0, VALUE, 0.75, 1), spans=((CHANGE, FOREVER),))
        findings = made.step(batch([(0, ts, 0.8, quality)]), CHANGE + S)
        assert [bool(row[3]) for row in told(findings.transitions)] == [True] * wanted


def test_a_doubted_row_of_history_is_judged_as_its_point_is():
    """By the version its point stands in, and where nothing is known by what is in force now."""
    doubted = [(0, START, 0.8, 67)]
    made = two()
    assert [m[2] for m in moves(made.step(batch(doubted), now_ns=CHANGE + S))] == [True]
    made = engine((7, 0, VALUE, 0.75, 1), spans=((CHANGE, FOREVER),))
    made.step(batch(rows(0.5, first=100)))
    assert [m[2] for m in moves(made.step(batch(doubted), now_ns=START))] == [True]


def test_silence_is_judged_by_the_clock():
    """Five seconds of silence are too many from the date on, and the alert ends under that version."""
    spans = ((NONE, CHANGE), (CHANGE, FOREVER))
    made = engine((7, 0, GAP, 60.0, 0), (7, 0, GAP, 5.0, 0), spans=spans)
    made.step(batch(rows(0.5, first=90)), START + 90 * S)
    assert len(made.tick(CHANGE - S).key) == 0
    (raised,) = told(made.tick(CHANGE))
    assert (raised[0], bool(raised[3])) == (7, True)
    findings = made.step(batch(rows(0.5, first=99)), CHANGE + S)  # of before the date, heard after it
    assert [m[2] for m in moves(findings)] == [False]


def test_a_restart_resumes_in_the_version_that_stands():
    """What the book says is active goes on, once, whichever version found it."""
    made = two()
    made.step(batch(rows(*[0.5] * 10)))
    made.resume(np.array([7]))
    assert moves(made.step(batch(rows(0.6, first=106)))) == [(7, 106, False)]


def test_two_versions_may_not_be_in_force_together():
    """Overlapping versions of one limit are refused."""
    with pytest.raises(ConfigError, match="share a key"):
        engine((7, 0, VALUE, 1.0), (7, 0, VALUE, 2.0), spans=((NONE, CHANGE + S), (CHANGE, FOREVER)))


def test_more_dates_than_can_be_told_apart_are_refused():
    """The mend is said."""
    table = dataclasses.replace(limits(), dates_ns=np.arange(254))
    with pytest.raises(ConfigError, match=r"254 dates, at most 253.*Take out versions"):
        Eras(table)
