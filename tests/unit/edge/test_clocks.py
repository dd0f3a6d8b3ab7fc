"""Times of readings rise, whatever the clocks do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minewatch_edge.clock_status import NOT_SAID, ClockStatus, judge, read
from minewatch_edge.clocks import (
    HOLDOVER,
    SYNCHRONISED,
    UNKNOWN,
    ClockConfig,
    Moment,
    Stamps,
    SteadyClock,
)

S = 1_000_000_000
HOUR = 3600 * S


class Gateway:
    """A gateway's two clocks, what its system says of them, and the time its readings get."""

    def __init__(self, source: str = "none", *, floor_ns: int = 0) -> None:
        self.config = ClockConfig(source)
        self.wall, self.mono = 100_000 * HOUR, 0
        self.status: ClockStatus | None = None
        self.clock = SteadyClock(self.moment(), floor_ns, self.config)

    def moment(self) -> Moment:
        """Return now."""
        return Moment(self.wall, self.mono, self.status)

    def pass_(self, seconds: float, *, every_s: float = 1.0) -> set[int]:
        """Let time go by; return the qualities there were."""
        found = set()
        for _ in range(round(seconds / every_s)):
            self.wall += int(every_s * S)
            self.mono += int(every_s * S)
            self.clock.advance(self.moment())
            found.add(self.clock.quality)
        return found

    def step(self, seconds: float) -> None:
        """Set the wall clock, as a person does: the system's status is lost with it."""
        self.wall += int(seconds * S)
        if self.status is not None:
            self.status = ClockStatus(False, 16_000.0)

    def sync(self) -> None:
        """Have the time service say that all is well."""
        self.status = ClockStatus(True, 20.0)


def test_a_right_clock_is_followed_exactly() -> None:
    """While the wall clock goes forward the time of readings is the wall's, and so is that of drivers."""
    gateway = Gateway()
    assert gateway.pass_(100) == {SYNCHRONISED}
    assert gateway.clock.now_ns == gateway.clock.poll_ns == gateway.wall


def test_a_step_that_does_not_last_moves_nothing() -> None:
    """A day ahead for five minutes and back: times go on as before, said to be unknown meanwhile."""
    gateway = Gateway()
    gateway.pass_(10)
    gateway.step(86_400)
    assert gateway.pass_(300) == {UNKNOWN}
    gateway.step(-86_400)
    assert gateway.pass_(1) == {UNKNOWN}
    assert gateway.pass_(10) == {SYNCHRONISED}
    assert (gateway.clock.now_ns, gateway.clock.steps, gateway.clock.lead_ns) == (gateway.wall, 2, 0)


def test_without_a_time_service_a_step_is_believed_when_it_has_stood_ten_minutes() -> None:
    """Forward the time then jumps, told to the sampler by how far."""
    gateway = Gateway()
    gateway.step(7_200)
    gateway.pass_(599)
    assert gateway.clock.now_ns < gateway.wall - 7_000 * S
    jumped = []
    for _ in range(5):
        gateway.pass_(1)
        jumped.append(gateway.clock.jumped_ns)
    assert gateway.clock.now_ns == gateway.wall
    assert [round(j / S) for j in jumped if j] == [7_200]


def test_an_hour_back_is_made_up_for_in_ten_and_sampling_keeps_its_pace() -> None:
    """Once believed, readings go on at nine tenths of the pace; drivers are asked at full pace."""
    gateway = Gateway()
    gateway.step(-3_600)
    gateway.pass_(600)
    polled, read = gateway.clock.poll_ns, gateway.clock.now_ns
    assert gateway.pass_(3_600) == {UNKNOWN}
    assert abs(gateway.clock.poll_ns - polled - 3_600 * S) < 2 * S
    assert abs(gateway.clock.now_ns - read - 3_240 * S) < 2 * S
    gateway.pass_(9.1 * 3_600)
    assert gateway.clock.ahead_ns <= 2 * S
    assert gateway.clock.quality == SYNCHRONISED


def test_a_good_clock_holds_over_while_the_system_does_not_know_better() -> None:
    """A person sets a synchronised gateway: its own time goes on, in holdover, until the service is back."""
    gateway = Gateway("system")
    gateway.sync()
    assert gateway.pass_(10) == {SYNCHRONISED}
    gateway.step(5)
    assert gateway.pass_(3_600) == {HOLDOVER}
    assert gateway.clock.now_ns == gateway.wall - 5 * S
    gateway.sync()
    gateway.pass_(1)
    assert gateway.clock.now_ns == gateway.wall
    assert gateway.pass_(10) == {SYNCHRONISED}


def test_what_the_system_said_before_a_step_says_nothing_after_it() -> None:
    """A status that is a second old may not vouch for the time that came after it."""
    gateway = Gateway("system")
    gateway.sync()
    gateway.pass_(10)
    gateway.wall += 500 * S
    assert gateway.pass_(3) == {HOLDOVER}
    assert gateway.pass_(10) == {HOLDOVER, SYNCHRONISED}


def test_a_service_that_moves_a_good_clock_by_a_day_is_believed_after_ten_minutes_only() -> None:
    """As ntpd: beyond a thousand seconds something is wrong with one of the two."""
    gateway = Gateway("system")
    gateway.sync()
    gateway.pass_(10)
    gateway.wall += 86_400 * S
    assert gateway.pass_(590) == {HOLDOVER}
    gateway.pass_(20)
    assert gateway.clock.now_ns == gateway.wall


def test_a_clock_that_was_never_set_is_unknown_and_followed_at_once_when_it_is() -> None:
    """A gateway that starts in 1970 jumps to the right time as soon as the system vouches for it."""
    gateway = Gateway("system")
    gateway.status = ClockStatus(False, 16_000.0)
    assert gateway.pass_(60) == {UNKNOWN}
    assert "time service" in gateway.clock.problem()
    gateway.wall += 50 * 8_766 * HOUR
    gateway.sync()
    gateway.pass_(6)
    assert gateway.clock.now_ns == gateway.wall
    assert gateway.pass_(10) == {SYNCHRONISED}


def test_holdover_ends() -> None:
    """A day after the last synchronisation the clock is unknown; an error that is too large is none."""
    gateway = Gateway("system")
    gateway.sync()
    gateway.pass_(10)
    gateway.status = ClockStatus(True, 5_000.0)
    assert gateway.pass_(23.9 * 3_600, every_s=60) == {HOLDOVER}
    gateway.pass_(3_600, every_s=60)
    assert gateway.clock.quality == UNKNOWN


def test_a_leap_second_is_counted_once() -> None:
    """Announced, under way, gone: one leap; the second that comes twice makes no time fall."""
    gateway = Gateway("system")
    gateway.sync()
    for leap in ("insert", "insert", "under way", ""):
        gateway.status = ClockStatus(True, 20.0, leap)
        before = gateway.clock.now_ns
        gateway.wall -= S if leap == "under way" else 0
        gateway.pass_(1)
        assert gateway.clock.now_ns > before
    assert (gateway.clock.leaps, gateway.clock.steps) == (1, 0)


@given(st.lists(st.tuples(st.integers(-200_000, 200_000), st.integers(0, 2_000), st.booleans()), max_size=60))
def test_no_step_makes_a_time_fall(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever the wall does and the system says, times of readings and of polls never go back."""
    gateway = Gateway("system")
    last = gateway.clock.now_ns, gateway.clock.poll_ns
    for seconds, gone, synced in steps:
        gateway.wall += (seconds + gone) * S
        gateway.mono += gone * S
        gateway.status = ClockStatus(synced, 10.0)
        gateway.clock.advance(gateway.moment())
        now = gateway.clock.now_ns, gateway.clock.poll_ns
        assert now[0] >= last[0]
        assert now[1] >= last[1]
        last = now


def test_the_kernels_word_is_read() -> None:
    """STA_UNSYNC, the largest error and the leap state mean what adjtimex(2) says; this system answers."""
    assert judge(0, 0x2001, 1_500) == ClockStatus(True, 1.5)
    assert judge(5, 0x40, 16_000_000) == ClockStatus(False, 16_000.0)
    assert judge(1, 0x11, 10).leap == "insert"
    assert judge(-1, 0, 0) == NOT_SAID
    assert isinstance(read().synchronised, bool)


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
