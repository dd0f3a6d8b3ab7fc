"""Where machine code is kept, and when it is not trusted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minewatch.detect.kernels import jit

KERNELS = Path(jit.__file__).parent
NO_JIT = os.environ.get("NUMBA_DISABLE_JIT") == "1"


def test_any_changed_kernel_gets_another_folder(tmp_path):
    """Editing, adding or renaming a kernel file changes the name of the folder; touching it does not."""
    for path in KERNELS.glob("*.py"):
        shutil.copy(path, tmp_path)
    first = jit.digest(tmp_path)
    (tmp_path / "limits.py").touch()
    assert jit.digest(tmp_path) == first == jit.digest(KERNELS)
    (tmp_path / "new.py").write_text("")
    second = jit.digest(tmp_path)
    (tmp_path / "limits.py").write_text((tmp_path / "limits.py").read_text() + "\n")
    assert len({first, second, jit.digest(tmp_path)}) == 3


def test_bounds_checked_code_is_kept_apart(monkeypatch):
    """Code compiled with bounds checks never serves a run without them."""
    before = jit.digest(KERNELS)
    monkeypatch.setattr(jit.config, "BOUNDSCHECK", 1 - (jit.config.BOUNDSCHECK or 0))
    assert jit.digest(KERNELS) != before


def test_a_folder_that_others_may_write_is_not_trusted(tmp_path, monkeypatch):
    """Machine code from a folder open to others is not loaded; the reason is said."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder, why = jit.cache_folder()
    assert Path(folder).is_relative_to(tmp_path)
    assert why == ""
    Path(folder).chmod(0o777)
    folder, why = jit.cache_folder()
    assert folder == ""
    assert "not trusted" in why


def test_no_folder_is_said(tmp_path, monkeypatch):
    """Where no folder can be made the reason is said, and kernels compile without one."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folder, why = jit.cache_folder()
    assert folder == ""
    assert "file" in why


@pytest.mark.skipif(NO_JIT, reason="nothing is compiled in this mode")
def test_a_process_leaves_its_code_and_numbas_own_setting_alone(tmp_path):
    """A kernel's code lands in our folder and nowhere in the source tree; numba's own folder is as it was."""
    code = (
        "import numba; before = numba.config.CACHE_DIR\n"
        "from minewatch.detect.kernels.limits import beyond\n"
        "assert numba.config.CACHE_DIR == before\n"
        "beyond(0, 2.0, 1.0)\n"
    )
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    kept = [p.name for p in tmp_path.rglob("*.nbi")]
    assert len(kept) == 1
    assert kept[0].startswith("limits.beyond")
    assert not list(KERNELS.rglob("*.nbi"))
