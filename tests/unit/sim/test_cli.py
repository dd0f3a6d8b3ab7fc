"""The command minewatch-sim, as far as it goes without a broker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from minewatch_sim.cli import run


def test_list_names_the_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    """There are at least eight incidents, a calm shift and the demonstration."""
    assert run(["list", "--json"]) == 0
    names = [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]
    assert {"demo", "calm"} < set(names)
    assert len(names) >= 10


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "nothing"], "there is no scenario 'nothing'"),
        (["run", "demo", "--broker", "http://x"], "--broker: 'http://x' is no broker"),
        (["run", "demo", "--broker", "mqtt://x:99999"], "is no broker"),
        (["play", "none.csv", "--map", "none.toml"], "none.toml: there is no such file"),
    ],
)
def test_a_wrong_call_is_one_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake is answered with what, where and the mend, and code 2."""
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "arguments", [["run", "demo", "--speed", "0"], ["run"], ["fly"], ["run", "demo", "--speed", "x"]]
)
def test_a_call_that_cannot_be_read(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The parser ends with code 2 as well."""
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.system
def test_without_a_broker_everything_is_held(tmp_path: Path) -> None:
    """Real agents sample and spool; the summary says what is held and where, with code 1."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "minewatch_sim.cli", "run", "demo", "--broker", "mqtt://127.0.0.1:1"),
            *("--minutes", "0.03", "--drain", "0.5", "--json", "--data", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["sent"] == found["held"] > 0
    assert found["acknowledged"] == found["dropped"] == 0
    assert found["sent"] == sum(one["sent"] for one in found["gateways"].values())
    assert len(found["gateways"]) == 4
    assert str(tmp_path) in done.stderr
