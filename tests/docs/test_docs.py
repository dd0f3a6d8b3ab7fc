"""The documents say what is there: commands, settings, detectors, routes, paths, and no registry's host."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel

from minewatch.cli import app
from minewatch.config import Config
from minewatch.detect.catalogue import DETECTORS
from minewatch.detect.company.catalogue import COMPANY, DRIFT, GATEWAY, TRUST

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("edge/*.md")])
CODE = sorted(
    path
    for folder in ("src", "edge/src", "simulators", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
)


def tracked() -> list[Path]:
    """Return the files of the project, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every command with its options."""
    group = typer.main.get_command(app)
    for name, command in sorted(group.commands.items()):  # type: ignore[attr-defined]  # a click group
        for sub, inner in getattr(command, "commands", {"": command}).items():
            options = [opt for p in inner.params for opt in getattr(p, "opts", []) if opt.startswith("--")]
            yield f"{name} {sub}".strip(), options


def settings(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every configuration key with its description."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.description or ""


@pytest.mark.parametrize(("command", "options"), list(commands()))
def test_each_command_has_a_heading_and_names_its_options(command: str, options: list[str]) -> None:
    """A command or option that nobody described cannot be shipped."""
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert f"\n## minewatch {command}\n" in page
    section = page.split(f"\n## minewatch {command}\n")[1].split("\n## ")[0]
    assert [option for option in options if f"`{option}" not in section] == []


@pytest.mark.parametrize(("key", "description"), list(settings()))
def test_each_setting_is_described(key: str, description: str) -> None:
    """A setting has a row in the docs that carries its own description."""
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert description, f"{key} has no description"
    assert f"| `{key}` |" in page
    assert description in page


@pytest.mark.parametrize("name", [detector.name for detector in DETECTORS])
def test_each_detector_has_a_heading(name: str) -> None:
    """A detector without a page section cannot be shipped."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/detectors.md").read_text(encoding="utf-8"), re.M)
    assert any(re.search(rf"(^|\W){re.escape(name)}($|\W)", heading) for heading in headings)


@pytest.mark.parametrize("name", [detector.name for detector in (*COMPANY, DRIFT)])
def test_each_detector_of_company_has_a_heading(name: str) -> None:
    """A detector of several points without a page section cannot be shipped."""
    text = (ROOT / "docs/company.md").read_text(encoding="utf-8")
    assert f"\n## `{name}`\n" in text


def test_each_detector_of_trust_has_a_heading() -> None:
    """A detector of what shows over days cannot be shipped without a page section."""
    text = (ROOT / "docs/trust.md").read_text(encoding="utf-8")
    assert [detector.name for detector in TRUST if f"\n## `{detector.name}`\n" not in text] == []


def test_each_detector_of_gateways_has_a_heading() -> None:
    """A detector of a whole gateway without a page section cannot be shipped."""
    text = (ROOT / "docs/gateways.md").read_text(encoding="utf-8")
    assert [detector.name for detector in GATEWAY if f"\n## `{detector.name}`\n" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_named_paths_exist(page: Path) -> None:
    """A page names no file that is not there."""
    text = page.read_text(encoding="utf-8")
    missing = []
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in link and not (page.parent / link).exists():
            missing.append(link)
    for path in re.findall(
        r"`((?:src|edge|simulators|dashboards|tests|docs|rules|models|deploy)/[\w./-]+)`", text
    ):
        if not (ROOT / path).exists():
            missing.append(path)
    assert missing == []


def test_no_file_names_a_registry_or_this_machine() -> None:
    """Pins carry hashes, not hosts; nothing knows where it was written."""
    hosts = (
        "pypi" + ".org",
        "files." + "pythonhosted",
        "registry." + "npmjs",
        "proxy." + "golang",
        "crates" + ".io",
    )
    found = []
    for path in tracked():
        if path.suffix in {".png", ".bin", ".woff2"} or path.stat().st_size > 3_000_000:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {host}" for host in (*hosts, "/work" + "/main") if host in text]
    assert found == []
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_fits_in_the_head(path: Path) -> None:
    """No file over 500 lines, no function over 80, no room without a name."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno + 1 > 80
        and "kernels" not in path.parts
    ]
    assert long == []
    assert not {"util", "utils", "common", "helpers"} & set(path.with_suffix("").parts)


def test_each_test_says_what_it_proves() -> None:
    """Every test function has a docstring."""
    silent = []
    for path in (p for p in CODE if p.name.startswith("test_")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            if node.name.startswith("test_") and not ast.get_docstring(node):
                silent.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert silent == []
