"""docs/rules.md says what the packs say, and its example is a pack that works."""

from __future__ import annotations

import re
from pathlib import Path

from minewatch.alerts import packs, rules
from minewatch.alerts.rule import Rule
from minewatch.alerts.rule_file import COMPARISONS, RULE_KEYS
from minewatch.detect.company.catalogue import BY_NAME as IDS

PAGE = (Path(__file__).resolve().parents[3] / "docs/rules.md").read_text(encoding="utf-8")
SIGNS = {comparison: sign for sign, comparison in COMPARISONS.items()}


def row(rule: Rule) -> str:
    """Return the rule's row in the table of shipped rules."""
    limit = f"{rule.detector} {SIGNS[rule.comparison]} {rule.threshold:g}"
    called = ", calls" if rule.page else ""
    status = "verified" if rule.verified else "unverified"
    cells = (f"`{rule.id}`", rule.quantity, limit, f"{rule.priority}{called}", rule.jurisdiction, status)
    return f"| {' | '.join(cells)} |"


def test_the_table_of_shipped_rules_is_that_of_the_packs() -> None:
    """Whoever changes a limit changes the page: every rule stands there as it is, in the packs' order."""
    table = [line for line in PAGE.split("## Shipped rules")[1].splitlines() if line.startswith("| `")]
    assert table == [row(rule) for rule in rules.load([packs.shipped()], IDS).rules]


def test_every_pack_and_every_key_is_described() -> None:
    """No pack is shipped, and no key understood, that the page does not name."""
    assert [name for name in packs.names() if f"`rules/{name}.toml`" not in PAGE] == []
    assert [key for key in RULE_KEYS if f"`{key}`" not in PAGE] == []


def test_the_example_pack_works(tmp_path: Path) -> None:
    """A reader may start from the example."""
    (example,) = (text for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "[[rule]]" in text)
    (tmp_path / "ours.toml").write_text(example, encoding="utf-8")
    (rule,) = rules.load([tmp_path], IDS).rules
    assert (rule.id, rule.threshold, rule.verified) == ("methane-belt-4", 0.8, True)
