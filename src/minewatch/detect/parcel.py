"""Named arrays as bytes that end in their own SHA-256, for what is remembered outside the walk."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minewatch.errors import StoreError

Arrays = Mapping[str, NDArray[Any]]

MAGIC = b"minewatch parcel 1\n"
HEAD = struct.Struct("<Q")
DIGEST_BYTES = 32


BETWEEN = "\0"  # the parts of a name


def inside(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return arrays under a longer name."""
    return {f"{name}{BETWEEN}{key}": array for key, array in arrays.items()}


def of(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin so, by the rest of the name."""
    start = name + BETWEEN
    return {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}


def pack(arrays: Arrays) -> bytes:
    """Return arrays of numbers or of structured rows as bytes."""
    shapes = {name: [str(a.dtype.descr), a.shape] for name, a in arrays.items()}
    head = json.dumps(shapes, ensure_ascii=False).encode()
    body = b"".join([MAGIC, HEAD.pack(len(head)), head, *(a.tobytes() for a in arrays.values())])
    return body + hashlib.sha256(body).digest()


def unpack(data: bytes, kinds: Mapping[str, np.dtype[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays, those of ``kinds`` alone by the last part of their name. Raises StoreError."""
    start = len(MAGIC) + HEAD.size
    if len(data) < start + DIGEST_BYTES or not data.startswith(MAGIC):
        raise StoreError(f"detector snapshot: this is no parcel, or cut off ({len(data)} bytes)")
    if hashlib.sha256(data[:-DIGEST_BYTES]).digest() != data[-DIGEST_BYTES:]:
        raise StoreError("detector snapshot: a parcel is damaged (its SHA-256 does not fit)")
    at = start + HEAD.unpack_from(data, len(MAGIC))[0]
    found: dict[str, NDArray[Any]] = {}
    for name, (kind, shape) in json.loads(data[start:at]).items():
        dtype = kinds.get(name.rpartition(BETWEEN)[2])
        if dtype is None or kind != str(dtype.descr):
            raise StoreError(f"detector snapshot: {name!r} is laid out otherwise here")
        size = int(np.prod(shape)) * dtype.itemsize
        found[name] = np.frombuffer(data[at : at + size], dtype).reshape(shape).copy()
        at += size
    return found
