"""The rate of false alarms that is stated is the one that comes."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from bench import run_length as simulated
from minewatch.detect import run_length
from minewatch.detect.score import score_series
from minewatch.errors import ConfigError


@pytest.mark.parametrize("tie", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", ["ewma", "cusum"])
def test_the_stated_rate_is_the_measured_one(name, tie):
    """A threshold for a false alarm each 500 readings gives 350 to 700, however neighbours correlate."""
    bar = run_length.threshold(name, 500.0)
    found, alarms = simulated.between_alarms(
        simulated.chart(300, name), simulated.Noise(300, tie, 1), bar, 2_000
    )
    assert alarms > 500
    assert 350 < found < 700


def test_the_plain_test_does_not_keep_its_rate_in_slow_noise():
    """The same threshold without what the reading before foretold alarms ten times as often."""
    bar = run_length.threshold("cusum", 500.0)
    noise = simulated.Noise(300, 0.9, 1)
    found, _ = simulated.between_alarms(simulated.page_hinkley(300), noise, bar, 500)
    assert found < 50


@pytest.mark.parametrize(("name", "wanted"), [("robust-z", 1000.0), ("level-shift", 300.0)])
def test_the_listed_rates_come_again(name, wanted):
    """Thresholds of the tables, which were simulated with other noise, give their rate within a third."""
    bank = {"robust-z": simulated.robust, "level-shift": simulated.level}[name](60)
    noise = simulated.Noise(60, 0.0, 7)
    bar, alarms, steps = run_length.threshold(name, wanted), 0, 2000
    for at in range(100 + steps):
        over = bank.step(noise.next()) >= bar
        bank.reset(over)
        alarms += int(over.sum()) if at >= 100 else 0
    assert 0.67 * wanted < 60 * steps / alarms < 1.5 * wanted


def test_the_level_shift_of_a_series_keeps_its_rate():
    """Scored from a file, a shift counts once, and false ones come once in so many blocks."""
    n, block = 60_000, 10
    noise = np.random.default_rng(5).normal(0, 1, n)
    given = {"between_alarms": 100.0, "level_window_s": 24.0 * block}
    _, alarm = score_series("level-shift", 1_000_000_000 * np.arange(1, n + 1), noise, given)
    assert n / block / 100 / 2 < alarm.sum() < n / block / 100 * 1.5


def test_published_run_lengths():
    """Two-sided, slack 0.5: 168 readings at 4, 465 at 5; z: 370 at 3 (Montgomery's textbook; unverified)."""
    assert run_length.cusum(4.0) == pytest.approx(168, rel=0.01)
    assert run_length.cusum(5.0) == pytest.approx(465, rel=0.01)
    assert run_length.ewma(3.0) == pytest.approx(370.4, rel=1e-4)


@pytest.mark.parametrize("slack", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("readings", [100.0, 1e4, 1e8])
def test_a_threshold_gives_what_was_asked(slack, readings):
    """Threshold and rate are each other's inverse."""
    for name, between in run_length.BETWEEN.items():
        if readings > run_length.MOST_LISTED.get(name, math.inf):
            continue
        assert between(run_length.threshold(name, readings, slack), slack) == pytest.approx(
            readings, rel=1e-6
        )


def test_a_rate_can_be_stated_instead_of_a_threshold():
    """``score`` takes readings between alarms, and its score is 0.5 at the threshold that follows."""
    values = np.random.default_rng(1).normal(0, 1, 3000)
    ts = np.arange(3000) * 1_000_000_000
    bar = run_length.threshold("cusum", 1e4)
    stated = score_series("cusum", ts, values, {"between_alarms": "1e4"})
    given = score_series("cusum", ts, values, {"threshold": bar})
    assert np.array_equal(stated[0], given[0])
    assert stated[0].max() > 0


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("novelty", {"between_alarms": "1e4"}, "no parameter 'between_alarms'"),
        ("robust-z", {"between_alarms": "1e4", "robust_readings": "30"}, "60 robust_readings alone"),
        ("level-shift", {"between_alarms": "1e6"}, "1e.06 does not fit.*to 100000"),
        ("cusum", {"between_alarms": "1e4", "threshold": "8"}, "Leave one of the two out"),
        ("cusum", {"between_alarms": "5"}, "5 does not fit.*from 100"),
        ("cusum", {"between_alarms": "nan"}, "nan does not fit"),
        ("cusum", {"between_alarms": "1e9", "cusum_slack": "0.1"}, "capped at 32.*Raise cusum_cap"),
    ],
)
def test_wrong_rates_are_explained(name, parameters, message):
    """A rate that cannot be had is told, with what to write instead."""
    with pytest.raises(ConfigError, match=message):
        score_series(name, np.arange(5), np.zeros(5), parameters)


def test_only_the_change_chart_has_a_formula():
    """Another detector is refused, naming those that have one."""
    with pytest.raises(ConfigError, match="those with a formula: ewma, cusum, robust-z, level-shift"):
        run_length.threshold("wear", 1e4)
    assert math.isfinite(run_length.cusum(1e6))


def test_the_table_of_the_docs_is_what_the_formulas_give():
    """Whoever takes a threshold from the docs gets the rate that stands beside it."""
    page = (Path(__file__).parents[3] / "docs" / "detectors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (1e\d) \| [^|]+ \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert [row[0] for row in rows] == [f"1e{k}" for k in range(3, 10)]
    for readings, either, one, cusum in rows:
        wanted = float(readings)
        assert float(either) == pytest.approx(run_length.threshold("ewma", wanted), abs=0.006)
        assert float(one) == pytest.approx(run_length.threshold("ewma", wanted / 2), abs=0.006)
        assert float(cusum) == pytest.approx(run_length.threshold("cusum", wanted), abs=0.006)
