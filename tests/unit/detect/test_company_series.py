"""A detector of company over rows: causal, finite, useful for a new device at once."""

import math

import numpy as np
import pytest

import unit.detect.fitting  # noqa: F401  # skips where there is no scikit-learn
from minewatch.contracts import OUTSIDE
from minewatch.detect.catalogue import NAMES as POINTS
from minewatch.detect.company.catalogue import COMPANY, IDS, TRUST, score_names
from minewatch.detect.company.series import score_rows
from minewatch.errors import ConfigError
from unit.detect.test_company_fit import NAMES, rows

FITTED = ("mahalanobis", "pca", "isolation-forest")


def test_ids_and_names_are_a_promise():
    """Stored scores name detectors by these ids: none may ever move."""
    promised = {
        "mahalanobis": 100,
        "pca": 101,
        "isolation-forest": 102,
        "neighbours": 103,
        "airflow-gas": 104,
        "mixture": 109,
        "drift": 110,
        "response": 111,
    }
    assert {name: IDS[name] for name in promised} == promised
    names = score_names()
    assert names[: len(POINTS)] == POINTS
    assert [names[d.id] for d in (*COMPANY, *TRUST)] == [d.name for d in (*COMPANY, *TRUST)]
    assert min(IDS.values()) == OUTSIDE
    for detector in (*COMPANY, *TRUST):
        assert all((detector.title.kk, detector.title.ru, detector.meaning.kk, detector.meaning.ru))


@pytest.mark.parametrize("train", [0, 400])
@pytest.mark.parametrize("name", FITTED)
def test_scores_are_finite_and_causal(name, train):
    """Every score lies in 0..1 and depends on nothing that comes after it."""
    data = rows(700)
    data[450:455] = [math.nan, math.inf, 1e300, -math.inf]
    data[600:] += [30, -15, 0.3, 60]
    found = score_rows(name, NAMES, data, {}, train)
    assert np.isfinite(found.scored.score).all()
    assert ((found.scored.score >= 0) & (found.scored.score <= 1)).all()
    assert not found.scored.score[:train].any()
    assert found.alarm[640:].all()
    for cut in (410, 452, 640):
        part = score_rows(name, NAMES, data[:cut], {}, train)
        assert np.array_equal(part.scored.score, found.scored.score[:cut])


@pytest.mark.parametrize("name", FITTED)
def test_a_new_device_is_judged_from_its_sixtieth_row(name):
    """Without a fit a plain fault is found soon, and after 400 rows by the wished-for kind."""
    data = rows(200)
    data[120:] += [30, -15, 0.3, 60]
    early = score_rows(name, NAMES, data, {})
    assert early.alarm[150:200].mean() > 0.8
    assert early.alarm[:120].mean() < 0.1
    late = rows(600)
    late[500:] += [30, -15, 0.3, 60]
    assert score_rows(name, NAMES, late, {}).alarm[550:].all()


def test_a_constant_start_is_no_reason_to_give_up():
    """A device that stands still at first is judged once it moves."""
    data = rows(1500)
    data[:500] = data[0]
    data[1400:] += [30, -15, 0.3, 60]
    found = score_rows("mahalanobis", NAMES, data, {})
    assert not found.scored.score[:60].any()
    assert found.alarm[1450:].all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"speed": "1"}, "mahalanobis has no parameter 'speed'.*Known: window, slow_share, half"),
        ({"window": "x"}, "--set window.*whole number from 1"),
        ({"window": "2.5"}, "--set window.*whole number"),
        ({"half": "0"}, "--set half"),
        ({"half": "nan"}, "--set half"),
    ],
)
def test_wrong_parameters_are_explained(parameters, message):
    """A wrong parameter or value is named, with what to write instead."""
    with pytest.raises(ConfigError, match=message):
        score_rows("mahalanobis", NAMES, rows(), parameters)


def test_neighbours_name_the_meter_that_disagrees():
    """Of three meters one moves off; the reason names it, how far, and how many others say otherwise."""
    dice = np.random.default_rng(3)
    data = 0.5 + dice.normal(0, 0.1, (300, 1)).cumsum(axis=0) * 0.02 + dice.normal(0, 0.02, (300, 3))
    data[200:, 1] += 3.4
    data[250:, 2] = np.nan
    found = score_rows("neighbours", ("MM1", "MM261", "MM3"), data, {"floor": 0.02})
    assert not found.alarm[:200].any()
    assert found.alarm[200:250].all()
    assert found.why(200).startswith("MM261 reads 3.")
    assert found.why(200).endswith("above what its 2 neighbours say.")


def test_airflow_against_gas_says_from_what_to_what():
    """Air falls and methane rises: one row later it is said in words; either alone says nothing."""
    data = np.tile([1.7, 1.4, 0.5, 0.3], (200, 1))
    data[150:, :2] = [0.4, 0.3]
    data[155:, 2] = 2.1
    found = score_rows("airflow-gas", ("AN422", "AN423", "MM261", "MM262"), data, {"air": 2})
    assert not found.alarm[:156].any()
    assert found.alarm[156:170].all()
    assert found.why(156) == (
        "Airflow at AN423 fell from 1.4 to 0.3 while methane at MM261 rose from 0.5 to 2.1;"
        " 1 of 2 meters rise."
    )
    alone = data.copy()
    alone[:, 2] = 0.5
    assert not score_rows("airflow-gas", tuple("abcd"), alone, {"air": 2}).alarm.any()


@pytest.mark.parametrize(
    ("name", "columns", "parameters", "message"),
    [
        ("airflow-gas", "ab", {}, "--set air=2"),
        ("airflow-gas", "ab", {"air": 2}, "needs 3 columns"),
        ("neighbours", "a", {}, "needs 2 columns"),
        ("mixture", "ab", {}, "a limit above 0 for each of 2 columns"),
        ("mixture", "ab", {"limits": "20,x"}, "--set limits=20,5"),
        ("mixture", "ab", {"limit": "20,5"}, "Known: limits"),
    ],
)
def test_too_few_columns_are_explained(name, columns, parameters, message):
    """A company of one, air without gas, gases without limits: refused with the mend."""
    with pytest.raises(ConfigError, match=message):
        score_rows(name, tuple(columns), np.ones((50, len(columns))), parameters)


def test_gases_that_act_together_add_up():
    """Two gases at 0.6 of their limits alarm together though neither would alone; the reason says both."""
    data = np.array([[4.0, 1.0], [12.0, 3.0], [-9.0, 3.0], [math.nan, 6.0], [math.nan, math.nan]])
    found = score_rows("mixture", ("CO", "H2S"), data, {"limits": "20,5"})
    assert found.scored.statistic.tolist()[:4] == pytest.approx([0.4, 1.2, 0.6, 1.2])
    assert found.alarm.tolist() == [False, True, False, True, False]
    assert (
        found.why(1)
        == "Gases act together, their shares of the limits add up to 1.2: CO 12 (60%), H2S 3 (60%)."
    )
    assert found.why(3).endswith("add up to 1.2: H2S 6 (120%); not measured: CO.")
