"""Detector state on disk, so that a restart goes on where the service was.

One file, written beside and renamed, so that a crash leaves the old one or the new one whole.
"""

from __future__ import annotations

import hashlib
import os
import signal
import struct
from collections.abc import Sequence
from pathlib import Path

import structlog

from minewatch.app.pipeline import Pipeline
from minewatch.detect.engine import Engine
from minewatch.detect.outside import Outside
from minewatch.errors import StoreError

log = structlog.get_logger(__name__)

MAGIC = b"minewatch state 4\n"
HEAD = struct.Struct("<q4Q")  # time taken, length of each part
FIRST = len(MAGIC) + HEAD.size + 32  # the first part begins behind the SHA-256 of the head
LONGEST_S = 300  # a writer that hangs is ended, so that the next one can begin
MARGIN_NS = 120 * 1_000_000_000  # how far sources' clocks may lag ours and still be read back


class Saver:
    """Writes detector state in a process of its own, so that no reading waits for it.

    The kernel keeps the memory for it as it was at ``start``, and copies only what changes meanwhile.
    """

    def __init__(self, pipeline: Pipeline, path: Path) -> None:
        self._pipeline, self._path = pipeline, path
        self._child = 0
        self._said = -1
        self._problem = ""

    def start(self, now_ns: int) -> None:
        """Begin to write the state as it is now; do nothing while the last one is still being written."""
        self.look()
        if self._child:
            return
        says = -1
        try:
            self._said, says = os.pipe()
            self._child = os.fork()
        except OSError as error:  # no process or descriptor is left for it: readings go on
            self._note(f"{self._path}: no process can be started to write it ({error.strerror})")
            if says >= 0:
                os.close(self._said)
                os.close(says)
            return
        if not self._child:
            _write_and_end(self._pipeline, self._path, now_ns, says)
        os.close(says)

    def look(self, *, wait: bool = False) -> None:
        """Take note of a writer that has ended, and say once what it says is wrong."""
        if not self._child:
            return
        ended, status = os.waitpid(self._child, 0 if wait else os.WNOHANG)
        if not ended:
            return
        problem = os.read(self._said, 4096).decode()
        os.close(self._said)
        self._child = 0
        if os.WIFSIGNALED(status):
            problem = f"{self._path}: its writer was ended by signal {os.WTERMSIG(status)}"
        self._note(problem)

    def _note(self, problem: str) -> None:
        if problem and not self._problem:
            log.error("detector state not written", problem=problem)
        self._problem = problem

    def finish(self, now_ns: int) -> None:
        """Write the state and wait for it."""
        self.look(wait=True)
        self.start(now_ns)
        self.look(wait=True)


def _write_and_end(pipeline: Pipeline, path: Path, now_ns: int, says: int) -> None:
    """Write the state, tell what went wrong, and end, without a hold on what the process has open."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_S)
        os.closerange(3, says)  # else a peer would not see that the core is gone
        os.closerange(says + 1, os.sysconf("SC_OPEN_MAX"))
        os.nice(10)
        problem = "its writer failed"
        try:
            save(pipeline, path, now_ns)
            problem = ""
        except StoreError as error:
            problem = str(error)
        finally:
            os.write(says, problem.encode()[:4096])
    finally:
        os._exit(0)  # whatever happens: it must never go on as a second core


def save(pipeline: Pipeline, path: Path, now_ns: int) -> None:
    """Write what live and second side remember. Raises StoreError naming the file when the disk refuses."""
    beside = path.with_suffix(f".{os.getpid()}.new")  # a writer may outlive its core
    lengths = []
    try:
        with beside.open("wb") as out:
            out.write(bytes(FIRST))
            for part in _parts(pipeline):
                begin = out.tell()
                out.writelines(part.encode())
                lengths.append(out.tell() - begin)
            out.seek(0)
            out.write(_head(now_ns, lengths))
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StoreError(f"{path}: detector state cannot be written ({error.strerror})") from None


def _head(taken_ns: int, lengths: Sequence[int]) -> bytes:
    head = MAGIC + HEAD.pack(taken_ns, *lengths)
    return head + hashlib.sha256(head).digest()


def load(pipeline: Pipeline, path: Path, now_ns: int) -> None:
    """Restore state and score what the store got after it; without a usable file start from the store alone.

    A file that cannot be used is moved aside and named in the log: detectors then learn anew, limits work
    at once.
    """
    taken_ns = 0
    for left in path.parent.glob(f"{path.stem}.*.new"):  # of writers that were killed
        left.unlink()
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
    if raw[:FIRST] != _head(taken_ns, lengths):
        raise StoreError("detector state: its head is damaged (its SHA-256 does not fit)")
    if len(raw) != FIRST + sum(lengths):
        raise StoreError(
            f"detector state: the file has {len(raw)} bytes, {FIRST + sum(lengths)} were written"
        )
    start = FIRST
    try:
        for part, length in zip(_parts(pipeline), lengths, strict=True):
            part.restore(raw[start : start + length])
            start += length
    except StoreError:
        pipeline.begin_anew()  # the parts before the wrong one had been taken over
        raise
    return int(taken_ns)


def _parts(pipeline: Pipeline) -> Sequence[Engine | Outside]:
    return pipeline.engine, pipeline.history.engine, pipeline.outside, pipeline.history.outside
