"""The pipeline between rooms: clocks that lie, stores that refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from minewatch.alerts.rules import RuleSet
from minewatch.contracts import EventKind, Quality, ReadingBatch
from minewatch.detect.settings import DetectSettings
from unit.app.a_mine import HOUR, RULES, T0, Refusing, RefusingRecords, S, gateway, meter, pipeline


def test_one_reading_of_an_impossible_time_does_not_blind_averages() -> None:
    """After a reading from far ahead the next ones count as new again, live and late ones alike."""
    mine = pipeline()
    mine.register([meter("a")], T0)
    far = T0 + 80 * 365 * 24 * HOUR
    mine.take(ReadingBatch.of([0], [T0], [0.2]), T0)
    mine.take(ReadingBatch.of([0], [far], [0.2]), T0 + S)
    bad = replace(ReadingBatch.of([0], [far], [0.2]), quality=np.array([Quality.BAD_NO_SIGNAL], np.uint8))
    mine.take(bad, T0 + S)
    mine.take(ReadingBatch.of([0], [far], [0.2], historical=True), T0 + S)
    assert mine.engine.last_ns().tolist() == [T0]
    assert mine.history.engine.last_ns()[0] < T0
    mine.take(ReadingBatch.of([0], [T0 + 2 * S], [0.2]), T0 + 2 * S)
    mine.flush()
    kept = mine.telemetry.readings(0, T0, 2**63 - 1, 10)
    assert kept.quality.tolist()[:2] == [Quality.GOOD, Quality.GOOD]
    assert sorted(kept.quality.tolist()[2:]) == [67, 67, Quality.BAD_NO_SIGNAL]


def test_a_clock_that_nobody_vouches_for_is_judged_by_ours() -> None:
    """A gateway without a time server whose times are ours is as good as in holdover; one far off is not."""
    mine = pipeline()
    mine.register([meter("a")], T0)
    unknown = np.array([Quality.UNCERTAIN_CLOCK], np.uint8)
    for second, off in ((0, 0), (1, 2 * S), (2, HOUR), (3, 0)):
        now = T0 + second * S
        mine.take(replace(ReadingBatch.of([0], [now - off // 4], [0.2]), quality=unknown), now)
    mine.flush()
    kept = mine.telemetry.readings(0, 0, 2**63 - 1, 10)
    assert sorted(kept.quality.tolist()) == [1, 1, 1, 67]


def test_a_meter_behind_a_fast_or_slow_clock_is_expected_from_now_on() -> None:
    """A birth stamped an hour ahead hides no silence, one stamped an hour ago raises none."""
    for skew in (HOUR, -HOUR):
        mine = pipeline()
        mine.register([meter("a", valid_from_ns=T0 + skew)], T0)
        assert mine.tick(T0 + 29 * S) == ()
        assert [e.alert.rule for e in mine.tick(T0 + 31 * S)] == ["silent"]


def test_a_start_counts_silence_from_then_whatever_clocks_said() -> None:
    """A meter whose fast clock left readings in the store is told in time when it falls silent."""
    mine = pipeline()
    mine.register([meter("a")], T0)
    mine.take(ReadingBatch.of([0], [T0 + HOUR], [0.2]), T0)
    mine.flush()
    again = pipeline(mine.telemetry, mine.records, now_ns=T0 + 10 * S)
    again.catch_up(T0, T0 + 10 * S)
    again.resume(T0 + 10 * S)
    assert [e.alert.rule for e in again.tick(T0 + 41 * S)] == ["silent"]


def test_a_clock_that_is_set_is_no_silence_and_hides_none() -> None:
    """Set ahead it raises nothing at once; set back a silent meter is told half a minute later."""
    for step in (HOUR, -HOUR):
        mine = pipeline()
        mine.register([meter("a")], T0)
        mine.link(gateway(), T0)
        mine.take(ReadingBatch.of([0], [T0], [0.2]), T0)
        now = T0 + step
        assert mine.clock_set(now, step) == ()
        assert mine.tick(now) == ()
        assert [e.alert.rule for e in mine.tick(now + 31 * S)] == ["silent"]


def test_a_gateway_that_is_away_is_told_in_time_also_when_the_clock_is_set_back() -> None:
    """The grace of a gateway goes on counting over a clock that was set."""
    mine = pipeline()
    mine.link(gateway(), T0)
    mine.link(gateway(online=False, since_ns=T0 + S), T0 + S)
    now = T0 + 2 * S - HOUR
    assert mine.clock_set(now, -HOUR) == ()
    assert [e.alert.rule for e in mine.tick(now + 10 * S)] == ["gateway-offline"]


def test_nobody_listening_is_one_alert_a_gateway() -> None:
    """When the listening process stays away the gateway is told, and its meters are not told one by one."""
    mine = pipeline()
    mine.register([meter("a"), meter("b")], T0)
    mine.link(gateway(), T0)
    assert mine.lose_gateways(T0 + S) == ()
    told = [e for second in range(2, 90) for e in mine.tick(T0 + second * S)]
    assert [(e.event, e.alert.rule) for e in told] == [(EventKind.RAISED, "gateway-offline")]


def test_what_the_store_refused_is_not_acknowledged() -> None:
    """A watermark alone, without readings that wait, is told only once the store has it."""
    telemetry = Refusing()
    mine = pipeline(telemetry)
    mine.link(gateway(spool_first=8), T0)
    assert mine.flush() == ()
    telemetry.full = False
    assert [mark.upto for mark in mine.flush()] == [7]


def test_detector_state_is_not_settled_before_the_journal_has_its_events() -> None:
    """While an event waits for the journal the state that caused it may not be kept."""
    records = RefusingRecords()
    mine = pipeline(records=records)
    mine.register([meter("a")], T0)
    records.full = True
    assert mine.take(ReadingBatch.of([0], [T0], [2.0]), T0) == ()
    assert not mine.settled
    records.full = False
    assert [e.alert.rule for e in mine.tick(T0 + S)] == ["high"]
    assert mine.settled


def test_a_delay_does_not_span_a_hole_between_two_pieces_of_history() -> None:
    """Live readings in the hole may have been calm: what was pending before it raises nothing after it."""
    high, silent = RULES.rules
    mine = pipeline(rules=RuleSet((replace(high, on_delay_s=10.0), silent)))
    mine.register([meter("a")], T0)

    def history(first: int, seconds: int) -> list[bool]:
        ts = [T0 + (first + k) * S for k in range(seconds)]
        past = ReadingBatch.of([0] * seconds, ts, [1.5] * seconds, historical=True)
        return [event.alert.retrospective for event in mine.take(past, T0 + 500 * S)]

    assert history(0, 4) == []
    assert history(27, 4) == []
    assert history(100, 15) == [True]


def test_a_hole_is_seen_in_a_history_of_doubted_times() -> None:
    """Also where nobody vouches for the clock a delay ends at a hole, and goes on where there is none."""
    high, silent = RULES.rules
    mine = pipeline(rules=RuleSet((replace(high, on_delay_s=10.0), silent)))
    mine.register([meter("a")], T0)
    mine.register([meter("b")], T0)
    mine.take(ReadingBatch.of([1], [T0 - HOUR], [0.1], historical=True), T0)

    def history(point: int, first: int, seconds: int) -> int:
        ts = [T0 + (first + k) * S for k in range(seconds)]
        past = ReadingBatch.of([point] * seconds, ts, [1.5] * seconds, historical=True)
        doubted = replace(past, quality=np.full(seconds, Quality.UNCERTAIN_CLOCK, np.uint8))
        return len(mine.take(doubted, T0 + 500 * S))

    for point in (0, 1):  # one that never had a time of its own, one that had
        assert history(point, 0, 4) == 0
        assert history(point, 27, 4) == 0
        assert history(point, 31, 4) == 0
        assert history(point, 35, 4) == 1


def test_a_change_of_settings_stands_in_the_journal_once_and_judges_history_by_its_time() -> None:
    """Told again, or found at a start, it gives no second row; late readings are judged by their own time."""
    change = {
        "valid_from": datetime.fromtimestamp(T0 / 1e9 + 100, UTC), "by": "engineer", "reason": "slow meters",
        "set": {"rate_window_s": 600.0, "cusum_slack": 1.0},
    }  # fmt: skip
    settings = DetectSettings.model_validate({"changes": [change]})
    mine = pipeline()
    mine.register([meter("a")], T0)
    (event,) = mine.change(settings, T0 + S)
    assert (event.event, event.actor, event.comment) == (EventKind.CHANGED, "engineer", "slow meters")
    assert (event.time_ns, event.service_ns) == (T0 + 100 * S, T0 + S)
    assert event.alert.why.en.endswith(": cusum_slack 0.5 → 1.0; rate_window_s 60.0 → 600.0")
    assert len({event.alert.why.kk, event.alert.why.ru, event.alert.why.en}) == 3
    assert mine.change(settings, T0 + 2 * S) == ()
    again = pipeline(mine.telemetry, mine.records)
    assert again.change(settings, T0 + 3 * S) == ()
    assert mine.book.alerts() == []
    for second, window_s in ((99, 60), (100, 600)):
        mine.take(ReadingBatch.of([0], [T0 + second * S], [0.2], historical=True), T0 + 500 * S)
        assert mine.history.engine.state.point["rate_window_ns"][0] == window_s * S
        assert mine.engine.state.point["rate_window_ns"][0] == 60 * S
