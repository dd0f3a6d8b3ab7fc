"""minewatch.toml: each mistake is named with file, key and mend."""

from pathlib import Path

import pytest

from minewatch.config import build, load
from minewatch.errors import ConfigError


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    """Nothing need be set."""
    file = tmp_path / "minewatch.toml"
    file.write_text("")
    assert load(file) == build({}, where="x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[serve]\nprt = 1", "key serve.prt: there is no such key. Did you mean port?"),
        ("[serve]\nport = 99999", "key serve.port: 99999 does not fit."),
        ('[serve]\nhost = "0.0.0.0"', "not a loopback address"),
        ("[core]\nflush_interval_s = -1", "key core.flush_interval_s: -1 does not fit."),
        ("[serve]\nport = ", "is not TOML"),
        ("[xyz]\n", "key xyz: there is no such key. Known keys here: alerts, company, core, data"),
        ('[telemetry]\nkind = "csv"', "key telemetry.kind: 'csv' does not fit."),
    ],
)
def test_a_mistake_names_file_key_and_mend(tmp_path: Path, text: str, says: str) -> None:
    """Each wrong line ends in one message that a person can act on."""
    file = tmp_path / "minewatch.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert says in str(caught.value)
    assert "minewatch.toml" in str(caught.value) or "serve.host" in str(caught.value)


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    """A wrong secret is not shown in the message."""
    file = tmp_path / "minewatch.toml"
    file.write_text("[telemetry.influxdb]\ntoken = 12345678")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert "12345678" not in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")
