"""The wires to outputs and buttons: a Modbus coil, or a file such as a GPIO's. No shell, ever."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from minewatch_edge.errors import DriverError
from minewatch_edge.tables import Table

KINDS = ("modbus-coil", "gpio-file")
INPUT_KINDS = ("modbus-input", "modbus-coil", "gpio-file")
OUTPUT_KEYS = (
    "host", "port", "unit", "address", "timeout_s", "heartbeat_address", "file", "heartbeat_file",
)  # fmt: skip
INPUT_KEYS = ("host", "port", "unit", "address", "timeout_s", "file")


class Line(Protocol):
    """One wire; every call ends within its timeout and raises DriverError when the wire does not obey."""

    def read(self) -> bool:
        """Return the level that is there."""

    def write(self, level: bool) -> None:
        """Set the level, and read it back."""

    def beat(self, level: bool) -> None:
        """Set the level of the watchdog's wire."""

    def close(self) -> None:
        """Let go of it."""


class FileLine:
    """A file that holds 0 or 1: ``/sys/class/gpio/gpio17/value``, or any other."""

    def __init__(self, path: Path, heartbeat: Path | None = None) -> None:
        self._path = path
        self._heartbeat = heartbeat

    def read(self) -> bool:
        """Return whether the file says 1."""
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DriverError(f"{self._path} cannot be read: {error}") from error
        if text not in ("0", "1"):
            raise DriverError(f"{self._path} says {text[:20]!r}, neither 0 nor 1")
        return text == "1"

    def write(self, level: bool) -> None:
        """Write 0 or 1 and read it back."""
        self._put(self._path, level)
        if self.read() != level:
            raise DriverError(f"{self._path} does not keep {int(level)}")

    def beat(self, level: bool) -> None:
        """Write 0 or 1 to the watchdog's file."""
        if self._heartbeat is not None:
            self._put(self._heartbeat, level)

    def close(self) -> None:
        """Let go of nothing."""

    @staticmethod
    def _put(path: Path, level: bool) -> None:
        try:
            with path.open("r+" if path.exists() else "w", encoding="ascii") as file:
                file.write("1" if level else "0")
        except OSError as error:
            raise DriverError(f"{path} cannot be written: {error}") from error


def make(kind: str, table: Table, folder: Path) -> Line:
    """Make the line of an [[output]] or [[panel]]; raises EdgeConfigError for what it lacks."""
    if kind == "gpio-file":
        heartbeat = table.text("heartbeat_file", "")
        return FileLine(folder / table.text("file"), folder / heartbeat if heartbeat else None)
    from minewatch_edge.safety import modbus_line  # its library is an extra

    return modbus_line.make(kind, table)
