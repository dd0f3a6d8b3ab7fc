"""Arrays that grow without being copied: addresses are reserved, memory is taken as it is written."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

RESERVED = 1 << 20  # rows that have addresses from the start, and no memory
UNCOUNTED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE, which Python names from 3.13


def reserved(rows: int, kind: DTypeLike, width: tuple[int, ...] = ()) -> NDArray[Any]:
    """Return an array of zeros whose memory is not taken yet; where that cannot be, an ordinary one."""
    size = rows * int(np.prod(width)) * np.dtype(kind).itemsize
    if sys.platform == "linux" and size:
        try:
            pages = mmap.mmap(-1, size, flags=UNCOUNTED)
        except OSError:  # a machine that counts addresses as memory
            return np.zeros((rows, *width), kind)
        pages.madvise(mmap.MADV_HUGEPAGE)  # rows of many points in any order: fewer addresses to look up
        return np.frombuffer(pages, kind).reshape(rows, *width)
    return np.zeros((rows, *width), kind)


def extended(array: NDArray[Any], length: int) -> NDArray[Any]:
    """Return the array with so many rows, what is new being anything.

    It is copied only when it has outgrown what was reserved for it; then twice as much is.
    """
    whole = array.base if isinstance(array.base, np.ndarray) else array
    if length > len(whole) or whole.shape[1:] != array.shape[1:]:
        whole = reserved(max(RESERVED, 2 * length), array.dtype, array.shape[1:])
        whole[: len(array)] = array
    return whole[:length]
