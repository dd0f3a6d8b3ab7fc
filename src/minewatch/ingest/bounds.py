"""What a message may be at most, decided from its bytes before anything decodes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minewatch.contracts import I8
from minewatch.ingest.intake import Reject
from minewatch.ingest.kernels.outline import DEPTH, LEAF, METRICS, PARTS, REPEATED, outline
from minewatch.ingest.settings import IngestSettings
from minewatch_edge.sparkplug.schema import Payload

_STATE_BYTES = 4_096
_PARTS_A_METRIC = 24  # a metric, its property set, and ten properties with their keys and values


class Bounds:
    """Refuses payload bombs: by size, by the number of metrics, by parts at any depth, by depth."""

    def __init__(self, settings: IngestSettings) -> None:
        self._bytes = settings.max_payload_bytes
        self._births = settings.max_birth_metrics
        self._data = settings.max_data_metrics
        self._depth = settings.max_nesting
        self._table = message_table()

    def refuse(self, topic: str, payload: bytes) -> Reject | None:
        """Return why a message must not be decoded, None when it may."""
        levels = topic.split("/", 3)
        verb = levels[2] if len(levels) > 2 else ""
        state = levels[1:2] == ["STATE"]
        most = _STATE_BYTES if state else self._bytes
        if len(payload) > most:
            return Reject(topic, "too-large", f"{len(payload)} bytes, {most} are allowed")
        if state or verb.endswith("CMD"):
            return None  # not protobuf; not read at all
        metrics = self._births if verb.endswith("BIRTH") else self._data
        return self._count(topic, payload, metrics)

    def _count(self, topic: str, payload: bytes, metrics: int) -> Reject | None:
        data = np.frombuffer(payload, np.uint8)
        most = metrics * _PARTS_A_METRIC
        verdict, _, _, _ = outline(data, self._table, metrics, most, self._depth)
        if verdict == METRICS:
            return Reject(topic, "too-many-metrics", f"more than the {metrics} metrics that are allowed")
        if verdict == PARTS:
            return Reject(topic, "too-many-parts", f"more than {most} metrics, properties and rows inside")
        if verdict == DEPTH:
            return Reject(topic, "too-deep", f"nested deeper than the {self._depth} levels that are allowed")
        return None


def message_table() -> I8:
    """Return, for each message type of a payload and field number, what the field holds (see `outline`)."""
    found: list[Any] = [Payload.DESCRIPTOR]
    rows: list[list[int]] = []
    for kind in found:  # grows while it is walked
        row = [LEAF] * 32
        for field in kind.fields:
            inner = field.message_type
            if inner is not None:
                if inner not in found:
                    found.append(inner)
                row[field.number] = found.index(inner)
            elif field.is_repeated:
                row[field.number] = REPEATED
        rows.append(row)
    return np.array(rows, np.int64)
