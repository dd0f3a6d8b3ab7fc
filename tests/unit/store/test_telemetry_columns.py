"""Buckets, coverage and windows: the arithmetic that all telemetry stores share."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minewatch.store.telemetry_columns import (
    bucket_width,
    coverage,
    known_mask,
    known_table,
    spread,
    windows,
)

S = 1_000_000_000


def test_the_buckets_cover_the_whole_range() -> None:
    """A range that does not divide evenly gets buckets a little wider, never one too few."""
    assert bucket_width(0, 10, 3) == 4
    assert bucket_width(5, 6, 1000) == 1


def test_sparse_rows_land_in_their_buckets() -> None:
    """Rows may come in any order; buckets without a row have count 0 and no number."""
    two = np.array([2.0, 1.0])
    found = spread(
        100, 140, 4, index=np.array([3, 0]), low=two, high=two, mean=two, count=np.array([5, 6]), interval_s=0
    )
    assert found.start_ns.tolist() == [100, 110, 120, 130]
    assert found.count.tolist() == [6, 0, 0, 5]
    assert (found.low[0], found.low[3]) == (1.0, 2.0)
    assert np.isnan(found.mean[1:3]).all()
    assert found.coverage == 0.5


@pytest.mark.parametrize(
    ("counts", "width_s", "interval_s", "expected"),
    [
        ([10, 10, 10], 10, 1, 1.0),  # each second
        ([10, 0, 10], 10, 1, 2 / 3),  # ten seconds of silence
        ([1, 0, 1, 0], 1, 2, 1.0),  # buckets narrower than the interval
        ([1, 0, 0, 0], 1, 2, 0.5),  # one reading holds for one interval
        ([5, 0, 0], 10, 1, 5 / 30),  # half of a bucket
        ([100, 0, 0], 10, 1, 11 / 30),  # a burst hands on one interval, not ninety seconds
        ([0, 0], 10, 1, 0.0),
        ([3, 0], 10, 0, 0.5),  # interval unknown: buckets that hold something
    ],
)
def test_coverage(counts: list[int], width_s: int, interval_s: int, expected: float) -> None:
    """The share of time that has a reading not older than the interval."""
    total = len(counts) * width_s * S
    found = coverage(np.array(counts), width_s * S, total, interval_s * S)
    assert found == pytest.approx(expected)


def test_coverage_counts_only_what_is_inside_the_range() -> None:
    """When the last buckets reach beyond the range, a full range is still 1.0."""
    assert coverage(np.array([4, 4, 2, 0]), 4 * S, 10 * S, S) == pytest.approx(1.0)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 10**12), st.integers(0, 10**12))
def test_coverage_is_a_share(counts: list[int], width: int, interval: int) -> None:
    """Whatever the counts, it lies between 0 and 1."""
    assert 0.0 <= coverage(np.array(counts), width, width * len(counts), interval) <= 1.0


def test_known_points() -> None:
    """Negative ids and ids beyond the table are unknown, and so are holes in it."""
    table = known_table([0, 3])
    assert known_mask(table, np.array([0, 1, 3, 4, -1], np.int32)).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert known_mask(known_table([]), np.array([0], np.int32)).tolist() == [False]


@given(st.lists(st.integers(0, 10_000), max_size=300), st.integers(1, 50))
def test_windows_lose_no_row(times: list[int], rows: int) -> None:
    """Windows follow each other, hold each row once, and only a single instant may hold more than asked."""
    all_times = np.sort(np.array(times, np.int64))

    def slices(low: int, high: int, width: int) -> list[tuple[int, int]]:
        inside = all_times[(all_times >= low) & (all_times < high)]
        index, counts = np.unique((inside - low) // width, return_counts=True)
        return list(zip(index.tolist(), counts.tolist(), strict=True))

    found = list(windows(0, 10_001, rows, slices))
    held = [int(((all_times >= low) & (all_times < high)).sum()) for low, high in found]
    assert sum(held) == len(times)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(found))
    for (low, high), count in zip(found, held, strict=True):
        inside = np.unique(all_times[(all_times >= low) & (all_times < high)])
        assert count <= rows or len(inside) == 1
