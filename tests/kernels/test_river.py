"""The change chart against river, the streaming library, where both compute the same thing.

Readings here are plain numbers: river knows no bad ones.
"""

import math

import numpy as np
import pytest
from river import anomaly, drift, stats

from minewatch.detect.kernels import change as kernel
from minewatch.detect.kernels.layout import Chart

NEVER, WHOLE = 1e9, 1e12  # a warm-up that never ends; a clip, a cap or a memory that holds everything
ROUNDED = 3 * 2**-24  # three roundings of 4-byte floats for each reading, as the chart states


def _chart():
    return Chart(*(np.zeros(1, kind) for kind in ("f8", "f4", "f4", "f4", "f4", "f4", "f4", "f4")))


def _values(n=600, seed=5):
    return np.random.default_rng(seed).normal(20.0, 3.0, n)


def test_mean_and_variance_are_those_of_river():
    """A chart that has forgotten its first readings fades mean and variance as EWMean and EWVar do."""
    chart, mean, variance = _chart(), stats.EWMean(1 / 40), stats.EWVar(1 / 40)
    values = _values()
    chart.mean[0], chart.seen[0] = values[0], 40.0
    for x in values:
        kernel.change(chart, 0, x, 40.0, NEVER, WHOLE, 0.5, WHOLE)
        mean.update(x)
        variance.update(x)
        assert chart.mean[0] == pytest.approx(mean.get(), abs=ROUNDED * 12.0)  # 12: the widest departure
        assert chart.variance[0] == pytest.approx(variance.get(), rel=ROUNDED * 40.0, abs=1e-9)


def test_z_is_that_of_the_gaussian_scorer():
    """A chart that forgets nothing finds a reading as unlikely as GaussianScorer does."""
    chart, scorer = _chart(), anomaly.GaussianScorer(grace_period=100)
    judged = 0
    for n, x in enumerate(_values()):
        z, _ = kernel.change(chart, 0, x, WHOLE, 100.0, WHOLE, 0.5, WHOLE)
        theirs = scorer.score_one(None, x)
        scorer.learn_one(None, x)
        if not math.isnan(z):
            of_sample = abs(z) * math.sqrt((n - 1) / n)  # theirs divides by n - 1, ours by n
            assert theirs == pytest.approx(math.erf(of_sample / math.sqrt(2)), abs=1e-6)
            judged += 1
    assert judged == 500


def test_the_cusum_is_the_page_hinkley_test():
    """Against a mean that is known, either side of the CUSUM is what river's PageHinkley compares."""
    test = drift.PageHinkley(min_instances=1, delta=0.5, threshold=math.inf, alpha=1.0)
    test._x_mean.update(0.0, WHOLE)  # river has no way to say that the mean is known
    chart = _chart()
    chart.variance[0], chart.seen[0] = 1.0, WHOLE
    rng = np.random.default_rng(6)
    # river takes its first sum for the least one yet: a first reading of 0 lets both begin alike
    for x in [0.0, *rng.normal(0, 1, 200), *rng.normal(1, 1, 50), *rng.normal(-1, 1, 100)]:
        kernel.change(chart, 0, x, WHOLE, 2.0, WHOLE, 0.5, WHOLE)
        test.update(x)
        assert chart.high[0] == pytest.approx(test._sum_increase - test._min_increase, abs=1e-3)
        assert chart.low[0] == pytest.approx(test._max_decrease - test._sum_decrease, abs=1e-3)
    assert chart.low[0] > 20
