"""How the kernels of this room are compiled, and where their machine code is kept.

A plain disk cache keeps stale code after a helper in another file has changed, so the folder is named by a
digest over every kernel source and the versions. Without a folder of our own nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import llvmlite
import numba
from numba import njit

P = ParamSpec("P")
R = TypeVar("R")
_config: Any = numba.config


def _digest() -> str:
    parts = [platform.python_version(), platform.machine(), numba.__version__, llvmlite.__version__]
    parts += [str(s) for s in (_config.BOUNDSCHECK, _config.OPT, _config.CPU_NAME, _config.CPU_FEATURES)]
    found = hashlib.sha256("\0".join(parts).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:24]


def _folder() -> str:
    """Return a folder that only this user may write, or "" when there is none."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        folder = Path(base, "minewatch", "ingest-kernels", _digest())
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
    except (OSError, RuntimeError):
        return ""
    usable = status.st_uid == os.geteuid() and not status.st_mode & 0o022 and os.access(folder, os.W_OK)
    return str(folder) if usable else ""


_CACHE = _folder()


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function at its first call: no Python lock held, no fastmath (it would delete NaN checks)."""
    before = _config.CACHE_DIR
    _config.CACHE_DIR = _CACHE
    try:
        return cast("Callable[P, R]", njit(nogil=True, cache=bool(_CACHE))(function))
    finally:
        _config.CACHE_DIR = before
