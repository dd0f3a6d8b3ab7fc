"""Minutes to a limit in the words of an alert: three languages, and a new row only when they moved."""

from __future__ import annotations

import math

from minewatch.alerts.book import AlertBook
from minewatch.alerts.outlooks import words
from minewatch.alerts.rules import RuleSet
from minewatch.contracts import AlertQuery, Outlook
from minewatch.store.records.memory import MemoryRecords
from unit.alerts.examples import T0, S, moved, point, rule


def outlook(second: float, minutes: float, latest: float = 17.4) -> Outlook:
    """Return when the point will reach 1 %, as told at a second."""
    return Outlook(0, T0 + round(second * S), 1.0, minutes, 0.75 * minutes, latest)


def test_it_is_said_with_its_interval() -> None:
    """Minutes are whole ones; an open end is said, and what is out of sight is not."""
    said = words(outlook(0, 12.2), "% CH4")
    assert said is not None
    assert said.en == "reaches 1 % CH4 in 12 min (9 to 17)"
    assert said.ru == "достигнет 1 % CH4 через 12 мин (от 9 до 17)"
    assert said.kk == "12 минутта 1 % CH4 болады (9–17)"
    far = words(outlook(0, 12.2, math.inf), "% CH4")
    assert far is not None
    assert (far.en, far.ru[-14:]) == ("reaches 1 % CH4 in 12 min (9 or more)", "(9 или больше)")
    assert words(outlook(0, math.inf), "% CH4") is None


def test_an_alert_tells_it_anew_as_it_moves() -> None:
    """Twelve minutes, nine later on, none when the rise ends: a row each; between them nothing new."""
    made = AlertBook()
    made.bind(RuleSet((rule(),)), {0: point()})
    assert made.foresee((outlook(10, 12),), T0 + 10 * S) == []  # nothing stands
    made.apply(moved((True, 50, 1.5)), T0 + 50 * S)
    assert made.standing() == [point().place]
    rows = []
    for second, minutes in ((60, 12.0), (120, 11.2), (200, 9.9), (260, 8.4), (300, 7.0), (400, math.inf)):
        rows += made.foresee((outlook(second, minutes),), T0 + second * S)
    assert [(e.event.value, e.alert.now.en.partition(" (")[0]) for e in rows] == [
        ("explained", "reaches 1 % CH4 in 12 min"),
        ("explained", "reaches 1 % CH4 in 8 min"),
        ("explained", ""),
    ]
    assert not any(e.alert.paged != rows[0].alert.paged for e in rows)


def test_an_outlook_that_is_over_after_a_restart_is_withdrawn() -> None:
    """The journal holds it as words; older facts read again keep it, the first newer one takes it back."""
    records = MemoryRecords()
    for begins in (True, False):
        made = AlertBook(records=records)
        made.bind(RuleSet((rule(),)), {0: point()})
        made.restore(records.alerts(AlertQuery(limit=9))[0])
        if begins:
            records.append(made.apply(moved((True, 50, 1.5)), T0 + 50 * S))
            records.append(made.foresee((outlook(60, 12.0),), T0 + 60 * S))
    assert made.alerts()[0].now.en.startswith("reaches 1 % CH4 in 12 min")
    assert made.foresee((outlook(55, math.inf),), T0 + 80 * S) == []
    rows = made.foresee((outlook(81, math.inf),), T0 + 81 * S)
    assert [(e.event.value, e.alert.now.en) for e in rows] == [("explained", "")]
