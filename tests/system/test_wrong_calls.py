"""What a person types or writes wrongly ends in one line that says what, where and the mend."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from system.demo_runs import minewatch

pytestmark = pytest.mark.system

GOOD_MAP = """
[file]
time = "time"
zone = "UTC"
[[point]]
column = "CH4"
place = "mine/gas/CH4"
quantity = "methane"
unit = "% CH4"
zone = "longwall-7/face"
"""
WRONG = {
    "telemetry": (["demo", "--telemetry", "x"], "'x' is no telemetry store. Use duckdb or influxdb."),
    "speed": (["demo", "--speed", "fast"], "'--speed'"),
    "minutes": (["demo", "--minutes", "0"], "'--minutes'"),
    "option": (["demo", "--portt", "1"], "--portt"),
    "command": (["dmeo"], "dmeo"),
    "scenario": (["demo", "--scenario", "no-such", "--port", "0"], "no-such"),
    "folder": (["demo", "--port", "0", "--data", "{folder}/plain.txt/data"], "data: cannot be written"),
    "missing": (["serve", "--config", "{folder}/none.toml"], "{folder}/none.toml: cannot be read"),
    "no-option": (["serve"], "--config"),
    "toml": (["serve", "--config", "{folder}/plain.txt"], "is not TOML"),
    "key": (["serve", "--config", "{folder}/key.toml"], "key serve.prot: there is no such key"),
    "value": (["config", "check", "{folder}/value.toml"], "key core.flush_interval_s: -1 does not fit"),
    "host": (["serve", "--config", "{folder}/host.toml"], "serve.host: 'example.org' is not a loopback"),
    "taken": (["serve", "--config", "{folder}/taken.toml"], "port {port} is in use"),
    "no-folder": (["serve", "--config", "{folder}/place.toml"], "data folder {folder}/plain.txt/data"),
    "rules": (["config", "check", "{folder}/rules.toml"], "bad-rules"),
    "map": (["replay", "{folder}/data.csv", "--map", "{folder}/plain.txt"], "plain.txt"),
    "column": (["replay", "{folder}/data.csv", "--map", "{folder}/map.toml"], "CH4"),
    "no-map": (["replay", "{folder}/data.csv", "--map", "{folder}/none.toml"], "none.toml"),
    "no-recording": (["replay", "{folder}/none.csv", "--map", "{folder}/map.toml"], "none.csv"),
    "detector": (["score", "{folder}/data.csv", "--detector", "wizard"], "wizard"),
    "parameter": (["score", "{folder}/data.csv", "--detector", "cusum", "--set", "slack"], "slack"),
    "no-csv": (["score", "{folder}/none.csv", "--detector", "cusum"], "none.csv"),
    "columns": (["score", "{folder}/data.csv", "--detector", "cusum", "--columns", "NOx"], "NOx"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, most of them wrong."""
    (tmp_path / "bad-rules").mkdir()
    files = {
        "plain.txt": "this is no TOML",
        "key.toml": "[serve]\nprot = 8000\n",
        "value.toml": "[core]\nflush_interval_s = -1\n",
        "host.toml": '[serve]\nhost = "example.org"\n',
        "place.toml": f'data = "{tmp_path}/plain.txt/data"\n[serve]\nport = 0\n',
        "rules.toml": f'[alerts]\nrule_dirs = ["{tmp_path}/bad-rules"]\n',
        "bad-rules/site.toml": '[pack]\nname = "x"\n[[rule]]\nid = "a"\n',
        "map.toml": GOOD_MAP,
        "data.csv": "time,CO\n2026-01-01T00:00:00,1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", list(WRONG))
def test_a_mistake_ends_in_one_line(name: str, folder: Path) -> None:
    """Exit code 2, nothing on stdout, one line on stderr that names what is wrong; no traceback."""
    arguments, expected = WRONG[name]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (folder / "taken.toml").write_text(f'data = "{folder}/data"\n[serve]\nport = {port}\n')
        done = minewatch(*(argument.format(folder=folder) for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("minewatch: ")
    assert expected.format(folder=folder, port=port) in done.stderr
