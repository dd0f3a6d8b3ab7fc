"""The agent's pages say what is there: every key, every field, and an example that runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minewatch_edge import cli, config, drivers
from minewatch_edge.spool import Counters
from minewatch_edge.state import AgentState

ROOT = Path(__file__).resolve().parents[3]
AGENT = (ROOT / "docs/edge.md").read_text(encoding="utf-8")
KEYS = (ROOT / "docs/edge-configuration.md").read_text(encoding="utf-8")


def test_every_key_of_the_loader_is_documented() -> None:
    """Each key that the loader accepts stands in a table of the configuration page."""
    source = Path(config.__file__).read_text(encoding="utf-8")
    accepted = set(re.findall(r'\.(?:text|number|whole|flag|numbers|table|tables)\(\s*"(\w+)"', source))
    assert len(accepted) > 25
    accepted |= {k for kind in drivers.KINDS.values() for k in kind.device_keys + kind.point_keys}
    for key in accepted - {"gateway", "broker", "spool", "clock", "log", "metrics", "device", "point"}:
        assert f"`{key}`" in KEYS, key


def test_every_field_of_the_state_is_documented() -> None:
    """Each field of the state file stands in the agent's page."""
    state = AgentState(0, "s", "g", False, False, False, 0, Counters(), 0, 0, 0, "", 0.0)
    for field in state.to_json(1):
        assert f"`{field}`" in AGENT, field


def test_every_command_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of --help stands in the agent's page."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    commands = re.search(r"run\|[\w|]+", capsys.readouterr().out)
    assert commands is not None
    for command in commands.group().split("|"):
        assert f"`minewatch-edge {command} edge.toml`" in AGENT


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the agent's page runs as it stands."""
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", AGENT, re.S)
    exec(compile(example, "docs/edge.md", "exec"), {})
    assert (tmp_path / "gw-1.spool").exists()


def test_the_defaults_named_are_the_defaults() -> None:
    """The numbers of the spool's table are those of the loader."""
    usual = config.SpoolConfig()
    for key in ("max_mb", "max_age_h", "commit_ms", "resend_s", "resend_per_s", "memory_readings"):
        assert re.search(rf"\| `{key}` \| {getattr(usual, key):g}".replace("+", r"\+"), KEYS) or re.search(
            rf"\| `{key}` \| {int(getattr(usual, key))} ", KEYS
        ), key
