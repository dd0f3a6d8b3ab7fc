"""Pymodbus' own server on a loopback port, with registers that a test sets and addresses that it refuses."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from servers import free_port

from .stage import Deaf, LoopThread

_WRITES = {"holding": 16, "input": 4, "coil": 15, "discrete": 2}
_READS = {3: "holding", 4: "input", 1: "coil", 2: "discrete"}
_SIZE = 4096
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class ModbusPeer:
    """Units with four tables each; ``asked`` lists the reads that came: (unit, table, address, count).

    Of bits the server counts 16 as one.
    """

    def __init__(self, units: Sequence[int] = (1,), framing: str = "tcp", port: int = 0) -> None:
        self.port = port or free_port()
        self.asked: list[tuple[int, str, int, int]] = []
        self.refused: dict[tuple[str, int], ExcCodes] = {}
        self.silent_units: set[int] = set()
        self._units = tuple(units)
        self._framer = FramerType.RTU if framing == "rtu" else FramerType.SOCKET
        self._held: dict[tuple[int, str, int], Sequence[int]] = {}
        self._thread: LoopThread | None = None
        self._server: ModbusTcpServer | None = None
        self._deaf: Deaf | None = None

    def start(self) -> None:
        """Serve, with the values it had."""
        self._thread = LoopThread()
        self._server = self._thread.run(self._serve())

    def set(self, address: int, words: Sequence[int], table: str = "holding", unit: int = 1) -> None:
        """Put words, or bits, into registers."""
        self._held[unit, table, address] = list(words)
        if self._server is not None and self._thread is not None:
            self._thread.run(self._server.async_setValues(unit, _WRITES[table], address, list(words)))

    def refuse(self, codes: Mapping[tuple[str, int], ExcCodes]) -> None:
        """Answer reads that touch an address with an exception code."""
        self.refused = dict(codes)

    def stop(self) -> None:
        """End every connection and close the port."""
        if self._deaf is not None:
            self._deaf.close()
            self._deaf = None
        if self._server is not None and self._thread is not None:
            self._thread.run(self._server.shutdown())
            self._thread.close()
        self._server = self._thread = None

    def hang(self) -> None:
        """Take connections and never answer."""
        self.stop()
        self._deaf = Deaf(self.port)

    async def _serve(self) -> ModbusTcpServer:
        units = [self._unit(unit) for unit in self._units]
        server = ModbusTcpServer(units, framer=self._framer, address=("127.0.0.1", self.port))
        for (unit, table, address), words in self._held.items():  # before anybody can read a zero
            await server.async_setValues(unit, _WRITES[table], address, list(words))
        await server.serve_forever(background=True)
        return server

    def _unit(self, unit: int) -> SimDevice:
        async def action(
            function: int, _start: int, address: int, count: int, _registers: list[int], values: object
        ) -> ExcCodes | None:
            if values is not None or function not in _READS:
                return None
            self.asked.append((unit, _READS[function], address, count))
            if unit in self.silent_units:
                return ExcCodes.GATEWAY_NO_RESPONSE
            span = range(address, address + count)
            return next(
                (self.refused[t, a] for t, a in self.refused if t == _READS[function] and a in span), None
            )

        def table() -> list[SimData]:
            return [SimData(0, values=[0] * _SIZE, datatype=DataType.REGISTERS)]

        def bits() -> list[SimData]:
            return [SimData(0, values=[False] * _SIZE, datatype=DataType.BITS)]

        return SimDevice(
            unit, simdata=(bits(), bits(), table(), table()), use_bit_addressing=True, action=action
        )
