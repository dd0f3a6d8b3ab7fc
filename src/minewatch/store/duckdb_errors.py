"""Say in one line what DuckDB could not do, where, and who must act."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from minewatch.errors import StoreBusy, StoreError

_LOCKED = ("Could not set lock", "Conflicting lock")
_FULL = ("No space left", "File too large", "Disk quota", "Out of disk", "out of disk")
_DAMAGED = (
    "not a valid DuckDB",
    "orrupt",
    "Could not read enough bytes",
    "replaying WAL",
    "Serialization",
)
_PID = re.compile(r"\(PID (\d+)\)")


def translate(error: duckdb.Error, file: Path) -> StoreError:
    """Return what to raise instead: StoreBusy if the same call may go through later, else StoreError."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    if any(word in text for word in _LOCKED):
        found = _PID.search(text)
        owner = f"pid {found.group(1)}" if found else "another process"
        return StoreError(f"{file}: in use by {owner}. Stop it, or choose another --data.")
    if any(word in text for word in _FULL):
        return StoreBusy(f"{file}: the disk is full. Free some space; writing goes on by itself. ({text})")
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreBusy(f"{file}: out of memory. Ask for less at once, or raise memory_mb. ({text})")
    if any(word in text for word in _DAMAGED):
        return StoreError(f"{file}: the file is damaged. Move it away or restore a backup. ({text})")
    if isinstance(error, duckdb.FatalException | duckdb.InternalException):
        return StoreBusy(f"{file}: the database stopped; the next write opens it again. ({text})")
    if isinstance(error, duckdb.IOException | duckdb.PermissionException):
        return unusable(file, text)
    return StoreError(f"{file}: the database refused. Restart; if it stays, restore a backup. ({text})")


def unusable(file: Path, why: object) -> StoreError:
    """Return the error for a path that cannot be opened or made."""
    return StoreError(f"{file}: cannot be used. Check the path, its owner and its mode. ({why})")
