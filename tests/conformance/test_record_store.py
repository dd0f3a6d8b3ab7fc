"""What every RecordStore promises, asked of each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.record_examples import T0, S, alert, event, point, rejected
from minewatch.contracts import (
    AlertEvent,
    AlertQuery,
    AlertState,
    Announcement,
    Calibration,
    CalibrationQuery,
    EventKind,
    RecordStore,
    Text,
    TrialStage,
)
from minewatch.errors import ConfigError, NotFound
from minewatch.store.record_settings import RecordSettings
from minewatch.store.records import open_records
from minewatch.store.records.memory import MemoryRecords


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RecordStore]:
    """Give each implementation in turn, empty."""
    made: RecordStore = MemoryRecords()
    if request.param == "sqlite":
        made = open_records(RecordSettings(), tmp_path, writer=True)
    yield made
    made.close()


def ids(store: RecordStore, query: AlertQuery) -> list[str]:
    """Return the alerts a query selects, by id."""
    return [found.id for found in store.alerts(query)[0]]


def test_rows_count_from_one_and_are_returned_with_their_hash(store: RecordStore) -> None:
    """An event gets row and hash by being written, and the alert remembers its last row."""
    first, second = store.append([event(alert(1)), event(alert(2))])
    assert (first.row, second.row) == (1, 2)
    assert len(first.hash) == 64
    assert first.hash != second.hash
    assert (first.alert.row, store.alert(alert(2).id).row) == (1, 2)


def test_an_event_whose_key_is_known_is_left_out(store: RecordStore) -> None:
    """A repeat, in the same call or in a later one, changes neither journal nor alert."""
    one = event(alert(1))
    assert len(store.append([one, replace(one, actor="another")])) == 1
    later = event(alert(1, state=AlertState.NORMAL), key=one.key)
    assert list(store.append([later, event(alert(2))])) == list(store.events(after=1))
    assert store.alert(one.alert.id).state is AlertState.UNACKNOWLEDGED
    assert store.verify() == 2


def test_nothing_to_append_is_nothing(store: RecordStore) -> None:
    """An empty call is allowed and writes no row."""
    assert list(store.append([])) == []
    assert store.verify() == 0


def test_an_event_comes_back_as_it_was_written(store: RecordStore) -> None:
    """Every field survives, in three languages, with a number that is not one as NaN."""
    written = event(alert(1, value=math.nan, limit=math.inf), actor="Айгүл", comment="көрдім", gateway_ns=7)
    (kept,) = store.append([written])
    (read,) = store.events()
    assert math.isnan(read.alert.value)
    assert replace(read, alert=replace(read.alert, value=0.0, limit=0.0)) == replace(
        kept, alert=replace(kept.alert, value=0.0, limit=0.0)
    )
    assert read.alert.message == written.alert.message


def test_an_alert_keeps_the_parts_of_its_words(store: RecordStore) -> None:
    """What is known, by whose word it is, comes back with the alert; the journal has it as one text."""
    words = ((2, Text("ауа", 'воздух "упал"', "the air")), (4, Text("а", "б", "c")))
    said = alert(1, now=Text("ауа; а", "воздух; б", "the air; c"), now_ns=T0, words=words)
    without = event(alert(1, now=said.now, now_ns=T0))
    (kept,) = store.append([event(said)])
    assert store.alert(said.id).words == words
    assert store.alerts(AlertQuery())[0][0].words == words
    assert kept.hash == MemoryRecords().append([without])[0].hash


def rows_of(number: int, began: int, *, ended: bool = True, place: str = "north/a/ch4") -> list[AlertEvent]:
    """Return the rows of a test of a meter that began at a second."""
    about = alert(number, rule="test-gas", place=place)
    line = Calibration(TrialStage.TESTED, "", T0 + began * S, T0 + (began + 8) * S, 0.2, 2.1, 9.0, math.nan)
    tag = event(about, EventKind.TAGGED, key=f"{place}|tagged|{line.from_ns}", calibration=line)
    over = replace(line, stage=TrialStage.OVER, recovery_s=12.0, announced_by="Айгүл", gas_pct=2.2)
    end = event(about, EventKind.CLEARED, key=f"{place}|cleared|{line.from_ns}", calibration=over)
    return [tag, end] if ended else [tag]


def test_the_ledger_has_the_last_row_of_each_test(store: RecordStore) -> None:
    """Two tests under one alert are two lines, newest first; one that runs has its first row."""
    rows = [
        *rows_of(1, 10),
        event(alert(9)),
        *rows_of(1, 50),
        *rows_of(2, 70, ended=False, place="north/b/ch4"),
    ]
    store.append(rows)
    found, more = store.calibrations(CalibrationQuery())
    assert ([(e.event.value, e.alert.place) for e in found], more) == (
        [("tagged", "north/b/ch4"), ("cleared", "north/a/ch4"), ("cleared", "north/a/ch4")], "",
    )  # fmt: skip
    assert found[1].calibration == rows[4].calibration
    assert found[0].calibration is not None
    assert math.isnan(found[0].calibration.recovery_s)
    assert store.verify() == len(rows)


def test_pages_of_the_ledger_go_on_without_a_repeat_or_a_hole(store: RecordStore) -> None:
    """Whatever the size of a page; also where two meters are tested at the same moment."""
    for number, began in enumerate((10, 20, 20, 30, 40), 1):
        store.append(rows_of(number, began, place=f"north/m{number}/ch4"))
    for limit in (1, 2, 3, 5):
        seen: list[str] = []
        cursor = ""
        while True:
            page, cursor = store.calibrations(CalibrationQuery(limit=limit, cursor=cursor))
            seen += [row.alert.place for row in page]
            if not cursor:
                break
        assert seen == [f"north/m{number}/ch4" for number in (5, 4, 3, 2, 1)]


@pytest.mark.parametrize("cursor", ["x", "1", "~k", "-1~k", "²~k", f"{2**63}~k", f"{'9' * 19}~k"])
def test_a_strange_cursor_of_the_ledger_is_refused(store: RecordStore, cursor: str) -> None:
    """A cursor that we did not write is refused by name, also one later than any time that is stored."""
    with pytest.raises(ConfigError, match="cursor"):
        store.calibrations(CalibrationQuery(cursor=cursor))


def test_the_last_cursor_of_the_ledger_is_taken(store: RecordStore) -> None:
    """The latest time that can be stored is still a cursor."""
    store.append(rows_of(1, 10))
    assert len(store.calibrations(CalibrationQuery(cursor=f"{2**63 - 1}~k"))[0]) == 1


@pytest.mark.parametrize(
    ("query", "began"),
    [
        (CalibrationQuery(place="north/a"), [50, 10]),
        (CalibrationQuery(place="north/a/ch"), []),
        (CalibrationQuery(zone="longwall-7"), [50, 20, 10]),
        (CalibrationQuery(from_ns=T0 + 20 * S), [50, 20]),
        (CalibrationQuery(to_ns=T0 + 20 * S), [10]),
    ],
)
def test_the_ledger_is_filtered(store: RecordStore, query: CalibrationQuery, began: list[int]) -> None:
    """By place and zone with what lies within, by when a test began, the end not included."""
    store.append([*rows_of(1, 10), *rows_of(2, 20, place="north/b/ch4"), *rows_of(1, 50)])
    found, _ = store.calibrations(query)
    assert [(e.calibration.from_ns - T0) // S for e in found if e.calibration] == began


def test_the_last_announcement_about_a_place_counts(store: RecordStore) -> None:
    """Of each place the last row since a time of the service, oldest first."""
    for number, (place, told) in enumerate((("a", 10), ("b", 20), ("a", 30), ("c", 5))):
        said = Announcement(place, T0, T0 + number * S, "desk", math.nan if place == "b" else 2.2)
        row = event(alert(number), EventKind.ANNOUNCED, key=f"k{number}", service_ns=T0 + told * S)
        store.append([replace(row, announced=said)])
    found = [row.announced for row in store.announced(T0 + 10 * S)]
    assert [(said.place, said.to_ns) for said in found if said] == [("b", T0 + S), ("a", T0 + 2 * S)]
    assert store.alerts(AlertQuery(history=True))[0] == []


def test_an_alert_is_as_its_last_event_left_it(store: RecordStore) -> None:
    """The list of alerts shows the newest snapshot, the journal keeps them all."""
    raised = alert(1)
    seen = alert(1, state=AlertState.ACKNOWLEDGED, acknowledged_by="desk-1")
    store.append([event(raised), event(seen, EventKind.ACKNOWLEDGED)])
    assert store.alert(raised.id) == replace(seen, row=2)
    assert [e.alert.state for e in store.events(alert_id=raised.id)] == [raised.state, seen.state]


def test_an_unknown_alert_is_not_found(store: RecordStore) -> None:
    """Asking for what is not there says so by name."""
    with pytest.raises(NotFound, match="no alert abc"):
        store.alert("abc")


def test_an_event_is_found_by_its_key(store: RecordStore) -> None:
    """The caller can see whether something has already happened."""
    (kept,) = store.append([event(alert(1))])
    assert store.event_by_key(kept.key) == kept
    assert store.event_by_key("another") is None


def test_events_are_read_in_pages_by_row(store: RecordStore) -> None:
    """A reader goes on after the last row it saw, for all alerts or for one."""
    store.append([event(alert(n % 2), key=f"k{n}") for n in range(6)])
    assert [e.row for e in store.events(after=2, limit=3)] == [3, 4, 5]
    assert [e.row for e in store.events(alert_id=alert(0).id, after=1)] == [3, 5]
    assert list(store.events(after=6)) == []


def test_the_live_list_is_what_is_not_normal_most_urgent_first(store: RecordStore) -> None:
    """Without history no alert that is over appears, and no time window hides one that is not."""
    over = alert(1, state=AlertState.NORMAL, priority=1)
    store.append([event(a) for a in (over, alert(2), alert(3), alert(4, priority=1))])
    assert ids(store, AlertQuery()) == [alert(n).id for n in (4, 3, 2)]


def test_history_is_everything_newest_first(store: RecordStore) -> None:
    """History has the alerts that are over, too."""
    store.append([event(a) for a in (alert(1, state=AlertState.NORMAL), alert(2), alert(3, priority=1))])
    assert ids(store, AlertQuery(history=True)) == [alert(n).id for n in (3, 2, 1)]


@pytest.mark.parametrize("history", [False, True])
def test_pages_join_without_gap_or_repeat(store: RecordStore, history: bool) -> None:
    """Walking the cursor gives the same list as one long page, also among equal times."""
    made = [alert(n, raised_ns=T0 + n // 3 * S, priority=1 + n % 4) for n in range(23)]
    store.append([event(a) for a in made])
    whole = ids(store, AlertQuery(history=history, limit=1000))
    joined, cursor = [], ""
    while True:
        page, cursor = store.alerts(AlertQuery(history=history, limit=5, cursor=cursor))
        joined += [a.id for a in page]
        if not cursor:
            break
    assert joined == whole
    assert len(whole) == 23


def test_a_page_goes_on_where_it_was_when_new_alerts_arrive(store: RecordStore) -> None:
    """What is raised between two pages moves nothing that was to come."""
    store.append([event(alert(n)) for n in range(4)])
    _, cursor = store.alerts(AlertQuery(history=True, limit=2))
    store.append([event(alert(9))])
    assert ids(store, AlertQuery(history=True, limit=2, cursor=cursor)) == [alert(1).id, alert(0).id]


@pytest.mark.parametrize("cursor", ["nonsense", "bm9uc2Vuc2U", "W10", "é"])
def test_a_strange_cursor_is_an_error_of_the_caller(store: RecordStore, cursor: str) -> None:
    """A cursor that we did not write is refused by name."""
    with pytest.raises(ConfigError, match="cursor"):
        store.alerts(AlertQuery(cursor=cursor))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (AlertQuery(states=(AlertState.RETURNED,)), [2]),
        (AlertQuery(states=(AlertState.NORMAL,)), [3]),
        (AlertQuery(priorities=(1, 3)), [4]),
        (AlertQuery(zone="pit"), [4]),
        (AlertQuery(zone="pit/blast"), [4]),
        (AlertQuery(zone="pi"), []),
        (AlertQuery(place="north/mm-2"), [2]),
        (AlertQuery(place="north/mm-2/ch4"), [2]),
        (AlertQuery(rule="nitrogen-dioxide-high"), [4]),
        (AlertQuery(from_ns=T0 + 2 * S), [4, 2]),
        (AlertQuery(to_ns=T0 + 2 * S), [1]),
        (AlertQuery(from_ns=T0 + 1 * S, to_ns=T0 + 2 * S), [1]),
        (AlertQuery(text="МЕТАН шектен"), [2, 1]),
        (AlertQuery(text="азот"), [4]),
        (AlertQuery(text="100%"), []),
        (AlertQuery(text="methane", priorities=(2,), zone="longwall-7"), [2, 1]),
    ],
)
def test_filters_select_what_they_say(store: RecordStore, query: AlertQuery, expected: list[int]) -> None:
    """Each filter narrows the list; a zone holds its parts; a search finds words of any language."""
    blast = alert(
        4,
        rule="nitrogen-dioxide-high",
        zone="pit/blast",
        priority=1,
        message=replace(alert().message, kk="азот", ru="Азот", en="nitrogen"),
    )
    made = [alert(1), alert(2, state=AlertState.RETURNED), alert(3, state=AlertState.NORMAL), blast]
    store.append([event(a) for a in made])
    assert ids(store, query) == [alert(n).id for n in expected]


def test_points_are_kept_and_replaced_by_index(store: RecordStore) -> None:
    """A point comes back as it was described last, an open range without ends."""
    wide = point(1, low=-math.inf, high=math.inf, sentinels=())
    store.save_points({0: point(0), 1: wide})
    store.save_points({0: point(0, zone="belt-3")})
    assert store.points() == {0: point(0, zone="belt-3"), 1: wide}
    store.save_points({})
    assert list(store.points()) == [0, 1]


def test_the_chain_of_an_honest_journal_holds(store: RecordStore) -> None:
    """Verification walks every row, whatever the calls that wrote them."""
    for start in range(0, 30, 10):
        store.append([event(alert(n)) for n in range(start, start + 10)])
    assert store.verify() == 30


def test_rejects_are_numbered_and_read_in_pages(store: RecordStore) -> None:
    """What was not taken gets a row, comes back as it was given, and a reader goes on after a row."""
    store.reject([rejected(n) for n in range(3)])
    store.reject([])
    store.reject([rejected(3, time_ns=T0)])
    assert [r.row for r in store.rejects()] == [1, 2, 3, 4]
    assert list(store.rejects(after=1, limit=2)) == [rejected(n, row=n + 1) for n in (1, 2)]
    assert list(store.rejects(after=4)) == []


def test_only_the_newest_rejects_are_kept(store: RecordStore) -> None:
    """However much rubbish comes, the table holds 10,000 rows; numbers of rows go on and never repeat."""
    for start in range(0, 12_000, 3_000):
        store.reject([rejected(n) for n in range(start, start + 3_000)])
    held = store.rejects(limit=20_000)
    assert [r.row for r in held] == list(range(2_001, 12_001))
    assert held[-1].detail == rejected(11_999).detail
    store.reject([rejected(n) for n in range(10_500)])
    assert [r.row for r in store.rejects(limit=20_000)] == list(range(12_501, 22_501))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("белгісіз метрика ‘CH₄’", "белгісіз метрика ‘CH₄’"),
        ("", ""),
        ("a\x1b[2J\r\n\x00b", "a\\x1b[2J\\r\\n\\x00b"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("half \ud800", "half \\ud800"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("\x00" * 50, "\\x00" * 50),
        ("\x00" * 51, "\\x00" * 49 + "…"),
        ("x" * 1_000_000, "x" * 199 + "…"),
    ],
    ids=["words", "empty", "terminal", "direction", "surrogate", "fits", "long", "full", "escapes", "huge"],
)
def test_texts_of_strangers_are_short_and_printable(store: RecordStore, given: str, kept: str) -> None:
    """No control character, no lone surrogate and no more than 200 characters come out of the table."""
    store.reject([rejected(source=given, reason=given, detail=given)])
    assert list(store.rejects()) == [rejected(source=kept, reason=kept, detail=kept, row=1)]
    store.reject(store.rejects())
    assert store.rejects(after=1)[0].detail == kept


def test_rejects_leave_the_journal_alone(store: RecordStore) -> None:
    """Rubbish between two events is in neither the journal nor its rows."""
    store.append([event(alert(1))])
    store.reject([rejected()])
    assert store.append([event(alert(2))])[0].row == 2
    assert store.verify() == 2
