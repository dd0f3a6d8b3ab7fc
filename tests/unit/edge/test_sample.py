"""The sample names every key that any parser knows, and each of its lines may be switched on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from minewatch_edge import config
from minewatch_edge.errors import EdgeConfigError

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "edge/sample/edge.toml"
TEXT = SAMPLE.read_text(encoding="utf-8")
HEADER = re.compile(r"^#?(\[+)([\w.]+)\]+", re.M)
OPTION = re.compile(r"^#? ?([a-z_]+) = ", re.M)

# What cannot stand beside each other, as two ways to write the same file.
VARIANTS = {"host and file": {"url", "password_env"}, "url and variable": {"host", "port", "password_file"}}


def switched_on(without: set[str]) -> str:
    """Return the sample with every commented line in force, but for these keys of [broker]."""
    lines, table = [], ""
    for line in TEXT.splitlines():
        bare = re.sub(r"^# ?(?=[a-z_]+ = |\[)", "", line)
        header = HEADER.match(bare)
        table = header[2] if header else table
        key = OPTION.match(bare)
        if key and table == "broker" and key[1] in without:
            continue
        lines.append(bare)
    return "\n".join(lines) + "\n"


def parsed(folder: Path, text: str) -> config.EdgeConfig:
    """Read a text as the agent would; the files that it names are there."""
    for name in re.findall(r'_file = "([^"]+)"', text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    shutil.copy(SAMPLE.parent / "site-rules.toml", folder)
    (folder / "edge.toml").write_text(text, encoding="utf-8")
    return config.load(folder / "edge.toml")


@pytest.mark.parametrize("without", VARIANTS.values(), ids=VARIANTS)
def test_every_option_switched_on_is_a_configuration(without: set[str], tmp_path: Path) -> None:
    """Each value that stands commented is one that the parser takes, all of them together."""
    found = parsed(tmp_path, switched_on(without))
    assert len(found.devices) == len(re.findall(r"^#?\[\[device\]\]", TEXT, re.M))


def sections() -> list[tuple[int, str, set[str]]]:
    """Return the tables of the sample with everything on: line of the header, name, keys that stand in it."""
    lines = switched_on(set()).splitlines()
    found: list[tuple[int, str, set[str]]] = [(-1, "", set())]
    for number, line in enumerate(lines):
        if header := HEADER.match(line):
            found.append((number, header[2], set()))
        elif key := OPTION.match(line):
            found[-1][2].add(key[1])
    return found


def known(folder: Path, text: str, line: int) -> set[str]:
    """Return the keys that the parser knows in a table: it lists them when it meets one that it does not."""
    lines = text.splitlines()
    lines.insert(line + 1, "no_such_key = 1")
    with pytest.raises(EdgeConfigError, match="no_such_key") as caught:
        parsed(folder, "\n".join(lines))
    return set(re.sub(r"^Known here: ", "", caught.value.mend).split(", "))


def test_every_key_of_every_parser_stands_in_the_sample(tmp_path: Path) -> None:
    """Whoever adds a key adds its line: to its table, and for devices and points to one of their examples."""
    text = switched_on(VARIANTS["host and file"])
    written: dict[str, set[str]] = {}
    for _, name, keys in sections():
        written.setdefault(name, set()).update(keys)
    tables = {name.split(".")[0] for name in written} - {""}
    asked: dict[str, set[str]] = {}
    for number, line in enumerate(text.splitlines()):
        if header := HEADER.match(line):
            asked.setdefault(header[2], set()).update(known(tmp_path, text, number))
    asked[""] = known(tmp_path, text, -1)
    assert asked[""] - tables == set()
    missing = {
        f"[{name}] {key}"
        for name, keys in asked.items()
        if name
        for key in keys - written[name]
        if f"{name}.{key}" not in written
    }
    assert missing == set()
    assert "[broker] url" not in missing
    assert len(asked) >= 7
