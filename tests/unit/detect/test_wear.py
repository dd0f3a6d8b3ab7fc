"""The wear of one series: fields, zones, holes, and what is wrong with a call."""

import math

import numpy as np
import pytest

from minewatch.detect.wear import wear_series
from minewatch.errors import ConfigError
from unit.detect.mine import START, S

ROWS = 20 * 144  # of ten minutes


def _life():
    ts = START + np.arange(ROWS) * 600 * S
    days = np.arange(ROWS) / 144
    return ts, 1 + np.random.default_rng(1).normal(0, 0.02, ROWS) + 0.15 * np.maximum(days - 3, 0)


def test_the_zones_follow_one_another():
    """A growing vibration is unknown, then A, B, C, D, with the score 0.5 at the border of B."""
    found = wear_series(*_life(), {})
    assert list(dict.fromkeys(found.zone)) == ["", "A", "B", "C", "D"]
    assert found.alarm.tolist() == [zone in ("B", "C", "D") for zone in found.zone]
    assert np.isfinite(found.score).all()
    assert ((found.score >= 0) & (found.score < 1)).all()
    assert np.isfinite(found.days[np.array(found.zone) == "C"]).all()


def test_a_hole_repeats_what_was_said():
    """Rows without a reading or out of range repeat the row before."""
    ts, values = _life()
    values[2000:2003] = [math.nan, math.inf, 99.0]
    found = wear_series(ts, values, {"high": "50"})
    assert (found.severity[2000:2003] == found.severity[1999]).all()


def test_what_comes_later_changes_nothing():
    """A row depends on the rows up to it alone; the first rows may be for fitting."""
    ts, values = _life()
    whole = wear_series(ts, values, {}, train_rows=500)
    assert not whole.score[:500].any()
    for cut in (0, 1, 200, 2000):
        part = wear_series(ts[:cut], values[:cut], {}, train_rows=500)
        assert np.array_equal(part.severity, whole.severity[:cut], equal_nan=True)
        assert np.array_equal(part.score, whole.score[:cut])


@pytest.mark.parametrize(
    ("key", "value"), [("baseline_s", "0"), ("limit", "far"), ("threshold", "nan"), ("x", "1")]
)
def test_a_wrong_parameter_is_named(key, value):
    """The error names the option and what would fit."""
    with pytest.raises(ConfigError, match=f"--set {key}"):
        wear_series(np.full(1, START), np.ones(1), {key: value})
