from itertools import pairwise

import pytest

from minewatch.serve.ring import PIECE, Pacer, Ring, Tail

MS = 1_000_000


def test_frames_are_seen_only_after_a_wake() -> None:
    """A viewer reads up to the last wake, so that all viewers in step are sent the same piece."""
    ring = Ring(10, 10_000)
    ring.append(b"a", 1)
    assert ring.visible == 0
    ring.wake()
    ring.append(b"b", 2)
    piece = ring.since(0)
    assert piece is not None
    assert (piece.data, piece.next, piece.row) == (b"a", 1, 1)


def test_viewers_in_step_share_one_piece() -> None:
    """Frames are joined once, not once per viewer."""
    ring = Ring(10, 10_000)
    ring.append(b"a", 1)
    ring.append(b"b", 2)
    ring.wake()
    assert ring.since(0) is ring.since(0)


@pytest.mark.parametrize(("frames", "size", "left"), [(3, 10_000, 3), (100, 40, 4)])
def test_the_oldest_frames_go_when_room_or_bytes_run_out(frames: int, size: int, left: int) -> None:
    """The ring is bounded both ways, and says that a number is gone."""
    ring = Ring(frames, size)
    for row in range(1, 11):
        ring.append(b"0123456789", row)
    ring.wake()
    assert ring.head - ring.base == left
    assert ring.since(ring.base - 1) is None
    piece = ring.since(ring.base)
    assert piece is not None
    assert (piece.next, piece.row) == (10, 10)


def test_a_viewer_far_behind_is_fed_in_pieces() -> None:
    """No viewer gets more than a piece at a time, and the pieces add up."""
    ring = Ring(100, 100_000_000)
    for row in range(1, 6):
        ring.append(bytes([row]) * (PIECE // 2), row)
    ring.wake()
    at, rows = 0, []
    while at < ring.visible:
        piece = ring.since(at)
        assert piece is not None
        at = piece.next
        rows.append(piece.row)
    assert rows == [2, 4, 5]


def test_the_tail_knows_which_rows_it_holds() -> None:
    """Rows after a known row come in order; rows that are gone or unknown are told apart from none."""
    tail = Tail(3, head=10)
    assert tail.after(10) == []
    for row in range(11, 16):
        tail.append(row, b"%d" % row)
    assert tail.after(15) == []
    assert tail.after(13) == [b"14", b"15"]
    assert tail.after(12) == [b"13", b"14", b"15"]
    assert tail.after(11) is None
    assert tail.after(16) is None


def test_the_tail_takes_no_gap() -> None:
    """A row that does not follow the last one is a fault of ours, not something to send."""
    with pytest.raises(ValueError, match="does not follow"):
        Tail(3, head=10).append(12, b"")


def test_a_single_alert_is_sent_at_once() -> None:
    """In quiet times nothing waits; two wakes are 20 ms apart at least."""
    pacer = Pacer()
    assert pacer.delay_ns(1000 * MS) == 0
    pacer.woken(1000 * MS)
    assert pacer.delay_ns(1005 * MS) == 15 * MS


def test_a_flood_is_joined_per_100_ms() -> None:
    """Under a thousand events a second the viewers are woken ten times a second after a first burst."""
    pacer = Pacer()
    now, woken = 1_000_000 * MS, []
    for _ in range(10_000):  # an event each millisecond
        if pacer.delay_ns(now) == 0:
            pacer.woken(now)
            woken.append(now)
        now += MS
    gaps = [b - a for a, b in pairwise(woken[20:])]
    assert set(gaps) == {100 * MS}
    assert len(woken) <= 112


def test_an_alert_never_waits_longer_than_100_ms() -> None:
    """Whatever was woken before, the delay is bounded."""
    pacer = Pacer()
    for i in range(200):
        at = i * 20 * MS
        if pacer.delay_ns(at) == 0:
            pacer.woken(at)
        assert pacer.delay_ns(at) <= 100 * MS
