"""What local safety must not forget over a restart: a small file, replaced as a whole and waited for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VERSION = 1


def load(path: Path) -> dict[str, Any]:
    """Return what was saved, nothing where there is no file. Raises ValueError for a file that is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise ValueError("it is not a state of this version")
    return found


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Replace the file; when this returns it is on the disk. Raises OSError when the disk refuses."""
    part = path.with_name(path.name + ".new")
    with part.open("w", encoding="utf-8") as file:
        json.dump({"version": VERSION, **state}, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
