"""The median of a few numbers, against the standard library's."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minewatch.detect.kernels import median

NUMBERS = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30)
MUTANTS = {
    "the upper median": ("(values[half - 1] + values[half]) / 2.0", "values[half]"),
    "the first is left out": ("while j > 0 and values[j - 1] > x", "while j > 1 and values[j - 1] > x"),
    "sorted the other way": ("values[j - 1] > x", "values[j - 1] < x"),
    "the last is left out": ("range(1, count)", "range(1, count - 1)"),
}


@settings(deadline=None)  # the first call compiles
@given(NUMBERS, NUMBERS)
def test_the_median_of_the_first_numbers(first: list[float], rest: list[float]) -> None:
    """The median is the oracle's, and what lies beyond the count is neither read nor moved."""
    values = np.array(first + rest)
    assert median.median_of(values, len(first)) == statistics.median(first)
    assert values[: len(first)].tolist() == sorted(first)
    assert values[len(first) :].tolist() == rest


@pytest.mark.parametrize("what", MUTANTS)
def test_a_planted_error_in_the_median_is_caught(plant, what: str) -> None:
    """Each planted error gives another answer somewhere."""
    mutant = plant(median, *MUTANTS[what])
    lists = ([2.0, 1.0], [3.0, 1.0, 2.0], [1.0, 4.0, 2.0, 3.0], [5.0, 4.0, 3.0, 2.0, 1.0])

    def right(numbers: list[float]) -> bool:
        values = np.array(numbers)
        found = mutant.median_of(values, len(values))
        return bool(found == statistics.median(numbers) and values.tolist() == sorted(numbers))

    assert not all(right(numbers) for numbers in lists)
