"""What the tests of the commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from unit.app.calling import Shell


@pytest.fixture
def minewatch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    """The command, callable with its arguments; its logs must not outlive the test that captures them."""
    yield Shell(monkeypatch, capsys)
    structlog.reset_defaults()
