"""Chromium from the system's packages, driven by playwright with these arguments."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .process import Absent

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")


def find() -> Path:
    """Return the path of the program; raises Absent."""
    for candidate in (os.environ.get("MINEWATCH_CHROMIUM"), "chromium", "chromium-browser"):
        found = shutil.which(candidate) if candidate else None
        if found is not None:
            return Path(found)
    raise Absent("chromium is not installed (apt-get install chromium)")
