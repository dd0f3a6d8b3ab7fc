"""A Modbus TCP coil or discrete input as a wire (extra ``modbus``)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.tables import Table

try:
    from pymodbus.client import ModbusTcpClient
    from pymodbus.exceptions import ModbusException
except ImportError as error:
    raise EdgeConfigError(
        "needs the library pymodbus, which is not installed",
        where="kind = modbus-coil or modbus-input",
        mend="pip install 'minewatch-edge[modbus]'",
    ) from error

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # a loss is told once, by the agent


class ModbusLine:
    """One coil (or input) of one unit; connects when it is needed and again after a failure."""

    def __init__(
        self,
        address: int,
        *,
        host: str,
        port: int,
        unit: int,
        timeout_s: float,
        discrete: bool = False,
        heartbeat: int = -1,
    ) -> None:
        self._where = f"{host}:{port} unit {unit}"
        self._client: Any = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)
        self._unit = unit
        self._address = address
        self._discrete = discrete
        self._heartbeat = heartbeat

    def read(self) -> bool:
        """Return the bit."""
        ask = self._client.read_discrete_inputs if self._discrete else self._client.read_coils
        answer = self._ask(lambda: ask(self._address, count=1, device_id=self._unit))
        return bool(answer.bits[0])

    def write(self, level: bool) -> None:
        """Write the coil and read it back."""
        self._put(self._address, level)
        if self.read() != level:
            raise DriverError(f"coil {self._address} of {self._where} does not keep {int(level)}")

    def beat(self, level: bool) -> None:
        """Write the watchdog's coil."""
        if self._heartbeat >= 0:
            self._put(self._heartbeat, level)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _put(self, address: int, level: bool) -> None:
        self._ask(lambda: self._client.write_coil(address, level, device_id=self._unit))

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            if not self._client.connected and not self._client.connect():
                raise DriverError(f"{self._where} does not answer")
            answer = call()
        except (ModbusException, OSError) as error:
            self._client.close()
            raise DriverError(f"{self._where} does not answer: {error}") from error
        if answer.isError():
            raise DriverError(f"{self._where} refuses: {answer}")
        return answer


def make(kind: str, table: Table) -> ModbusLine:
    """Make the line of an [[output]] or [[panel]] table."""
    return ModbusLine(
        table.whole("address", least=0, most=65_535),
        host=table.text("host"),
        port=table.whole("port", 502, least=1, most=65_535),
        unit=table.whole("unit", 1, least=0, most=247),
        timeout_s=table.number("timeout_s", 1.0, least=0.05, most=30),
        discrete=kind == "modbus-input",
        heartbeat=table.whole("heartbeat_address", -1, least=-1, most=65_535),
    )
