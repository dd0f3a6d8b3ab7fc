"""edge.toml: read, checked as a whole, and frozen; nothing here touches the network or a sensor."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from minewatch_edge.clocks import ClockConfig
from minewatch_edge.errors import EdgeConfigError, WireError
from minewatch_edge.logs import FORMATS
from minewatch_edge.reporting import Reporting
from minewatch_edge.safety import settings as safety_settings
from minewatch_edge.safety.settings import SafetyConfig
from minewatch_edge.sparkplug import topics
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.mqtt import Tls
from minewatch_edge.tables import Table

if TYPE_CHECKING:
    from minewatch_edge.drivers import Kind

_POINT_KEYS = (
    "metric", "quantity", "unit", "low", "high", "interval_s", "resolution", "sentinels", "calibration_due",
    "deadband", "heartbeat_s", "keep_below", "keep_above",
)  # fmt: skip
_DEVICE_KEYS = ("id", "zone", "driver", "interval_s", "hang_s", "point")
_OF_ONE_BROKER = ("url", "host", "port", "tls", "fallback", "host_wait_s", "return_s")
_FALLBACK_KEYS = (
    "url", "host", "port", "tls", "username", "password_file", "password_env", "ca_file", "cert_file",
    "key_file",
)  # fmt: skip
_SCHEMES = {"mqtt": 1883, "tcp": 1883, "mqtts": 8883, "ssl": 8883}


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Where the broker is. The password is read when it is needed and is never part of this."""

    host: str = "127.0.0.1"
    port: int = 1883
    client_id: str = ""
    username: str = ""
    password_file: Path | None = None
    password_env: str = ""
    tls: Tls | None = None
    keepalive_s: int = 30
    protocol: int = 4
    primary_host: str = "minewatch"
    acknowledgement: bool = True
    host_wait_s: float = 10.0
    return_s: float = 600.0
    fallback: tuple[BrokerConfig, ...] = ()

    def password(self, environment: Mapping[str, str] = os.environ) -> str:
        """Return the password from its file or variable; raise EdgeConfigError when it is not there."""
        if self.password_file is not None:
            try:
                return self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise EdgeConfigError(
                    f"cannot be read: {error}",
                    where=f"broker.password_file = {str(self.password_file)!r}",
                    mend="Make the file readable for the agent, one line with the password",
                ) from error
        if self.password_env:
            if self.password_env not in environment:
                raise EdgeConfigError(
                    "the variable is not set",
                    where=f"broker.password_env = {self.password_env!r}",
                    mend="Set it in the environment of the agent",
                )
            return environment[self.password_env]
        return ""


@dataclass(frozen=True, slots=True)
class SpoolConfig:
    """Where readings wait, how much of them, and how they are sent again."""

    path: Path = Path("edge.spool")
    max_mb: float = 512.0
    max_age_h: float = 720.0
    full_sync: bool = False
    commit_ms: float = 10.0
    resend_s: float = 10.0
    resend_per_s: float = 20_000.0
    resend_share: float = 0.5
    memory_readings: int = 100_000


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Where the agent's own figures are served; port 0: nowhere."""

    port: int = 0
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class PointConfig:
    """One metric of a device, and what only its driver understands."""

    birth: PointBirth
    options: Table
    report: Reporting | None = None
    near: tuple[float, float] = (float("-inf"), float("inf"))  # readings beyond are kept longest


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """One instrument or machine, its driver, and what only the driver understands."""

    id: str
    zone: str
    driver: str
    interval_s: float
    points: tuple[PointConfig, ...]
    options: Table
    hang_s: float = 10.0


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """Everything edge.toml says. ``devices`` may be empty when the caller brings its own drivers."""

    site: str
    gateway: str
    broker: BrokerConfig = BrokerConfig()
    spool: SpoolConfig = SpoolConfig()
    devices: tuple[DeviceConfig, ...] = ()
    clock: ClockConfig = field(default_factory=ClockConfig)
    log_level: str = "info"
    log_format: str = "auto"
    metrics: MetricsConfig = MetricsConfig()
    folder: Path = Path()
    safety: SafetyConfig = field(default_factory=SafetyConfig)

    @property
    def reports(self) -> dict[tuple[str, str], Reporting]:
        """The points that report by exception, by device and metric."""
        return {(d.id, p.birth.metric): p.report for d in self.devices for p in d.points if p.report}


def load(path: Path) -> EdgeConfig:
    """Read and check edge.toml; paths in it count from its folder.

    Raises EdgeConfigError with file, key, value and mend.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EdgeConfigError(
            f"cannot be read: {error.strerror}", where=str(path), mend="Name a file that is there"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EdgeConfigError(f"is no TOML: {error}", where=str(path), mend="Mend that line") from error
    return parse(Table(values, str(path)), path.parent)


def parse(top: Table, folder: Path) -> EdgeConfig:
    """Check the tables of edge.toml."""
    top.refuse_unknown(
        ("gateway", "broker", "spool", "clock", "log", "metrics", "device", "safety", "output", "panel")
    )
    gateway = top.table("gateway")
    gateway.refuse_unknown(("site", "id"))
    log = top.table("log")
    log.refuse_unknown(("level", "format"))
    site, gateway_id = _name(gateway, "site"), _name(gateway, "id")
    devices = tuple(_device(table) for table in top.tables("device"))
    _refuse_twice(top, devices)
    return EdgeConfig(
        site=site,
        gateway=gateway_id,
        broker=_broker(top.table("broker"), folder),
        spool=_spool(top.table("spool"), folder),
        devices=devices,
        clock=_clock(top.table("clock")),
        log_level=log.text("level", "info", choices=("debug", "info", "warning", "error")),
        log_format=log.text("format", "auto", choices=FORMATS),
        metrics=_metrics(top.table("metrics")),
        folder=folder,
        safety=safety_settings.parse(top, folder),
    )


def _name(table: Table, key: str) -> str:
    value = table.text(key)
    try:
        return topics.check_id(key, value)
    except WireError as error:
        raise table.error(key, str(error), "Use letters, digits, - and _ only") from error


def broker_of(table: Table, folder: Path) -> BrokerConfig:
    """Read a table that has the keys of [broker]; a device may have a broker of its own."""
    return _broker(table, folder)


def _broker(table: Table, folder: Path) -> BrokerConfig:
    table.refuse_unknown(
        (
            "url", "host", "port", "client_id", "username", "password_file", "password_env", "tls", "ca_file",
            "cert_file", "key_file", "keepalive_s", "protocol", "primary_host", "acknowledgement", "fallback",
            "host_wait_s", "return_s",
        )
    )  # fmt: skip
    host, port, secure = _address(table)
    files = {key: _file(table, key, folder) for key in ("ca_file", "cert_file", "key_file")}
    tls = Tls(**{k: str(v) if v else "" for k, v in files.items()})
    if table.flag("tls", secure) is False and any(files.values()):
        raise table.error("tls", "certificate files are named, but tls is false", "Write tls = true")
    if table.text("password_file", "") and table.text("password_env", ""):
        raise table.error("password_env", "there is a password_file too", "Keep one of the two")
    return BrokerConfig(
        host=host,
        port=port,
        client_id=table.text("client_id", ""),
        username=table.text("username", ""),
        password_file=_file(table, "password_file", folder),
        password_env=table.text("password_env", ""),
        tls=tls if table.flag("tls", secure) else None,
        keepalive_s=table.whole("keepalive_s", 30, least=2, most=3600),
        protocol=table.whole("protocol", 4, least=4, most=5),
        primary_host=table.text("primary_host", "minewatch"),
        acknowledgement=table.flag("acknowledgement", True),
        host_wait_s=table.number("host_wait_s", 10.0, least=1, most=3600),
        return_s=table.number("return_s", 600.0, least=1, most=86_400),
        fallback=_fallbacks(table, folder),
    )


def _fallbacks(table: Table, folder: Path) -> tuple[BrokerConfig, ...]:
    """Return the further brokers: each has an address of its own and else what the first one has."""
    if not table.values.get("fallback"):
        return ()
    shared = {k: v for k, v in table.values.items() if k not in _OF_ONE_BROKER}
    found = []
    for further in table.tables("fallback"):
        further.refuse_unknown(_FALLBACK_KEYS)
        password = {"password_file", "password_env"}
        kept = {k: v for k, v in shared.items() if k not in password or not password & further.values.keys()}
        found.append(_broker(Table({**kept, **further.values}, further.file, further.path), folder))
    return tuple(found)


def _address(table: Table) -> tuple[str, int, bool]:
    """Return host, port, and whether TLS is meant."""
    url = table.text("url", "")
    if not url:
        secure = table.flag("tls", False)
        return table.text("host"), table.whole("port", 8883 if secure else 1883, least=1, most=65535), secure
    mend = 'Write it as "mqtt://host:1883" or "mqtts://host:8883", the user and password in keys of their own'
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise table.error("url", f"{url!r} is no address", mend) from error
    if parts.username or parts.password:
        raise table.error("url", "it holds a user name or a password", mend)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.path not in ("", "/"):
        raise table.error("url", f"{url!r} is no address", mend)
    if "host" in table.values or "port" in table.values:
        raise table.error("url", "there is a host or a port too", "Keep url, or host and port")
    return parts.hostname, port or _SCHEMES[parts.scheme], parts.scheme in ("mqtts", "ssl")


def _file(table: Table, key: str, folder: Path) -> Path | None:
    value = table.text(key, "")
    return folder / value if value else None


def _spool(table: Table, folder: Path) -> SpoolConfig:
    usual = SpoolConfig()
    table.refuse_unknown(
        (
            "path",
            "max_mb",
            "max_age_h",
            "sync",
            "commit_ms",
            "resend_s",
            "resend_per_s",
            "resend_share",
            "memory_readings",
        )
    )
    return SpoolConfig(
        path=folder / table.text("path", str(usual.path)),
        max_mb=table.number("max_mb", usual.max_mb, least=0),
        max_age_h=table.number("max_age_h", usual.max_age_h, least=0),
        full_sync=table.text("sync", "normal", choices=("normal", "full")) == "full",
        commit_ms=table.number("commit_ms", usual.commit_ms, least=0, most=10_000),
        resend_s=table.number("resend_s", usual.resend_s, least=0.1, most=86_400),
        resend_per_s=table.number("resend_per_s", usual.resend_per_s, least=1),
        resend_share=table.number("resend_share", usual.resend_share, least=0.01, most=1),
        memory_readings=table.whole("memory_readings", usual.memory_readings, least=0, most=10**9),
    )


def _metrics(table: Table) -> MetricsConfig:
    usual = MetricsConfig()
    table.refuse_unknown(("port", "address"))
    return MetricsConfig(
        port=table.whole("port", usual.port, least=0, most=65535),
        address=table.text("address", usual.address),
    )


def _clock(table: Table) -> ClockConfig:
    usual = ClockConfig()
    table.refuse_unknown(("source", "holdover_h", "max_error_ms"))
    return ClockConfig(
        source=table.text("source", "system", choices=("system", "none")),
        holdover_h=table.number("holdover_h", usual.holdover_h, least=0, most=720),
        max_error_ms=table.number("max_error_ms", usual.max_error_ms, least=1, most=16_000),
    )


def _report(table: Table, interval_s: float) -> Reporting | None:
    """Read when a point says something; None when it sends every reading."""
    if "deadband" not in table.values:
        if "heartbeat_s" in table.values:
            raise table.error("heartbeat_s", "there is no deadband", "Add deadband = 0, or take it away")
        return None
    heartbeat_s = table.number("heartbeat_s", max(60.0, interval_s), least=0.001, most=86_400)
    if heartbeat_s < interval_s:
        raise table.error("heartbeat_s", f"{heartbeat_s:g} is below interval_s = {interval_s:g}", "Raise it")
    return Reporting(table.number("deadband", least=0), heartbeat_s)


def _device(table: Table) -> DeviceConfig:
    from minewatch_edge.drivers import kind_of  # here, because drivers read their options from this module

    driver = table.text("driver")
    kind = kind_of(driver, table.where("driver"))
    table.refuse_unknown(_DEVICE_KEYS + kind.device_keys)
    device, zone = _name(table, "id"), table.text("zone", "")
    interval_s = table.number("interval_s", 1.0, least=0.001, most=86_400)
    points = tuple(_point(point, device, zone, interval_s, kind) for point in table.tables("point"))
    hang_s = table.number("hang_s", 10.0, least=0.1, most=3_600)
    return DeviceConfig(device, zone, driver, interval_s, points, table, hang_s)


def _point(table: Table, device: str, zone: str, interval_s: float, kind: Kind) -> PointConfig:
    table.refuse_unknown((*_POINT_KEYS, "zone", *kind.point_keys))
    quantity, unit = kind.usual(table) if kind.usual else (None, None)
    low, high = table.number("low", float("-inf")), table.number("high", float("inf"))
    if low >= high:
        raise table.error("high", f"{high!r} is not above low = {low!r}", "Swap or mend them")
    due = table.values.get("calibration_due", "")
    birth = PointBirth(
        device=device,
        metric=table.text("metric"),
        quantity=table.text("quantity", quantity),
        unit=table.text("unit", unit),
        zone=table.text("zone", zone),
        low=low,
        high=high,
        interval_s=table.number("interval_s", interval_s, least=0.001, most=86_400),
        resolution=table.number("resolution", 0.0, least=0),
        sentinels=table.numbers("sentinels"),
        calibration_due=_iso_date(table, due),
    )
    near = table.number("keep_below", float("-inf")), table.number("keep_above", float("inf"))
    if near[0] > near[1]:
        raise table.error("keep_above", f"{near[1]!r} is below keep_below = {near[0]!r}", "Swap or mend them")
    return PointConfig(birth, table, _report(table, birth.interval_s), near)


def _iso_date(table: Table, value: object) -> str:
    if value == "":
        return ""
    if isinstance(value, date):
        return value.isoformat()[:10]
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise table.error("calibration_due", f"{value!r} is no date", "Write it as 2027-03-31") from error


def _refuse_twice(top: Table, devices: tuple[DeviceConfig, ...]) -> None:
    """Refuse two names that differ by case only: Sparkplug does not tell them apart."""
    seen: set[str] = set()
    for i, device in enumerate(devices):
        if device.id.casefold() in seen:
            raise top.error(f"device[{i}].id", f"{device.id!r} is there twice", "Give it a name of its own")
        seen.add(device.id.casefold())
        metrics: set[str] = set()
        for j, point in enumerate(device.points):
            metric = point.birth.metric.casefold()
            if metric in metrics or metric.startswith("minewatch/"):
                raise top.error(
                    f"device[{i}].point[{j}].metric",
                    f"{point.birth.metric!r} is there twice, or is a name of the agent's own",
                    "Give it a name of its own",
                )
            metrics.add(metric)
