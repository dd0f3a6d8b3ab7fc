"""One connection to a Modbus server or gateway; devices of the same host and port share it, one at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pymodbus import FramerType
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ConnectionException

from minewatch_edge.drivers.modbus_registers import BIT_TABLES
from minewatch_edge.errors import DriverError

# It tells each failed connect and each timeout; the sampler tells the first, and the return.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

# MODBUS Application Protocol V1.1b3, 7: what the device says, and what to look at.
_SAID = {
    1: ("illegal function", "The device has no such table: look into its manual, mend `table`"),
    2: ("illegal data address", "Nothing stands there: mend `register` (it counts from 0) or `table`"),
    3: (
        "illegal data value",
        "The device does not take reads of this length: mend `type` or `max_registers`",
    ),
    4: ("device failure", "Look at the device's own display and log"),
    5: ("acknowledge: it still works on it", "Ask less often: raise `interval_s`"),
    6: ("device busy", "Ask less often: raise `interval_s`"),
    7: ("negative acknowledge", "Look into the device's manual"),
    8: ("memory parity error", "The device's memory is damaged: have it repaired"),
    10: ("gateway path unavailable", "Look at the ports and routes of the gateway, and at `unit_id`"),
    11: (
        "gateway target failed to respond",
        "Look at the power and the wires of the device, and at `unit_id`",
    ),
}
BEHIND_GATEWAY = (10, 11)
SPLIT = (2, 3)  # smaller reads may go through


class Refused(Exception):
    """The device answered a read with an exception code."""

    def __init__(self, code: int) -> None:
        said, mend = _SAID.get(code, ("an exception that no standard names", "Look into the device's manual"))
        super().__init__(f"the device says: {said} (exception {code})")
        self.code = code
        self.mend = mend


@dataclass(slots=True)
class Line:
    """A TCP connection, with Modbus TCP frames or with RTU frames as a serial server carries them."""

    host: str
    port: int
    framing: str
    users: int = 0
    requests: int = 0  # sent since it was made
    made: int = 0  # connections since it was made
    lock: threading.Lock = field(default_factory=threading.Lock)
    client: Any = None  # pymodbus does not say the type of its results

    @property
    def where(self) -> str:
        """Return ``host:port``."""
        return f"{self.host}:{self.port}"

    def read(self, unit_id: int, table: str, address: int, count: int, timeout_s: float) -> Sequence[int]:
        """Return the words, or bits, of a run of registers.

        Raises Refused for an exception code, DriverError when no usable answer comes within the timeout.
        """
        if not self.lock.acquire(timeout=4 * timeout_s):
            raise DriverError(
                f"{self.where}: the line is busy with other devices for more than {4 * timeout_s:g} s",
                mend="Raise interval_s or lower timeout_s of the devices that share it",
            )
        try:
            return self._again_if_closed(unit_id, table, address, count, timeout_s)
        except (Refused, DriverError):
            raise
        except Exception as error:
            # A late answer must not be taken for that of the next question; and the library raises all sorts
            # of errors (struct.error, IndexError) for bytes that are no answer.
            self._drop()
            raise self._silent(unit_id, timeout_s) from error
        finally:
            self.lock.release()

    def close(self) -> None:
        """Close the connection; the next read opens it again."""
        with self.lock:
            self._drop()

    def _again_if_closed(
        self, unit_id: int, table: str, address: int, count: int, timeout_s: float
    ) -> Sequence[int]:
        """Read; once more when the device had closed the connection meanwhile, as many do when idle."""
        made = self.made
        try:
            return self._read(unit_id, table, address, count, timeout_s)
        except (ConnectionException, OSError):
            self._drop()
            if self.made != made:
                raise
            return self._read(unit_id, table, address, count, timeout_s)

    def _read(self, unit_id: int, table: str, address: int, count: int, timeout_s: float) -> Sequence[int]:
        client = self._connected(timeout_s)
        asked = {
            "holding": client.read_holding_registers, "input": client.read_input_registers,
            "coil": client.read_coils, "discrete": client.read_discrete_inputs,
        }[table]  # fmt: skip
        self.requests += 1
        answer = asked(address, count=count, device_id=unit_id)
        if answer.isError():
            raise Refused(int(answer.exception_code))
        words: list[int] = answer.bits if table in BIT_TABLES else answer.registers
        expected = (count + 7) // 8 * 8 if table in BIT_TABLES else count
        if len(words) != expected:
            self._drop()
            raise DriverError(
                f"{self.where}: unit {unit_id} answers {len(words)} of {count} registers",
                mend="Lower max_registers, and look whether `framing` is right",
            )
        return words

    def _connected(self, timeout_s: float) -> Any:
        if self.client is None:
            framer = FramerType.RTU if self.framing == "rtu" else FramerType.SOCKET
            self.client = ModbusTcpClient(
                self.host, port=self.port, framer=framer, timeout=timeout_s, retries=0
            )
        for params in (self.client.comm_params, self.client.transaction.comm_params):
            params.timeout_connect = timeout_s
        if not self.client.connected:
            if not self.client.connect():
                self._drop()
                raise DriverError(
                    f"{self.where}: no connection to the Modbus device",
                    mend="Look at its power and network cable, and at host and port in edge.toml",
                )
            self.made += 1
        return self.client

    def _silent(self, unit_id: int, timeout_s: float) -> DriverError:
        return DriverError(
            f"{self.where}: unit {unit_id} gives no usable answer within {timeout_s:g} s",
            mend="Look at the device, at unit_id and framing in edge.toml, and at the wires behind a gateway",
        )

    def _drop(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None


_lines: dict[tuple[str, int, str], Line] = {}
_lines_lock = threading.Lock()


def take(host: str, port: int, framing: str) -> Line:
    """Return the line to a host and port; give it back with `give`."""
    with _lines_lock:
        line = _lines.setdefault((host, port, framing), Line(host, port, framing))
        line.users += 1
        return line


def give(line: Line) -> None:
    """Let go of a line; the last one closes it."""
    with _lines_lock:
        line.users -= 1
        last = line.users == 0
        if last:
            del _lines[line.host, line.port, line.framing]
    if last:
        line.close()
