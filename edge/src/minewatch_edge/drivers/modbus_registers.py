"""Registers of a Modbus device: what stands in them, and how reads of many are merged into few."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

TABLES = {"holding": 3, "input": 4, "coil": 1, "discrete": 2}  # and the function that reads them
BIT_TABLES = ("coil", "discrete")
TYPES = {
    "uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "uint64": "Q", "int64": "q",
    "float32": "f", "float64": "d",
}  # fmt: skip
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
MOST_REGISTERS = 125  # MODBUS Application Protocol V1.1b3, 6.3 and 6.4
MOST_BITS = 2000  # the same, 6.1 and 6.2


@dataclass(frozen=True, slots=True)
class Register:
    """Where one value stands, and how it is written there.

    ``order`` names the bytes of a 32 bit value as they come over the wire: ABCD is the highest first, CDAB
    has its words swapped, BADC the bytes of each word, DCBA both; of 64 bits all four words are turned round.
    The value is raw x scale + offset; a raw value of ``bad_raw`` is none.
    """

    table: str
    address: int
    type: str = "uint16"
    order: str = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    bit: int | None = None
    bad_raw: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Return how many registers it takes; of coils and inputs one bit."""
        return 1 if self.table in BIT_TABLES else struct.calcsize(f">{TYPES[self.type]}") // 2

    @property
    def place(self) -> str:
        """Return its place in words."""
        noun = {"holding": "holding register", "input": "input register", "coil": "coil"}
        return f"{noun.get(self.table, 'discrete input')} {self.address}"

    def raw(self, words: Sequence[int]) -> float:
        """Return the number that stands in its words; of ``bit`` 0 or 1."""
        if self.order in ("CDAB", "DCBA"):
            words = words[::-1]
        end = "<" if self.order in ("BADC", "DCBA") else ">"
        packed = struct.pack(f"{end}{len(words)}H", *words)
        (number,) = struct.unpack(f">{TYPES[self.type]}", packed)
        return float(number >> self.bit & 1) if self.bit is not None else number

    def value(self, words: Sequence[int]) -> float:
        """Return the value in the unit; NaN where there is none."""
        raw = self.raw(words) if self.table not in BIT_TABLES else float(words[0])
        if raw in self.bad_raw:
            return math.nan
        value = raw * self.scale + self.offset
        return value if math.isfinite(value) else math.nan


@dataclass(frozen=True, slots=True)
class Block:
    """One request: a run of registers of a table, and the points in it (index, register)."""

    table: str
    address: int
    count: int
    points: tuple[tuple[int, Register], ...]

    def halves(self) -> list[Block]:
        """Return two smaller reads of the same points; gaps between the two are no longer read."""
        middle = len(self.points) // 2
        return [_block(part) for part in (self.points[:middle], self.points[middle:])]


def merge(points: Sequence[tuple[int, Register]], max_gap: int, most: int = MOST_REGISTERS) -> list[Block]:
    """Return the fewest reads, of at most ``most`` registers, that skip no more than ``max_gap`` between two.

    A value of several registers is never torn over two reads.
    """
    blocks: list[Block] = []
    open_: list[tuple[int, Register]] = []
    first = end = 0
    for index, register in sorted(points, key=lambda p: (p[1].table, p[1].address, p[1].size)):
        limit = MOST_BITS if register.table in BIT_TABLES else most
        new_end = max(end, register.address + register.size)
        if open_ and (
            register.table != open_[-1][1].table
            or register.address > end + max_gap
            or new_end - first > limit
        ):
            blocks.append(_block(tuple(open_)))
            open_ = []
        if not open_:
            first, new_end = register.address, register.address + register.size
        open_.append((index, register))
        end = new_end
    if open_:
        blocks.append(_block(tuple(open_)))
    return blocks


def _block(points: tuple[tuple[int, Register], ...]) -> Block:
    first = min(r.address for _, r in points)
    return Block(points[0][1].table, first, max(r.address + r.size for _, r in points) - first, points)
