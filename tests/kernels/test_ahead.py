"""What is asked for ahead of a reading is what the reading then touches."""

import ast
from pathlib import Path

import numpy as np
import pytest

from kernels import mutants
from minewatch.contracts import ReadingBatch
from minewatch.detect.engine import Engine
from minewatch.detect.kernels import ahead
from minewatch.detect.kernels.layout import POINT, STEL_BUCKET_NS, TWA_BUCKET_NS
from unit.detect.mine import SETTINGS, START, S, limits, point

P = 40  # so that even a byte a point takes more than one line
# where a reading writes depends on what was learned: nobody can know it ahead
UNFORESEEN = (
    (ahead.at("rise", "kept_ns"), ahead.at("stel")),
    (ahead.VIEW + ahead.MARKS, ahead.SECOND),
    (ahead.SECOND + ahead.MARKS, ahead.at("runs")),
)


def _engine():
    made = Engine(SETTINGS)
    made.add_points([point(str(p), sentinels=(-2.0, -3.0)) for p in range(2 * P)])
    made.set_limits(limits(*((10 * p + d, p, d, 9.0, 0, 0.1, 0, 0) for p in range(2 * P) for d in (0, 1, 4))))
    return made


def _asked(module, state, p, t):
    """Return the addresses that are asked for, by the kernel as plain Python."""
    found = []
    module.prefetch = found.append
    module.ask_for(state, p, t)
    return np.array(found)


def _written(before, after):
    """Return the places in the row of a point that a reading changed."""
    return np.flatnonzero(before.view(np.uint8) != after.view(np.uint8))


def _check(module):
    made = _engine()
    rng = np.random.default_rng(1)
    row = made.state.point.ctypes.data + P * POINT.itemsize
    for k in range(60):
        for second in range(4):
            t = START + (k * 7_777 + second) * S
            before = made.state.point[P : P + 1].copy()
            asked = _asked(module, made.state, P, t)
            made.step(ReadingBatch.of([P], [t], [float(rng.normal(1, 0.1))]))
            closed = any((t - S) // bucket != t // bucket for bucket in (STEL_BUCKET_NS, TWA_BUCKET_NS))
            if second == 0 or closed:  # a whole ring is gone through
                continue
            written = _written(before, made.state.point[P : P + 1])
            for begin, end in UNFORESEEN:
                written = written[(written < begin) | (written >= end)]
            assert np.isin((row + written) // 64, asked // 64).all(), k
            for ring, bucket, count in (("stel", STEL_BUCKET_NS, 60), ("twa", TWA_BUCKET_NS, 96)):
                oldest = made.state.point[ring]["ring"][P, (t // bucket + 1) % (count + 1)]
                assert oldest.ctypes.data // 64 in asked // 64, k
    spread = [made.state.sentinel, made.state.forecast_at, made.state.wear_at, *made.state.chart]
    for array in spread:
        assert np.isin(array[P : P + 1].ctypes.data // 64, asked // 64), array.dtype
    mine = made.state.limit[made.state.limit["point"] == P]
    first = made.state.limit.ctypes.data + 3 * P * mine.itemsize
    assert np.isin(np.arange(first, first + mine.nbytes) // 64, asked // 64).all()
    assert len(asked) < 60


@pytest.mark.skipif(mutants.compiled_away(), reason="this is plain Python anyway")
def test_what_is_asked_for_is_what_a_reading_touches():
    """Every line of memory that a reading writes where it can be known was asked for, and few others."""
    module = mutants.load("ahead")
    _check(mutants.build(module, ast.parse(Path(module.__file__).read_text(encoding="utf-8"))))


@pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")
def test_planted_errors_are_caught():
    """No planted sign or index error in what is asked for goes unnoticed."""
    same = ("LIMIT_BYTES - 1: sign",)  # at most a line more than is needed
    assert mutants.survivors(mutants.load("ahead"), _check, ("ask_for",), same=same) == []
