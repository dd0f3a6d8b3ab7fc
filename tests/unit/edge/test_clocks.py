"""Times of readings rise, whatever the clocks do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minewatch_edge.clocks import Moment, Stamps, SteadyClock

S = 1_000_000_000
HOUR = 3600 * S


def test_a_right_clock_is_followed_exactly() -> None:
    """While the wall clock goes forward the steady one is the wall clock."""
    clock = SteadyClock(Moment(5 * HOUR, 0))
    assert clock.advance(Moment(5 * HOUR + S, S)) == 5 * HOUR + S
    assert clock.advance(Moment(7 * HOUR, 2 * S)) == 7 * HOUR
    assert clock.ahead_ns == 0


def test_an_hour_back_is_made_up_for_in_ten() -> None:
    """After a step back time goes on at nine tenths of its pace until the wall has caught up."""
    clock = SteadyClock(Moment(10 * HOUR, 0))
    assert clock.advance(Moment(9 * HOUR + S, S)) == 10 * HOUR + 900_000_000
    assert HOUR - S < clock.ahead_ns < HOUR
    clock.advance(Moment(9 * HOUR + 5 * HOUR, 5 * HOUR))
    assert abs(clock.ahead_ns - HOUR // 2) < S
    clock.advance(Moment(9 * HOUR + 11 * HOUR, 11 * HOUR))
    assert clock.ahead_ns == 0


def test_time_goes_on_where_the_last_run_had_come() -> None:
    """A machine that starts in 1970 does not stamp readings before those it has spooled."""
    clock = SteadyClock(Moment(S, 0), floor_ns=50 * HOUR)
    assert clock.advance(Moment(2 * S, S)) > 50 * HOUR


@given(st.lists(st.tuples(st.integers(-5_000, 5_000), st.integers(0, 2_000)), max_size=40))
def test_stamps_of_a_point_always_rise(steps: list[tuple[int, int]]) -> None:
    """Whatever a device's clock does, no two readings of a point have the same or a falling time."""
    stamps = Stamps(1)
    wall, device, last = 10_000_000, 10_000_000, -1
    for jump, gone in steps:
        wall += gone
        device += jump
        stamps.begin(wall)
        at = stamps.stamp(0, device * 1_000_000)
        assert at > last
        last = at


def test_readings_of_one_millisecond_are_told_apart() -> None:
    """Two readings in the same millisecond get two milliseconds."""
    stamps = Stamps(1)
    stamps.begin(1000)
    assert [stamps.stamp(0, 1_000_000_000), stamps.stamp(0, 1_000_000_500)] == [1000, 1001]


def test_a_device_whose_clock_went_back_keeps_its_pace() -> None:
    """After a jump back readings a second apart stay about a second apart, for every point of the device."""
    stamps = Stamps(2)
    for second in range(10):
        stamps.begin(100_000 + second * 1000)
        before = [stamps.stamp(p, (100_000 + second * 1000) * 1_000_000) for p in (0, 1)]
    found = []
    for second in range(10, 20):
        stamps.begin(100_000 + second * 1000)
        found.append([stamps.stamp(p, (50_000 + second * 1000) * 1_000_000) for p in (0, 1)])
    steps = [b[0] - a[0] for a, b in zip([before, *found], found, strict=False)]
    assert all(890 <= step <= 1000 for step in steps)
    assert all(a == b for a, b in found)
    assert stamps.shift_ms > 0
