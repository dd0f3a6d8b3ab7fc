"""Call the command in this process, as a shell would."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from minewatch.cli import main


class Done(NamedTuple):
    """What a call left behind."""

    code: int
    out: str
    err: str


class Shell:
    """Runs ``minewatch`` with arguments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Done:
        """Return exit code and what was printed."""
        self._monkeypatch.setattr("sys.argv", ["minewatch", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        printed = self._capsys.readouterr()
        return Done(int(left.value.code or 0), printed.out, printed.err)


def one_line(done: Done) -> str:
    """Return the one line that a wrong call leaves: exit 2, nothing on stdout, no traceback."""
    assert done.code == 2, done
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert done.err.startswith("minewatch: ")
    return done.err
