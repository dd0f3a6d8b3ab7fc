"""Announced tests: from what a person asks to the journal and the detector, over refusals and restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from minewatch.app.announcements import MOST_METERS
from minewatch.app.pipeline import Pipeline
from minewatch.contracts import KEY_REUSED, Announce, EventKind, RecordStore
from minewatch.detect.settings import DetectSettings
from minewatch.detect.trial_settings import AnnouncedTest, TestGasSettings
from minewatch.errors import CommandRefused, NotFound, StoreBusy
from minewatch.testing import MemoryRecords
from unit.app.a_mine import HOUR, T0, RefusingRecords, S, meter, pipeline

PLACE = "mine/a/CH4"


def mine(
    records: RecordStore | None = None, *, now_ns: int = T0, detect: DetectSettings | None = None
) -> Pipeline:
    """Return a mine with two methane meters in one zone and a meter of another gas."""
    made = pipeline(records=records, now_ns=now_ns, detect=detect)
    other = replace(meter("c"), quantity="carbon_monoxide", unit="ppm")
    made.register([meter("a"), meter("b"), other], now_ns)
    return made


def asked(place: str = PLACE, zone: str = "", begin: int = 0, end: int = HOUR, **more: Any) -> Announce:
    """Return what a person asks, its window in ns from the start."""
    return Announce(place, zone, T0 + begin, T0 + end, "desk-1", **more)


def windows(made: Pipeline) -> dict[str, tuple[int, int]]:
    """Return the window that the detector has of each methane meter, in seconds."""
    rows = made.engine.trials.snapshot()
    return {
        made.points.infos[int(row["point"])].place: (
            (int(row["row"]["announced_from"]) - T0) // S,
            (int(row["row"]["announced_to"]) - T0) // S,
        )
        for row in rows
        if row["row"]["announced_to"] > row["row"]["announced_from"]
    }


def test_it_is_a_row_of_the_journal_and_holds_at_once() -> None:
    """The row has window, gas, desk and comment, in three languages, and is no alert in any list."""
    made = mine()
    [row] = made.announce(asked(begin=600 * S, gas_pct=2.2, comment="order 117"), T0)
    assert (row.event, row.actor, row.comment) == (EventKind.ANNOUNCED, "desk-1", "order 117")
    assert list(made.records.events()) == [row]
    assert windows(made) == {PLACE: (600, 3600)}
    text = row.alert.message
    assert all(part in text.en for part in (":10:00 UTC", ":00:00 UTC", "gas of 2.2 %"))
    assert "в баллоне 2,2 %" in text.ru
    assert "баллонда 2,2 %" in text.kk
    assert made.book.alerts() == []


@pytest.mark.parametrize(
    ("place", "zone", "meters"),
    [
        (PLACE, "", "a"),
        ("mine/a", "", "a"),
        ("mine", "", "ab"),
        ("", "face", "ab"),
    ],
)
def test_a_place_or_a_zone_means_its_methane_meters(place: str, zone: str, meters: str) -> None:
    """Each meter has a row of its own; other gases, and names that only begin alike, are not meant."""
    made = mine()
    made.register([replace(meter("ab"), place="mine/ab/CH4", zone="faces", site="mine2")], T0)
    rows = made.announce(asked(place, zone), T0)
    assert [row.alert.place for row in rows if row.alert.zone == "face"] == [f"mine/{m}/CH4" for m in meters]


@pytest.mark.parametrize("place", ["mine/c", "mine/nothing", "min"])
def test_where_no_meter_is_nothing_is_announced(place: str) -> None:
    """A place without a methane meter is refused, and the journal stays as it was."""
    made = mine()
    with pytest.raises(NotFound, match=place):
        made.announce(asked(place), T0)
    assert made.records.events() == []


def test_a_whole_mine_is_not_announced_at_once() -> None:
    """More meters than a person can test are refused with their number."""
    made = mine()
    made.register([meter(f"m{n}") for n in range(MOST_METERS)], T0)
    with pytest.raises(CommandRefused, match=str(MOST_METERS + 2)):
        made.announce(asked("mine"), T0)


def test_a_window_begins_no_earlier_than_it_is_announced() -> None:
    """A rise that was judged before anybody said a word stays judged."""
    made = mine()
    made.announce(asked(begin=0), T0 + 60 * S)
    assert windows(made) == {PLACE: (60, 3600)}


def test_a_later_word_takes_the_stead_of_the_one_before_also_after_a_restart() -> None:
    """Announced, announced anew, ended: the last row counts, now and when the service starts again."""
    records = MemoryRecords()
    made = mine(records)
    tomorrow = asked(begin=24 * HOUR, end=25 * HOUR)
    for one, expected in ((asked(), (0, 3600)), (tomorrow, (86400, 90000))):
        made.announce(one, T0)
        assert windows(made) == windows(mine(records, now_ns=T0 + S)) == {PLACE: expected}
    made.announce(replace(asked(), end=True), T0 + 2 * S)
    assert windows(made) == windows(mine(records, now_ns=T0 + 24 * HOUR)) == {}


@pytest.mark.parametrize("key", ["", "http:9"])
def test_what_changes_nothing_writes_nothing(key: str) -> None:
    """The same window once more, from now on too, is answered by the row that stands, gas said or not."""
    made = mine()
    for second, gas in ((0, {}), (20, {"gas_pct": 2.2})):
        now = T0 + second * S
        first = made.announce(asked(comment="order 117", **gas), now)
        rows = len(made.records.events())
        again = asked(begin=(second + 9) * S, comment="order 117", key=key, **gas)
        assert made.announce(again, now + 9 * S) == first
        assert len(made.records.events()) == rows


@pytest.mark.parametrize(
    "other",
    [
        {"begin": 60 * S},
        {"end": HOUR + 1},
        {"gas_pct": 2.3},
        {"gas_pct": float("nan")},
        {"comment": "more"},
    ],
)
def test_what_changes_anything_is_written(other: dict[str, Any]) -> None:
    """Another begin, end, gas or comment is a row of its own; so is another desk."""
    made = mine()
    said: dict[str, Any] = {"gas_pct": 2.2}
    made.announce(asked(**said), T0)
    made.announce(asked(**(said | other)), T0 + S)
    made.announce(replace(asked(**(said | other)), actor="desk-2"), T0 + 2 * S)
    assert len(made.records.events()) == 3


def test_of_a_zone_only_the_meters_that_change_are_written() -> None:
    """The answer has every meter that is meant, the journal a row more for those that had no such window."""
    made = mine()
    made.announce(asked(), T0)
    rows = made.announce(asked("mine"), T0)
    assert [row.alert.place for row in rows] == [PLACE, "mine/b/CH4"]
    assert [row.row for row in rows] == [1, 2]


def test_while_the_journal_refuses_nothing_more_is_held() -> None:
    """Of twenty that ask, with one key or without, the first one's rows wait; the others must ask anew."""
    records = RefusingRecords()
    made = mine(records)
    records.full = True
    for n in range(20):
        with pytest.raises(StoreBusy, match="ask again later" if n else "the command waits"):
            made.announce(asked("mine", end=HOUR + n * S, key="http:1" if n % 2 else ""), T0)
    records.full = False
    made.tick(T0 + S)
    assert len(records.events()) == 2
    assert set(windows(made).values()) == {(0, 3600)}


def tomorrow(hours: float = 24) -> DetectSettings:
    """Return settings that announce a test of an hour."""
    begin = datetime.fromtimestamp(T0 / 1e9, UTC) + timedelta(hours=hours)
    test = AnnouncedTest(place=PLACE, begin=begin, end=begin + timedelta(hours=1), by="order")
    return DetectSettings(test_gas=TestGasSettings(announced=(test,)))


def test_what_was_told_and_is_over_leaves_what_is_configured() -> None:
    """A window that was ended, or has run out, does not hide the settings' window of tomorrow."""
    records, settings = MemoryRecords(), tomorrow()
    made = mine(records, detect=settings)
    assert windows(made) == {PLACE: (86400, 90000)}
    made.announce(asked(), T0)
    assert windows(made) == windows(mine(records, now_ns=T0 + S, detect=settings)) == {PLACE: (0, 3600)}
    for restarted in (T0 + HOUR, T0 + 2 * HOUR):
        assert windows(mine(records, now_ns=restarted, detect=settings)) == {PLACE: (86400, 90000)}
    made.announce(replace(asked(), end=True), T0 + 2 * S)
    assert windows(made) == {PLACE: (86400, 90000)}
    assert windows(mine(records, now_ns=T0 + 3 * S, detect=settings)) == {PLACE: (86400, 90000)}


def test_who_ends_a_test_ends_it_whatever_is_configured_for_then() -> None:
    """Where the settings' window has begun already the end holds, after a restart too: gas calls."""
    records, settings = MemoryRecords(), tomorrow(0)
    made = mine(records, detect=settings)
    made.announce(asked(), T0 + S)
    made.announce(replace(asked(), end=True), T0 + 2 * S)
    again = mine(records, now_ns=T0 + 3 * S, detect=settings)
    assert [max(end for _, end in windows(one).values()) for one in (made, again)] == [2, 2]


def test_an_end_reaches_the_test_that_runs_though_another_is_configured() -> None:
    """The detector hears of the end before it hears of tomorrow's window: the running test is over then."""
    made = mine(detect=tomorrow())
    made.announce(asked(), T0)
    rows = made.engine.trials._rows
    rows["trial_to"] = T0 + HOUR  # as where a test began in the window
    made.announce(replace(asked(), end=True), T0 + 2 * S)
    assert rows["trial_to"].min() == T0 + 2 * S
    assert windows(made) == {PLACE: (86400, 90000)}


def test_what_takes_the_stead_of_the_settings_is_logged_once() -> None:
    """The log names the place whose configured window does not hold, and not at every word about it."""
    with capture_logs() as logs:
        made = mine(detect=tomorrow())
        for second in (1, 2):
            made.announce(asked(end=HOUR + second), T0 + second * S)
    assert [line["place"] for line in logs if "test_gas.announced" in line["event"]] == [PLACE]


def test_what_stands_nowhere_cannot_be_ended() -> None:
    """A meter without a window, or whose window is over, is refused."""
    made = mine()
    for now in (T0, T0 + 2 * HOUR):
        with pytest.raises(NotFound, match="no test is announced"):
            made.announce(replace(asked(), end=True), now)
        made.announce(asked(), now - S)


def test_a_repeat_gives_the_first_rows() -> None:
    """The same key announces once, and ends once, whatever has happened since."""
    made = mine()
    first = made.announce(asked("mine", key="http:1"), T0)
    assert made.announce(asked("mine", key="http:1"), T0 + 9 * S) == first
    end = replace(asked("mine", key="http:2"), end=True)
    ended = made.announce(end, T0 + 10 * S)
    assert made.announce(end, T0 + 20 * S) == ended
    assert len(made.records.events()) == 4


@pytest.mark.parametrize(
    "other",
    [{"end_it": True}, {"end": 2 * HOUR}, {"begin": 60 * S}, {"gas_pct": 2.2}, {"comment": "done"}],
)
def test_a_key_of_another_command_is_refused(other: dict[str, Any]) -> None:
    """An end with the key of an announcement is not answered as done; nor is another window or comment."""
    records = MemoryRecords()
    mine(records).announce(asked(key="http:1"), T0)
    later = mine(records, now_ns=T0 + S)
    ends = other.get("end_it", False)
    more = {name: value for name, value in other.items() if name != "end_it"}
    with pytest.raises(CommandRefused, match="another command") as refused:
        later.announce(replace(asked(key="http:1", **more), end=ends), T0 + S)
    assert refused.value.state == KEY_REUSED
    assert len(records.events()) == 1
    assert windows(later) == {PLACE: (0, 3600)}


def test_an_announcement_with_the_key_of_an_end_is_refused() -> None:
    """The other way round: a new window is not answered by the end that had its key."""
    made = mine()
    made.announce(asked(), T0)
    made.announce(replace(asked(key="http:1"), end=True), T0 + S)
    with pytest.raises(CommandRefused, match="another command"):
        made.announce(asked(key="http:1"), T0 + 2 * S)


def test_a_key_of_one_meter_does_not_answer_for_its_zone() -> None:
    """Of a place that holds more the other meters are announced, whatever row the key has already."""
    made = mine()
    made.announce(asked(key="http:1"), T0)
    made.announce(asked("mine", key="http:1"), T0 + S)
    assert sorted(windows(made)) == [PLACE, "mine/b/CH4"]


def test_what_the_journal_refuses_does_not_hold_until_it_is_written() -> None:
    """While the journal is full the person is told to wait; the window holds from when the row stands."""
    records = RefusingRecords()
    made = mine(records)
    records.full = True
    with pytest.raises(StoreBusy, match="the command waits"):
        made.announce(asked(), T0)
    assert windows(made) == {}
    records.full = False
    made.tick(T0 + S)
    assert windows(made) == {PLACE: (0, 3600)}


def test_whoever_ends_a_test_is_not_who_announced_it() -> None:
    """The end is signed by its own desk; the window it ends keeps who announced it."""
    made = mine()
    made.announce(asked(gas_pct=2.2), T0)
    [row] = made.announce(replace(asked(), actor="desk-2", end=True), T0 + S)
    assert row.announced is not None
    assert (row.actor, row.announced.actor, row.announced.gas_pct) == ("desk-2", "desk-1", 2.2)
