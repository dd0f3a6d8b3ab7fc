"""The file is read again while the service runs: changes of settings are taken, nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from minewatch.app.reload import accepted, hand_over
from minewatch.config import Config, build
from minewatch.errors import ConfigError
from unit.app.a_mine import T0, S, pipeline
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
