"""A clean Debian root to install into: made once by debootstrap, kept in build/, unpacked for each use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .process import Absent

KEPT = Path(__file__).resolve().parents[2] / "build" / "debian-root.tar"
SUITE = "bookworm"


def as_root(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command as root and return what it said."""
    whole = command if os.getuid() == 0 else ("sudo", "-n", *command)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    done = subprocess.run(
        whole,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(whole)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done


@contextmanager
def root(folder: Path) -> Iterator[Path]:
    """Yield a clean root with Python and nothing else; raises Absent where none can be made."""
    if os.getuid() != 0 and (not shutil.which("sudo") or as_root("true", check=False).returncode):
        raise Absent("a clean Debian root needs root or sudo")
    made = folder / "root"
    try:
        if not KEPT.exists():
            _make(made)
        as_root("mkdir", "-p", str(made))
        as_root("tar", "-xpf", str(KEPT), "-C", str(made))
        yield made
    finally:
        as_root("rm", "-rf", "--one-file-system", str(made), check=False)


def _make(made: Path) -> None:
    if not Path("/usr/sbin/debootstrap").exists():
        raise Absent("debootstrap is not installed: apt install debootstrap")
    command = ("debootstrap", "--variant=minbase", "--include=python3,tzdata", SUITE, str(made))
    done = as_root(*command, check=False)
    if done.returncode:
        raise Absent(f"debootstrap failed: {(done.stderr or done.stdout)[-500:]}")
    KEPT.parent.mkdir(exist_ok=True)
    part = KEPT.with_suffix(".part")
    as_root("tar", "-cpf", str(part), "--exclude=./var/cache/apt/archives/*.deb", "-C", str(made), ".")
    as_root("mv", str(part), str(KEPT))
    as_root("rm", "-rf", "--one-file-system", str(made))
