"""Stop anywhere, restore, go on: as if never stopped; and nothing else is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.series import examples, series
from minewatch.detect import state as rows
from minewatch.detect.engine import Engine
from minewatch.detect.kernels.layout import LAYOUT
from minewatch.errors import StoreError
from unit.detect.mine import SETTINGS, START, S, batch, limits, point, told

TABLE = limits(
    (1, 0, 0, 1.0, 0, 0.05, 2, 3),
    (2, 0, 1, 0.8),
    (3, 0, 4, 0.1),
    (4, 0, 10, 30.0, 0, 0.0, 5),
    (5, 1, 6, 4.0),
    (6, 1, 2, 0.01),
    (7, 1, 0, 0.5, 2, 0.0, 4),
    (8, 1, 11, 1.0, 1),
    (9, 0, 12, 1.5),
    (10, 1, 12, 0.5, 2),
    (11, 1, 13, 1.0),
)


def _engine():
    engine = Engine(SETTINGS)
    engine.add_points([point("a"), point("b")])
    engine.set_limits(TABLE)
    return engine


def _run(engine, rows):
    """Step row by row, with a tick between; return all that was found."""
    out = []
    for row in rows:
        found = engine.step(batch([row]))
        out += [found.quality.tolist(), told(found.transitions), found.scores.evidence.tolist()]
        out.append(told(engine.tick(row[1] + S)))
    return out


@examples
@given(series(max_size=60), st.data())
def test_any_cut_makes_no_difference(data, draw):
    """Snapshot and restore at any row, into an engine of any kind: the rest is the same to the last bit."""
    rows = [(i % 2, t, v) for i, (t, v) in enumerate(zip(*data, strict=True))]
    cut = draw.draw(st.integers(0, len(rows)))
    whole = _engine()
    expected = _run(whole, rows)
    first = _engine()
    got = _run(first, rows[:cut])
    second = Engine(SETTINGS) if draw.draw(st.booleans()) else _engine()
    second.restore(first.snapshot())
    got += _run(second, rows[cut:])
    assert got == expected
    assert second.snapshot() == whole.snapshot()


def test_points_are_found_by_place():
    """Points that got other numbers, are gone or are new: each goes on with what is its own."""
    first = _engine()
    first.step(batch([(p, START + i * S, 2.0 + p) for i in range(3) for p in (0, 1)]))
    second = Engine(SETTINGS)
    second.add_points([point("new"), point("b")])
    second.set_limits(limits((5, 1, 6, 4.0), (1, 0, 0, 1.0), (8, 1, 0, 2.5)))
    second.restore(first.snapshot())
    assert second.last_ns().tolist() == [-(2**63), START + 2 * S]
    found = second.step(batch([(0, START, 2.0), (1, START + 3 * S, 3.0)]))
    assert [row[0] for row in told(found.transitions)] == [1, 8], "limit 1 is at another place now: fresh"


def test_todays_description_wins():
    """A range or sentinel that changed since the snapshot is the one that counts."""
    first = _engine()
    first.step(batch([(0, START, 5.0)]))
    second = Engine(SETTINGS)
    second.add_points([point("a", high=3.0, sentinels=(1.0,)), point("b")])
    second.restore(first.snapshot())
    found = second.step(batch([(0, START + S, 5.0), (0, START + 2 * S, 1.0)]))
    assert found.quality.tolist() == [65, 129]


def test_a_point_that_measures_something_else_starts_anew():
    """What was learned of methane is not put upon a point of another quantity."""
    first = _engine()
    first.step(batch([(0, START, 2.0)]))
    second = Engine(SETTINGS)
    info = point("a")
    second.add_points([type(info)(**{**_fields(info), "unit": "ppm"})])
    second.restore(first.snapshot())
    assert second.last_ns().tolist() == [-(2**63)]


@pytest.mark.parametrize("keep", [0, 10, 30, -1, -32, -33, -5000])
def test_a_file_cut_off_is_named(keep):
    """A snapshot cut anywhere is refused, says so and says the mend; the engine is as before."""
    data = _engine().snapshot()
    engine = _engine()
    with pytest.raises(StoreError, match=r"cut off.*Delete the file"):
        engine.restore(data[:keep])
    assert engine.snapshot() == data


def test_a_flipped_bit_is_found():
    """A damaged snapshot is refused."""
    data = bytearray(_engine().snapshot())
    data[len(data) // 2] ^= 1
    with pytest.raises(StoreError, match="damaged"):
        _engine().restore(bytes(data))


def test_another_layout_is_named():
    """A snapshot of another version says which, and which one is written here."""
    data = bytearray(_engine().snapshot())
    data[data.index(b"\n") + 1] = 99
    with pytest.raises(StoreError, match=f"layout 99, this minewatch writes {LAYOUT}"):
        _engine().restore(bytes(data))


def test_a_state_is_small():
    """What is learned of a point takes less than 6 kB, beside its own description."""
    engine = Engine(SETTINGS)
    engine.add_points([point(str(i)) for i in range(100)])
    assert (len(engine.snapshot()) - sum(len(rows.told(info)) for info in engine.points)) / 100 < 6000


def _fields(info):
    return {name: getattr(info, name) for name in type(info).__dataclass_fields__}
