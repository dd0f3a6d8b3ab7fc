"""The core's list of points."""

import numpy as np

from minewatch.app.points import Points
from minewatch.contracts import PointInfo, ReadingBatch


def info(name: str, zone: str = "face") -> PointInfo:
    """Return a methane point."""
    return PointInfo(f"mine/dev/{name}", "mine", "gw", "dev", name, "methane", "% CH4", zone)


def test_a_place_keeps_its_index() -> None:
    """The same place has the same index; a changed description says so, an equal one does not."""
    points = Points({0: info("a")})
    assert points.register(info("a")) == (0, False)
    assert points.register(info("b")) == (1, True)
    assert points.register(info("a", zone="return")) == (0, True)
    assert points.infos[0].zone == "return"


def test_latest_holds_the_last_row_of_each_point_and_what_changed() -> None:
    """The last row of a point in a batch is its latest; a second look at changes finds none."""
    points = Points({0: info("a"), 1: info("b")})
    points.heard(ReadingBatch.of([0, 1, 0], [1, 2, 3], [0.1, 0.2, 0.3]))
    latest = points.latest(changed_only=True)
    assert latest.point.tolist() == [0, 1]
    assert latest.value.tolist() == [0.3, 0.2]
    assert len(points.latest(changed_only=True)) == 0
    assert len(points.latest()) == 2


def test_it_grows_past_its_first_size() -> None:
    """A thousand points later the early ones are still right."""
    points = Points({})
    rows = [points.register(info(f"p{i}"))[0] for i in range(1000)]
    points.heard(ReadingBatch.of(rows, list(range(1, 1001)), [float(i) for i in rows]))
    latest = points.latest()
    assert latest.value.tolist() == [float(i) for i in range(1000)]


def test_points_of_a_gateway_are_found() -> None:
    """Each gateway has its own points; an unknown one has none."""
    points = Points({0: info("a"), 1: info("b")})
    assert points.of_gateway("mine", "gw").tolist() == [0, 1]
    assert points.of_gateway("mine", "other").dtype == np.int32
