"""Detector state on disk, so that a restart goes on where the service was.

One file, written beside and renamed, so that a crash leaves the old one or the new one whole.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import structlog

from minewatch.app.pipeline import Pipeline
from minewatch.detect.engine import Engine
from minewatch.detect.outside import Outside
from minewatch.errors import StoreError

log = structlog.get_logger(__name__)

MAGIC = b"minewatch state 2\n"
HEAD = struct.Struct("<q4Q")  # time taken, length of each part
MARGIN_NS = 120 * 1_000_000_000  # how far sources' clocks may lag ours and still be read back


def save(pipeline: Pipeline, path: Path, now_ns: int) -> None:
    """Write what live and second side remember. Raises StoreError naming the file when the disk refuses."""
    parts = [part.snapshot() for part in _parts(pipeline)]
    beside = path.with_suffix(".new")
    try:
        with beside.open("wb") as out:
            out.write(MAGIC + HEAD.pack(now_ns, *map(len, parts)))
            out.writelines(parts)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: detector state cannot be written ({error.strerror})") from None


def load(pipeline: Pipeline, path: Path, now_ns: int) -> None:
    """Restore state and score what the store got after it; without a usable file start from the store alone.

    A file that cannot be used is moved aside and named in the log: detectors then learn anew, limits work
    at once.
    """
    taken_ns = 0
    try:
        raw = path.read_bytes()
        taken_ns = _restore(pipeline, raw)
    except FileNotFoundError:
        pass
    except (StoreError, OSError, struct.error) as error:
        aside = path.with_suffix(".unusable")
        if path.exists():
            path.replace(aside)
        log.error(
            "detector state cannot be used; detectors learn anew", problem=str(error), kept_as=str(aside)
        )
    if taken_ns:
        rows = pipeline.catch_up(taken_ns - MARGIN_NS, now_ns)
        log.info("detector state restored", taken_ns=taken_ns, rows_read_back=rows)
    pipeline.resume(now_ns)


def _restore(pipeline: Pipeline, raw: bytes) -> int:
    if not raw.startswith(MAGIC):
        raise StoreError("detector state: this is not a minewatch state file of this version")
    taken_ns, *lengths = HEAD.unpack_from(raw, len(MAGIC))
    start = len(MAGIC) + HEAD.size
    if len(raw) != start + sum(lengths):
        raise StoreError(
            f"detector state: the file has {len(raw)} bytes, {start + sum(lengths)} were written"
        )
    for part, length in zip(_parts(pipeline), lengths, strict=True):
        part.restore(raw[start : start + length])
        start += length
    return int(taken_ns)


def _parts(pipeline: Pipeline) -> Sequence[Engine | Outside]:
    return pipeline.engine, pipeline.second, pipeline.outside, pipeline.second_outside
