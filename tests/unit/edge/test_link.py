"""How much history a link may carry, against links that we make up."""

from minewatch_edge.link import Link

MS = 1_000_000


def test_link_finds_the_rate_and_keeps_the_share() -> None:
    """Of a link that takes 10 kB/s history gets half, in pieces of a fifth of a second at most."""
    link = Link()
    link.begin(0, 0.5)
    taken = given = waiting = 0.0
    history = 0
    for step in range(1, 2_000):
        now = step * 10 * MS
        moved = min(waiting, 100.0)
        taken, waiting = taken + moved, waiting - moved
        link.observe(now, int(taken), int(waiting))
        live = 40.0  # 4 kB/s
        given, waiting = given + live, waiting + live
        if (room := link.room()) > 0:
            piece = min(room, 1_000)
            link.spend(piece)
            waiting += piece
            if step > 1_000:
                history += piece
        if step > 1_000:
            assert waiting <= 4_000
    assert 3_500 <= history / 9.99 <= 5_500


def test_a_link_that_keeps_nothing_waiting_is_not_held_back() -> None:
    """Where nothing ever waits, there is always room: the rate of the spool is the only bound."""
    link = Link()
    link.begin(0, 0.5)
    for step in range(100):
        link.observe(step * MS, step * 10_000, 0)
        assert link.room() >= 10_000
        link.spend(10_000)
