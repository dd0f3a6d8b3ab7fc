import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minewatch.serve.times import iso, isos, parse

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-31T08:00:00+05:00", 1769828400 * S),
        ("2026-01-31T08:00:00 05:00", 1769828400 * S),  # "+" of a URL that nobody encoded
        ("2026-01-31T03:00+00:00", 1769828400 * S),
        ("2026-01-30t22:00:00.25-0500", 1769828400 * S + 250_000_000),
        ("2026-01-31T03:00:00.123456789999z", 1769828400 * S + 123_456_789),
        ("2016-12-31T23:59:60Z", 1483228800 * S),  # the leap second is the first of the year
        ("1066-10-14T09:00:00Z", 0),
        ("9999-01-01T00:00:00Z", 2**63 - 1),
    ],
)
def test_reads_iso_8601_with_offset(text: str, ns: int) -> None:
    """Every way to write a time with offset means the same nanoseconds; far times become the nearest."""
    assert parse(text) == ns


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-01-31T08:00:00", "no offset"),
        ("yesterday", "write it like"),
        ("2026-02-30T08:00:00Z", "day"),
        ("2026-01-31T08:00:61Z", "second"),
        ("2026-01-31T08:00:00+99:00", "not a time"),
        ("٢٠٢٦-01-31T08:00:00Z", "write it like"),
    ],
)
def test_refuses_what_is_no_time_and_says_why(text: str, says: str) -> None:
    """A naive or impossible time is refused with what to write instead."""
    with pytest.raises(ValueError, match=says):
        parse(text)


@given(st.integers(0, 2**63 - 1))
def test_what_is_written_is_read_back(ns: int) -> None:
    """Writing and reading keep the microsecond, one by one and as a column."""
    assert parse(iso(ns)) == ns // 1000 * 1000
    assert isos(np.asarray([ns])) == [iso(ns)]
