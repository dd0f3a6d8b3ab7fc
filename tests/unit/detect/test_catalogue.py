"""The catalogue, the settings and the page about them agree."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from minewatch.contracts import Quality, Text
from minewatch.detect.catalogue import DETECTORS, NAMES, TEST_GAS, index
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.kernels import layout
from minewatch.detect.settings import DetectSettings
from minewatch.detect.trial_settings import TestGasSettings
from minewatch.errors import ConfigError

PAGE = Path(__file__).parents[3] / "docs" / "detectors.md"


def test_ids_and_names_are_a_promise():
    """Stored scores and limits name detectors by these ids: none may ever move."""
    assert NAMES == (
        "value",
        "mean-15min",
        "twa-8h",
        "shift-mean",
        "rate-of-rise",
        "ewma",
        "cusum",
        "range",
        "sentinel",
        "stuck",
        "gap",
        "novelty",
        "forecast",
        "wear",
        "frozen",
        "leap",
        "coverage-15min",
        "coverage-8h",
        "coverage-shift",
        "ambient",
        "above-ambient",
        "noise-dose-5db",
        "noise-dose-3db",
        "rate-error",
        "robust-z",
        "level-shift",
    )
    assert [d.id for d in DETECTORS] == list(range(layout.DETECTORS))
    assert [index(name) for name in NAMES] == list(range(layout.DETECTORS))
    codes = {"RATE_OF_RISE": "RATE", "FORECAST": "FORESEEN", "AMBIENT": "AMBIENT_LEVEL", "WEAR": "WORN"}
    names = [n.replace("-", "_").upper() for n in NAMES]
    names = [codes.get(n, n).replace("COVERAGE", "COVER").replace("NOISE_DOSE", "DOSE") for n in names]
    assert [getattr(layout, n) for n in names] == list(range(layout.DETECTORS))


def test_ids_of_what_judges_several_are_a_promise():
    """So are the ids of detectors that judge devices, zones and gateways; no two are the same."""
    outside = {name: i for name, i in BY_NAME.items() if name not in NAMES}
    assert outside == {
        "mahalanobis": 100, "pca": 101, "isolation-forest": 102, "neighbours": 103, "airflow-gas": 104,
        "model-drift": 105, "gateway-silent": 106, "gateway-frozen": 107, "gateway-clock": 108,
        "mixture": 109, "drift": 110, "response": 111,
    }  # fmt: skip


def test_the_kernels_use_the_codes_of_the_contract():
    """Quality codes stand twice, because kernels import nothing of ours: they are the same."""
    for name in (
        "UNCERTAIN",
        "UNCERTAIN_RANGE",
        "UNCERTAIN_STUCK",
        "UNCERTAIN_CLOCK",
        "UNCERTAIN_RATE",
        "BAD",
        "BAD_SENTINEL",
        "BAD_NOT_A_NUMBER",
        "BAD_NO_SIGNAL",
    ):
        assert getattr(layout, name) == Quality[name]


def test_an_unknown_detector_names_the_known_ones():
    """A typing slip is answered with the list."""
    with pytest.raises(ConfigError, match=r"no detector 'cusums'.*Known detectors: value,.*gap"):
        index("cusums", where="rule x")


@pytest.mark.parametrize("detector", [*DETECTORS, TEST_GAS], ids=lambda d: d.name)
def test_every_detector_is_told_in_three_languages(detector):
    """Title and meaning exist in Kazakh, Russian and English; every parameter is a setting with a default."""
    for text in (detector.title, detector.meaning):
        assert isinstance(text, Text)
        assert all(dataclasses.astuple(text))
        assert re.search("[әіңғүұқөһӘІҢҒҮҰҚӨҺ]", detector.meaning.kk)
        assert re.search("[а-я]", text.ru)
    for parameter in detector.parameters:
        fields = DetectSettings.model_fields | TestGasSettings.model_fields
        assert parameter.default == fields[parameter.name].get_default(call_default_factory=True)
        assert parameter.meaning
        assert parameter.unit


def test_units_follow_the_point():
    """Limits of a rate are per minute, of a z in sigmas, of a silence in seconds."""
    assert [DETECTORS[i].unit("ppm") for i in (0, 1, 4, 5, 10)] == ["ppm", "ppm", "ppm/min", "σ", "s"]


def test_every_setting_belongs_to_a_detector():
    """No setting without a detector that lists it."""
    listed = {p.name for d in DETECTORS for p in d.parameters}
    assert listed | {"default_interval_s", "test_gas", "changes"} == set(DetectSettings.model_fields)
    assert {p.name for p in TEST_GAS.parameters} | {"enabled", "announced"} == set(
        TestGasSettings.model_fields
    )


def test_the_page_has_a_heading_for_each_detector_and_every_default():
    """docs/detectors.md describes what there is, with the defaults that are in force."""
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^### `([a-z0-9-]+)`", text, re.M)
    assert tuple(headings) == NAMES
    fields = [*DetectSettings.model_fields.items(), *TestGasSettings.model_fields.items()]
    for name, field in fields:
        default = field.default
        if not isinstance(default, (int, float, tuple)) or isinstance(default, bool) or default == ():
            continue
        shown = ", ".join(f"{v:g}" for v in default) if isinstance(default, tuple) else f"{default:g}"
        assert re.search(rf"^\| `{name}` \| {re.escape(shown)} \|", text, re.M), (name, shown)


@pytest.mark.parametrize("starts", [(8.0, 8.0), (16.0, 8.0), (24.0,), (-1.0,), ()])
def test_impossible_shifts_are_refused(starts):
    """Shift starts are hours of one day, ascending, at least one."""
    with pytest.raises(ValidationError):
        DetectSettings(shift_starts_h=starts)


def test_settings_and_catalogue_need_no_numba():
    """Reading a configuration or the catalogue does not wait for the compiler's import."""
    code = "import sys, minewatch.detect.catalogue; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
