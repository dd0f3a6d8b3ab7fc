"""What one poll of the source brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minewatch.contracts import Deliveries, GatewayInfo, Note, PointInfo, ReadingBatch


@dataclass(frozen=True, slots=True)
class Reject:
    """A message, birth or metric that was not taken; ``reason`` is a stable word, also a counter's label."""

    topic: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Intake:
    """News since the last poll.

    ``points`` and ``spools`` (gateway key "site/gateway", spool) are keyed by an index local to this source;
    ``batch.point``, ``deliveries.spool`` and notes use it; a note is no delivery. Rejects beyond a
    bound are only counted.
    """

    points: Mapping[int, PointInfo]
    spools: Mapping[int, tuple[str, str]]
    gateways: tuple[GatewayInfo, ...]
    batch: ReadingBatch
    deliveries: Deliveries
    rejects: tuple[Reject, ...] = ()
    notes: tuple[Note, ...] = ()


def no_deliveries() -> Deliveries:
    """Return the deliveries of no message."""
    return Deliveries(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int32))
