"""Where decoded readings gather until they are handed on: pieces of columns, in the order of the messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from minewatch.contracts import B1, F8, I4, I8, U1, Deliveries, ReadingBatch
from minewatch.ingest.intake import no_deliveries
from minewatch.ingest.kernels.walker import walk
from minewatch.ingest.plain import Decoded
from minewatch.ingest.registry import Registry

_LEAST_BYTES = 4  # a metric that the walker accepts: tag, length, alias tag, alias

_Columns: TypeAlias = tuple[I4, I8, F8, U1, B1]
_Figures: TypeAlias = tuple[I4, I8, I8, I8]


class Walked:
    """What the walker made of a run of messages: shared columns, and figures for each message."""

    def __init__(self, columns: _Columns, figures: _Figures, status: U1) -> None:
        self._columns = columns
        self.rows, seqs, self.stamp_ms, self.msg_id = figures
        self.status: list[int] = status.tolist()
        self.seq: list[int] = seqs.tolist()
        self.first = np.zeros(len(self.rows) + 1, np.int64)
        np.cumsum(self.rows, out=self.first[1:])

    def piece(self, start: int, stop: int) -> ReadingBatch:
        """Return a copy of the readings of messages start..stop."""
        rows = slice(int(self.first[start]), int(self.first[stop]))
        point, ts_ns, value, quality, historical = self._columns
        return ReadingBatch(
            point[rows].copy(),
            ts_ns[rows].copy(),
            value[rows].copy(),
            quality[rows].copy(),
            historical[rows].copy(),
        )


class Walker:
    """The compiled walker with its scratch columns, used again for every run."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._columns = _columns(4096)

    def walk(self, payloads: Sequence[bytes], slots: I8) -> Walked:
        """Decode a run of messages; ``slots`` are the nodes' places in the registry."""
        n = len(payloads)
        buffer = np.frombuffer(b"".join(payloads), np.uint8)
        starts = np.zeros(n + 1, np.int64)
        np.cumsum(np.fromiter(map(len, payloads), np.int64, n), out=starts[1:])
        need = len(buffer) // _LEAST_BYTES + 1
        if need > len(self._columns[0]):
            self._columns = _columns(2 * need)
        figures = (
            np.zeros(n, np.int32),
            np.full(n, -1, np.int64),
            np.full(n, -1, np.int64),
            np.full(n, -1, np.int64),
        )
        status = np.zeros(n, np.uint8)
        known = self._registry
        walk(
            buffer, starts, known.base[slots], known.size[slots], known.table_point, known.table_type,
            self._columns, figures, status,
        )  # fmt: skip
        return Walked(self._columns, figures, status)


def warm_up() -> None:
    """Compile the walker, or load its kept code, so that the first message does not wait for it."""
    Walker(Registry(1)).walk([], np.empty(0, np.int64))


class Gathered:
    """Readings and deliveries since the last hand-over."""

    def __init__(self) -> None:
        self._batches: list[ReadingBatch] = []
        self._deliveries: list[Deliveries] = []
        self.rows = 0

    def add_walked(self, walked: Walked, start: int, stop: int, spools: I4) -> ReadingBatch:
        """Take messages start..stop of a run; ``spools`` belongs to the whole run."""
        batch = walked.piece(start, stop)
        part = slice(start, stop)
        self._add(batch, Deliveries(spools[part], walked.msg_id[part], walked.rows[part]))
        return batch

    def add_decoded(self, decoded: Decoded, spool: int) -> ReadingBatch:
        """Take one message that went through protobuf."""
        batch = ReadingBatch(
            np.array(decoded.point, np.int32),
            np.array(decoded.ts_ns, np.int64),
            np.array(decoded.value, np.float64),
            np.array(decoded.quality, np.uint8),
            np.array(decoded.historical, np.bool_),
        )
        spool_of, ids = np.array([spool], np.int32), np.array([decoded.msg_id], np.int64)
        self._add(batch, Deliveries(spool_of, ids, np.array([len(batch)], np.int32)))
        return batch

    def take(self) -> tuple[ReadingBatch, Deliveries]:
        """Return everything gathered, and begin anew."""
        batch, parts = ReadingBatch.join(self._batches), self._deliveries
        self._batches, self._deliveries, self.rows = [], [], 0
        if not parts:
            return batch, no_deliveries()
        deliveries = Deliveries(
            np.concatenate([p.spool for p in parts]),
            np.concatenate([p.msg_id for p in parts]),
            np.concatenate([p.rows for p in parts]),
        )
        return batch, deliveries

    def _add(self, batch: ReadingBatch, deliveries: Deliveries) -> None:
        self._batches.append(batch)
        self._deliveries.append(deliveries)
        self.rows += len(batch)

    def __bool__(self) -> bool:
        return bool(self._deliveries)


def _columns(size: int) -> _Columns:
    return (
        np.empty(size, np.int32),
        np.empty(size, np.int64),
        np.empty(size, np.float64),
        np.empty(size, np.uint8),
        np.empty(size, np.bool_),
    )
