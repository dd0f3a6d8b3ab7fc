"""Readings packed into a row come back as they were."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minewatch_edge.errors import SpoolError
from minewatch_edge.rows import Columns, pack, unpack

READING = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False),
    st.sampled_from([192, 64, 0, 500]),
)


@given(st.lists(READING, max_size=30), st.integers(0, 2))
def test_rows_come_back_as_they_were(readings: list[tuple[int, int, float, int]], clock: int) -> None:
    """Any columns, empty ones too, survive packing."""
    columns = (
        Columns(*(list(c) for c in zip(*readings, strict=True))) if readings else Columns([], [], [], [])
    )
    back = unpack(pack(columns._replace(clock=clock)))
    assert [list(c) for c in back[:4]] == [list(c) for c in columns[:4]]
    assert back.clock == clock


def test_nan_and_infinity_survive() -> None:
    """A reading without a value, and one beyond all numbers, are kept as they are."""
    back = unpack(pack(Columns([1, 2], [5, 5], [math.nan, math.inf], [0, 192])))
    assert math.isnan(back.values[0])
    assert back.values[1] == math.inf


def test_readings_taken_together_cost_twelve_bytes() -> None:
    """A shared time and good qualities take no room of their own."""
    n = 1000
    raw = pack(Columns(list(range(n)), [7] * n, [0.5] * n, [192] * n))
    assert len(raw) <= 12 * n + 16


def test_a_torn_row_is_an_error() -> None:
    """Half a row raises SpoolError, not a wrong reading."""
    raw = pack(Columns([1], [2], [3.0], [192]))
    with pytest.raises(SpoolError, match="cannot be read"):
        unpack(raw[:-1])
