"""Times that no right clock can have sent: such readings are doubted, or vouched for by our own clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from prometheus_client import Counter

from minewatch.contracts import Quality, ReadingBatch

AHEAD = Counter(
    "minewatch_core_ahead_readings_total",
    "Readings with a time more than a day ahead of the service's clock.",
)
MOST_AHEAD_NS = 24 * 3600 * 1_000_000_000  # a time beyond it comes from a clock that was never set
VOUCHED_NS = 5 * 1_000_000_000


def ahead_doubted(batch: ReadingBatch, now_ns: int) -> tuple[ReadingBatch, ReadingBatch]:
    """Return readings as they are kept and as the engine takes them, with impossible times doubted.

    One reading from the year 2100 would make every later one look late, and averages blind for good. A bad
    one of them goes to the engine without a value, because a quality cannot be bad and of a doubted clock.
    """
    ahead = batch.ts_ns > now_ns + MOST_AHEAD_NS
    if not ahead.any():
        return batch, batch
    AHEAD.inc(int(np.count_nonzero(ahead)))
    bad = ahead & (batch.quality >= Quality.BAD)
    doubted = np.where(ahead, np.uint8(Quality.UNCERTAIN_CLOCK), batch.quality)
    kept = replace(batch, quality=np.where(bad, batch.quality, doubted))
    return kept, replace(batch, quality=doubted, value=np.where(bad, np.nan, batch.value))


def vouched(batch: ReadingBatch, now_ns: int) -> ReadingBatch:
    """Return live readings of gateways that cannot say whether their clock is right, judged by our own clock.

    A time that is ours within seconds is as good as a clock in holdover: without this a site without a time
    server would have no averages and no rates.
    """
    doubted = batch.quality == Quality.UNCERTAIN_CLOCK
    if not doubted.any():
        return batch
    near = doubted & (np.abs(batch.ts_ns - now_ns) <= VOUCHED_NS)
    return replace(batch, quality=np.where(near, np.uint8(Quality.GOOD_HOLDOVER), batch.quality))
