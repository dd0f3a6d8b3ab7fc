"""Little-endian loads from an address: array indexing costs a walker three to five times as much."""

from __future__ import annotations

import ctypes
from typing import Any

import numba
import numpy as np
from llvmlite import ir as _ir
from numba.core import types
from numba.extending import intrinsic

_config: Any = numba.config
ir: Any = _ir  # ships no types


def _loader(bits: int) -> Any:
    """Return a function of an address (u8) that reads ``bits`` bits there; the caller has checked the end."""
    if _config.DISABLE_JIT:
        kind = {8: ctypes.c_uint8, 32: ctypes.c_uint32, 64: ctypes.c_uint64}[bits]

        def plain(address: int) -> np.uint64:
            return np.uint64(kind.from_address(int(address)).value)

        return plain

    def load(typing_context: Any, address: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            found = builder.load(pointer, align=1)
            return found if bits == 64 else builder.zext(found, ir.IntType(64))

        return types.uint64(types.uint64), generate

    return intrinsic(load)


load8 = _loader(8)
load32 = _loader(32)
load64 = _loader(64)


def _as_float(bits: int) -> Any:
    """Return a function that reads the bits of an integer (u8) as a float of that width, widened to f8."""
    if _config.DISABLE_JIT:
        whole, part = (np.uint64, np.float64) if bits == 64 else (np.uint32, np.float32)

        def plain(value: int) -> np.float64:
            return np.float64(np.array(value, np.uint64).astype(whole).view(part))

        return plain

    def cast(typing_context: Any, value: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            if bits == 64:
                return builder.bitcast(arguments[0], ir.DoubleType())
            short = builder.trunc(arguments[0], ir.IntType(32))
            return builder.fpext(builder.bitcast(short, ir.FloatType()), ir.DoubleType())

        return types.float64(types.uint64), generate

    return intrinsic(cast)


float64_of = _as_float(64)
float32_of = _as_float(32)
