"""Why an alert was raised, in the words of three languages."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from minewatch.alerts import texts
from minewatch.alerts.rule import Binding
from minewatch.contracts import Comparison
from minewatch.detect.catalogue import DETECTORS
from unit.alerts.examples import S, point, rule


@pytest.mark.parametrize(
    ("changes", "value", "en", "ru"),
    [
        (
            {"detector": "mean-15min", "threshold": 6.0},
            7.251,
            "15 min mean 7.251 % CH4 (limit > 6 % CH4)",
            "среднее за 15 мин 7,251 % CH4 (предел > 6 % CH4)",
        ),
        (
            {"detector": "rate-of-rise", "threshold": 0.3},
            0.45,
            "rate of rise 0.45 % CH4/min (limit > 0.3 % CH4/min)",
            "скорость роста 0,45 % CH4/мин (предел > 0,3 % CH4/мин)",
        ),
        (
            {"detector": "ewma", "threshold": -8.0, "comparison": Comparison.BELOW},
            -9.5,
            "departure from usual (EWMA) -9.5 σ (limit < -8 σ)",
            "отклонение от обычного (EWMA) -9,5 σ (предел < -8 σ)",
        ),
        (
            {"detector": "gap", "threshold": 30.0, "comparison": Comparison.AT_OR_ABOVE},
            3725.0,
            "no signal for 1 h 2 min (limit ≥ 30 s)",
            "нет сигнала 1 ч 2 мин (предел ≥ 30 с)",
        ),
        (
            {"detector": "sentinel", "threshold": 0.5},
            1.0,
            "the instrument sends a fault code instead of a measurement",
            "прибор передаёт код неисправности вместо измерения",
        ),
        (
            {"threshold": 1.0},
            math.nan,
            "measured — % CH4 (limit > 1 % CH4)",
            "измерено — % CH4 (предел > 1 % CH4)",
        ),
    ],
)
def test_a_reason_has_value_unit_and_limit(changes: dict[str, Any], value: float, en: str, ru: str) -> None:
    """Each kind of statistic is named, with its own unit, in the spelling of the language."""
    said = texts.raised(Binding(rule(**changes), point()), value, 0)
    assert (said.en, said.ru) == (en, ru)
    assert said.kk not in ("", en, ru)


@pytest.mark.parametrize("detector", [detector.name for detector in DETECTORS])
def test_units_and_names_are_those_of_the_catalogue(detector: str) -> None:
    """Every detector has a name here, and the unit of its statistic is the engine's."""
    found = next(d for d in DETECTORS if d.name == detector)
    assert texts.statistic_unit(detector, "ppm") == found.unit("ppm")
    assert detector in texts.STATISTICS or detector in texts.FLAGS


@pytest.mark.parametrize("detector", [detector.name for detector in DETECTORS])
def test_every_reason_is_there_in_three_languages(detector: str) -> None:
    """Raised and cleared are said without a hole or a stray placeholder, Kazakh and Russian in Cyrillic."""
    binding = Binding(rule(detector=detector), point())
    for said in (texts.raised(binding, 2.0, 90 * S), texts.cleared(binding, 0.5, 90 * S)):
        for text in (said.kk, said.ru, said.en):
            assert text
            assert "{" not in text
        assert re.search("[а-я]", said.kk)
        assert re.search("[а-я]", said.ru)
        assert not re.search("[а-я]", said.en)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (7265, "2 h 1 min"),
        (-5, "0 s"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, said: str) -> None:
    """A duration is short enough to be read at a glance."""
    assert texts.duration(round(seconds * S), "en") == said


@pytest.mark.parametrize(
    ("value", "said"), [(2.10, "2.1"), (2.0, "2"), (1234.56, "1235"), (0.0375, "0.0375"), (math.inf, "—")]
)
def test_numbers_have_at_most_four_figures(value: float, said: str) -> None:
    """No reading is shown with more figures than an instrument has."""
    assert texts.number(value, "en") == said
    assert texts.number(value, "ru") == said.replace(".", ",")
