"""The gateway's own figures: from a tree of files made here, and from the machine the test runs on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from minewatch_edge import config, drivers
from minewatch_edge.drivers.driver import Driver
from minewatch_edge.drivers.system_sources import SOURCES
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.sparkplug.codec import BAD, GOOD
from minewatch_edge.tables import Table

S = 1_000_000_000
T0 = 1_800_000_000 * S


def system(folder: Path, *points: dict[str, object], **device: object) -> Driver:
    """Return a driver from tables as edge.toml has them."""
    tables = [{"metric": f"m{i}", **p} for i, p in enumerate(points)]
    one = {"id": "gateway", "driver": "system", **device, "point": tables}
    top = {"gateway": {"site": "s", "id": "g"}, "broker": {"host": "h"}, "device": [one]}
    made = config.parse(Table(top, "edge.toml"), folder)
    return drivers.make(made.devices[0], folder, lambda _reject: None)


def tree(folder: Path) -> None:
    """Make the files of a small machine."""
    files = {
        "sys/class/thermal/thermal_zone0/temp": "41000",
        "sys/class/thermal/thermal_zone0/type": "gpu",
        "sys/class/thermal/thermal_zone1/temp": "52500",
        "sys/class/thermal/thermal_zone1/type": "cpu-thermal",
        "proc/loadavg": "0.75 0.50 0.25 1/200 99",
        "proc/meminfo": "MemTotal:  2000 kB\nMemFree: 100 kB\nMemAvailable:  500 kB\n",
        "proc/uptime": "86400.25 1.0",
        "sys/class/net/eth0/operstate": "up",
        "sys/class/net/eth1/operstate": "down",
        "sys/class/net/lo/operstate": "unknown",
        "sys/class/net/lo/carrier": "1",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")


def test_figures_are_read_from_the_kernel_s_files(tmp_path: Path) -> None:
    """Temperature by name, type or the first one; load, memory, uptime, links."""
    tree(tmp_path)
    points: list[dict[str, object]] = [
        {"source": "temperature"},
        {"source": "temperature", "of": "thermal_zone1"},
        {"source": "temperature", "of": "cpu-thermal"},
        {"source": "load"},
        {"source": "memory_available"},
        {"source": "uptime"},
        {"source": "link", "of": "eth0"},
        {"source": "link", "of": "eth1"},
        {"source": "link", "of": "lo"},
    ]
    found = system(tmp_path, *points, root=str(tmp_path)).poll(T0)
    assert [r.value for r in found] == [41.0, 52.5, 52.5, 0.75, 25.0, 86400.25, 1.0, 0.0, 1.0]
    assert {r.quality for r in found} == {GOOD}


def test_quantity_and_unit_come_from_the_source(tmp_path: Path) -> None:
    """A point need not name them; what the file names counts."""
    driver = system(tmp_path, {"source": "temperature"}, {"source": "load", "quantity": "cpu_load"})
    assert [(p.quantity, p.unit) for p in driver.points()] == [
        ("device_temperature", "°C"),
        ("cpu_load", "1"),
    ]


def test_what_is_missing_is_bad_and_said(tmp_path: Path) -> None:
    """A sensor that is not there is never a zero; check names what there is instead."""
    tree(tmp_path)
    (tmp_path / "proc/loadavg").write_text("soon\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal: 5 kB\n")
    points: list[dict[str, object]] = [
        {"source": "temperature", "of": "nvme"},
        {"source": "load"},
        {"source": "memory_available"},
        {"source": "link", "of": "wlan0"},
        {"source": "disk_free", "of": "/data"},
        {"source": "uptime"},
    ]
    driver = system(tmp_path, *points, root=str(tmp_path))
    found = driver.poll(T0)
    assert [r.quality for r in found] == [BAD] * 5 + [GOOD]
    assert all(math.isnan(r.value) for r in found[:5])
    results = driver.check(T0)
    assert [r.ok for r in results] == [False] * 5 + [True]
    assert "thermal_zone1 (cpu-thermal)" in results[0].text
    assert "'soon' is no number" in results[1].text


def test_the_real_machine_answers(tmp_path: Path) -> None:
    """Disk, inodes, load, memory, uptime and clock of this machine are numbers that can be."""
    names = ("disk_free", "disk_used", "inodes_free", "memory_available", "load", "uptime", "disk_free_bytes")
    driver = system(
        tmp_path, *({"source": n, "of": str(tmp_path)} if "disk" in n else {"source": n} for n in names)
    )
    found = dict(zip(names, driver.poll(T0), strict=True))
    for name in ("disk_free", "disk_used", "memory_available"):
        assert 0 < found[name].value <= 100, name
    assert found["disk_free"].value + found["disk_used"].value == pytest.approx(100, abs=0.5)
    assert found["uptime"].value > 0
    assert found["load"].value >= 0
    assert found["disk_free_bytes"].value > 0


def test_the_clock_of_the_real_machine_is_read_or_said_to_be_unknown(tmp_path: Path) -> None:
    """Synchronised is 0 or 1; an offset is small, or bad while nothing disciplines the clock."""
    driver = system(
        tmp_path, {"source": "clock_synchronised"}, {"source": "clock_offset"}, {"source": "clock_error"}
    )
    synchronised, offset, error = driver.poll(T0)
    assert synchronised.value in (0.0, 1.0)
    if synchronised.value:
        assert abs(offset.value) < 1.0
    else:
        assert offset.quality == BAD
        assert "not synchronised" in driver.check(T0)[1].text
    assert error.value > 0


@pytest.mark.parametrize(
    ("point", "key"), [({"source": "magic"}, "source"), ({}, "source"), ({"source": "link"}, "of")]
)
def test_wrong_options_are_named(tmp_path: Path, point: dict[str, object], key: str) -> None:
    """Each is an error with its key and what to write."""
    with pytest.raises(EdgeConfigError, match=rf"device\[0\]\.point\[0\]\.{key}"):
        system(tmp_path, point)


def test_every_source_says_what_it_is() -> None:
    """Each has a quantity and a unit."""
    assert all(s.quantity and s.unit for s in SOURCES.values())
