"""The import rules hold, and a planted import breaks them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTED = (
    ("src/minewatch/alerts/book.py", "import minewatch.detect.engine"),
    ("src/minewatch/detect/kernels/limits.py", "import minewatch.contracts"),
    ("src/minewatch/store/duckdb.py", "import fastapi"),
    ("edge/src/minewatch_edge/agent.py", "import numpy"),
    ("src/minewatch/ingest/source.py", "import minewatch_edge.spool"),
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the import linter on a tree."""
    paths = ":".join(str(folder / part) for part in ("src", "edge/src", "simulators"))
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the source tree."""
    for part in ("src", "edge/src", "simulators"):
        shutil.copytree(
            ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("static", "__pycache__", "*.toml")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_tree_keeps_the_rules(copy: Path) -> None:
    """No room imports another."""
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("file", "line"), PLANTED)
def test_a_planted_import_is_caught(copy: Path, file: str, line: str) -> None:
    """Each rule catches an import that breaks it."""
    with (copy / file).open("a") as out:
        out.write(f"\n{line}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout
