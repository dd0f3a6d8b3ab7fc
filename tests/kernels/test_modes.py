"""The tests of kernels and engine again without the compiler, and with bounds checks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENGINE = ("engine", "engine_oracle", "snapshot")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("switch", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_kernels_hold_in_every_mode(switch):
    """The same tests pass as plain Python, and with every array index checked."""
    kernels = [str(path) for path in sorted(HERE.glob("test_*.py")) if path != Path(__file__)]
    engine = [str(ROOT / "tests" / "unit" / "detect" / f"test_{name}.py") for name in ENGINE]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *kernels, *engine],
        cwd=ROOT,
        env={**os.environ, switch: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
