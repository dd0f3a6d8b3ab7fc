"""Parts of `check` beside the sensors: the broker and its certificates, the spool's disk, the clock."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from minewatch_edge import certificates, clock_status
from minewatch_edge.checks import Finding, Part, part
from minewatch_edge.config import BrokerConfig, EdgeConfig
from minewatch_edge.sparkplug.mqtt import Tls

_CONNECT_S = 5.0
_SOON_DAYS = 30
_LEAST_YEAR = 2026


@part
def _parts(config: EdgeConfig) -> Sequence[Part]:
    brokers = config.broker, *config.broker.fallback
    return [
        *(Part("broker", f"{b.host}:{b.port}", partial(ask_broker, broker=b), 20.0) for b in brokers),
        Part("spool", "spool", ask_spool),
        Part("clock", "clock", ask_clock, 5.0),
    ]


def ask_broker(config: EdgeConfig, now_ns: int, broker: BrokerConfig | None = None) -> Sequence[Finding]:
    """Connect to a broker, and look at all certificates; no MQTT: a running agent is not disturbed."""
    broker = broker or config.broker
    place = f"{broker.host}:{broker.port}"
    broker.password()
    try:
        with socket.create_connection((broker.host, broker.port), timeout=_CONNECT_S) as plain:
            if broker.tls is None:
                return [Finding("broker", place, 0, "it accepts connections (no TLS)")]
            with broker.tls.context().wrap_socket(plain, server_hostname=broker.host) as secure:
                return [_certificate(place, secure, now_ns), *_ours(broker.tls, now_ns)]
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        return [
            Finding(
                "broker", place, 2, f"TLS fails: {why}", "Mend ca_file, cert_file, key_file, or the clock"
            )
        ]
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return [
            Finding(
                "broker", place, 2, f"it cannot be reached: {why}",
                "Start the broker, or mend broker.host, broker.port or the network; readings are spooled",
            )
        ]  # fmt: skip


def _certificate(place: str, secure: ssl.SSLSocket, now_ns: int) -> Finding:
    found = secure.getpeercert() or {}
    until = ssl.cert_time_to_seconds(str(found["notAfter"]))
    days = int((until - now_ns / 1e9) // 86_400)
    text = f"it accepts {secure.version()} connections; its certificate is valid for {days} days"
    if days < _SOON_DAYS:
        return Finding("broker", place, 1, text, "Have the broker's certificate renewed")
    return Finding("broker", place, 0, text)


def _ours(tls: Tls, now_ns: int) -> Sequence[Finding]:
    """Say which of the gateway's own files expires within 30 days."""
    files = {"our certificate": tls.cert_file, "the authority's certificate": tls.ca_file}
    expiries = certificates.of_files({name: path for name, path in files.items() if path})
    return [
        Finding("broker", e.name, 1, text, "Have it renewed, and restart the agent")
        for e in expiries
        if (text := e.warning(now_ns))
    ]


def ask_spool(config: EdgeConfig, _now_ns: int) -> Sequence[Finding]:
    """Look whether the spool can be written and has room."""
    path = config.spool.path.absolute()
    place, folder = str(path), path.parent
    if not folder.is_dir():
        return [Finding("spool", place, 2, f"there is no folder {folder}", f"mkdir -p {folder}")]
    try:
        if path.exists():
            path.open("r+b").close()
        probe = path.with_name(f"{path.name}.check")
        probe.write_bytes(b"check")
        probe.unlink()
    except OSError as error:
        mend = f"chown -R {_user()} {folder}, mend the disk, or run check as the agent's user"
        return [Finding("spool", place, 2, f"it cannot be written: {error.strerror}", mend)]
    free = shutil.disk_usage(folder).free
    wanted = config.spool.max_mb * 1e6 - (path.stat().st_size if path.exists() else 0)
    text = f"it can be written; {free / 1e6:.0f} MB are free"
    if config.spool.max_mb and free < wanted:
        mend = f"Free some space, or lower spool.max_mb to {max(1, int(free * 0.8 / 1e6))}"
        return [Finding("spool", place, 1, f"{text}, it may need {wanted / 1e6:.0f} MB more", mend)]
    return [Finding("spool", place, 0, text)]


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return "USER"


def ask_clock(config: EdgeConfig, now_ns: int) -> Sequence[Finding]:
    """Look whether the clock is set, and whether the kernel says that it is synchronised."""
    now = datetime.fromtimestamp(now_ns / 1e9, UTC)
    place = "system clock"
    if now.year < _LEAST_YEAR:
        return [
            Finding(
                "clock",
                place,
                2,
                f"it says {now:%Y-%m-%d %H:%M} UTC",
                "Set the clock, and have it kept by NTP",
            )
        ]
    text = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if config.clock.source == "none":
        return [Finding("clock", place, 0, f"{text}; taken to be right (clock.source = none)")]
    known = synchronised()
    if known is None:
        return [Finding("clock", place, 0, f"{text}; whether it is synchronised is not known here")]
    if not known:
        mend = "Have it kept by chrony, systemd-timesyncd or PTP; readings are marked meanwhile"
        return [Finding("clock", place, 1, f"{text}, not synchronised", mend)]
    return [Finding("clock", place, 0, f"{text}, synchronised")]


def synchronised() -> bool | None:
    """Return what the kernel says of its clock, None where it cannot be asked."""
    status = clock_status.read()
    return None if status == clock_status.NOT_SAID else status.synchronised
