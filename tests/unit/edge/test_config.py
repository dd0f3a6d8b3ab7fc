"""edge.toml: what is right is read whole, what is wrong is answered with file, key and mend."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from minewatch_edge import config, drivers
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.safety import lines as wires

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "edge/sample/edge.toml"
HEAD = '[gateway]\nsite = "mine"\nid = "gw"\n[broker]\nhost = "localhost"\n'
DEVICE = (
    '[[device]]\nid = "d"\ndriver = "simulated"\n[[device.point]]\nmetric = "m"\nquantity = "q"\nunit = "1"\n'
)


def load(folder: Path, text: str) -> config.EdgeConfig:
    """Read a configuration from a text."""
    path = folder / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def test_the_sample_loads_and_every_driver_of_it_answers() -> None:
    """The sample that ships is a configuration that works."""
    sample = config.load(SAMPLE)
    assert [d.driver for d in sample.devices] == ["simulated", "csv"]
    for device in sample.devices:
        driver = drivers.make(device, sample.folder, lambda _reject: None)
        assert all(result.ok for result in driver.check(0))
        driver.close()


def test_the_sample_names_every_option() -> None:
    """What the loader reads stands in the sample, in force or commented out at its default."""
    text = SAMPLE.read_text(encoding="utf-8")
    source = (ROOT / "edge/src/minewatch_edge/config.py").read_text(encoding="utf-8")
    for known in ("url", "password_env", "acknowledgement", "resend_per_s", "memory_readings", "commit_ms"):
        assert f'"{known}"' in source
        assert f"{known} = " in text
    for kind in drivers.KINDS.values():
        for key in kind.device_keys + kind.point_keys:
            assert f"{key} = " in text, key


def test_commented_defaults_are_the_defaults(tmp_path: Path) -> None:
    """With every commented option switched on, nothing changes that the sample calls a default."""
    plain = config.load(SAMPLE)
    skip = (
        "url",
        "username",
        "password",
        "ca_file",
        "cert_file",
        "key_file",
        "port",
        "client_id",
        "calibration_due",
    )
    lines = []
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        bare = line.removeprefix("# ")
        lines.append(bare if line.startswith("# ") and " = " in line and not bare.startswith(skip) else line)
    full = load(tmp_path, "\n".join(lines))
    assert full.spool == plain.spool.__class__(tmp_path / "edge.spool")
    assert full.broker == plain.broker


def test_the_devices_that_stand_as_examples_load(tmp_path: Path) -> None:
    """Each example device, output and panel of the sample is right as it stands."""
    text = re.sub(r"^#(?=[\[a-z])", "", SAMPLE.read_text(encoding="utf-8"), flags=re.M)
    for name in re.findall(r'_file = "([^"]+)"', text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    shutil.copy(SAMPLE.parent / "site-rules.toml", tmp_path)
    full = load(tmp_path, text)
    assert [rule.id for rule in full.safety.rules] == ["methane-belt-7"]
    for part in (*full.safety.outputs, *full.safety.panels):
        wires.make(part.kind, part.options, tmp_path).close()
    assert {device.driver for device in full.devices} >= {"simulated", "csv", "modbus", "opcua"}
    for device in full.devices:
        drivers.make(device, tmp_path, lambda _reject: None).close()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["gateway.site", "missing"]),
        ("[gateway", ["no TOML"]),
        (HEAD, ["device", "at least one", "[[device]]"]),
        (HEAD + '[[device]]\nid = "d"\ndriver = "simulated"\n', ["device[0].point", "[[device.point]]"]),
        (HEAD + DEVICE + "colour = 1\n", ["device[0].point[0].colour", "unknown key", "metric"]),
        (HEAD.replace('"mine"', '"a/b"') + DEVICE, ["gateway.site", "a/b"]),
        (HEAD.replace("host", "hots") + DEVICE, ["broker.hots", "unknown key", "host"]),
        (HEAD + "port = 70000\n" + DEVICE, ["broker.port", "70000", "1 to 65535"]),
        (HEAD + 'port = "1883"\n' + DEVICE, ["broker.port", "no number"]),
        (HEAD + "tls = 1\n" + DEVICE, ["broker.tls", "neither true nor false"]),
        (HEAD + 'ca_file = "ca.pem"\n' + DEVICE, ["broker.tls", "tls = true"]),
        (HEAD.replace("host = ", "url = ") + DEVICE, ["broker.url", "mqtt://"]),
        (HEAD.replace('host = "localhost"', 'url = "mqtt://u:p@h"') + DEVICE, ["broker.url", "password"]),
        (HEAD + "[spool]\nmax_mb = -1\n" + DEVICE, ["spool.max_mb", "-1"]),
        (HEAD + '[spool]\nsync = "never"\n' + DEVICE, ["spool.sync", "normal, full"]),
        (
            HEAD + DEVICE.replace("simulated", "modbuss"),
            ["device[0].driver", "modbuss", "csv, ", "simulated"],
        ),
        (HEAD + DEVICE + "low = 2\nhigh = 1\n", ["point[0].high", "not above"]),
        (HEAD + DEVICE + 'calibration_due = "soon"\n', ["calibration_due", "2027-03-31"]),
        (HEAD + DEVICE + "sentinels = 5\n", ["sentinels", "[-1, 9999]"]),
        (HEAD + DEVICE + DEVICE.replace('"d"', '"D"'), ["device[1].id", "twice"]),
        (
            HEAD + DEVICE + '[[device.point]]\nmetric = "M"\nquantity = "q"\nunit = "1"\n',
            ["point[1].metric", "twice"],
        ),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, names: list[str]) -> None:
    """The error names the file, the key, the value and the mend, in one line."""
    with pytest.raises(EdgeConfigError) as caught:
        load(tmp_path, text)
    assert "\n" not in caught.value.where
    for name in ["edge.toml", *names]:
        assert name in str(caught.value)


def test_wrong_values_of_a_driver_are_named(tmp_path: Path) -> None:
    """A driver's own options are checked when it is made, with the same kind of error."""
    made = load(tmp_path, HEAD + DEVICE + 'wave = "square"\n')
    with pytest.raises(
        EdgeConfigError, match=r"device\[0\]\.point\[0\]\.wave: 'square'.*constant, sine, ramp"
    ):
        drivers.make(made.devices[0], tmp_path, lambda _reject: None)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A wrong path is the caller's mistake, told in words."""
    with pytest.raises(EdgeConfigError, match=r"nowhere\.toml: cannot be read"):
        config.load(tmp_path / "nowhere.toml")


def test_passwords_come_from_files_or_the_environment(tmp_path: Path) -> None:
    """The password is read when needed, is no part of the configuration, and its absence is named."""
    (tmp_path / "pw").write_text("sesame\n")
    by_file = load(tmp_path, HEAD + 'password_file = "pw"\n' + DEVICE).broker
    assert by_file.password() == "sesame"
    assert "sesame" not in repr(by_file)
    by_name = load(tmp_path, HEAD + 'password_env = "PW"\n' + DEVICE).broker
    assert by_name.password({"PW": "open"}) == "open"
    with pytest.raises(EdgeConfigError, match="PW"):
        by_name.password({})
    (tmp_path / "pw").unlink()
    with pytest.raises(EdgeConfigError, match="password_file"):
        by_file.password()


def test_an_address_may_be_a_url(tmp_path: Path) -> None:
    """Mqtts means TLS and its port."""
    broker = load(tmp_path, HEAD.replace('host = "localhost"', 'url = "mqtts://b.example"') + DEVICE).broker
    assert (broker.host, broker.port, broker.tls is not None) == ("b.example", 8883, True)
