"""`minewatch config check`, version and wrong calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minewatch import __version__
from minewatch.cli import pace
from minewatch.errors import ConfigError
from unit.app.calling import Shell, one_line

FILES = sorted((Path(__file__).parents[2] / "vectors/config").glob("*.toml"))
GOOD = [file for file in FILES if file.stem.endswith("-good")]
BAD = [file for file in FILES if file.stem.endswith("-bad")]


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_configuration_is_good(minewatch: Shell, file: Path) -> None:
    """It says how many packs and rules would be in force, and exits 0."""
    done = minewatch("config", "check", file, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["config"] == str(file)
    assert found["packs"] > 0
    assert found["rules"] > 0


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_configuration_is_told_in_one_line(minewatch: Shell, file: Path) -> None:
    """The line holds what the first line of the file says it must: key, value, mend."""
    says = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# says: ")
    assert says in one_line(minewatch("config", "check", file))


def test_there_is_one_of_each() -> None:
    """The files are found, so that the tests above test something."""
    assert len(GOOD) >= 2
    assert len(BAD) >= 9


def test_a_rule_pack_of_the_site_is_read_too(minewatch: Shell, tmp_path: Path) -> None:
    """A mistake in a site's own pack is found by config check, with file and key."""
    (tmp_path / "own.toml").write_text("[[rule]]\nid = 'x'\n", encoding="utf-8")
    config = tmp_path / "minewatch.toml"
    config.write_text(f'[alerts]\nrule_dirs = ["{tmp_path}/packs"]\n', encoding="utf-8")
    (tmp_path / "packs").mkdir()
    (tmp_path / "own.toml").rename(tmp_path / "packs/own.toml")
    assert "own.toml" in one_line(minewatch("config", "check", config))


def test_the_version_is_told(minewatch: Shell) -> None:
    """For a person and for a program."""
    assert minewatch("version").out == f"{__version__}\n"
    assert json.loads(minewatch("version", "--json").out) == {"version": __version__}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["replay"], "Missing argument"),
        (["replay", "a.csv"], "--map"),
        (["score", "a.csv"], "--detector"),
        (["replay", "a.csv", "--mapp", "b"], "--mapp"),
        (["repaly"], "repaly"),
        (["config", "chek"], "chek"),
    ],
)
def test_a_wrong_call_is_one_line(minewatch: Shell, arguments: list[str], says: str) -> None:
    """What is missing or unknown is named."""
    assert says in one_line(minewatch(*arguments))


@pytest.mark.parametrize(("text", "factor"), [("max", None), ("1", 1.0), ("0.5", 0.5), ("60", 60.0)])
def test_speeds(text: str, factor: float | None) -> None:
    """Max is no pace at all; a number is how many times faster."""
    assert pace(text) == factor


@pytest.mark.parametrize("text", ["0", "-1", "nan", "fast", ""])
def test_what_is_no_speed(text: str) -> None:
    """It is refused before anything is read."""
    with pytest.raises(ConfigError, match="--speed"):
        pace(text)
