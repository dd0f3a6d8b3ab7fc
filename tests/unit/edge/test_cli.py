"""The command line: results on stdout, words on stderr, exit codes, and no traceback for a mistake."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minewatch_edge import __version__, cli, state
from minewatch_edge.rows import Columns, NewRow
from minewatch_edge.spool import Reject, Spool, SpoolPoint

TEXT = """
[gateway]
site = "mine"
id = "gw"
[broker]
host = "127.0.0.1"
port = 9
[[device]]
id = "d"
driver = "simulated"
[[device.point]]
metric = "m"
quantity = "q"
unit = "1"
interval_s = 0.05
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration whose broker is not there."""
    path = tmp_path / "edge.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def listening(file: Path) -> Iterator[Path]:
    """The same configuration, with a broker's port that is open."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        file.write_text(TEXT.replace("port = 9", f"port = {server.getsockname()[1]}"))
        yield file


def test_check_looks_at_every_part(listening: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a part on stdout, the sum on stderr, exit 0 when nothing is at fault."""
    assert cli.main(["check", str(listening)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("OK       d/m: ")
    assert [place in printed.out for place in ("127.0.0.1:", "edge.spool: ", "system clock: ")] == [True] * 3
    assert "4 looked at: " in printed.err
    assert "0 faults" in printed.err


def test_check_exits_1_for_a_sensor_with_a_fault(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sensor that does not answer is a fault found, told as JSON on request."""
    text = TEXT.replace('"simulated"', '"csv"\nfile = "no.csv"\ntime = "t"').replace(
        "interval_s", 'column = "m"\ninterval_s'
    )
    file.write_text(text)
    assert cli.main(["check", "--json", str(file)]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found[0]["place"], found[0]["ok"], found[0]["level"]) == ("d/m", False, "fault")
    assert "No such file" in found[0]["text"]
    assert found[0]["mend"]
    assert {f["part"] for f in found} == {"device", "broker", "spool", "clock"}


@pytest.mark.parametrize("command", ["run", "check", "status", "spool"])
def test_a_wrong_file_is_exit_2_in_one_line(
    command: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in the file prints what, where and the mend, and no traceback."""
    file.write_text(TEXT.replace("port = 9", 'port = "nine"'))
    assert cli.main([command, str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "broker.port: 'nine' is no number" in printed.err


@pytest.mark.parametrize("command", ["status", "spool"])
def test_before_the_first_run_there_is_nothing_to_show(
    command: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asking for the state of an agent that never ran is told as such."""
    assert cli.main([command, str(file)]) == 2
    assert "minewatch-edge run" in capsys.readouterr().err


def test_spool_shows_what_is_held(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Held readings by device and rejected lines, beside an agent that has the spool open."""
    spool = Spool(file.parent / "edge.spool", boot="b")
    spool.open((SpoolPoint("d", "m", "{}"),))
    spool.append([NewRow("d", Columns([0, 0], [1, 2], [1.0, 2.0], [192, 192]))], 5_000_000)
    spool.reject([Reject(0, "d", "time", "bad")])
    assert cli.main(["spool", "--json", str(file)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["held"], found["sampled"], found["rejected"]) == (2, 2, 1)
    assert found["devices"][0]["readings"] == 2
    assert found["rejects"][0]["reason"] == "time"
    assert cli.main(["spool", str(file)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^  d +2 readings, \d+ days to \d+ days old$", shown, re.M)
    assert re.search(r"^REJECTED +\d+ days ago, d \(time\): bad$", shown, re.M)
    spool.close()


def start(file: Path, *options: str) -> subprocess.Popen[str]:
    """Start the agent, and wait until it has written its state."""
    command = [sys.executable, "-m", "minewatch_edge.cli", "run", *options, str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    path = state.state_path(file.parent / "edge.spool")
    while process.poll() is None:
        if path.exists() and state.read(path)["sampled"] > 0:
            return process
    raise AssertionError(process.communicate())


def test_run_ends_in_order_at_the_first_ctrl_c(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While it runs status finds it, with what is wrong; Ctrl-C commits everything and exits 130."""
    process = start(file, "--json")
    assert cli.main(["status", "--json", str(file)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["running"], found["online"], found["pid"]) == (True, False, process.pid)
    assert "127.0.0.1:9" in found["problems"]["broker"]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    summary = json.loads(out.splitlines()[-1])
    assert summary["summary"]["sampled"] == summary["summary"]["held"] > 0
    assert cli.main(["status", str(file)]) == 1
    assert "agent         not running" in capsys.readouterr().out


def test_a_second_agent_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two agents on one spool: the second says so and ends."""
    process = start(file)
    assert cli.main(["run", str(file)]) == 1
    assert "another agent" in capsys.readouterr().err
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--version and --help answer; every command's help has an example."""
    for arguments in (
        ["--version"],
        ["--help"],
        *([c, "--help"] for c in ("run", "check", "status", "spool")),
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 0
        printed = capsys.readouterr().out
        assert __version__ in printed or "Example: minewatch-edge" in printed
