"""The map of a recording is read strictly."""

from pathlib import Path

import pytest

from minewatch.errors import MapError
from minewatch.ingest.map import load_map

GOOD = """
[file]
time = "datetime"
zone = "Europe/Warsaw"
missing = ["", "NaN"]
[[point]]
column = "MM261"
place = "longwall/MM261"
quantity = "methane"
unit = "% CH4"
range = [0, 40]
sentinel = [-2]
zone = "longwall"
"""


def written(folder: Path, text: str) -> Path:
    """Write a map and return its path."""
    path = folder / "map.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_map_becomes_points(tmp_path: Path) -> None:
    """The map of the interface description gives the point it describes."""
    loaded = load_map(written(tmp_path, GOOD))
    info = loaded.points[0].info(loaded.file.gateway, "x")
    assert (info.place, info.site, info.device, info.metric) == (
        "longwall/MM261",
        "longwall",
        "MM261",
        "methane",
    )
    assert (info.low, info.high, info.sentinels, info.zone) == (0.0, 40.0, (-2.0,), "longwall")


def test_sentinels_are_scaled_with_the_readings(tmp_path: Path) -> None:
    """A sentinel is written as recorded and compared as delivered."""
    loaded = load_map(written(tmp_path, GOOD + "scale = 0.1\noffset = 1\n"))
    assert loaded.points[0].info("g", "x").sentinels == (-2 * 0.1 + 1,)


def test_the_files_name_can_be_part_of_the_place(tmp_path: Path) -> None:
    """{file} stands for the name of the file, so that one map fits many."""
    loaded = load_map(written(tmp_path, GOOD.replace("longwall/MM261", "site/{file}/methane")))
    assert loaded.points[0].info("g", "art_noisy").place == "site/art_noisy/methane"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('unit = "% CH4"', "", ["point[0].unit", "is missing"]),
        ("range = [0, 40]", "range = [40, 0]", ["point[0]", "is empty", "[low, high]"]),
        ("range = [0, 40]", 'range = [0, "x"]', ["point[0].range[1]", "'x'"]),
        ("sentinel", "sentinels", ["point[0].sentinels", "Known keys", "sentinel"]),
        ("[file]", "[file]\ncolour = 1", ["file.colour", "Known keys", "delimiter"]),
        ("Europe/Warsaw", "Warsaw", ["file", "'Warsaw'", "IANA"]),
        ("[file]", '[file]\nformat = "seconds"', ["file", "start"]),
        ("[file]", '[file]\nformat = "seconds"\nstart = "2020-01-01"', ["file", "offset"]),
        ("[file]", '[file]\nformat = "unix"', ["file", "'unix'", "unix_s"]),
        ('"longwall/MM261"', '"MM261"', ["point[0]", "site/device"]),
        ("[[point]]", "[[point", ["is not TOML", "line"]),
        ("[file]", "[file]\nskip_footer = -1", ["file.skip_footer", "-1"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, says: list[str]) -> None:
    """An error names the file, the key or line, and the mend."""
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(MapError) as caught:
        load_map(path)
    for part in [str(path), *says]:
        assert part in str(caught.value)


def test_no_map(tmp_path: Path) -> None:
    """A map that is not there is an error for the person who named it."""
    with pytest.raises(MapError, match="no such file"):
        load_map(tmp_path / "none.toml")


def test_one_column_is_one_point(tmp_path: Path) -> None:
    """The same column or place twice is refused, for it would count readings twice."""
    point = GOOD[GOOD.index("[[point]]") :]
    with pytest.raises(MapError, match=r"point\[1\].column"):
        load_map(written(tmp_path, GOOD + point))
    with pytest.raises(MapError, match=r"point\[1\].place"):
        load_map(written(tmp_path, GOOD + point.replace('"MM261"', '"MM262"')))
