"""Settings of detection that change while the service runs: from the file to the core.

Everything else in the file takes a start: a reload that finds it changed says so and takes nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from minewatch.app.link import pack
from minewatch.config import Config
from minewatch.detect.settings import DetectSettings
from minewatch.errors import ConfigError


def accepted(now: Config, found: Config, where: str) -> Config:
    """Return the configuration with the changes that were added. Raises ConfigError for any other change."""
    known = now.detect.changes
    if found.detect.changes[: len(known)] != known:
        raise ConfigError(
            "a change that was taken is gone or altered",
            where=f"{where}, key detect.changes",
            mend="Leave it as it was, and add another change behind it.",
        )
    after = now.model_copy(update={"detect": now.detect.model_copy(update={"changes": found.detect.changes})})
    other = [key for key in Config.model_fields if getattr(after, key) != getattr(found, key)]
    if other:
        raise ConfigError(
            "changed, which takes a start", where=f"{where}, key {other[0]}",
            mend="Put it back, or start the service anew; while it runs only [[detect.changes]] is taken.",
        )  # fmt: skip
    return after


def hand_over(config: Config) -> bool:
    """Give the running core its changes; False while there is none to take them."""
    changes = [change.model_dump(mode="json") for change in config.detect.changes]
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(config.socket))
            sock.sendall(pack("settings", {"changes": changes}))
        except OSError:
            return False
    return True


def changed(settings: DetectSettings, changes: Sequence[Any]) -> DetectSettings:
    """Return settings with the changes that were handed over."""
    return DetectSettings.model_validate({**settings.model_dump(), "changes": changes})
