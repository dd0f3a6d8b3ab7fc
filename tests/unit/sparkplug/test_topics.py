"""Topics are read strictly, and what is wrong is named."""

import pytest

from minewatch_edge.errors import WireError
from minewatch_edge.sparkplug.topics import Topic, check_id, parse


@pytest.mark.parametrize(
    "text",
    [
        "spBv1.0/mine/NBIRTH/gw",
        "spBv1.0/mine/DDATA/gw/fan 1",
        "spBv1.0/STATE/minewatch",
        "spBv1.0/шахта/NCMD/gw",
    ],
)
def test_round_trip(text: str) -> None:
    """A topic of each shape comes back as it was."""
    assert str(parse(text)) == text


def test_parts() -> None:
    """The parts of a device's topic are where they belong."""
    assert parse("spBv1.0/mine/DBIRTH/gw/fan") == Topic("DBIRTH", "mine", "gw", "fan")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("spAv1.0/mine/NBIRTH/gw", "does not start with"),
        ("spBv1.0/mine/NBIRTH", "is no spBv1.0"),
        ("spBv1.0/mine/NBIRTH/gw/fan", "is no spBv1.0"),
        ("spBv1.0/mine/DBIRTH/gw", "is no spBv1.0"),
        ("spBv1.0/mine/BIRTH/gw", "is no spBv1.0"),
        ("spBv1.0//NBIRTH/gw", "empty level"),
        ("spBv1.0/STATE/a/b", "is no spBv1.0"),
        ("", "does not start with"),
    ],
)
def test_refused(text: str, says: str) -> None:
    """A topic that Sparkplug does not know is refused with the reason."""
    with pytest.raises(WireError, match=says):
        parse(text)


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", "STATE", "a\x00"])
def test_names(name: str) -> None:
    """A name that MQTT reserves cannot become a group."""
    with pytest.raises(WireError):
        check_id("group", name)
