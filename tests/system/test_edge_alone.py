"""The agent in an environment that has only its own dependencies: the standard library, paho and protobuf.

Two ways: its modules beside the two libraries, and the zipapp that carries them, under a Python that sees
nothing installed and no environment.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from servers import Server
from system.running import wait_for
from unit.edge.acking_host import AckingHost

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = ("numpy", "numba", "minewatch", "minewatch_sim", "pydantic", "structlog", "duckdb")

OPTIONAL = ("pymodbus", "asyncua", "serial")  # libraries of drivers that are extras

LAUNCH = """
import sys
sys.path[:] = [p for p in sys.path if "site-packages" not in p] + sys.argv.pop(1).split(":")
from minewatch_edge.cli import main
code = 0
try:
    code = main(sys.argv[1:])
except SystemExit as left:
    code = left.code
found = [name for name in {forbidden!r} if name in sys.modules]
assert not found, found
for name in {forbidden!r}:
    try:
        __import__(name)
    except ImportError:
        continue
    raise AssertionError(name + " can be imported here")
raise SystemExit(code)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the agent and its two dependencies, copied from this environment."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "edge/src/minewatch_edge", folder / "minewatch_edge")
    for name in ("paho-mqtt", "protobuf"):
        for part in distribution(name).files or ():
            if ".." not in part.parts and "__pycache__" not in part.parts:
                (folder / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(part.locate()), folder / part)
    return folder


def command(site: Path, *arguments: str) -> list[str]:
    """Return the call of the agent that sees nothing but that folder."""
    return [sys.executable, "-I", "-S", "-c", LAUNCH.format(forbidden=FORBIDDEN), str(site), *arguments]


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the agent to its end."""
    return subprocess.run(command(site, *arguments), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The sample configuration in a folder of its own."""
    for name in ("edge.toml", "air-return.csv"):
        shutil.copy(ROOT / "edge/sample" / name, tmp_path / name)
    return tmp_path / "edge.toml"


def test_help_works_alone(site: Path) -> None:
    """The command starts without anything of the service, and nothing of it can be imported there."""
    done = run(site, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "run|check|status|spool" in done.stdout


def test_check_works_alone(site: Path, file: Path, iotcore_server: Server) -> None:
    """Every driver of the sample answers."""
    file.write_text(file.read_text().replace("# port = 1883", f"port = {iotcore_server.port}"))
    done = run(site, "check", "--json", str(file))
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [f["ok"] for f in found if f["part"] == "device"] == [True, True, True]


def test_run_works_alone(site: Path, file: Path, iotcore_server: Server) -> None:
    """The agent samples, spools, connects, and ends in order."""
    file.write_text(file.read_text().replace("# port = 1883", f"port = {iotcore_server.port}"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    process = subprocess.Popen(
        command(site, "run", "--json", str(file)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    state = file.parent / "edge.spool.state.json"
    while process.poll() is None:
        if state.exists() and json.loads(state.read_text())["connected"]:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert json.loads(out)["summary"]["sampled"] > 0


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zipapp, built anew."""
    folder = tmp_path_factory.mktemp("app")
    build = [sys.executable, str(ROOT / "edge/packaging/build.py"), str(folder)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return folder / "minewatch-edge.pyz"


def alone(app: Path, *arguments: str) -> list[str]:
    """Return the call of the zipapp in an empty environment."""
    return ["env", "-i", sys.executable, "-I", "-S", str(app), *arguments]


def test_the_zipapp_is_small_and_the_same_each_time(app: Path, tmp_path: Path) -> None:
    """Under 1 MB; two builds are the same bytes; licences of what it carries are inside."""
    assert app.stat().st_size < 1_000_000
    build = [sys.executable, str(ROOT / "edge/packaging/build.py"), str(tmp_path)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, timeout=60)
    for made in sorted(tmp_path.iterdir()):
        assert made.read_bytes() == (app.parent / made.name).read_bytes(), made.name
    names = zipfile.ZipFile(app).namelist()
    assert {"LICENSE", "licences/protobuf/LICENSE", "licences/paho-mqtt/edl-v10"} <= set(names)
    assert not [n for n in names if n.endswith(".so")]


def test_the_zipapp_checks_alone(app: Path, file: Path, iotcore_server: Server) -> None:
    """Every part of the sample answers, under a Python with nothing installed and from any folder."""
    file.write_text(file.read_text().replace("# port = 1883", f"port = {iotcore_server.port}"))
    done = subprocess.run(
        alone(app, "check", "--json", str(file)),
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(json.loads(line)["ok"] for line in done.stdout.splitlines())


@pytest.mark.parametrize("bytecode", [True, False], ids=["as built", "another Python"])
def test_the_zipapp_delivers_alone(
    app: Path, file: Path, iotcore_server: Server, tmp_path: Path, *, bytecode: bool
) -> None:
    """Readings reach a host and are acknowledged, also where the bytecode inside is of another Python."""
    if not bytecode:
        foreign = tmp_path / "foreign.pyz"
        with zipfile.ZipFile(app) as whole, zipfile.ZipFile(foreign, "w", zipfile.ZIP_DEFLATED) as sources:
            for name in whole.namelist():
                body = whole.read(name)
                sources.writestr(name, b"\0\0\r\n" + body[4:] if name.endswith(".pyc") else body)
        app = foreign
    file.write_text(file.read_text().replace("# port = 1883", f"port = {iotcore_server.port}"))
    state = file.parent / "edge.spool.state.json"
    with AckingHost(iotcore_server.port) as host:
        process = subprocess.Popen(
            alone(app, "run", "--json", str(file)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_for("readings at the host", lambda: host.count >= 5 or process.poll() is not None)
        wait_for("acknowledgements", lambda: json.loads(state.read_text())["acked"] >= 3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert json.loads(out)["summary"]["acked"] >= 3


def test_the_agent_needs_only_what_it_declares(site: Path) -> None:
    """No module imports more than its two dependencies, but an optional driver its library."""
    names = [
        ".".join(p.relative_to(site).with_suffix("").parts).removesuffix(".__init__")
        for p in sorted((site / "minewatch_edge").rglob("*.py"))
    ]
    code = "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [sys.argv[1]]\n"
    code += "import importlib\nimport minewatch_edge.errors\n"
    code += "import minewatch_edge.cli\n"  # needs none of the optional ones
    code += f"for name in {names!r}:\n    try:\n        importlib.import_module(name)\n"
    code += "    except ModuleNotFoundError as error:\n"
    code += f"        assert error.name.split('.')[0] in {OPTIONAL!r}, (name, error.name)\n"
    code += "    except minewatch_edge.errors.EdgeConfigError as error:\n"
    code += "        assert error.mend.startswith('pip install \\'minewatch-edge['), (name, error)\n"
    code += (
        "\nprint(sorted({m.split('.')[0] for m in sys.modules if getattr(sys.modules[m], '__file__', None)"
    )
    code += " and str(sys.modules[m].__file__).startswith(sys.argv[1])}))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(site)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['google', 'minewatch_edge', 'paho']"
