"""What all telemetry stores do alike: know points, cut time into buckets, say how much of it is covered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np

from minewatch.contracts import B1, F8, I4, I8, Buckets, Quality, ReadingBatch

MAX_BUCKETS = 10_000
_SLICES = 64


def known_mask(known: B1, point: I4) -> B1:
    """Return which rows belong to a point the store was told about; ``known[p]`` says so of point p."""
    inside = (point >= 0) & (point < len(known))
    if inside.all():
        return known[point]
    mask = inside.copy()
    mask[inside] = known[point[inside]]
    return mask


def known_table(points: Collection[int]) -> B1:
    """Return a table of booleans, indexed by point id, that is true for the ids in ``points``."""
    table = np.zeros(max(points, default=-1) + 1, np.bool_)
    table[list(points)] = True
    return table


def usable(batch: ReadingBatch) -> B1:
    """Return which rows count in a mean: finite and not of bad quality."""
    return (batch.quality < Quality.BAD) & np.isfinite(batch.value)


def bucket_width(from_ns: int, to_ns: int, buckets: int) -> int:
    """Return the width in ns of ``buckets`` equal buckets that cover from_ns <= t < to_ns.

    Raises ValueError on an empty range or a senseless number of buckets.
    """
    if to_ns <= from_ns:
        raise ValueError(f"the range is empty: from {from_ns} to {to_ns}")
    if not 1 <= buckets <= MAX_BUCKETS:
        raise ValueError(f"{buckets} buckets: choose 1 to {MAX_BUCKETS}")
    return -(-(to_ns - from_ns) // buckets)


def spread(
    from_ns: int,
    to_ns: int,
    buckets: int,
    *,
    index: I8,
    low: F8,
    high: F8,
    mean: F8,
    count: I8,
    interval_s: float,
) -> Buckets:
    """Spread sparse rows (one for each bucket with readings, ``index`` in any order) over all buckets."""
    width = bucket_width(from_ns, to_ns, buckets)
    counts = np.zeros(buckets, np.int64)
    counts[index] = count
    columns = []
    for sparse in (low, high, mean):
        dense = np.full(buckets, np.nan)
        dense[index] = sparse
        columns.append(dense)
    return Buckets(
        start_ns=from_ns + np.arange(buckets, dtype=np.int64) * width,
        low=columns[0],
        high=columns[1],
        mean=columns[2],
        count=counts,
        coverage=coverage(counts, width, to_ns - from_ns, round(interval_s * 1e9)),
    )


def coverage(counts: I8, width_ns: int, range_ns: int, interval_ns: int) -> float:
    """Return the share (0..1) of the range that has a usable reading not older than the point's interval.

    Only counts are known: each reading brings ``interval_ns`` of cover to its bucket, which hands on what it
    does not need, at most one interval. With an unknown interval (0): the share of buckets with readings.
    """
    if interval_ns <= 0:
        return float(np.count_nonzero(counts)) / len(counts)
    covered = carry = 0
    left = range_ns
    for count in counts.tolist():
        span = min(width_ns, left)
        left -= span
        supply = carry + count * interval_ns
        covered += min(span, supply)
        carry = min(max(supply - span, 0), interval_ns)
    return covered / range_ns


def windows(
    low: int, high: int, rows: int, slices: Callable[[int, int, int], list[tuple[int, int]]]
) -> Iterator[tuple[int, int]]:
    """Cut low <= t < high into windows of about ``rows`` rows each; one instant is never cut.

    ``slices(low, high, width)`` counts: (index of the slice, its rows), in order, without the empty ones.
    """
    width = max(1, -(-(high - low) // _SLICES))
    start, held = low, 0
    for index, count in slices(low, high, width):
        edge = low + index * width
        if held and held + count > rows:
            yield start, edge
            start, held = edge, 0
        if count > rows and width > 1:
            start = min(edge + width, high)
            yield from windows(edge, start, rows, slices)
        else:
            held += count
    if held:
        yield start, high
