"""Groups whose sensors hang on several gateways: joined by clocks that differ, never held up for long."""

from dataclasses import replace

import numpy as np
import pytest

from minewatch.contracts import PointInfo, ReadingBatch
from minewatch.detect import parcel
from minewatch.detect.company.group import AHEAD, PARTIAL
from minewatch.detect.company.live import KINDS, Company
from minewatch.detect.company.settings import CompanySettings
from unit.detect.mine import START, S

AIR, GAS = 0, 1
LOST = 300  # the air fails at this second


def _zone(interval_s=1.0, gateways="ab"):
    """Return an anemometer on one gateway and a methane meter on another."""
    one, other = gateways
    return [
        PointInfo("s/an/v", "s", one, "an", "v", "air_velocity", "m/s", "face", interval_s=interval_s),
        PointInfo("s/mm/ch4", "s", other, "mm", "ch4", "methane", "%", "face", interval_s=interval_s),
    ]


def _second(k, behind=0.0, points=(AIR, GAS)):
    """Return what arrives in one second of a mine that loses its air; the meter's clock is so far behind."""
    lost = k >= LOST
    values = {AIR: 0.1 if lost else 1.6 + 0.01 * (k % 3), GAS: 1.2 if lost else 0.3 + 0.01 * (k % 2)}
    return ReadingBatch.join(
        [
            ReadingBatch.of([p], [round(START + (k - (behind if p == GAS else 0)) * S)], [values[p]])
            for p in points
        ]
    )


def _company(every=None, **settings):
    company = Company(CompanySettings(**settings))
    company.set_points(every or _zone())
    return company


def _rows(said):
    return [
        ((int(t) - START) / S, float(v))
        for each in said
        for t, v in zip(each.ts_ns, each.value, strict=True)
        if np.isfinite(v)
    ]


def _play(company, seconds):
    return [row for batch in seconds for row in _rows(company.take(batch)[1])]


@pytest.mark.parametrize("behind", [0, 2, 3, 20, 59, 110])
def test_clocks_that_differ_are_joined(behind):
    """A meter whose gateway is up to ``wait_s`` behind still says with the air that gas rises without it."""
    told = _play(_company(), (_second(k, behind) for k in range(LOST + 200)))
    first = min(at for at, value in told if value >= 1)
    assert LOST <= first <= LOST + 20
    assert not [at for at, value in told if value >= 1 and at < LOST]


def test_a_clock_further_behind_is_judged_without():
    """Beyond ``wait_s`` the other sensors are judged alone, at once, and each such row is counted."""
    before = PARTIAL._value.get()
    company = _company(wait_s=30)
    said = [company.take(_second(k, 45)) for k in range(100)]
    times = [int(t) for _, each in said for e in each for t in e.ts_ns]
    assert (max(times) - START) / S >= 99 - 3
    assert PARTIAL._value.get() >= before + 90


def _ages(company, seconds):
    """Return how far the newest row lies behind, after each second; every row in between was judged."""
    judged, held = [], []
    for k, batch in enumerate(seconds):
        judged += [int(t) for e in company.take(batch)[1] for t in e.ts_ns]
        held.append(k - (max(judged, default=START) - START) / S)
    assert set(np.diff(judged).tolist()) == {S}
    return held


@pytest.mark.parametrize("behind", [0, 20])
def test_a_gateway_that_falls_silent_holds_nothing_up(behind):
    """Rows of the zone come as before when one of its gateways is destroyed, in the end without its lag."""
    seconds = [_second(k, behind) for k in range(100)]
    seconds += [_second(k, points=(AIR,)) for k in range(100, 400)]
    held = _ages(_company(wait_s=30), seconds)
    assert max(held[behind + 5 :]) <= behind + 3
    assert max(held[140:]) <= 3


@pytest.mark.parametrize("every", [10, 60, 130])
def test_a_gateway_that_speaks_seldom_holds_nothing_up(every):
    """A meter whose readings are good only now and then delays no row of the others."""
    seconds = [_second(k, points=(AIR, GAS) if k % every == 0 else (AIR,)) for k in range(300)]
    assert max(_ages(_company(), seconds)) <= 3


@pytest.mark.parametrize(("interval", "wait_s"), [(1, 0), (1, 30), (60, 120), (600, 120)])
@pytest.mark.parametrize("behind", [0, -20])
def test_most_sensors_falling_silent_blind_no_others(interval, wait_s, behind):
    """The gateway with most sensors is gone: the other's make rows again, none is dropped within the wait."""
    every = _zone(float(interval))
    every += [replace(every[AIR], place=f"s/an{n}/v", device=f"an{n}") for n in (1, 2)]
    company, before = _company(every, wait_s=wait_s), AHEAD._value.get()
    judged = []
    for k in range(100):
        batch = _second(0, points=(AIR, GAS))
        ts = START + k * interval * S
        batch = replace(batch, ts_ns=np.array([ts, ts - behind * S]))
        here = (
            [batch, ReadingBatch.of([2, 3], [ts] * 2, [1.6] * 2)]
            if k < 10
            else [batch.take(batch.point == GAS)]
        )
        judged += [int(t) for e in company.take(ReadingBatch.join(here))[1] for t in e.ts_ns]
    if wait_s >= -behind:
        assert AHEAD._value.get() == before
    assert len([t for t in judged if t > START + 10 * interval * S]) >= 80
    assert max(judged) >= START + 96 * interval * S


def test_a_clock_that_was_ahead_and_is_gone_stops_nobody():
    """A gateway an hour ahead falls silent: the others are judged within the wait, nothing piles up."""
    company = _company([*_zone(), replace(_zone()[GAS], place="s/mm2/ch4", device="mm2", gateway="a")])
    ages = []
    for k in range(600):
        batch = _second(k, -3600 if 100 <= k < 160 else 0, (AIR, GAS) if k < 160 else (AIR,))
        batch = ReadingBatch.join([batch, ReadingBatch.of([2], [START + k * S], [0.3])])
        rows = [int(t) for e in company.take(batch)[1] for t in e.ts_ns]
        ages.append(k - (max(rows, default=0) - START) / S)
    assert max(ages[5:100]) <= 3
    assert max(ages[320:]) <= 3
    waiting = [array for name, array in company.state().items() if name.endswith("ts")]
    assert max(map(len, waiting)) < 1000


def test_a_sensor_that_moves_to_another_gateway_begins_anew():
    """Live and from a snapshot: no group takes over the clocks of other gateways."""
    every = _zone()
    moved = [every[AIR], replace(every[GAS], gateway="a")]
    company = _company(every)
    _play(company, (_second(k, 20) for k in range(200)))
    other = _company(moved)
    other.restore(parcel.unpack(parcel.pack(company.state()), KINDS))
    company.set_points(moved)
    told = [_play(each, (_second(k) for k in range(200, LOST + 200))) for each in (company, other)]
    assert told[0] == told[1]
    assert [at for at, value in told[0] if value >= 1]


def test_a_fast_clock_elsewhere_delays_no_zone():
    """Rows of a zone come as ever while a gateway of another zone is ahead, or speaks once a minute."""
    far = replace(_zone()[GAS], place="s/far/ch4", device="far", gateway="c", zone="far")
    beside = replace(_zone()[AIR], place="s/far/v", device="far-an", gateway="c", zone="far")
    company, judged, ages = _company([*_zone(), far, beside]), [], []
    for k in range(200):
        batch = _second(k)
        if k % 60 == 0:
            batch = ReadingBatch.join(
                [batch, ReadingBatch.of([2, 3], [START + (k + 59) * S] * 2, [0.3, 1.6])]
            )
        judged += [int(t) for e in company.take(batch)[1] if e.place == "s/face" for t in e.ts_ns]
        ages.append(k - (max(judged, default=START) - START) / S)
    assert max(ages) <= 3


@pytest.mark.parametrize("back", [90, 1000])
def test_a_clock_that_is_set_back_blinds_for_the_wait_at_most(back):
    """One of two gateways is set back: the zone is judged again when both meet, or without it."""
    company = _company()
    told = _play(company, (_second(k, back if k >= 100 else 0) for k in range(LOST + 400)))
    after = [at for at, _ in told if at > 100]
    judged = [int(t) for e in company.take(_second(LOST + 400, back))[1] for t in e.ts_ns]
    assert (max(judged) - START) / S >= LOST + 400 - back - 5
    if back < 120:
        assert min(after) < 100 + back + 10
        assert [at for at, value in told if value >= 1 and at < LOST + 20]


def test_both_clocks_set_back_begin_anew():
    """When all clocks are set back the zone goes on by the new time at once."""
    company = _company()
    _play(company, (_second(k, 10) for k in range(200)))
    later = [replace(_second(k, 10), ts_ns=_second(k, 10).ts_ns - 500 * S) for k in range(200, 240)]
    judged = [int(t) for batch in later for e in company.take(batch)[1] for t in e.ts_ns]
    assert (max(judged) - START) / S >= 239 - 500 - 15


def test_any_cut_finds_the_same():
    """A snapshot while rows wait for the slower clock, restored: every statistic as never stopped."""
    seconds = [_second(k, 20) for k in range(LOST + 60)]
    whole = _play(_company(), seconds)
    for cut in (1, 10, 25, 150, LOST, LOST + 25):
        company = _company()
        found = _play(company, seconds[:cut])
        again = _company()
        again.restore(parcel.unpack(parcel.pack(company.state()), KINDS))
        assert found + _play(again, seconds[cut:]) == whole
