"""What people see of local safety: outputs, alerts, and which rules are judged at the gateway."""

from __future__ import annotations

from pathlib import Path

from minewatch_edge.safety.making import summary
from minewatch_edge.safety.settings import parse
from minewatch_edge.tables import Table
from unit.edge.test_safety import CH4, CO, RULES, Site


def test_the_state_shows_outputs_and_alerts(tmp_path: Path) -> None:
    """Where each output stands and why, whether it obeys, and which alerts are not over."""
    site = Site(tmp_path)
    assert site.safety.report()["outputs"]["siren"] == {"on": False, "why": "", "obeys": True}
    site.read(1.2)
    site.shows("siren", "1")
    found = site.safety.report()
    assert found["outputs"]["siren"] == {"on": True, "why": "methane-high at site/gas/CH4", "obeys": True}
    (alert,) = found["alerts"]
    assert alert == {
        "rule": "methane-high", "place": "site/gas/CH4", "active": True, "acknowledged": False,
    }  # fmt: skip
    site.safety.stop()


def test_one_line_says_what_is_judged_here(tmp_path: Path) -> None:
    """Rules judged here, rules left to the centre, and how many meet no point of this gateway."""
    mean = RULES.partition("[[rule]]")[2].replace("methane-high", "methane-mean")
    mean = mean.replace('detector = "value"', 'detector = "mean-15min"')
    dust = RULES.partition("[[rule]]")[2].replace("methane-high", "dust").replace('"methane"', '"dust"')
    (tmp_path / "rules.toml").write_text(f"{RULES}[[rule]]{mean}[[rule]]{dust}")
    config = parse(Table({"safety": {"rules": ["rules.toml"]}}, "edge.toml"), tmp_path)
    assert summary(config.rules, "site", [CH4, CO]) == (
        "rules judged here: methane-high; left to the centre: methane-mean; 1 meet no point of this gateway"
    )
