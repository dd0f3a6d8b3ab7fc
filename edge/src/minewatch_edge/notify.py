"""Word to systemd, or whoever reads its protocol: ready, how it goes, still alive (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

_WORKING_NS = 5_000_000_000
_EXTEND_USEC = 60_000_000


class Notify:
    """Datagrams to the socket that NOTIFY_SOCKET names; without one nothing is said and nothing fails."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """``watchdog_s`` is after how long without a sign of life we are killed; 0: never."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self._watchdog_ns = int(watchdog_s * 1e9)
        self._fed_ns = -(2**62)
        self._worked_ns = -(2**62)
        self._status = ""
        if address:
            with suppress(OSError):
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)  # whoever does not read may not hold up the sensors

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, pid: int | None = None) -> Notify:
        """Make it as systemd asks: WATCHDOG_USEC counts only for the process it names, or for any."""
        wanted = environment.get("WATCHDOG_PID", "")
        mine = not wanted or wanted == str(os.getpid() if pid is None else pid)
        usec = environment.get("WATCHDOG_USEC", "")
        watchdog_s = int(usec) / 1e6 if mine and usec.isdecimal() else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog_s)

    def ready(self, status: str) -> None:
        """Say that the spool is open and sensors are being read."""
        self._status = status
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self, mono_ns: int) -> None:
        """Say that a new configuration is being taken; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={mono_ns // 1000}")

    def stopping(self) -> None:
        """Say that the agent ends in order."""
        self._send("STOPPING=1")

    def status(self, status: str) -> None:
        """Say in a line how it goes, when that has changed."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={status}")

    def alive(self, mono_ns: int) -> None:
        """Feed the watchdog, four times as often as it needs."""
        if self._watchdog_ns and mono_ns - self._fed_ns >= self._watchdog_ns // 4:
            self._fed_ns = mono_ns
            self._send("WATCHDOG=1")

    def working(self, mono_ns: int) -> None:
        """Say, while one call takes minutes, that it goes on; counts while starting too."""
        if mono_ns - self._worked_ns >= _WORKING_NS:
            self._worked_ns = mono_ns
            self._send(f"WATCHDOG=1\nEXTEND_TIMEOUT_USEC={_EXTEND_USEC}")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto(text.encode("utf-8"), self._address)
