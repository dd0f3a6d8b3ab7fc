"""The Debian package: what is in it, and its life in a clean root: install, run, upgrade, remove, purge."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from servers import Absent, Server, debian
from servers.debian import as_root
from system.running import wait_for
from unit.edge.acking_host import AckingHost

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "edge/packaging/minewatch-edge.service"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built anew."""
    folder = tmp_path_factory.mktemp("package")
    build = [sys.executable, str(ROOT / "edge/packaging/build.py"), str(folder)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, timeout=60)
    (made,) = folder.glob("*.deb")
    return made


def tool(name: str) -> str:
    """Return a tool of Debian's, or skip where it is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"absent part: {name}")
    return found


def said(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_package_is_well_formed(package: Path, tmp_path: Path) -> None:
    """Owner root, no file that others may write, right sums, one conffile, scripts that a shell can read."""
    dpkg_deb = tool("dpkg-deb")
    said(dpkg_deb, "--raw-extract", str(package), str(tmp_path / "x"))
    listed = said(dpkg_deb, "--contents", str(package)).splitlines()
    assert all(line.split()[1] in ("root/root", "0/0") for line in listed)
    assert not [line for line in listed if line[8] == "w" or line[5] == "w"]
    control = tmp_path / "x/DEBIAN"
    fields = dict(
        line.split(": ", 1) for line in (control / "control").read_text().splitlines() if line[0] != " "
    )
    assert fields["Version"] == said(sys.executable, "-m", "minewatch_edge.cli", "--version").split()[1]
    assert "python3 (>= 3.11)" in fields["Depends"]
    assert (control / "conffiles").read_text() == "/etc/minewatch/edge.toml\n"
    files = {p.relative_to(tmp_path / "x").as_posix() for p in (tmp_path / "x").rglob("*") if p.is_file()}
    summed = {}
    for line in (control / "md5sums").read_text().splitlines():
        digest, name = line.split("  ")
        summed[name] = hashlib.md5((tmp_path / "x" / name).read_bytes()).hexdigest() == digest
    assert all(summed.values())
    assert set(summed) == {f for f in files if not f.startswith(("DEBIAN/", "etc/"))}
    for script in ("postinst", "prerm", "postrm"):
        assert (control / script).read_text().startswith("#!/bin/sh\nset -e\n")
        said("sh", "-n", str(control / script))


def test_the_unit_is_hardened() -> None:
    """Systemd rates its exposure as low, and every protection has a reason beside it."""
    analyze = tool("systemd-analyze")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--threshold=25", "--no-pager", str(UNIT)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    text = UNIT.read_text()
    for setting in (
        "Type=notify", "WatchdogSec=", "ExecReload=", "ProtectSystem=strict", "StateDirectory=minewatch-edge",
        "NoNewPrivileges=yes", "CapabilityBoundingSet=\n", "RestrictAddressFamilies=", "SystemCallFilter=",
        "DeviceAllow=", "MemoryMax=", "User=minewatch-edge",
    ):  # fmt: skip
        assert f"\n{setting}" in text, setting


def test_its_life_in_a_clean_root(package: Path, tmp_path: Path, iotcore_server: Server) -> None:
    """Installed, it runs as its own user and delivers; removal keeps the spool, purge leaves nothing."""
    try:
        with debian.root(tmp_path) as root:
            _install(root, package)
            _deliver(root, iotcore_server)
            _upgrade(root, package)
            _remove_and_purge(root)
    except Absent as absent:
        pytest.skip(f"absent part: {absent}")


def _install(root: Path, package: Path) -> None:
    """Install it, look at what it made, and have systemd read the unit in its place."""
    as_root("cp", str(package), str(root / "tmp/edge.deb"))
    told = as_root("chroot", str(root), "dpkg", "-i", "/tmp/edge.deb").stdout
    assert "edit /etc/minewatch/edge.toml" in told
    assert as_root("chroot", str(root), "dpkg", "-s", "minewatch-edge").stdout.count("install ok installed")
    owner = as_root("chroot", str(root), "stat", "-c", "%U:%G %a", "/var/lib/minewatch-edge").stdout.strip()
    assert owner == "minewatch-edge:minewatch-edge 750"
    assert "dialout" in as_root("chroot", str(root), "id", "-Gn", "minewatch-edge").stdout
    analyze = tool("systemd-analyze")
    unit = str(root / "usr/lib/systemd/system/minewatch-edge.service")
    verified = as_root(analyze, "verify", "--man=no", unit, check=False)
    # Only that the command is not on this machine may be wrong: it is in the root.
    wrong = [
        line
        for line in verified.stderr.splitlines()
        if "minewatch-edge" in line and "/usr/bin/minewatch-edge" not in line
    ]
    assert not [line for line in wrong if "Unknown" in line or "Failed" in line], verified.stderr


def _agent(root: Path, *arguments: str) -> list[str]:
    """Return the call of the installed command as its own user."""
    command = ["chroot", "--userspec=minewatch-edge:minewatch-edge", str(root), "/usr/bin/minewatch-edge"]
    return [*command, *arguments]


def _deliver(root: Path, broker: Server) -> None:
    """Check and run the sample as installed; readings reach a host and are acknowledged."""
    file = "/etc/minewatch/edge.toml"
    as_root("chroot", str(root), "sed", "-i", f"s/^# port = 1883/port = {broker.port}/", file)
    checked = as_root(*_agent(root, "check", "--json"), check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with AckingHost(broker.port) as host:
        command = _agent(root, "run")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            wait_for("readings at the host", lambda: host.count >= 5 or process.poll() is not None)
            found = as_root(*_agent(root, "status", "--json"), check=False).stdout
            assert json.loads(found)["running"], found
            pid = json.loads(found)["pid"]
            owner = as_root(
                "chroot", str(root), "stat", "-c", "%U", "/var/lib/minewatch-edge/edge.spool"
            ).stdout
            assert owner.strip() == "minewatch-edge"
        finally:
            as_root("kill", f"-{signal.SIGTERM.value}", str(process.pid))
            _, err = process.communicate(timeout=30)
        assert pid == process.pid  # the launcher replaces itself, so that systemd watches the agent
        assert process.returncode == 0, err
        assert "Traceback" not in err


def _upgrade(root: Path, package: Path) -> None:
    """Installed again it keeps the edited configuration and the spool."""
    before = as_root("chroot", str(root), "cat", "/etc/minewatch/edge.toml").stdout
    as_root("cp", str(package), str(root / "tmp/edge.deb"))
    as_root("chroot", str(root), "dpkg", "-i", "/tmp/edge.deb")
    assert as_root("chroot", str(root), "cat", "/etc/minewatch/edge.toml").stdout == before
    assert as_root("test", "-f", str(root / "var/lib/minewatch-edge/edge.spool"), check=False).returncode == 0


def _remove_and_purge(root: Path) -> None:
    as_root("chroot", str(root), "dpkg", "-r", "minewatch-edge")
    spool = str(root / "var/lib/minewatch-edge/edge.spool")
    assert as_root("test", "-f", spool, check=False).returncode == 0
    assert as_root("test", "-e", str(root / "usr/bin/minewatch-edge"), check=False).returncode == 1
    as_root("chroot", str(root), "dpkg", "-P", "minewatch-edge")
    left = as_root(
        "find", str(root), "-xdev", "-path", "*minewatch*", "-not", "-path", "*/tmp/*"
    ).stdout.split()
    inside = [str(Path(p).relative_to(root)) for p in left if p != str(root)]
    assert [
        p for p in inside if "minewatch" in p and not p.startswith(("var/log", "var/lib/dpkg", "proc"))
    ] == []
    assert as_root("chroot", str(root), "id", "minewatch-edge", check=False).returncode != 0
