"""Stop after any step, go on from an older snapshot and the store: the journal of one that never stopped."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acceptance.cutting import LENGTH, play, story, told
from minewatch.contracts import EventKind

SEEDS = 3  # many more: `make bench ONLY=detect.cuts`


@cache
def undisturbed(seed: int) -> tuple[tuple[object, ...], ...]:
    """Return the journal of a pipeline that never stopped."""
    with tempfile.TemporaryDirectory() as folder:
        return tuple(told(play(story(seed), Path(folder), cut=LENGTH, saved=LENGTH)))


def test_the_story_is_worth_cutting() -> None:
    """Every kind of limit is raised in it, gas is tagged and calls, history is told of, settings change."""
    rules = {str(row[2]) for seed in range(3) for row in undisturbed(seed)}
    assert {rule.rsplit("-", 1)[0] for rule in rules} >= {
        "value", "rate-of-rise", "mean-15min", "forecast", "cusum", "ewma", "above-ambient", "novelty",
        "wear", "sentinel", "range", "frozen", "settings",
    }  # fmt: skip
    assert {row[1] for row in undisturbed(0)} >= {EventKind.TAGGED, EventKind.CHANGED, EventKind.CLEARED}
    assert any(row[6] for row in undisturbed(0))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, SEEDS - 1), cut=st.integers(1, LENGTH - 1), ago=st.integers(1, 60))
def test_any_cut_leaves_the_same_journal(seed: int, cut: int, ago: int) -> None:
    """What was raised, when, by which value and why is the same to the letter."""
    with tempfile.TemporaryDirectory() as folder:
        mine = play(story(seed), Path(folder), cut=cut, saved=max(0, cut - ago))
    assert told(mine) == list(undisturbed(seed))
