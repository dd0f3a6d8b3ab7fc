"""The shipped rule packs: complete, honest about what was read, and where they say they are."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from minewatch.alerts import packs, rules
from minewatch.alerts.rule import EVERY, Rule
from minewatch.alerts.settings import AlertSettings
from minewatch.contracts import PointInfo
from minewatch.detect.company.catalogue import BY_NAME as IDS
from minewatch.errors import RuleError

EVERYTHING = rules.load([packs.shipped()], IDS).rules
DEFAULT = rules.load(packs.paths(AlertSettings()), IDS)
# the units in which points come (docs/rules.md)
UNITS = {
    "methane": "% CH4",
    "carbon_monoxide": "ppm",
    "carbon_dioxide": "%",
    "oxygen": "%",
    "nitrogen_oxides": "mg/m³",
    "nitrogen_dioxide": "mg/m³",
    "sulphur_dioxide": "mg/m³",
    "hydrogen_sulphide": "ppm",
    "hydrogen": "%",
    "dust": "mg/m³",
    "noise": "dBA",
    "dust_pm10": "mg/m³",
    "dust_pm2_5": "mg/m³",
    "air_velocity": "m/s",
    "barometric_pressure": "hPa",
    "temperature": "°C",
    "bearing_temperature": "°C",
    "vibration_velocity": "mm/s",
    "vibration": "g",
    "fan_pressure": "Pa",
    "wind_speed": "m/s",
    "engine_temperature": "°C",
    "oil_pressure": "kPa",
    "tyre_pressure": "kPa",
    EVERY: EVERY,
}


def watching(quantity: str, zone: str) -> set[str]:
    """Return the default rules that watch a quantity in a zone."""
    point = PointInfo("s/d/m", "s", "g", "d", "m", quantity, UNITS[quantity], zone, interval_s=1.0)
    return {rule.id for rule in DEFAULT.rules if rule.applies(point)}


@pytest.mark.parametrize("rule", EVERYTHING, ids=lambda rule: rule.id)
def test_a_shipped_rule_is_complete(rule: Rule) -> None:
    """Every rule is in the unit of its quantity, cites a source, and speaks three languages."""
    assert UNITS[rule.quantity] == rule.unit
    assert len(rule.citation) > 10
    assert re.search("[а-я]", rule.message.kk)
    assert re.search("[а-я]", rule.message.ru)
    assert rule.message.kk != rule.message.ru
    assert not re.search("[а-я]", rule.message.en)
    assert rule.priority <= 2 or not rule.page  # who is called is called for something urgent


@pytest.mark.parametrize("rule", EVERYTHING, ids=lambda rule: rule.id)
def test_what_was_not_read_is_not_verified(rule: Rule) -> None:
    """A verified limit names what was read; nothing Kazakh is verified, because its tables were not read."""
    if rule.verified:
        assert "read" in rule.evidence
        assert "not read" not in rule.citation
    if rule.jurisdiction == "KZ":
        assert not rule.verified


@pytest.mark.parametrize(
    ("quantity", "zone", "expected"),
    [
        ("methane", "longwall-7/face", {"methane-trip", "methane-high", "methane-warning"}),
        ("methane", "longwall-7/return", {"methane-trip", "methane-high", "methane-warning"}),
        ("methane", "longwall", {"methane-trip", "methane-high", "methane-warning"}),
        ("methane", "longwall-7/intake", {"methane-trip", "methane-intake", "methane-intake-warning"}),
        ("methane", "longwall-7/outlet", {"methane-trip", "methane-outlet", "methane-outlet-warning"}),
        ("methane", "belt-3", {"methane-trip"}),
        ("air_velocity", "longwall", {"face-airflow-lost"}),
        ("air_velocity", "longwall-7/face", {"face-airflow-lost", "face-airflow-high"}),
        ("air_velocity", "belt-3", set()),
        ("fan_pressure", "fan-1", {"fan-pressure-lost"}),
        ("fan_pressure", "heading-12/face", {"fan-pressure-lost"}),
        ("oxygen", "longwall-7/return", {"oxygen-low"}),
        ("carbon_monoxide", "belt-3", {"carbon-monoxide-high", "carbon-monoxide-danger"}),
        ("nitrogen_oxides", "pit/blast", {"nitrogen-oxides-high"}),
        ("dust", "pit/haul-road", {"pit-dust-short", "pit-dust-shift"}),
        ("dust", "longwall-7/face", {"coal-dust-shift"}),
        ("engine_temperature", "pit/truck-12", {"engine-temperature-high", "engine-temperature-alarm"}),
        ("bearing_temperature", "fan-1", {"bearing-temperature-caution", "bearing-temperature-high"}),
    ],
)
def test_default_limits_stand_where_they_belong(quantity: str, zone: str, expected: set[str]) -> None:
    """Each place has the limits of its kind and no others (rules about signals and change aside)."""
    others = {r.id for r in DEFAULT.rules if r.id.startswith("signal-") or r.jurisdiction == "practice"}
    found = watching(quantity, zone)
    assert expected <= found
    assert found - others <= expected


def test_every_quantity_has_a_limit_and_a_watch_on_its_silence() -> None:
    """No quantity of the house is without a rule, and none can fall silent unseen."""
    for quantity in UNITS.keys() - {EVERY}:
        zone = {"hydrogen": "battery-room"}.get(quantity, "pit" if quantity.startswith("dust_") else "fan-1")
        lost = {name for name in watching(quantity, zone) if name.startswith("signal-lost")}
        assert len(lost) == 1, quantity


def test_neighbours_are_not_judged_where_places_differ_for_reasons_of_their_own() -> None:
    """Gases of one zone are compared; temperatures and flows of a plant raise nothing."""
    rule = next(rule for rule in DEFAULT.rules if rule.id == "neighbours-disagree")
    kinds = (("methane", "% CH4"), ("temperature", "°C"), ("flow", "L/s"))
    points = [PointInfo("s/z/q", "s", "", "", "", quantity, unit, "z") for quantity, unit in kinds]
    assert [rule.applies(point) for point in points] == [True, False, False]


def test_the_loss_of_face_airflow_pages_first() -> None:
    """The rule that matters most: priority 1, a person is called, with the delay of a flow signal."""
    rule = next(rule for rule in DEFAULT.rules if rule.id == "face-airflow-lost")
    assert (rule.priority, rule.page, rule.threshold, rule.on_delay_s) == (1, True, 0.25, 15.0)


def test_other_countries_are_not_in_force_by_default() -> None:
    """Limits of another jurisdiction apply only when somebody chooses them."""
    assert {rule.jurisdiction for rule in DEFAULT.rules} == {"KZ", "practice"}
    assert {rule.jurisdiction for rule in EVERYTHING} == {"KZ", "practice", "US", "AU-QLD", "PL"}


def test_the_default_profile_is_that_of_the_file() -> None:
    """`rules/default.toml` says which packs are in force."""
    text = (packs.shipped() / "default.toml").read_text(encoding="utf-8")
    assert packs.default_names() == tuple(tomllib.loads(text)["profile"]["active"])
    assert set(packs.default_names()) <= set(packs.names())


def test_a_site_chooses_packs_and_adds_its_own(tmp_path: Path) -> None:
    """Settings name shipped packs and folders with more."""
    shutil.copy(packs.shipped() / "pl.toml", tmp_path / "ours.toml")
    chosen = packs.paths(AlertSettings(packs=("signal",), rule_dirs=(tmp_path,)))
    assert [path.name for path in chosen] == ["signal.toml", "ours.toml"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (AlertSettings(packs=("kz-gold",)), r"alerts\.packs: there is no rule pack 'kz-gold'.*kz-coal"),
        (
            AlertSettings(rule_dirs=(Path("/absent/rules"),)),
            r"rule_dirs, /absent/rules: there is no such",
        ),
    ],
)
def test_a_pack_that_does_not_exist_is_said(settings: AlertSettings, said: str) -> None:
    """A name or a folder that is wrong is an error before anything starts."""
    with pytest.raises(RuleError, match=said):
        packs.paths(settings)
