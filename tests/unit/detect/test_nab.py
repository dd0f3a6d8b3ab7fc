"""The scorer of NAB in the benchmarks is NAB's: its rules, and the published figures."""

import os
from pathlib import Path

import numpy as np
import pytest

from bench import nab

DATA = Path(os.environ.get("MINEWATCH_DATA") or Path(__file__).parents[4] / "shared" / "data") / "nab"


def _series(rows=200, windows=((100, 119), (150, 159))):
    times = [f"2020-01-01 {i // 60:02}:{i % 60:02}:00" for i in range(rows)]
    window, worth, count = nab.judged(times, [(times[a], times[b]) for a, b in windows])
    return nab.Series("f/x.csv", np.arange(rows), np.zeros(rows), window, worth, count)


def _alarms(*rows, n=200):
    alarm = np.zeros(n, np.bool_)
    alarm[list(rows)] = True
    return [alarm]


def test_nothing_is_0_and_everything_at_once_is_100():
    """The ends of the scale."""
    for profile in nab.PROFILES:
        assert nab.of_alarms([_series()], _alarms(), profile) == 0
        assert nab.of_alarms([_series()], _alarms(100, 150), profile) == pytest.approx(100, abs=1e-9)


def test_early_is_worth_more_and_only_the_best_of_a_window_counts():
    """A later alarm in a window earns less, a second one adds nothing; the edge is worth next to nothing."""
    standard = nab.PROFILES[0]
    early, late, edge = (nab.of_alarms([_series()], _alarms(row), standard) for row in (103, 110, 119))
    assert 50 > early > late > edge > 25
    assert nab.of_alarms([_series()], _alarms(110, 103), standard) == early


def test_outside_costs_by_its_distance_and_probation_nothing():
    """Just after a window costs little, far from one the whole cost, in the first 15 % nothing."""
    standard, low_fp, low_fn = nab.PROFILES
    near, far, start = (nab.of_alarms([_series()], _alarms(row), standard) for row in (121, 90, 29))
    assert start == 0
    assert far == pytest.approx(-100 * 0.11 / 4)
    assert far < near < 0
    assert nab.of_alarms([_series()], _alarms(90), low_fp) == pytest.approx(2 * far)
    assert nab.of_alarms([_series()], _alarms(90), low_fn) == pytest.approx(-100 * 0.11 / 6)
    assert nab.outside([_series()], _alarms(29, 90, 121, 110)) == 2
    assert nab.found([_series()], _alarms(29, 90, 121, 110, 112)) == 1


def test_the_sweep_finds_what_trying_every_threshold_finds():
    """The best threshold over all files, equal scores taken together."""
    dice = np.random.default_rng(1)
    files = [_series(), _series(windows=((60, 80),)), _series(windows=())]
    for _ in range(20):
        scores = [np.round(dice.random(200), 2) + 0.5 * (f.window >= 0) * dice.random(200) for f in files]
        for profile in nab.PROFILES:
            every = [
                nab.of_alarms(files, [s >= t for s in scores], profile)
                for t in np.unique(np.concatenate(scores))
            ]
            best, at = nab.sweep(files, scores, profile)
            assert best == pytest.approx(max(0.0, *every))
            if best > 0:
                assert nab.of_alarms(files, [s >= at for s in scores], profile) == pytest.approx(best)


@pytest.mark.skipif(not (DATA / "labels").is_dir(), reason="absent part: NAB (set MINEWATCH_DATA)")
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("numenta", (70.101, 63.209, 74.320)),
        ("windowedGaussian", (39.650, 20.868, 47.410)),
        ("ARTime", (74.854, 65.154, 80.362)),
    ],
)
def test_published_scores_come_out(name, published):
    """Three published detectors, three profiles, to three decimals."""
    files = nab.load(DATA)
    scores = np.load(DATA / "published_scores.npz")
    got = [nab.sweep(files, [scores[f"{name}/{f.name}"] for f in files], p)[0] for p in nab.PROFILES]
    assert got == pytest.approx(published, abs=6e-4)
