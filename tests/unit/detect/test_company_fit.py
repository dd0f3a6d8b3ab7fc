"""Fits and their scores against scikit-learn, and what is left out of a fit."""

import subprocess
import sys

import numpy as np
import pytest

import unit.detect.fitting  # noqa: F401  # skips where there is no scikit-learn
from minewatch.detect.company.fit import Choice, fit
from minewatch.detect.company.scorer import Scorer, reason
from minewatch.errors import ModelError

NAMES = ("flow", "current", "vibration", "pressure")


def rows(n=500, seed=1):
    """Return four sensors of which three move together."""
    dice = np.random.default_rng(seed)
    load = dice.normal(0, 1, n)
    return np.column_stack(
        [
            30 + 2 * load + dice.normal(0, 0.3, n),
            5 - load + dice.normal(0, 0.2, n),
            0.1 + 0.01 * load + dice.normal(0, 0.02, n),
            dice.normal(100, 5, n),
        ]
    )


def test_mahalanobis_is_that_of_scikit_learn():
    """Row by row (window 1), the distance is LedoitWolf's own to 1e-12."""
    from sklearn.covariance import LedoitWolf

    train, test = rows(), rows(300, 2) * 1.01
    model = fit("mahalanobis", NAMES, train, Choice(window=1, slow_share=2))
    mean, sd = train.mean(axis=0), train.std(axis=0)
    theirs = LedoitWolf().fit((train - mean) / sd).mahalanobis((test - mean) / sd)
    ours = (Scorer(model).take(test).statistic * model.arrays["top"][0]) ** 2
    assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_t2_and_q_are_those_of_scikit_learn():
    """T2 is the sum of squared scores over their variances, Q what the components leave; to 1e-12."""
    from sklearn.decomposition import PCA

    train, test = rows(), rows(300, 2) * 1.01
    model = fit("pca", NAMES, train, Choice(window=1, slow_share=2))
    mean, sd = train.mean(axis=0), train.std(axis=0)
    pca = PCA(0.85, svd_solver="full").fit((train - mean) / sd)
    z = (test - mean) / sd
    points = pca.transform(z)
    t2 = (points**2 / pca.explained_variance_).sum(axis=1)
    q = ((z - pca.inverse_transform(points)) ** 2).sum(axis=1)
    theirs = np.maximum(np.sqrt(t2) / model.arrays["top"][0], np.sqrt(q) / model.arrays["top"][1])
    assert np.allclose(Scorer(model).take(test).statistic, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_forest_is_that_of_scikit_learn(seed):
    """Every score is IsolationForest's to 1e-12, on rows near and far and on the very thresholds."""
    from sklearn.ensemble import IsolationForest

    train = rows(600, seed)
    model = fit("isolation-forest", NAMES, train, Choice(window=1, slow_share=2, seed=seed))
    centre, scale = model.arrays["centre"], model.arrays["scale"]
    given = ((train - centre) / scale).astype(np.float32)
    theirs = IsolationForest(n_estimators=100, max_samples=256, random_state=seed).fit(given)
    edge = theirs.estimators_[0].tree_.threshold[:40]
    far = np.random.default_rng(seed).normal(0, 3, (1000, 4)).astype(np.float32)
    far[: len(edge), 0] = edge
    far[len(edge) : 2 * len(edge), 1] = np.nextafter(edge.astype(np.float32), np.float32(np.inf))
    ours = Scorer(model)._walk(far.astype(np.float64))
    assert np.allclose(ours, -theirs.score_samples(far), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["robust", "mahalanobis", "pca"])
def test_a_fault_is_found_and_its_sensor_named(kind):
    """A sensor that leaves the company of the others is the first in the reason, on its side."""
    train = rows()
    model = fit(kind, NAMES, train, Choice(window=5, slow_share=2))
    test = rows(100, 3)
    test[60:, 1] += 4.0
    found = Scorer(model).take(test)
    assert (found.score[5:60] < 0.5).mean() > 0.9
    assert (found.score[70:] > found.score[5:60].max()).all()
    why = reason(model, found.share[80], found.off[80])
    assert why.en.startswith("Does not fit the others: current ")
    assert "above" in why.en
    assert "выше" in why.ru
    assert "жоғары" in why.kk


def test_a_forest_names_what_set_a_row_apart():
    """A forest sees a fault of several sensors, and names those whose usual reading would lower the score."""
    model = fit("isolation-forest", NAMES, rows(), Choice(window=5, slow_share=2))
    test = rows(100, 3)
    test[60:, :2] += [15.0, 6.0]
    found = Scorer(model).take(test)
    assert found.score[70:].mean() > 0.5
    assert (found.score[5:60] < 0.5).mean() > 0.9
    row = int(found.score.argmax())
    assert {"flow", "current"} <= set(reason(model, found.share[row], found.off[row]).en.split())


def test_what_does_not_move_or_moves_too_slowly_is_left_out():
    """Constant, mostly missing and slowly drifting sensors are not judged, and it is said why."""
    data = rows()
    ramp, still, gone = np.linspace(0, 50, 500), np.full(500, 3.0), np.full(500, np.nan)
    gone[:100] = 1.0
    model = fit("mahalanobis", (*NAMES, "heat", "still", "gone"), np.column_stack([data, ramp, still, gone]))
    assert model.names == NAMES
    assert "slower than the window" in model.left_out["heat"]
    assert model.left_out["still"] == "does not move"
    assert model.left_out["gone"] == "measured in 20% of the rows only"
    beyond = np.column_stack([rows(50, 4), np.full((50, 3), 1e9)])
    assert (Scorer(model).take(beyond).score[30:] < 0.5).all(), "what is left out does not count"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((0, 2)), "0 rows are too few"),
        (np.zeros((20, 2)), "20 rows are too few"),
        (np.ones((100, 2)), "no sensor can be judged.*a does not move; b does not move"),
        (np.full((100, 2), np.nan), "measured in 0% of the rows only"),
        (np.full((100, 2), np.inf), "measured in 0% of the rows only"),
    ],
)
def test_too_little_to_learn_from(data, message):
    """Nothing, too few rows, constants and missing values are refused with the reason."""
    with pytest.raises(ModelError, match=message):
        fit("mahalanobis", ("a", "b"), data)


def test_one_sensor_and_two_alike():
    """A company of one is judged by itself; two sensors that say the same are no singular matrix."""
    one = rows()[:, :1]
    for kind in ("mahalanobis", "pca", "isolation-forest"):
        assert np.isfinite(Scorer(fit(kind, ("a",), one)).take(one).score).all()
        both = np.hstack([one, one])
        assert np.isfinite(Scorer(fit(kind, ("a", "b"), both)).take(both).score).all()


def test_rows_with_holes_teach_and_are_judged():
    """Missing values neither feed the fit nor lift the score; a row of nothing scores 0."""
    train = rows()
    train[::7, 0] = np.nan
    train[3::11, 2] = np.inf
    for kind in ("mahalanobis", "pca", "isolation-forest"):
        found = Scorer(fit(kind, NAMES, train, Choice(window=3))).take(
            np.vstack([rows(50, 9), np.full((5, 4), np.nan)])
        )
        assert np.isfinite(found.score).all()
        assert (found.score[3:50] < 0.5).mean() > 0.9
        assert found.score[-1] == 0


def test_a_fit_twice_is_the_same_model():
    """The same rows and parameters give the same digest, forests included."""
    for kind in ("robust", "mahalanobis", "pca", "isolation-forest"):
        assert fit(kind, NAMES, rows()).digest == fit(kind, NAMES, rows()).digest


def test_scikit_learn_is_imported_by_a_fit_only():
    """Engine, scorer and model files need no scikit-learn: no start and no hot path waits for it."""
    code = (
        "import sys, minewatch.detect.engine, minewatch.detect.company.scorer, minewatch.detect.company.fit,"
        " minewatch.app.pipeline, minewatch.app.score; sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
