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
        limit[0] = (7, 0, 0, comparison, 0, 1.0, 0.25, 2 * S, 3 * S, NONE, 1, 1, 0, 255, 0.0, 0)
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
            limit[0] = (7, 0, 0, comparison, 0, 1.0, 0.25, 0, 0, NONE, need, of, 0, 255, 0.0, 0)
            some = {**rule, "on_delay": 0, "off_delay": 0, "need": need, "of": of}
            out = []
            for t, value in zip(times, values, strict=True):
                since = kernel.judge(limit[0], value, t)
                if since != NONE:
                    out.append((t, since, bool(limit[0]["active"]), value))
            assert out == limits_oracle.transitions(times, values, **some)
        _limit_rows(kernel, times, values, rule)
        _dated_rows(kernel, times, values, rule)
    _versions(kernel)


def _limit_rows(kernel, times, values, rule):
    for need, of in ((1, 1), (2, 3)):
        limit = np.zeros(2, LIMIT)
        limit[0] = (7, 0, 0, rule["comparison"], 0, 1.0, 0.25, 2 * S, 3 * S, NONE, need, of, 0, 255, 0.0, 0)
        limit[1] = limit[0]
        limit[1]["key"] = 8
        stretched = np.array([t + 9 * S * (i // 4) + S * (i // 8) for i, t in enumerate(times)])
        heard, out = np.zeros(2, np.int64), np.zeros(2 * len(times), TRANSITION)
        made = kernel.judge_rows(
            limit, heard, stretched, np.array(values), 10 * S, np.zeros(0, np.int64), out
        )
        counted = {**rule, "need": need, "of": of, "hole": 10 * S}
        wanted = limits_oracle.transitions(stretched.tolist(), values, **counted)
        found = out[:made].tolist()
        assert [row[1:5] for row in found if row[0] == 7] == wanted
        assert [row[1:5] for row in found] == [row for row in wanted for _ in range(2)]


def _dated_rows(kernel, times, values, rule):
    """Check rows of one subject whose limit is another from the eighth and from the twentieth second on."""
    dates = np.array([START + 8 * S, START + 20 * S])
    said = [rule, {**rule, "threshold": 0.8, "deadband": 0.1}, {**rule, "threshold": 1.2}]
    said = [{**each, "need": 1, "of": 1} for each in said]
    limit = np.zeros(3, LIMIT)
    for k, each in enumerate(said):
        begins, ends = k, (1, 2, 255)[k]
        limit[k] = (7, 0, 0, rule["comparison"], 0, each["threshold"], each["deadband"], 2 * S, 3 * S, NONE,
                    1, 1, begins, ends, 0.0, 0)  # fmt: skip
    heard, ts, found = np.zeros(3, np.int64), np.maximum.accumulate(times), []
    for part in (slice(0, 12), slice(12, 13), slice(13, None)):
        out = np.zeros(3 * len(ts), TRANSITION)
        made = kernel.judge_rows(limit, heard, ts[part], np.array(values)[part], 10 * S, dates, out)
        found += [row[1:5] for row in out[:made].tolist()]
    starts = [-math.inf, *dates.tolist()]
    wanted = limits_oracle.of_versions(ts.tolist(), values, list(zip(starts, said, strict=True)), 10 * S)
    assert found == wanted


def _versions(kernel):
    """Check points whose limits are others from some dates on, and silences apart from the rest."""
    kinds = [(0, 1.0, 1), (0, 0.7, 1), (0, 0.9, 3), (10, 30.0, 1), (10, 5.0, 1)]
    begins, ends = [0, 1, 3, 0, 1], [1, 3, 255, 1, 255]
    for before, era, silences in ((0, 1, False), (0, 3, False), (1, 3, False), (0, 3, True), (-1, 1, True)):
        limit = np.zeros(15, LIMIT)
        first = np.array([0, 5, 10, 15])
        for k in range(15):
            detector, threshold, of = kinds[k % 5]
            key, span = k // 5 * 2 + (detector == 10), (begins[k % 5], ends[k % 5])
            limit[k] = (key, k // 5, detector, 0, 0, threshold, 0.0, 0, 0, NONE, 1, of, *span, 0.0, 0)
        stands = [1 if before == 1 else 0, 3]
        for k in (0, 5, 10):
            for at in stands:
                limit[k + at]["active"], limit[k + at]["since_ns"], limit[k + at]["hits"] = 1, 9 + k, 1
        kernel.enter(limit, first, np.array([0, 2]), np.array([before, before], np.int32), era, silences)
        moved = ({1: 1, 3: 2}[era], stands[0]) if not silences else (4, 3)
        for k in (0, 10):
            new, old = limit[k + moved[0]], limit[k + moved[1]]
            assert (new["active"], new["since_ns"]) == (1, 9 + k)
            assert new["hits"] == (1 if new["of"] == 1 else 0)
            assert (old["active"], old["since_ns"], old["hits"]) == (0, NONE, 0)
        assert limit["active"].sum() == 6
        assert [limit[5 + at]["active"] for at in stands] == [1, 1]
        assert limit["active"][stands[0] if silences else 3] == 1
    starts = np.array([10, 20])
    assert [kernel.era_of(starts, t) for t in (NONE, 9, 10, 19, 20, 99)] == [0, 0, 1, 1, 2, 2]
    for era, wanted in ((0, False), (1, True), (2, True), (3, False)):
        limit = np.zeros(1, LIMIT)
        limit["begins"], limit["ends"] = 1, 3
        assert kernel.in_force(limit[0], era) == wanted


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
            ("beyond", "enough", "judge", "note", "in_force", "hand_over", "enter", "era_of", "judge_rows"),
            ("since > t: edge", "limit['of'] > 1: edge", "heard_ns[0]: index"),
        ),  # the same either way
        ("quality", _quality, (), ()),
    ],
)
def test_planted_errors_are_caught(name, check, functions, same):
    """No planted sign, index or comparison error goes unnoticed."""
    assert mutants.survivors(mutants.load(name), check, functions, edges=True, same=same) == []
