"""How long commands and the service take to start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.service import service


def help_s() -> float:
    """Return the median of nine runs of --help, in seconds."""
    found = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "minewatch", "--help"], stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - began)
    return sorted(found)[4]


def ready_s() -> float:
    """Return how long the service takes until /readyz says ready."""
    with tempfile.TemporaryDirectory(prefix="minewatch-bench-") as made, service(Path(made)) as running:
        return running.ready_s


if __name__ == "__main__":
    print(f"start.help {help_s():.3f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="minewatch-cache-") as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # no compiled kernels: as on a new machine
        os.environ["HOME"] = cache
        print(f"start.first {ready_s():.1f} s", flush=True)
        print(f"start.warm {ready_s():.1f} s", flush=True)
        shutil.rmtree(cache, ignore_errors=True)
