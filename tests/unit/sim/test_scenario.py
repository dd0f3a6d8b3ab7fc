"""The language of scenarios, in Python and in TOML."""

import fnmatch
import tomllib
from pathlib import Path

import pytest

from minewatch.contracts import Text
from minewatch.errors import ConfigError
from minewatch_sim.mines import GATEWAYS, PLACES
from minewatch_sim.scenario import (
    Activation,
    Expect,
    Scenario,
    active,
    at,
    between,
    clock_skew,
    drift,
    dropout,
    expect,
    judge,
    must_not,
    ramp,
    spike,
    stuck,
    uplink_lost,
)
from minewatch_sim.scenario_file import find, folder, load
from minewatch_sim.timeline import Timeline

ROOT = Path(__file__).parents[3]
TITLE = Text("kk", "ru", "en")
CH4 = "karaganda-demo/ch4-face-60/ch4"
GATEWAY = "karaganda-demo/gw-plant"

FILE = """
minutes = 10
title = { kk = "а", ru = "б", en = "c" }
[[at]]
minute = 5
do = "ramp"
target = "longwall-7.airflow"
start = 1.0
end = 0.2
over_min = 4
[[expect]]
rule = "methane-high"
from_min = 5
to_min = 9
[[must_not]]
rule = "signal-*"
"""


def written(where: Path, text: str = FILE) -> Path:
    """Write a scenario and return its path."""
    path = where / "story.toml"
    path.write_text(text, encoding="utf-8")
    return path


def playing(*actions: object, repeat_min: float = 0.0) -> Timeline:
    """Return the timeline of a scenario with these actions."""
    return Timeline(Scenario("s", TITLE, tuple(actions), repeat_min=repeat_min))  # type: ignore[arg-type]


def test_a_file_is_a_timeline(tmp_path: Path) -> None:
    """TOML and Python say the same."""
    assert load(written(tmp_path)) == Scenario(
        "story",
        Text("а", "б", "c"),
        (
            at(5, ramp("longwall-7.airflow", 1.0, 0.2, over_min=4)),
            expect(between(5, 9), active("methane-high")),
            must_not(between(0, 10), active("signal-*")),
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("minutes = 10", "", ["minutes", "is missing"]),
        ("minutes = 10", "minutes = '10'", ["minutes", "'10' is no number"]),
        ("minutes = 10", "minutes = 10\nspeed = 2", ["speed", "Known keys", "repeat_min"]),
        ('do = "ramp"', 'do = "jump"', ["at[0].do", "'jump'", "ramp, spike"]),
        ("longwall-7.airflow", "longwall-7.air", ["at[0].target", "longwall-7.airflow"]),
        ("longwall-7.airflow", "karaganda-demo/ch4-face-61/ch4", ["at[0].target", CH4]),
        ("over_min = 4", "over = 4", ["at[0].over", "over_min"]),
        ("over_min = 4", "over_min = -4", ["at[0].over_min", "-4"]),
        ("start = 1.0", "", ["at[0].start", "is missing"]),
        ("minute = 5", "minute = 11", ["at[0].minute", "out of range", "0 to 10"]),
        ("to_min = 9", "to_min = 4", ["expect[0].to_min", "out of range", "5 to 10"]),
        ('rule = "signal-*"', "", ["must_not[0].rule", "is no rule"]),
        ('kk = "а", ', "", ["title", "three languages"]),
        ("[[at]]", "[[at]", ["is not TOML"]),
        ("minutes = 10", 'minutes = 10\nsites = ["moon"]', ["sites", "karaganda-demo"]),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, says: list[str]) -> None:
    """An error names the file, the key and the mend."""
    path = written(tmp_path, FILE.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load(path)
    for part in [str(path), *says]:
        assert part in str(caught.value)


def test_a_scenario_is_found_by_its_name() -> None:
    """A shipped scenario needs no path; a wrong name is answered with the right ones."""
    assert load(find("demo")).name == "demo"
    with pytest.raises(ConfigError, match="demo"):
        find("dmeo")


@pytest.mark.parametrize("path", sorted(folder().glob("*.toml")), ids=lambda p: p.stem)
def test_every_shipped_scenario_is_sound(path: Path) -> None:
    """Each reads, says what must not come, and what must, unless nothing happens in it."""
    scenario = load(path)
    assert scenario.forbidden
    assert bool(scenario.expected) == bool(scenario.actions)


def test_every_rule_a_scenario_names_is_in_force_by_default() -> None:
    """A pattern that no rule of the default packs fits would prove nothing."""
    rules = ROOT / "rules"
    packs = tomllib.loads((rules / "default.toml").read_text(encoding="utf-8"))["profile"]["active"]
    ids = {"gateway-offline"}
    for pack in packs:
        ids |= {r["id"] for r in tomllib.loads((rules / f"{pack}.toml").read_text(encoding="utf-8"))["rule"]}
    for path in folder().glob("*.toml"):
        scenario = load(path)
        for step in (*scenario.expected, *scenario.forbidden):
            assert fnmatch.filter(ids, step.alert.rule), f"{path.name}: {step.alert.rule}"
            if isinstance(step, Expect):
                assert step.alert.rule in ids
            place = step.alert.place
            assert fnmatch.filter((*PLACES, *GATEWAYS), place), f"{path.name}: {place}"


def test_a_ramp_holds_and_lets_go() -> None:
    """A ramp is a straight line, then its end, then the target is free again."""
    timeline = playing(at(2, ramp("x", 1.0, 3.0, over_min=2, hold_min=1)))
    values = [timeline.causes({"x": 7.0}, minute * 60)["x"] for minute in (1.9, 2, 3, 4, 4.9, 5)]
    assert values == [7.0, 1.0, 2.0, 3.0, 3.0, 7.0]


def test_drift_adds_and_a_later_action_wins() -> None:
    """Drift is on top of the truth; of two actions the one that began last counts."""
    timeline = playing(at(0, drift("p/q", 0.5)), at(4, spike("p/*", 9.0, for_min=1)))
    assert [timeline.shown("p/q", 1.0, m * 60) for m in (0, 2, 4.5, 6)] == [1.0, 2.0, 9.0, 4.0]


def test_faults_of_sensors_and_gateways() -> None:
    """Stuck, dropout, skew and a lost uplink last as long as they say."""
    timeline = playing(
        at(1, stuck(CH4, for_min=1)),
        at(1, dropout(CH4, for_min=2, bad=True)),
        at(1, clock_skew(GATEWAY, -3600, for_min=1)),
        at(1, uplink_lost(GATEWAY, for_min=1)),
    )
    seen = []
    for minute in (0.5, 1.5, 2.5):
        t = minute * 60
        seen.append((timeline.is_stuck(CH4, t), timeline.skew_s(GATEWAY, t), timeline.is_cut_off(GATEWAY, t)))
        assert (timeline.dropout(CH4, t) is not None) == (minute > 1)
    assert seen == [(False, 0.0, False), (True, -3600.0, True), (False, 0.0, False)]


def test_a_scenario_can_repeat() -> None:
    """With repeat_min its actions begin again."""
    timeline = playing(at(1, spike("x", 5.0, for_min=1)), repeat_min=10)
    assert [timeline.causes({"x": 0.0}, m * 60)["x"] for m in (1.5, 5, 11.5, 21.5)] == [5.0, 0.0, 5.0, 5.0]


def test_the_judge_names_what_did_not_come_and_what_must_not() -> None:
    """Expectations are met by an alert that is active at some moment of the window, and by no other."""
    scenario = Scenario(
        "s",
        TITLE,
        (expect(between(5, 9), active("methane-*", "a/*")), must_not(between(0, 4), active("*"))),
    )
    assert judge(scenario, [Activation("methane-high", "a/b", 5.0)]) == []
    assert judge(scenario, [Activation("methane-high", "a/b", 4.5, 5.0)]) == []
    [line] = judge(scenario, [Activation("methane-high", "c/b", 6.0)])
    assert "methane-* at a/* between 5 and 9 min did not come" in line
    late, early = judge(scenario, [Activation("dust", "a/b", 3.0, 4.5)])
    assert "did not come; there was dust at a/b from 3.00" in late
    assert "must not come; it came as dust at a/b from 3.00 to 4.50" in early
