"""Memory that a later row needs, asked for while this one is judged.

The states of two points lie far apart. Without this a reading of another point than the one before waits for
some thirty lines of memory, one after the other; asked for together and early, they come at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from .jit import kernel
from .layout import (
    LIMIT,
    NOVEL_HOURS,
    POINT,
    STEL_BUCKET_NS,
    STEL_BUCKETS,
    TWA_BUCKET_NS,
    TWA_BUCKETS,
    State,
)

llvm: Any = ir  # neither says its types
tools: Any = cgutils
LINE = 64  # bytes that come at once
HOUR_NS = 3_600_000_000_000
POINT_BYTES, LIMIT_BYTES = POINT.itemsize, LIMIT.itemsize


def at(*names: str) -> int:
    """Return where in the row of a point a field begins."""
    offset, kind = 0, POINT
    for name in names:
        fields: Mapping[str, Any] = kind.base.fields or {}
        kind, more = fields[name][:2]
        offset += more
    return offset


def lines(*parts: tuple[int, int]) -> tuple[int, ...]:
    """Return a place in each line of these parts of a row, wherever its lines begin."""
    return tuple(sorted({place for a, b in parts for place in (*range(a, b, LINE), b - 1)}))


STEL, TWA = at("stel", "ring"), at("twa", "ring")
USUAL, READINGS = at("novel", "usual"), at("novel", "readings")
VIEW, MARKS = at("novel", "view"), at("novel", "view", "seen") - at("novel", "view")
SECOND = VIEW + (at("runs") - VIEW) // 2
ALWAYS = lines(  # touched by every reading
    (0, at("rise", "kept_ns")), (at("stel"), STEL), (at("twa"), TWA), (at("novel"), USUAL),
    (VIEW, VIEW + MARKS), (SECOND, SECOND + MARKS), (at("runs"), at("ambient")),
)  # fmt: skip


def _prefetch(typing: Any, address: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line, number = llvm.IntType(8).as_pointer(), llvm.IntType(32)
        kind = llvm.FunctionType(llvm.VoidType(), [line, number, number, number])
        function = tools.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, nearest, data = number(0), number(3), number(1)
        builder.call(function, [builder.inttoptr(arguments[0], line), read, nearest, data])
        return context.get_dummy_value()

    return types.void(types.uintp), emit


instruction: Any = intrinsic(_prefetch)


def prefetch(address: int) -> None:
    """Ask for the line at an address, whatever lies there; as plain Python this does nothing."""


@overload(prefetch)
def _compiled(address: Any) -> Any:
    def ask(address: Any) -> None:
        instruction(address)

    return ask


@kernel
def ask_for(state: State, p: int, t: int) -> None:
    """Ask for what a reading of point p at time t will touch, but for marks and kept readings."""
    p = int(p)  # addresses are beyond the ids of points
    row = state.point.ctypes.data + p * POINT_BYTES
    for place in ALWAYS:
        prefetch(row + place)
    for back in (0, STEL_BUCKETS):
        prefetch(row + STEL + 16 * ((t // STEL_BUCKET_NS - back) % (STEL_BUCKETS + 1)))
    for back in (0, TWA_BUCKETS):
        prefetch(row + TWA + 16 * ((t // TWA_BUCKET_NS - back) % (TWA_BUCKETS + 1)))
    hour = (t // HOUR_NS) % NOVEL_HOURS
    prefetch(row + USUAL + 4 * hour)
    prefetch(row + READINGS + hour)
    prefetch(state.chart.mean.ctypes.data + 8 * p)
    for column in state.chart[1:]:
        prefetch(column.ctypes.data + 4 * p)
    prefetch(state.sentinel.ctypes.data + 8 * p * state.sentinel.shape[1])
    prefetch(state.forecast_at.ctypes.data + 4 * p)
    prefetch(state.wear_at.ctypes.data + 4 * p)
    limit = state.limit.ctypes.data
    for k in range(state.limit_first[p], state.limit_first[p + 1]):
        prefetch(limit + k * LIMIT_BYTES)
        prefetch(limit + (k + 1) * LIMIT_BYTES - 1)
