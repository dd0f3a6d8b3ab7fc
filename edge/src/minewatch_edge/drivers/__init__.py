"""Where readings come from; one file a kind of device, and here the list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from minewatch_edge.drivers import csvfile, modbus, mqtt, opcua, serial, simulated, system
from minewatch_edge.drivers.apart import Apart
from minewatch_edge.drivers.driver import CheckResult, Driver, Reading
from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.spool import Reject

if TYPE_CHECKING:
    from pathlib import Path

    from minewatch_edge.config import DeviceConfig
    from minewatch_edge.tables import Table

__all__ = ["KINDS", "CheckResult", "Driver", "Kind", "Reading", "kind_of", "make", "start"]

Refuse: TypeAlias = Callable[[Reject], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of driver: what it reads from edge.toml beyond what every device has, and how it is made.

    ``inline`` says that a poll never waits for anything; every other kind gets a thread for each device.
    ``usual`` knows the quantity and unit of a point that does not name them.
    """

    make: Callable[[DeviceConfig, Path, Refuse], Driver]
    device_keys: tuple[str, ...] = ()
    point_keys: tuple[str, ...] = ()
    inline: bool = False
    usual: Callable[[Table], tuple[str, str]] | None = None


KINDS: dict[str, Kind] = {
    "simulated": Kind(simulated.make, simulated.DEVICE_KEYS, simulated.POINT_KEYS, inline=True),
    "csv": Kind(csvfile.make, csvfile.DEVICE_KEYS, csvfile.POINT_KEYS, inline=True),
    "modbus": Kind(modbus.make, modbus.DEVICE_KEYS, modbus.POINT_KEYS),
    "mqtt": Kind(mqtt.make, mqtt.DEVICE_KEYS, mqtt.POINT_KEYS),
    "serial": Kind(serial.make, serial.DEVICE_KEYS, serial.POINT_KEYS),
    "system": Kind(system.make, system.DEVICE_KEYS, system.POINT_KEYS, usual=system.usual),
    "opcua": Kind(opcua.make, opcua.DEVICE_KEYS, opcua.POINT_KEYS),
}


def kind_of(name: str, where: str) -> Kind:
    """Return a kind of driver by its name; raise EdgeConfigError that lists those known."""
    found = KINDS.get(name)
    if found is None:
        raise EdgeConfigError(
            f"there is no driver {name!r}", where=where, mend=f"Use one of: {', '.join(sorted(KINDS))}"
        )
    return found


def make(device: DeviceConfig, folder: Path, refuse: Refuse) -> Driver:
    """Make the driver of a device; ``refuse`` takes the lines it could not use."""
    return kind_of(device.driver, device.options.where("driver")).make(device, folder, refuse)


def start(device: DeviceConfig, folder: Path, refuse: Refuse, wake: Callable[[], None]) -> Driver:
    """Make the driver of a device as an agent runs it: in a thread of its own, unless it never waits."""
    if kind_of(device.driver, device.options.where("driver")).inline:
        return make(device, folder, refuse)
    hang_ns = int(device.hang_s * 1e9)
    return Apart(lambda own: make(device, folder, own), refuse, hang_ns=hang_ns, wake=wake)
