"""The file is read again while the service runs: changes of settings are taken, nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from minewatch.app.core import read_rules
from minewatch.app.reload import accepted, hand_over
from minewatch.config import Config, build
from minewatch.errors import ConfigError
from unit.app.a_mine import PACK, T0, S, pipeline
from unit.app.test_core import Bench

FIRST = {"valid_from": "2026-03-01T06:00:00+05:00", "by": "A", "reason": "r", "set": {"cusum_slack": 1.0}}
THEN = FIRST | {"valid_from": "2026-03-02T06:00:00+05:00", "set": {"fastest": {"methane": float("inf")}}}


def config(folder: Path, *changes: object, **more: object) -> Config:
    """Return a configuration with changes."""
    return build({"data": str(folder), "detect": {"changes": list(changes)}, **more}, where="test")


def test_a_running_core_takes_what_is_handed_over(tmp_path: Path) -> None:
    """Over its own socket: both engines have the change, the journal has its row; until it listens, no."""
    bench = Bench(tmp_path, pipeline())
    wanted = accepted(config(tmp_path), config(tmp_path, FIRST, THEN), "minewatch.toml")
    assert not hand_over(wanted)
    bench.run(lambda: hand_over(wanted), lambda: len(bench.mine.records.events()) == 2)
    assert [event.actor for event in bench.mine.records.events()] == ["A", "A"]
    assert '"methane": Infinity' in bench.mine.records.events()[1].alert.why.en
    assert {event.service_ns // S for event in bench.mine.records.events()} == {T0 // S}


def test_a_running_core_reads_its_rules_again(tmp_path: Path) -> None:
    """A version that is added to a pack is taken and told; a wrong pack changes nothing, and is no crash."""
    packs = tmp_path / "rules"
    packs.mkdir()
    (packs / "a.toml").write_text(PACK.format(first="2025-01-01", more=""), encoding="utf-8")
    wanted = config(tmp_path, alerts={"rule_dirs": [str(packs)]})
    bench = Bench(tmp_path, pipeline(rules=read_rules(wanted)), packs)
    before = bench.mine.rules
    later = PACK.format(first="2026-03-01", more='by = "chief"\nreason = "order 7"').replace(
        "= 1.0", "= 0.75"
    )

    def write(text: str) -> bool:
        (packs / "b.toml").write_text(text, encoding="utf-8")
        return hand_over(wanted)

    turns = iter(range(5))
    bench.run(
        lambda: write("[[rule"),
        lambda: next(turns, None) is None and bench.mine.rules is before,
        lambda: write(later),
        lambda: len(bench.mine.records.events()) == 1,
    )
    (event,) = bench.mine.records.events()
    assert (event.actor, event.comment) == ("chief", "order 7")
    assert event.alert.why.en == "A rule changes from 2026-02-28 19:00:00 UTC: high.threshold 1.0 → 0.75"
    assert set(before.rules) < set(bench.mine.rules.rules)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"changes": (THEN,)}, "detect.changes: a change that was taken is gone or altered"),
        ({"changes": (FIRST | {"reason": "other"},)}, "gone or altered"),
        ({"changes": (FIRST, THEN), "serve": {"port": 1}}, "key serve: changed, which takes a start"),
        ({"changes": (FIRST,), "core": {"buffer_rows": 20_000}}, "key core: changed"),
    ],
)
def test_any_other_change_is_refused_by_name(tmp_path: Path, found: dict[str, object], says: str) -> None:
    """What was taken stays, and what takes a start is named."""
    changes = found.pop("changes")
    assert isinstance(changes, tuple)
    with pytest.raises(ConfigError, match=says):
        accepted(config(tmp_path, FIRST), config(tmp_path, *changes, **found), "minewatch.toml")


def test_a_later_change_is_added(tmp_path: Path) -> None:
    """The configuration in force has the old change and the new one."""
    both = config(tmp_path, FIRST, THEN)
    assert accepted(config(tmp_path, FIRST), both, "minewatch.toml") == both
