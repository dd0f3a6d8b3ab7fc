"""Readings shared out to the groups they belong to, and when each group looks at them."""

import numpy as np

from minewatch.contracts import ReadingBatch
from minewatch.detect.company.seats import Seats
from unit.detect.test_company_live import _batch, _company, _faulty, _scores


def test_what_no_rule_judges_is_looked_at_every_half_minute():
    """Second by second, a device that learns by itself has its rows scored some thirty at once."""
    company, table = _company(), _faulty(600, 480)
    _scores(company, _batch(table[:540]))
    found = [len(_scores(company, _batch(table[k : k + 1], k)).point) for k in range(540, 600)]
    assert np.count_nonzero(found) <= 4
    assert max(found) >= 28


def test_readings_are_shared_out_by_seats():
    """Each group gets the readings of its points, under its own slots, by time and then as they came."""
    rng = np.random.default_rng(3)
    members = ((4, 0), (2,), (0, 4, 1))
    batch = ReadingBatch.of(rng.integers(0, 6, 200), rng.integers(0, 9, 200), rng.normal(0, 1, 200))
    seats = Seats(members, 6)
    assert seats.taken.tolist() == [True, True, True, False, True, False]
    got = [(g, *row) for g, *columns in seats.shared(batch) for row in zip(*columns, strict=True)]
    wanted = [
        (g, points.index(p), t, x)
        for g, points in enumerate(members)
        for p, t, x in sorted(zip(batch.point, batch.ts_ns, batch.value, strict=True), key=lambda row: row[1])
        if p in points
    ]
    assert got == wanted
    assert list(seats.shared(batch.take(batch.point == 5))) == list(Seats((), 6).shared(batch)) == []
