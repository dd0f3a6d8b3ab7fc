import json
from dataclasses import replace
from typing import Any

import numpy as np

from minewatch.contracts import ReadingBatch
from minewatch.serve.latest import Latest

NOW = 1_769_828_400_000_000_000


def changes(latest: Latest) -> dict[str, Any]:
    """Return the next frame's data."""
    found: dict[str, Any] = json.loads(latest.changes(NOW) or b"{}")
    return found


def test_a_frame_holds_what_changed_since_the_last_one() -> None:
    """Two pushes before a frame are merged into one value per point; the next frame begins anew."""
    latest = Latest()
    latest.merge(ReadingBatch.of([0, 2], [1_000_000, 1_000_000], [0.1, 0.2]))
    latest.merge(ReadingBatch.of([2], [2_000_000], [0.3]))
    frame = changes(latest)
    assert (frame["point"], frame["ts_ms"], frame["value"]) == ([0, 2], [1, 2], [0.1, 0.3])
    assert frame["time"].startswith("2026-01-31T03:00:00")
    assert changes(latest) == {}
    assert json.loads(latest.everything(NOW))["point"] == [0, 2]


def test_an_older_or_late_reading_changes_nothing() -> None:
    """The latest value never goes back in time, and what arrives late is not the latest."""
    latest = Latest()
    latest.merge(ReadingBatch.of([0], [2_000_000], [1.0]))
    latest.changes(NOW)
    assert latest.merge(ReadingBatch.of([0], [1_000_000], [9.0])) == 0
    assert latest.merge(ReadingBatch.of([0], [3_000_000], [9.0], historical=True)) == 0
    assert changes(latest) == {}


def test_what_json_cannot_say_is_null() -> None:
    """NaN and infinity become null; the quality says why."""
    latest = Latest()
    batch = ReadingBatch.of([0, 1], [1_000_000] * 2, [float("nan"), float("inf")])
    latest.merge(replace(batch, quality=np.asarray([130, 0], np.uint8)))
    frame = changes(latest)
    assert (frame["value"], frame["quality"]) == ([None, None], [130, 0])


def test_a_wild_point_number_takes_no_memory() -> None:
    """An index that no mine has is left out instead of growing the columns to it."""
    latest = Latest()
    assert latest.merge(ReadingBatch.of([2_000_000_000, -1, 3], [1, 1, 1_000_000], [1.0, 2.0, 3.0])) == 1
    assert changes(latest)["point"] == [3]


def test_a_clock_set_back_does_not_stop_the_screen() -> None:
    """Readings of a doubted clock are shown as they come, and so is the first one after them."""
    latest = Latest()
    latest.merge(ReadingBatch.of([0], [9_000_000], [1.0]))
    doubted = ReadingBatch.of([0], [2_000_000], [2.0])
    assert latest.merge(replace(doubted, quality=np.asarray([67], np.uint8))) == 1
    assert changes(latest)["value"] == [2.0]
    far = ReadingBatch.of([0], [99_000_000], [3.0])
    assert latest.merge(replace(far, quality=np.asarray([67], np.uint8))) == 1
    assert latest.merge(ReadingBatch.of([0], [3_000_000], [4.0])) == 1
    assert changes(latest)["value"] == [4.0]
