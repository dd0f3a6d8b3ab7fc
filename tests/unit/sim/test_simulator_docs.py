"""The pages on simulators, scenarios and recordings say what is there, and their examples work."""

import re
import tomllib
from pathlib import Path

import pytest

from minewatch.ingest.map import FileMap, PointMap, load_map
from minewatch_sim.cli import run
from minewatch_sim.mines import CAUSES, GATEWAYS, PLACES
from minewatch_sim.scenario import ACTIONS
from minewatch_sim.scenario_file import folder, load

ROOT = Path(__file__).parents[3]


def page(name: str) -> str:
    """Return a page of the docs."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def example(name: str, language: str) -> str:
    """Return the first example of that language on a page."""
    found = re.search(rf"```{language}\n(.*?)```", page(name), re.S)
    assert found
    return found.group(1)


def test_the_scenario_in_toml_and_in_python_are_the_same(tmp_path: Path) -> None:
    """Both examples of the page load and say the same."""
    path = tmp_path / "story.toml"
    path.write_text(example("scenarios", "toml"), encoding="utf-8")
    said: dict[str, object] = {}
    exec(example("scenarios", "python"), said)
    assert load(path).timeline == said["story"]


def test_the_map_of_the_page_loads(tmp_path: Path) -> None:
    """The example of a map is one."""
    path = tmp_path / "map.toml"
    path.write_text(example("recordings", "toml"), encoding="utf-8")
    assert load_map(path).points[0].column == "MM261"


def test_every_cause_action_and_scenario_is_described() -> None:
    """The tables are complete, and the values at rest are those of the code."""
    text = page("scenarios")
    for cause, rest in CAUSES.items():
        row = re.search(rf"^\| `{re.escape(cause)}` \| ([\d.]+) \|", text, re.M)
        assert float(row.group(1)) == rest if row else f"`{cause}`" in text, cause
    assert [name for name in ACTIONS if f"| `{name}` |" not in text] == []
    for path in folder().glob("*.toml"):
        assert f"| `{path.stem}` | {tomllib.loads(path.read_text())['minutes']:g} |" in text


def test_every_key_of_a_map_is_described() -> None:
    """A key that nobody described cannot be shipped."""
    text = page("recordings")
    keys = [*FileMap.model_fields, *PointMap.model_fields]
    assert [key for key in keys if f"`{key}`" not in text] == []


@pytest.mark.parametrize("command", ["run", "play", "list"])
def test_every_command_has_a_heading_and_its_help_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page has each command, with every option of its help; the help ends with an example."""
    with pytest.raises(SystemExit) as ended:
        run([command, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    text = page("simulators")
    assert f"\n## minewatch-sim {command}\n" in text
    assert [o for o in re.findall(r"--[a-z][a-z-]+", said) if o != "--help" and f"`{o}" not in text] == []
    assert "example: minewatch-sim" in said


def test_the_numbers_of_the_page_are_those_of_the_mines() -> None:
    """Sites, gateways and the number of points are as written."""
    text = page("simulators")
    assert f"{len(PLACES)} points" in text
    for gateway in GATEWAYS:
        site, name = gateway.split("/")
        assert f"| `{site}` | `{name}` |" in text
