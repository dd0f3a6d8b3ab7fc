"""Arrays grow in place where addresses are free, and by copying where they are not."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from minewatch.detect import memory

KINDS = [
    (np.dtype("f8"), ()),
    (np.dtype([("a", "i8"), ("b", "f4")]), ()),
    (np.dtype("f8"), (1,)),
    (np.dtype("f4"), (3,)),
]


@pytest.mark.parametrize(("kind", "width"), KINDS)
def test_nothing_is_copied_below_what_is_reserved(kind: np.dtype, width: tuple[int, ...]) -> None:
    """Rows keep their addresses while others are born, one by one and many at once."""
    array = memory.extended(np.zeros((0, *width), kind), 1)
    first = array
    for length in (2, 3, 500, 100_000):
        array = memory.extended(array, length)
        assert array.shape == (length, *width)
        assert np.shares_memory(first, array)


@pytest.mark.parametrize(("kind", "width"), KINDS)
def test_what_was_there_stays(
    kind: np.dtype, width: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array that has outgrown its reserve, and one that has none, are copied with all they hold."""
    monkeypatch.setattr(memory, "RESERVED", 64)
    for system in ("linux", "other"):
        monkeypatch.setattr(memory.sys, "platform", system)
        array = memory.extended(np.zeros((0, *width), kind), 60)
        array[:] = np.arange(60).astype(kind) if not width else np.arange(60)[:, None].astype(kind)
        before = array.copy()
        for length in (64, 65, 1000):
            array = memory.extended(array, length)
            np.testing.assert_array_equal(array[:60], before)


def test_a_machine_that_counts_addresses_as_memory() -> None:
    """An engine of a point starts under a limit of addresses of which the reserve would take more."""
    script = (
        "import resource\n"
        "from minewatch.detect.engine import Engine\n"
        "from minewatch.detect.settings import DetectSettings\n"
        "from minewatch.contracts import PointInfo\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 512_000_000,) * 2)\n"
        "made = Engine(DetectSettings())\n"
        "made.add_points([PointInfo('m/d/v', 'm', 'g', 'd', 'v', 'methane', '% CH4', 'face')])\n"
        "made.add_points([PointInfo('m/e/v', 'm', 'g', 'e', 'v', 'methane', '% CH4', 'face')])\n"
        "print(len(made.points))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "2\n", done.stderr
