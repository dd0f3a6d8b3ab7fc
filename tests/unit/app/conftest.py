"""What the tests of the commands share."""

from __future__ import annotations

import pytest

from unit.app.calling import Shell


@pytest.fixture
def minewatch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command, callable with its arguments."""
    return Shell(monkeypatch, capsys)
