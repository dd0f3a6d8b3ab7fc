"""The matrix profile as a detector of a series."""

import math

import numpy as np
import pytest

from minewatch.detect.shape import SHAPE, score_shape
from minewatch.errors import ConfigError


def _waves(n=900):
    rows = np.arange(n)
    return np.sin(rows / 3) + np.random.default_rng(1).normal(0, 0.05, n)


def test_an_order_never_seen_is_an_alarm():
    """A wave upside down, all its values ordinary, is one alarm; before it there is none."""
    values = _waves()
    values[700:724] = -values[700:724]
    score, alarm = score_shape(values, {})
    assert 700 <= int(np.flatnonzero(alarm)[0]) < 724
    assert alarm.sum() <= 2
    assert np.isfinite(score).all()
    assert score.max() < 1


def test_rows_depend_on_nothing_after_them():
    """Score and alarm of a part are those of the whole; bad values and a constant stretch score nothing."""
    values = _waves()
    values[300:305] = [math.nan, math.inf, -math.inf, 1e300, 7.0]
    values[400:450] = 1.0
    whole = score_shape(values, {"window": 12, "history": 200}, 50)
    assert not whole[0][:50].any()
    assert not whole[0][304:309].any()
    for cut in (0, 1, 60, 310, 420):
        part = score_shape(values[:cut], {"window": 12, "history": 200}, 50)
        assert all(np.array_equal(a, b[:cut]) for a, b in zip(part, whole, strict=True))


@pytest.mark.parametrize(
    ("given", "says"),
    [({"windows": 4}, "Known: window"), ({"window": "x"}, "not a number"), ({"window": 2}, "3 to")],
)
def test_wrong_parameters_are_explained(given, says):
    """What is wrong, and what to write."""
    with pytest.raises(ConfigError, match=says):
        score_shape(_waves(50), given)


def test_it_is_told_in_three_languages():
    """Title, meaning and every parameter have words."""
    assert all((SHAPE.title.kk, SHAPE.title.ru, SHAPE.meaning.kk, SHAPE.meaning.ru))
    assert all(p.unit and p.meaning for p in SHAPE.parameters)
