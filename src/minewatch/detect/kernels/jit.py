"""How every kernel of this room is compiled, and where the machine code is kept.

numba's plain disk cache keeps a stale kernel after a function that it calls in another file has changed. So
the folder is named by a digest over all kernel sources, the versions and the switches that change the code:
another digest, another folder. Without a folder of our own that we may write, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import llvmlite
import numba
import numpy as np
from numba import njit

P = ParamSpec("P")
R = TypeVar("R")
config: Any = numba.config  # numba fills it when it is imported, so no type checker knows its names


def digest(folder: Path) -> str:
    """Return a name for the machine code of the ``.py`` files in a folder, by content, versions, switches."""
    h = hashlib.sha256()
    for part in (
        platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__,
        config.BOUNDSCHECK, config.OPT, config.CPU_NAME, config.CPU_FEATURES,
    ):  # fmt: skip
        h.update(f"{part}\0".encode())
    for path in sorted(folder.glob("*.py")):
        h.update(f"{path.name}\0".encode())
        h.update(path.read_bytes())
    return h.hexdigest()[:24]


def cache_folder() -> tuple[str, str]:
    """Return (folder, "") or ("", why there is none)."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        folder = Path(base, "minewatch", "kernels", digest(Path(__file__).parent))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
        if status.st_mode & 0o022 or status.st_uid != os.geteuid():
            return "", f"{folder} can be written by others, so its code is not trusted"
        with tempfile.TemporaryFile(dir=folder):
            return str(folder), ""
    except (OSError, RuntimeError) as error:
        return "", f"{error}"


CACHE, WHY_NO_CACHE = cache_folder()


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function at its first call: no Python lock held, no fastmath (it would delete NaN checks).

    Inlined where it is called: a kernel that hands a dozen arrays to another would copy each of them.
    """
    before = config.CACHE_DIR
    config.CACHE_DIR = CACHE
    try:
        return cast(
            "Callable[P, R]",
            njit(nogil=True, forceinline=True, error_model="numpy", cache=bool(CACHE))(function),
        )
    finally:
        config.CACHE_DIR = before
