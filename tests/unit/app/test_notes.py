"""Notes of gateways: taken once, acknowledged when what they caused is in the journal."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minewatch.app.delivery import Held
from minewatch.contracts import AlertState, Command, Deliveries, Note, Watermark
from minewatch.store.records.sqlite import SqliteRecords
from minewatch.testing import MemoryRecords, MemoryTelemetry
from unit.app.a_mine import T0, RefusingRecords, S, gateway, pipeline

NAME = ("mine/gw", "spool")


def numbered(ids: Iterable[int]) -> Deliveries:
    """Return messages without readings under these ids of the one spool."""
    numbers = np.array(list(ids), np.int64)
    zeros = np.zeros(len(numbers), np.int32)
    return Deliveries(zeros, numbers, zeros)


def gap(number: int, ids: list[list[int]], **more: Any) -> Note:
    """Return a note that tells of a gap."""
    told = {"kind": "gap", "reason": "size", "ids": ids, "readings": 120, "from_ms": 1_000, "to_ms": 61_000,
            "devices": ["gas"]}  # fmt: skip
    return Note(0, number, T0, json.dumps(told | more))


def test_history_says_what_was_lost_and_why() -> None:
    """A gap becomes one alert that pages nobody, and the watermark goes on behind the ids that never come."""
    mine = pipeline()
    mine.link(gateway(spool_first=1), T0)
    (event,) = mine.note(gap(21, [[1, 20]]), NAME, T0)
    alert = event.alert
    assert (alert.rule, alert.place, alert.paged, alert.state) == (
        "readings-lost", "mine/gw", False, AlertState.RETURNED,
    )  # fmt: skip
    assert (event.time_ns, alert.raised_ns, alert.value) == (61 * S, S, 120.0)
    assert "120 readings lost (gas), 1970-01-01 00:00:01 - 1970-01-01 00:01:01 UTC" in alert.why.en
    assert "накопитель" in alert.why.ru
    assert "жинағышы" in alert.why.kk
    assert [mark.upto for mark in mine.flush()] == [21]
    assert mine.command(Command("acknowledge", alert.id, "Aigerim"), T0).alert.state is AlertState.NORMAL


def test_a_note_is_delivered_once() -> None:
    """A repeat causes nothing, before and after the acknowledgement, and after a restart."""
    records, telemetry = MemoryRecords(), MemoryTelemetry()
    mine = pipeline(telemetry, records)
    assert len(mine.note(gap(21, [[1, 20]]), NAME, T0)) == 1
    assert mine.note(gap(21, [[1, 20]]), NAME, T0) == ()
    mine.flush()
    assert mine.note(gap(21, [[1, 20]]), NAME, T0) == ()
    again = pipeline(telemetry, records)
    assert again.note(gap(21, [[1, 20]]), NAME, T0) == ()
    lost = pipeline(MemoryTelemetry(), records)  # the journal had it, the acknowledgement was not stored
    assert lost.note(gap(21, [[1, 20]]), NAME, T0) == ()
    assert len(records.events()) == 1


def test_a_note_is_not_acknowledged_before_the_journal_has_it() -> None:
    """While the journal refuses, neither the note nor the ids it speaks of move the watermark."""
    records = RefusingRecords()
    mine = pipeline(records=records)
    records.full = True
    assert mine.note(gap(21, [[1, 20]]), NAME, T0) == ()
    assert mine.flush() == ()
    records.full = False
    assert [e.alert.rule for e in mine.tick(T0 + S)] == ["readings-lost"]
    assert [mark.upto for mark in mine.flush()] == [21]


def test_what_had_arrived_before_is_no_loss() -> None:
    """Rows that a spool gave up after the service had stored them are not told as lost."""
    mine = pipeline()
    mine.ledger.admit(numbered(range(1, 21)), {0: NAME})
    assert mine.note(gap(21, [[5, 20]]), NAME, T0) == ()
    assert [mark.upto for mark in mine.flush()] == [21]


def test_ids_are_skipped_when_the_rows_before_them_came() -> None:
    """A note far ahead of the watermark is held; a restart forgets the ids, and the repeat renews them."""
    telemetry, records = MemoryTelemetry(), MemoryRecords()
    mine = pipeline(telemetry, records)
    mine.note(gap(100, [[5, 50], [52, 99]]), NAME, T0)
    assert mine.flush() == (Watermark(*NAME, 0, (100,)),)
    again = pipeline(telemetry, records)
    again.note(gap(100, [[5, 50], [52, 99]]), NAME, T0)
    again.ledger.admit(numbered((1, 2, 3, 4, 51)), {0: NAME})
    assert again.flush() == (Watermark(*NAME, 100, ()),)
    assert len(records.events()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no json", "note"),
        ("[1]", "note-kind"),
        ('{"kind":"weather"}', "note-kind"),
        ('{"kind":"gap"}', "note"),
        ('{"kind":"gap","ids":[[1,9]]}', "note"),  # its own id is 9: it would swallow what comes after it
        ('{"kind":"gap","ids":[[3,2]]}', "note"),
        ('{"kind":"gap","ids":[[true,2]]}', "note"),
        ("[" * 100_000, "note"),
        (json.dumps({"kind": "alert", "event": "raised", "value": 10**400}), "note"),
    ],
)
def test_a_note_that_cannot_be_used_holds_up_nothing(text: str, reason: str) -> None:
    """It is rejected with a reason, once, and acknowledged."""
    records = MemoryRecords()
    mine = pipeline(records=records)
    mine.ledger.admit(numbered(range(1, 9)), {0: NAME})
    for _ in range(2):
        assert mine.note(Note(0, 9, T0, text), NAME, T0) == ()
    assert [mark.upto for mark in mine.flush()] == [9]
    mine.rejects.flush(T0)
    assert [(r.source, r.reason) for r in records.rejects()] == [("mine/gw", reason)]


def test_a_loss_stands_in_the_record_store(tmp_path: Path) -> None:
    """A loss of unknown size is kept and read back, and a further one joins it until somebody has seen it."""
    mine = pipeline(records=SqliteRecords(tmp_path / "records.sqlite", busy_timeout_s=1.0, writer=True))
    (first,) = mine.note(gap(21, [[1, 20]], reason="power-cut", readings=None), NAME, T0)
    (second,) = mine.note(gap(31, [[22, 30]], from_ms=90_000, to_ms=95_000), NAME, T0)
    kept = mine.records.alert(first.alert.id)
    assert second.alert.id == first.alert.id == kept.id
    assert (kept.raised_ns, kept.changed_ns, kept.value) == (S, 95 * S, 120.0)
    assert "not known" in mine.records.events()[0].alert.why.en


def test_text_that_no_file_can_hold_ends_nothing(tmp_path: Path) -> None:
    """Halves of surrogate pairs and marks of control become blanks; the note is kept and acknowledged."""
    mine = pipeline(records=SqliteRecords(tmp_path / "records.sqlite", busy_timeout_s=1.0, writer=True))
    (event,) = mine.note(gap(21, [[1, 20]], devices=["\ud800\n7"], reason="\udfff"), NAME, T0)
    assert "lost (  7)" in event.alert.why.en
    assert [mark.upto for mark in mine.flush()] == [21]


def test_gaps_never_hide_rows() -> None:
    """A row that comes although a gap spoke of its id is taken, as long as the watermark is before it."""
    held = Held()
    held.skip([(3, 5)])
    assert held.admit([4, 1]) == [True, True]
    assert held.admit([2]) == [True]
    assert (held.upto, held.above) == (5, set())
