"""The ledger of spool ids: what is new, what is a repeat, what may be acknowledged."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minewatch.app.delivery import Ledger, Unnumbered
from minewatch.contracts import Deliveries, ReadingBatch, Watermark

NAMES = {0: ("mine/gw-1", "spool-a"), 1: ("mine/gw-2", "spool-b")}


def deliveries(*ids: int, spool: int = 0) -> Deliveries:
    """Return messages of one reading each with these ids."""
    n = len(ids)
    return Deliveries(np.full(n, spool, np.int32), np.asarray(ids, np.int64), np.ones(n, np.int32))


def test_consecutive_ids_move_the_watermark() -> None:
    """Ids without a gap are all new and all acknowledged."""
    ledger = Ledger()
    assert ledger.admit(deliveries(1, 2, 3), NAMES).all()
    assert ledger.changed() == (Watermark("mine/gw-1", "spool-a", 3),)


def test_a_gap_holds_the_watermark_until_it_is_filled() -> None:
    """What came after a gap is held but not acknowledged; filling the gap acknowledges all of it."""
    ledger = Ledger()
    ledger.admit(deliveries(1, 2, 5, 6), NAMES)
    assert ledger.changed()[0] == Watermark("mine/gw-1", "spool-a", 2, (5, 6))
    assert ledger.admit(deliveries(3, 4, 5), NAMES).tolist() == [True, True, False]
    assert ledger.changed()[0] == Watermark("mine/gw-1", "spool-a", 6)


def test_a_restart_knows_what_was_held() -> None:
    """Watermarks from the store make repeats known after a restart."""
    ledger = Ledger([Watermark("mine/gw-1", "spool-a", 7, (9,))])
    assert ledger.admit(deliveries(6, 7, 8, 9, 10), NAMES).tolist() == [False, False, True, False, True]
    assert ledger.changed()[0].upto == 10


def test_a_new_spool_of_a_gateway_starts_anew() -> None:
    """Ids of another spool file are other ids, also at the same gateway."""
    ledger = Ledger([Watermark("mine/gw-1", "spool-old", 500)])
    assert ledger.admit(deliveries(1, 2), NAMES).all()


def test_messages_without_an_id_are_always_new() -> None:
    """A sender without the acknowledgement is taken as it comes, and gets no watermark."""
    ledger = Ledger()
    assert ledger.admit(deliveries(-1, -1), NAMES).all()
    assert ledger.changed() == ()


def test_ids_that_the_sender_no_longer_has_do_not_hold_the_watermark() -> None:
    """A fresh store acknowledges an old spool that begins at 101; evicted rows are not waited for."""
    ledger = Ledger()
    ledger.forget_before(NAMES[0], 101)
    ledger.admit(deliveries(101, 102, 105), NAMES)
    assert ledger.changed()[0] == Watermark("mine/gw-1", "spool-a", 102, (105,))
    ledger.forget_before(NAMES[0], 105)
    assert ledger.changed()[0].upto == 105


def test_what_is_stored_is_no_longer_changed_until_it_is_asked_again() -> None:
    """A watermark is told once; a gateway that comes back is told again."""
    ledger = Ledger()
    ledger.admit(deliveries(1), NAMES)
    marks = ledger.changed()
    ledger.stored(marks)
    assert ledger.changed() == ()
    ledger.touch(NAMES[0])
    assert ledger.changed() == marks


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=8), max_size=20))
def test_every_id_is_new_exactly_once(batches: list[list[int]]) -> None:
    """Whatever the order and the repeats: an id is new once, and the watermark is the longest run from 1."""
    ledger = Ledger()
    seen: set[int] = set()
    for ids in batches:
        fresh = ledger.admit(deliveries(*ids), NAMES).tolist()
        for number, new in zip(ids, fresh, strict=True):
            assert new == (number not in seen)
            seen.add(number)
        upto = 0
        while upto + 1 in seen:
            upto += 1
        mark = ledger.changed()[0]
        assert mark.upto == upto
        assert set(mark.above) == {number for number in seen if number > upto}


def test_a_reading_without_an_id_is_known_when_it_comes_again_as_history() -> None:
    """A gateway whose disk refused sends a reading twice; the second time it is not new, and only then."""
    known = Unnumbered()
    assert known.take(ReadingBatch.of([3, 4], [10, 10], [0.1, 0.2]), np.ones(2, np.bool_)).all()
    again = ReadingBatch.of([3, 3, 4], [10, 11, 10], [0.1, 0.1, 0.2], historical=True)
    assert known.take(ReadingBatch.of([3], [10], [0.1]), np.zeros(1, np.bool_)).all()
    assert known.take(again, np.zeros(3, np.bool_)).tolist() == [False, True, False]
    assert known.take(again, np.zeros(3, np.bool_)).all()


def test_history_without_ids_waits_for_them() -> None:
    """While ids are not believed a repeat is left and not forgotten: with its id it is still known."""
    known = Unnumbered()
    known.take(ReadingBatch.of([3], [10], [0.1]), np.ones(1, np.bool_))
    again = ReadingBatch.of([3, 4], [10, 10], [0.1, 0.2], historical=True)
    assert known.take(again, np.ones(2, np.bool_)).tolist() == [False, False]
    assert known.take(again, np.zeros(2, np.bool_)).tolist() == [False, True]


def test_what_is_remembered_is_bounded() -> None:
    """The oldest readings without an id are forgotten first."""
    known = Unnumbered(most=2)
    known.take(ReadingBatch.of([1, 2, 3], [5, 5, 5], [0.0, 0.0, 0.0]), np.ones(3, np.bool_))
    back = ReadingBatch.of([1, 2, 3], [5, 5, 5], [0.0, 0.0, 0.0], historical=True)
    assert known.take(back, np.zeros(3, np.bool_)).tolist() == [True, False, False]
