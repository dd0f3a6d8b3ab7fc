"""Errors planted in the kernels are caught by comparing them with their oracles."""

import math

import numpy as np
import pytest

from kernels import mutants
from kernels.series import EDGES, START, S
from kernels.series import same as equal
from minewatch.detect.kernels.layout import LIMIT, NONE, TRACK, TRANSITION
from oracles import limits as limits_oracle
from oracles import quality as quality_oracle

pytestmark = pytest.mark.skipif(mutants.compiled_away(), reason="mutants run as plain Python anyway")


def _limits(kernel):
    for comparison in range(4):
        rule = {
            "comparison": comparison,
            "threshold": 1.0,
            "deadband": 0.25,
            "on_delay": 2 * S,
            "off_delay": 3 * S,
        }
        limit = np.zeros(1, LIMIT)
        limit[0] = (7, 0, 0, comparison, 0, 1.0, 0.25, 2 * S, 3 * S, NONE, 1, 1, 0, 0.0, 0)
        values = [
            0.5,
            1.0,
            1.0,
            1.0,
            2.0,
            2.0,
            2.0,
            0.9,
            0.75,
            0.75,
            0.75,
            0.75,
            0.7,
            0.7,
            0.7,
            0.7,
            math.nan,
        ] * 3
        values += [1.2, 1.25, 1.25, 1.25, 1.25, 1.3, 1.3, 1.3, 1.3, 1.0, 1.0, 1.0, 1.0]
        times = [START + i * S for i in range(40)] + [START + (i - 6) * S for i in range(40, len(values))]
        out = []
        for t, value in zip(times, values, strict=True):
            since = kernel.judge(limit[0], value, t)
            if since != NONE:
                out.append((t, since, bool(limit[0]["active"]), value))
        assert out == limits_oracle.transitions(times, values, **rule)
        for need, of in ((2, 3), (3, 3), (1, 2), (3, 5)):
            limit[0] = (7, 0, 0, comparison, 0, 1.0, 0.25, 0, 0, NONE, need, of, 0, 0.0, 0)
            some = {**rule, "on_delay": 0, "off_delay": 0, "need": need, "of": of}
            out = []
            for t, value in zip(times, values, strict=True):
                since = kernel.judge(limit[0], value, t)
                if since != NONE:
                    out.append((t, since, bool(limit[0]["active"]), value))
            assert out == limits_oracle.transitions(times, values, **some)
        _limit_rows(kernel, times, values, rule)


def _limit_rows(kernel, times, values, rule):
    for need, of in ((1, 1), (2, 3)):
        limit = np.zeros(2, LIMIT)
        limit[0] = (7, 0, 0, rule["comparison"], 0, 1.0, 0.25, 2 * S, 3 * S, NONE, need, of, 0, 0.0, 0)
        limit[1] = limit[0]
        limit[1]["key"] = 8
        stretched = np.array([t + 9 * S * (i // 4) + S * (i // 8) for i, t in enumerate(times)])
        heard, out = np.zeros(2, np.int64), np.zeros(2 * len(times), TRANSITION)
        made = kernel.judge_rows(limit, heard, stretched, np.array(values), 10 * S, out)
        counted = {**rule, "need": need, "of": of, "hole": 10 * S}
        wanted = limits_oracle.transitions(stretched.tolist(), values, **counted)
        found = out[:made].tolist()
        assert [(*row[1:],) for row in found if row[0] == 7] == wanted
        assert [row[1:] for row in found] == [row for row in wanted for _ in range(2)]


def _quality(kernel):
    for given in (0, 64, 127, 128, 131):
        for x in (0.0, 40.0, 40.5, -0.5, -2.0, math.nan, math.inf):
            marked = kernel.is_sentinel(x, -2.0) or kernel.is_sentinel(x, math.nan)
            assert kernel.classify(x, given, 0.0, 40.0, marked) == quality_oracle.classify(
                x, given, 0, 40, (-2.0,)
            )
    assert kernel.is_sentinel(float(np.float32(-999.9)), -999.9)
    for times, values in EDGES.values():
        track = np.zeros(1, TRACK)
        track["anchor_ns"] = NONE
        before = NONE
        wanted = quality_oracle.unchanged(times, values, 0.2, 100 * S)
        for t, x, expected in zip(times, values, wanted, strict=True):
            assert equal(kernel.unchanged(track[0], x, t, 0.1, 100 * S, before), expected)
            before = t if math.isfinite(x) else before
    track = np.zeros(1, TRACK)
    track["anchor_ns"] = NONE
    times = [START, START + 100 * S, START + 200 * S, START + 301 * S]
    wanted = quality_oracle.unchanged(times, [1.0] * 4, 0.2, 100 * S)
    befores = [NONE, *times]
    got = [kernel.unchanged(track[0], 1.0, t, 0.1, 100 * S, b) for t, b in zip(times, befores, strict=False)]
    assert got == wanted
    ramp = [1.0, 1.05, 1.1, 1.2, 1.15, 1.1, 1.0]
    track = np.zeros(1, TRACK)
    track["anchor_ns"] = NONE
    got = [kernel.unchanged(track[0], x, START + i * S, 0.1, 100 * S, START) for i, x in enumerate(ramp)]
    assert got == quality_oracle.unchanged([START + i * S for i in range(7)], ramp, 0.2, 100 * S)


@pytest.mark.parametrize(
    ("name", "check", "functions", "same"),
    [
        (
            "limits",
            _limits,
            ("beyond", "enough", "judge", "note", "judge_rows"),
            ("since > t: edge", "limit['of'] > 1: edge"),
        ),  # the same either way
        ("quality", _quality, (), ()),
    ],
)
def test_planted_errors_are_caught(name, check, functions, same):
    """No planted sign, index or comparison error goes unnoticed."""
    assert mutants.survivors(mutants.load(name), check, functions, edges=True, same=same) == []
