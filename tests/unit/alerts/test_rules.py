"""Rule packs: what is read, what is refused and how, and which points a rule watches."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from minewatch.alerts import globs, rules
from minewatch.alerts.rule import Match, key_of
from minewatch.alerts.rules import RuleSet
from minewatch.contracts import Comparison
from minewatch.detect.catalogue import IDS as DETECTORS
from minewatch.errors import RuleError
from unit.alerts.examples import S, point, rule

GOOD = """\
[pack]
jurisdiction = "KZ"
effective_from = 2014-12-30

[[rule]]
id = "methane-high"
quantity = "methane"
unit = "% CH4"
detector = "value"
comparison = ">="
threshold = 2
deadband = 0.1
on_delay_s = 5
off_delay_s = 30.5
priority = 1
page = true
citation = "Order 351"
status = "unverified"
[rule.match]
zone = ["longwall*/face", "heading*"]
site = "north"
[rule.message]
kk = "к"
ru = "р"
en = "e"
"""


def load(folder: Path, text: str) -> RuleSet:
    """Read one pack from a text."""
    path = folder / "pack.toml"
    path.write_text(text, encoding="utf-8")
    return rules.load([path], DETECTORS)


def test_a_rule_is_read_with_every_field(tmp_path: Path) -> None:
    """What the file says is what the rule holds; the pack lends jurisdiction and date."""
    (one,) = load(tmp_path, GOOD).rules
    assert (one.id, one.quantity, one.unit, one.detector, one.detector_id) == (
        "methane-high",
        "methane",
        "% CH4",
        "value",
        0,
    )
    assert (one.comparison, one.threshold, one.deadband) == (Comparison.AT_OR_ABOVE, 2.0, 0.1)
    assert (one.on_delay_s, one.off_delay_s, one.priority, one.page) == (5.0, 30.5, 1, True)
    assert (one.jurisdiction, one.effective_from, one.verified) == ("KZ", date(2014, 12, 30), False)
    assert one.match == Match(zone=("longwall*/face", "heading*"), site=("north",))
    assert (one.message.kk, one.message.ru, one.message.en) == ("к", "р", "e")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'detector = "value"',
            'detector = "valu"',
            r"pack.toml:9, rule methane-high, key detector: .*mean value",
        ),
        ('detector = "value"\n', "", r"key detector: is missing.*Known detectors: value"),
        (
            'comparison = ">="',
            'comparison = "=>"',
            r"pack.toml:10.*'=>' is no comparison.*>, >=, <, <=",
        ),
        ('unit = "% CH4"\n', "", r"pack.toml:5.*key unit: is missing. A number without its unit"),
        ('unit = "% CH4"', 'unit = "*"', r"key unit: '\*' does not go with quantity 'methane'"),
        ('unit = "% CH4"', 'unit = ""', r"key unit: '' is not a text"),
        ('quantity = "methane"\nunit = "% CH4"', 'quantity = "*"\nunit = "*"', r"value needs one quantity"),
        ("threshold = 2\n", "", r"key threshold: is missing"),
        ("threshold = 2\n", "threshold = nan\n", r"pack.toml:11.*nan is not a finite number"),
        ("threshold = 2\n", 'threshold = "2"\n', r"'2' is not a finite number"),
        ("threshold = 2\n", "threshold = true\n", r"True is not a finite number"),
        ("deadband = 0.1", "deadband = -0.1", r"key deadband: -0.1 is below 0"),
        ("on_delay_s = 5", "on_delay_s = -5", r"key on_delay_s: -5 is below 0"),
        ("on_delay_s = 5", "on_delay = 5", r"pack.toml:13.*there is no such key. Did you mean on_delay_s"),
        ("deadband = 0.1", "intervals = 3", r"pack.toml:12.*says nothing for value"),
        ("priority = 1", "priority = 5", r"5 is no priority. Write 1 \(most urgent\) to 4"),
        ("priority = 1", "priority = true", r"True is no priority"),
        ("page = true", 'page = "yes"', r"'yes' is not true or false"),
        ("page = true\n", "", r"key page: None is not true or false"),
        ('status = "unverified"', 'status = "checked"', r"'checked' is no status"),
        (
            'status = "unverified"',
            'status = "verified"',
            r"key evidence: is missing. A verified",
        ),
        ('citation = "Order 351"\n', "", r"key citation: is missing"),
        ("effective_from = 2014-12-30\n", "", r"key effective_from: None is not a date"),
        ("2014-12-30", '"2014-12-30"', r"'2014-12-30' is not a date. Write it without quotes"),
        ('jurisdiction = "KZ"\n', "", r"key jurisdiction: is missing"),
        (
            'jurisdiction = "KZ"',
            'country = "KZ"',
            r"pack.toml:2, \[pack\], key country: there is no",
        ),
        ('id = "methane-high"', 'id = "Methane High"', r"pack.toml:6.*'Methane High' is no rule id"),
        ('id = "methane-high"\n', "", r"pack.toml:5, rule 1, key id: is missing"),
        ('kk = "к"\n', "", r"rule methane-high, message, key kk: is missing. Say in kk, ru and en"),
        ('ru = "р"', 'ru = " "', r"key ru: ' ' is not a text"),
        ('en = "e"', 'en = "e"\nde = "d"', r"key de: there is no such key"),
        ('site = "north"', "site = 7", r"key site: 7 is no list of texts"),
        ('site = "north"', "site = []", r"key site: is an empty list"),
        ('site = "north"', 'sites = "north"', r"key sites: there is no such key. Did you mean site"),
        ('status = "unverified"', 'status = "unverified"\nexcept_quantities = ["a"]', r"goes with quantity"),
        ("[[rule]]", "[[rules]]", r"there is no such key. Did you mean rule"),
        ("[[rule]]", "[[rule]", r"pack.toml: is not TOML: .*line 5"),
    ],
)
def test_a_mistake_is_named_with_file_line_key_and_mend(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """Each kind of mistake gives one line that says what is wrong, where, and what to write."""
    assert old in GOOD
    with pytest.raises(RuleError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert re.search(said, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_line_is_that_of_the_rule_at_fault(tmp_path: Path) -> None:
    """In a pack of several rules the line is found in the right one."""
    second = GOOD[GOOD.index("[[rule]]") :].replace("methane-high", "other").replace('">="', '"!="')
    line = (GOOD + second).splitlines().index('comparison = "!="') + 1
    with pytest.raises(RuleError, match=f"pack.toml:{line}, rule other, key comparison"):
        load(tmp_path, GOOD + second)


def test_an_id_used_twice_names_both_places(tmp_path: Path) -> None:
    """Ids are unique over all packs, because alerts are known by them."""
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(RuleError, match=r"b\.toml:5.*used twice.*a\.toml:5"):
        rules.load([tmp_path], DETECTORS)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.toml", None, "cannot be read"),
        ("latin.toml", b"\xff\xfe", "is not UTF-8 text"),
        ("empty.toml", b"", "holds no rule"),
    ],
)
def test_a_file_that_is_no_pack_is_said(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    """A missing, unreadable or empty file is named."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RuleError, match=f"{name}.*{said}"):
        rules.load([tmp_path / name], DETECTORS)


def test_a_folder_without_packs_is_said(tmp_path: Path) -> None:
    """A folder of rules that is empty is a mistake, not a mine without limits."""
    with pytest.raises(RuleError, match="holds no rule pack"):
        rules.load([tmp_path], DETECTORS)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("longwall*", "longwall-7", True),
        ("longwall*", "longwall", True),
        ("longwall*", "longwall-7/face", False),
        ("longwall*/face", "longwall-7/face", True),
        ("**/face", "east/longwall-7/face", True),
        ("**/face", "face", False),
        ("pit/**", "pit/truck-12/engine", True),
        ("pit/**", "pit", False),
        ("**", "", True),
        ("**", "a/b", True),
        ("truck-?", "truck-1", True),
        ("truck-?", "truck-12", False),
        ("a.b", "axb", False),
        ("[a]", "[a]", True),
    ],
)
def test_globs_stay_within_a_step_unless_doubled(pattern: str, text: str, fits: bool) -> None:
    """One star does not cross a slash, two do, and nothing else is special."""
    assert globs.matches((pattern,), text) is fits


def test_a_rule_watches_the_points_that_fit(tmp_path: Path) -> None:
    """Quantity, unit and every glob must fit; the table is sorted by point and the keys lead back."""
    points = {
        3: point("mm3", zone="heading-1"),
        1: point("mm1"),
        2: point("co", quantity="carbon_monoxide", unit="ppm"),
        4: point("mm4", zone="longwall-7/return"),
        5: point("mm5", site="south"),
    }
    table, bindings = load(tmp_path, GOOD).bind(points)
    assert table.point.tolist() == [1, 3]
    assert table.key.tolist() == [key_of("methane-high", points[i].place) for i in (1, 3)]
    assert [bindings[int(k)].point for k in table.key] == [points[1], points[3]]
    assert table.on_delay_ns.tolist() == [5 * S, 5 * S]
    assert table.off_delay_ns.tolist() == [30_500_000_000] * 2
    assert (table.threshold.dtype, table.key.dtype, table.detector.dtype) == (np.float64, np.int64, np.uint16)


def test_nothing_to_watch_is_an_empty_table() -> None:
    """Without points, or without a rule that fits, the table has no rows and the right types."""
    table, bindings = RuleSet((rule(),)).bind({})
    assert (len(table.key), table.key.dtype, dict(bindings)) == (0, np.int64, {})


def test_the_key_of_a_rule_at_a_place_never_changes() -> None:
    """The key is a promise: detector state and journal are known by it."""
    assert key_of("methane-high", "north/mm1/ch4") == 3243441354733963212
    assert key_of("methane-high", "north/mm1/ch4") != key_of("methane-hig", "hnorth/mm1/ch4")


def test_a_point_in_another_unit_is_reported() -> None:
    """A methane sensor in ppm is watched by no rule in percent, and that is said by name."""
    odd = point("mm9", unit="ppm")
    found = RuleSet((rule(),)).unwatched({0: point(), 1: odd}).lines()
    assert len(found) == 1
    assert "north/mm9/ch4: methane comes in 'ppm'" in found[0]
    assert "methane-high do not watch it" in found[0]


def test_a_rule_about_signals_watches_every_quantity_but_those_left_out() -> None:
    """A rule with quantity * needs no unit, its threshold grows with the interval of the point."""
    silence = rule(
        id="signal-lost",
        quantity="*",
        unit="*",
        detector="gap",
        threshold=60.0,
        intervals=5.0,
        except_quantities=("oxygen",),
    )
    points = {
        0: point("a"),
        1: point("b", quantity="temperature", unit="°C", interval_s=900.0),
        2: point("c", quantity="oxygen", unit="%"),
    }
    ruleset = RuleSet((silence,))
    table, _ = ruleset.bind(points)
    assert table.point.tolist() == [0, 1]
    assert table.threshold.tolist() == [60.0, 4500.0]
    assert ruleset.unwatched(points).lines() == ()


def test_silence_is_watched_only_where_an_interval_is_known() -> None:
    """A point that gives no interval has no normal silence: no rule counts in it, and that is said once."""
    silence = rule(id="signal-lost", quantity="*", unit="*", detector="gap", threshold=60.0, intervals=5.0)
    points = {i: point(f"p{i}", interval_s=0.0) for i in range(7)}
    assert len(RuleSet((silence,)).bind(points)[0].key) == 0
    (said,) = RuleSet((silence,)).unwatched(points).lines()
    assert said.startswith("7 points give no interval_s, so their silence raises no alert: north/p0/ch4")


def test_a_rule_counts_from_its_day_when_a_day_is_given() -> None:
    """With a date only rules in force on it are bound; without one all are."""
    ruleset = RuleSet((rule(),))
    assert len(ruleset.bind({0: point()}, on=date(2013, 12, 31))[0].key) == 0
    assert len(ruleset.bind({0: point()}, on=date(2014, 1, 1))[0].key) == 1


def test_two_points_of_one_place_are_refused() -> None:
    """Two points may not share a place: their alerts could not be told apart."""
    with pytest.raises(RuleError, match=r"place north/mm1/ch4: two points have the same place"):
        RuleSet((rule(),)).bind({0: point(), 1: point()})
