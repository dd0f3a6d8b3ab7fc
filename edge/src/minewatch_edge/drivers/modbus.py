"""Readings from registers of a Modbus device, over TCP or as RTU frames through a serial server."""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.drivers.modbus_registers import (
    BIT_TABLES,
    MOST_REGISTERS,
    ORDERS,
    TABLES,
    TYPES,
    Block,
    Register,
    merge,
)
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD, GOOD
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

if TYPE_CHECKING:
    from minewatch_edge.config import DeviceConfig
    from minewatch_edge.drivers.modbus_line import Line

log = logging.getLogger(__name__)

DEVICE_KEYS = ("host", "port", "framing", "unit_id", "timeout_s", "max_gap", "max_registers")
POINT_KEYS = ("table", "register", "type", "order", "bit", "scale", "offset", "bad_raw")


@dataclass(frozen=True, slots=True)
class Unit:
    """Which device at which address, and how it may be asked."""

    host: str
    port: int = 502
    framing: str = "tcp"
    unit_id: int = 1
    timeout_s: float = 1.0
    max_gap: int = 8
    max_registers: int = MOST_REGISTERS


@dataclass(slots=True)
class _Group:
    """Points that share an interval, and the reads that fetch them."""

    step_ns: int
    points: list[tuple[int, Register]]
    blocks: list[Block]
    due_ns: int | None = None


class ModbusDriver:
    """One unit. Registers are read in few requests; one that the device refuses does not blind the others."""

    def __init__(self, points: Sequence[PointBirth], registers: Sequence[Register], unit: Unit) -> None:
        from minewatch_edge.drivers import modbus_line  # here: it needs the optional library

        self._points = tuple(points)
        self._unit = unit
        self._give = modbus_line.give
        self._refused, self._split = modbus_line.Refused, modbus_line.SPLIT
        self._behind_gateway = modbus_line.BEHIND_GATEWAY
        self._line: Line | None = modbus_line.take(unit.host, unit.port, unit.framing)
        self._groups = self._grouped(registers)
        self._made = -1  # the connection that the reads were last learned on
        self._faults: dict[int, str] = {}

    @property
    def requests(self) -> int:
        """Return how many requests went out over its line."""
        return self._line.requests if self._line else 0

    def points(self) -> Sequence[PointBirth]:
        """Return the points of the registers."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return the earliest due time; at once for the first time."""
        return min(now_ns if g.due_ns is None else g.due_ns for g in self._groups)

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return a reading of each point that is due; one without a value is bad and NaN.

        Raises DriverError when the device does not answer, or refuses everything.
        """
        found: list[Reading] = []
        silent: list[tuple[_Group, DriverError]] = []
        for group in self._groups:
            if group.due_ns is not None and group.due_ns > now_ns:
                continue
            try:
                found += self._take(group, *self._fetch(group), now_ns)
            except DriverError as error:
                silent.append((group, error))
        if silent and not found:
            raise silent[0][1]
        for group, fault in silent:  # what others gave in this poll is delivered, so these are bad
            points = [i for i, _ in group.points]
            nothing, why = dict.fromkeys(points, math.nan), dict.fromkeys(points, str(fault))
            found += self._take(group, nothing, why, now_ns)
        return found

    def check(self, _now_ns: int) -> Sequence[CheckResult]:
        """Read every register once and say what it holds, or why not."""
        said: dict[int, CheckResult] = {}
        for group in self._groups:
            try:
                values, faults = self._fetch(group)
            except DriverError as error:
                values, faults = {}, {index: str(error) for index, _ in group.points}
            for index, register in group.points:
                said[index] = self._words(index, register, values.get(index, math.nan), faults.get(index))
        return [said[i] for i in range(len(self._points))]

    def close(self) -> None:
        """Let go of the connection; it ends with its last device."""
        if self._line is not None:
            self._give(self._line)
            self._line = None

    def _take(
        self, group: _Group, values: dict[int, float], faults: dict[int, str], now_ns: int
    ) -> list[Reading]:
        """Return what a group gave as readings, and wait for its next time."""
        self._tell(group, faults)
        group.due_ns = _next_due(group, now_ns)
        return [Reading(i, now_ns, value, BAD if math.isnan(value) else GOOD) for i, value in values.items()]

    def _grouped(self, registers: Sequence[Register]) -> list[_Group]:
        steps: dict[int, list[tuple[int, Register]]] = {}
        for index, (birth, register) in enumerate(zip(self._points, registers, strict=True)):
            steps.setdefault(max(1, int(birth.interval_s * 1e9)), []).append((index, register))
        return [_Group(step, points, self._merged(points)) for step, points in sorted(steps.items())]

    def _merged(self, points: Sequence[tuple[int, Register]]) -> list[Block]:
        return merge(points, self._unit.max_gap, self._unit.max_registers)

    def _fetch(self, group: _Group) -> tuple[dict[int, float], dict[int, str]]:
        """Return values (NaN: none) and what is wrong, by point; learn which reads go through."""
        line = self._open_line()
        if self._made != line.made:  # another connection, perhaps another device: merge as at first
            self._made = line.made
            for each in self._groups:
                each.blocks = self._merged(each.points)
        values: dict[int, float] = {}
        faults: dict[int, str] = {}
        done: list[Block] = []
        waiting = group.blocks[::-1]
        mend = ""
        while waiting:
            block = waiting.pop()
            try:
                words = line.read(
                    self._unit.unit_id, block.table, block.address, block.count, self._unit.timeout_s
                )
            except self._refused as error:
                if error.code in self._split and len(block.points) > 1:
                    waiting += block.halves()[::-1]
                    continue
                if error.code in self._behind_gateway:
                    raise self._error(str(error), error.mend) from error
                words, mend = [], error.mend
                faults.update({i: f"{r.place}: {error}. {error.mend}" for i, r in block.points})
            done.append(block)
            for index, register in block.points:
                at = register.address - block.address
                values[index] = self._value(index, register, words[at : at + register.size])
        group.blocks = done
        self._made = line.made
        if len(faults) == len(self._points):
            raise self._error(next(iter(faults.values())).removesuffix(f". {mend}"), mend)
        return values, faults

    def _value(self, index: int, register: Register, words: Sequence[int]) -> float:
        if not words:
            return math.nan
        value = register.value(words)
        if any(math.isclose(value, s, rel_tol=1e-9, abs_tol=1e-12) for s in self._points[index].sentinels):
            return math.nan
        return value

    def _open_line(self) -> Line:
        if self._line is None:
            raise self._error("the driver is closed", "Make a new one")
        return self._line

    def _error(self, what: str, mend: str) -> DriverError:
        unit = self._unit
        return DriverError(f"{unit.host}:{unit.port} unit {unit.unit_id}: {what}", mend=mend)

    def _tell(self, group: _Group, faults: dict[int, str]) -> None:
        """Log a register that is refused once, and once that it answers again."""
        for index, _ in group.points:
            birth, fault = self._points[index], faults.get(index)
            if fault and index not in self._faults:
                log.warning("%s/%s: %s", birth.device, birth.metric, fault)
                self._faults[index] = fault
            elif not fault and index in self._faults:
                del self._faults[index]
                log.warning("%s/%s answers again", birth.device, birth.metric)

    def _words(self, index: int, register: Register, value: float, fault: str | None) -> CheckResult:
        birth = self._points[index]
        place = f"{birth.device}/{birth.metric}"
        if fault:
            return CheckResult(place, False, fault)
        if math.isnan(value):
            return CheckResult(place, False, f"{register.place} says that it has no value (sentinel or NaN)")
        text = f"{value:g} {birth.unit} ({register.place})"
        if not birth.low <= value <= birth.high:
            text += f", outside {birth.low:g} to {birth.high:g}: look at type, order, scale, or the sensor"
            return CheckResult(place, False, text)
        return CheckResult(place, True, text)


def _next_due(group: _Group, now_ns: int) -> int:
    """Return the next time on the group's own grid; what was missed is not made up for."""
    if group.due_ns is None:
        return now_ns + group.step_ns
    return group.due_ns + group.step_ns * ((now_ns - group.due_ns) // group.step_ns + 1)


def make(device: DeviceConfig, _folder: Path, _refuse: Callable[[Reject], None]) -> ModbusDriver:
    """Make the driver of a device from its tables; raise EdgeConfigError when pymodbus is not installed."""
    table = device.options
    usual = Unit("")
    unit = Unit(
        host=table.text("host"),
        port=table.whole("port", usual.port, least=1, most=65535),
        framing=table.text("framing", usual.framing, choices=("tcp", "rtu")),
        unit_id=table.whole("unit_id", usual.unit_id, least=0, most=255),
        timeout_s=table.number("timeout_s", usual.timeout_s, least=0.01, most=60),
        max_gap=table.whole("max_gap", usual.max_gap, least=0, most=MOST_REGISTERS),
        max_registers=table.whole("max_registers", usual.max_registers, least=4, most=MOST_REGISTERS),
    )
    registers = [_register(point.options) for point in device.points]
    if importlib.util.find_spec("pymodbus") is None:
        raise EdgeConfigError(
            "the driver 'modbus' needs the library pymodbus, which is not installed",
            where=table.where("driver"),
            mend="Install it with: pip install 'minewatch-edge[modbus]'",
        )
    return ModbusDriver([p.birth for p in device.points], registers, unit)


def _register(table: Table) -> Register:
    kind = table.text("table", "holding", choices=tuple(TABLES))
    of_bits = kind in BIT_TABLES
    for key in ("type", "order", "bit"):
        if of_bits and key in table.values:
            raise table.error(key, f"a {kind} is one bit", f"Leave {key} out")
    type_ = table.text("type", "uint16", choices=tuple(TYPES))
    register = Register(
        table=kind,
        address=table.whole("register", least=0, most=65535),
        type=type_,
        order=table.text("order", "ABCD", choices=ORDERS),
        scale=table.number("scale", 1.0),
        offset=table.number("offset", 0.0),
        bit=_bit(table, type_),
        bad_raw=table.numbers("bad_raw"),
    )
    if register.address + register.size > 65536:
        raise table.error("register", f"{type_} at {register.address} ends beyond 65535", "Mend it")
    return register


def _bit(table: Table, type_: str) -> int | None:
    if "bit" not in table.values:
        return None
    if not type_.startswith("uint"):
        raise table.error("bit", f"{type_} has no bits to take", "Use type uint16, uint32 or uint64")
    return table.whole("bit", least=0, most=int(type_[4:]) - 1)
