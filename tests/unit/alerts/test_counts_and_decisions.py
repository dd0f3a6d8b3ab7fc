"""Rules that count readings, and rules that decide under uncertainty."""

import numpy as np
import pytest

from minewatch.alerts import rules
from minewatch.contracts import PointInfo
from minewatch.detect.catalogue import IDS
from minewatch.detect.engine import Engine
from minewatch.detect.settings import DetectSettings
from minewatch.errors import RuleError
from unit.detect.mine import START, S, batch, told

PACK = """
[pack]
jurisdiction = "site"
effective_from = 2025-01-01
[[rule]]
id = "dust-shift"
quantity = "dust"
unit = "mg/m³"
detector = "value"
comparison = "{comparison}"
threshold = 1.5
priority = 3
page = false
citation = "the mine's own"
status = "unverified"
{more}
[rule.message]
kk = "шаң"
ru = "пыль"
en = "dust"
"""
POINT = PointInfo("s/d/dust", "s", "g", "d", "dust", "dust", "mg/m³", "z", 0.0, 100.0, (), 5.0, 0.01)


def _rule(folder, more, comparison=">"):
    (folder / "p.toml").write_text(PACK.format(more=more, comparison=comparison), encoding="utf-8")
    return rules.load([folder], IDS)


@pytest.mark.parametrize(
    ("more", "comparison", "wanted"),
    [
        ('decision = "surely"\nuncertainty = 0.1175', ">", 1.79),
        ('decision = "surely"\nuncertainty = 0.081', ">", 1.70),
        ('decision = "possibly"\nuncertainty = 0.1175', ">", 1.21),
        ('decision = "surely"\nuncertainty = 0.1175', "<", 1.21),
        ('decision = "surely"\nuncertainty = 0.1175\nconfidence = 0.5', ">", 1.50),
        ("", ">", 1.5),
    ],
)
def test_the_decision_value(tmp_path, more, comparison, wanted):
    """1.5 mg/m3 are exceeded for sure above 1.79 (gravimetric) and 1.70 (continuous monitor): Table 70-1."""
    (rule,) = _rule(tmp_path, more, comparison).rules
    assert rule.threshold_at(POINT) == pytest.approx(wanted, abs=0.005)
    assert rule.threshold == 1.5


def test_a_count_reaches_the_engine(tmp_path):
    """Two of the last three readings raise, one does not."""
    table, _ = _rule(tmp_path, "count = [2, 3]").bind({0: POINT})
    engine = Engine(DetectSettings())
    engine.add_points([POINT])
    engine.set_limits(table)
    values = [1.0, 5.0, 1.0, 1.0, 5.0, 1.0, 5.0, 1.0, 1.0]
    found = engine.step(batch([(0, START + i * S, x) for i, x in enumerate(values)]))
    assert [(row[1] - START) // S for row in told(found.transitions)] == [6, 7]
    assert np.array_equal(table.need, [2])


def test_a_count_survives_a_restart(tmp_path):
    """A snapshot between the two readings changes nothing."""
    table, _ = _rule(tmp_path, "count = [2, 3]").bind({0: POINT})
    engine = Engine(DetectSettings())
    engine.add_points([POINT])
    engine.set_limits(table)
    engine.step(batch([(0, START, 5.0), (0, START + S, 1.0)]))
    again = Engine(DetectSettings())
    again.add_points([POINT])
    again.set_limits(table)
    again.restore(engine.snapshot())
    found = again.step(batch([(0, START + 2 * S, 5.0)]))
    assert [row[3] for row in told(found.transitions)] == [True]


RATE = PACK.replace('detector = "value"', 'detector = "rate-of-rise"').replace("1.5", "3")


def _rate_rule(folder, more, comparison=">"):
    (folder / "p.toml").write_text(RATE.format(more=more, comparison=comparison), encoding="utf-8")
    return rules.load([folder], IDS)


@pytest.mark.parametrize(
    ("decision", "comparison", "wanted"),
    [("surely", ">", -1.645), ("possibly", ">=", 1.645), ("surely", "<", 1.645), ("possibly", "<=", -1.645)],
)
def test_a_rate_is_judged_by_the_end_of_its_interval(tmp_path, decision, comparison, wanted):
    """Without an uncertainty of its own a rate's measured error decides; the limit itself is not moved."""
    rules_of = _rate_rule(tmp_path, f'decision = "{decision}"', comparison)
    table, _ = rules_of.bind({0: POINT})
    assert table.sigmas == pytest.approx([wanted], abs=1e-3)
    assert table.threshold.tolist() == [3.0]
    (given,) = _rate_rule(tmp_path, f'decision = "{decision}"\nuncertainty = 0.1', comparison).rules
    assert given.sigmas() == 0.0
    assert given.threshold_at(POINT) != 3.0


def test_a_noisy_rise_is_sure_later_and_a_steady_one_at_once(tmp_path):
    """The same rise of 6 a minute raises the rule in quiet readings; in noise of one it does not yet."""
    found = {}
    for noise in (0.01, 3.0):
        table, _ = _rate_rule(tmp_path, 'decision = "surely"').bind({0: POINT})
        engine = Engine(DetectSettings())
        engine.add_points([POINT])
        engine.set_limits(table)
        scatter = np.random.default_rng(2).normal(0, noise, 200)
        rows = [(0, START + i * 5 * S, 20 + max(0, i - 150) * 0.5 + scatter[i]) for i in range(170)]
        findings, said = engine.statistics(batch(rows))
        moves = told(findings.transitions)
        found[noise] = [bool(row[3]) for row in moves]
        for row in moves:  # what is told is the rate, not the end of its interval
            at = (row[1] - START) // (5 * S)
            assert row[4] == said[at, IDS["rate-of-rise"]]
    assert found == {0.01: [True], 3.0: []}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("count = [3, 2]", "count.*no count of readings"),
        ("count = 2", "count.*no count of readings"),
        ("count = [1, 33]", "count.*no count of readings"),
        ("uncertainty = 0.1", "uncertainty.*without decision"),
        ('decision = "maybe"\nuncertainty = 0.1', "decision.*no decision"),
        ('decision = "surely"', "uncertainty.*missing"),
        ('decision = "surely"\nuncertainty = 1.2', "uncertainty.*below 1"),
    ],
)
def test_mistakes_are_named(tmp_path, more, message):
    """A wrong count or decision names its key and the mend."""
    with pytest.raises(RuleError, match=message):
        _rule(tmp_path, more)
