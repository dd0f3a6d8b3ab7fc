"""Arrays that grow without being copied: addresses are reserved, memory is taken as it is written."""

from __future__ import annotations

import contextlib
import mmap
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

RESERVED = 1 << 20  # rows that have addresses from the start, and no memory
LEAST = 64  # rows of an array that has to be copied as it grows
UNCOUNTED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE, which Python names from 3.13
LARGE = 64 << 20  # bytes from which on huge pages are worth what their last one wastes


def reserved(rows: int, kind: DTypeLike, width: tuple[int, ...] = ()) -> NDArray[Any] | None:
    """Return an array of zeros whose memory is not taken yet, or None: the system counts addresses as memory.

    So it is under a limit of addresses (``ulimit -v``, ``LimitAS=``) or without overcommit.
    """
    size = rows * int(np.prod(width)) * np.dtype(kind).itemsize
    if sys.platform != "linux" or not size:
        return None
    try:
        pages = mmap.mmap(-1, size, flags=UNCOUNTED)
    except (OSError, OverflowError):
        return None
    return np.ndarray((rows, *width), kind, buffer=pages)


def extended(array: NDArray[Any], length: int) -> NDArray[Any]:
    """Return the array with so many rows, what is new being anything.

    It is copied only when it has outgrown what was reserved for it; then twice as much is.
    """
    whole = array.base if isinstance(array.base, np.ndarray) else array
    if length > len(whole) or whole.shape[1:] != array.shape[1:]:
        width = array.shape[1:]
        grown = reserved(max(RESERVED, 2 * length), array.dtype, width)
        whole = np.zeros((max(LEAST, 2 * length), *width), array.dtype) if grown is None else grown
        whole[: len(array)] = array
    pages: Any = whole.base
    if isinstance(pages, mmap.mmap) and length * whole.strides[0] >= LARGE:
        with contextlib.suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)  # rows in any order: fewer addresses to look up
    return whole[:length]
