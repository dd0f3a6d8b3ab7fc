"""Bad quality feeds no model, and silences no limit: over the whole engine and over sensors in company."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minewatch.contracts import Quality, ReadingBatch
from minewatch.detect.catalogue import index
from minewatch.detect.company.live import Company
from minewatch.detect.company.settings import CompanySettings
from minewatch.detect.company.trust import Trust
from minewatch.detect.company.trust_settings import TrustSettings
from minewatch.detect.engine import Engine
from unit.detect.mine import SETTINGS, START, S, limits, point, told

ROWS = 80
# every detector that learns, or looks back at values
MODELS = [index(name) for name in ("rate-of-rise", "ewma", "cusum", "novelty", "forecast", "wear")]
VALUE = index("value")
DOUBTED = [q for q in Quality if q >= Quality.UNCERTAIN]
JUNK = st.sampled_from([39.0, -5.0, 1e6, 0.5, math.nan, math.inf, -2.0])
JUNKS = st.dictionaries(st.integers(0, ROWS - 1), st.tuples(JUNK, st.sampled_from(DOUBTED)), min_size=1)


def rows(
    seed: int, junk: dict[int, tuple[float, Quality]], points: int = 1
) -> tuple[ReadingBatch, np.ndarray]:
    """Return readings of these points every five seconds, junk two seconds after some, and which are good."""
    random = np.random.default_rng(seed)
    made = []
    for i in range(ROWS):
        made += [(p, START + 5 * i * S, random.normal(1.0, 0.1), 0) for p in range(points)]
        if i in junk:
            made.append((0, START + (5 * i + 2) * S, *junk[i]))
    point_, ts, value, quality = (np.array(column) for column in zip(*made, strict=True))
    zeros = np.zeros(len(made), np.bool_)
    batch = ReadingBatch(point_.astype(np.int32), ts, value.astype(float), quality.astype(np.uint8), zeros)
    return batch, batch.quality == 0


def engine(*more: tuple[int, int, int, float]) -> Engine:
    """Return an engine of one point whose forecast and wear somebody asks for."""
    made = Engine(SETTINGS)
    made.add_points([point("a")])
    asked = [(k + 1, 0, index(name), 1e9) for k, name in enumerate(("forecast", "wear"))]
    made.set_limits(limits(*asked, *more))
    return made


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), JUNKS)
def test_no_model_learns_from_bad_quality(seed: int, junk: dict[int, tuple[float, Quality]]) -> None:
    """What every model says of the good readings is the same, to the bit, with junk between them or not."""
    batch, good = rows(seed, junk)
    _, clean = engine().statistics(batch.take(good))
    findings, table = engine().statistics(batch)
    np.testing.assert_array_equal(table[good][:, MODELS], clean[:, MODELS])
    assert np.isnan(table[~good][:, MODELS]).all()
    assert (findings.quality[~good] >= Quality.UNCERTAIN).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), JUNKS)
def test_no_company_learns_from_bad_quality(seed: int, junk: dict[int, tuple[float, Quality]]) -> None:
    """Neighbours and devices say the same with junk between their good readings or without."""

    def said(batch: ReadingBatch) -> list[tuple[str, list[int], list[float]]]:
        company = Company(CompanySettings(grace_s=0))
        company.set_points([point(name) for name in "abc"])
        return [(s.place, s.ts_ns.tolist(), s.value.tolist()) for s in company.take(batch)[1]]

    batch, good = rows(seed, junk, points=3)
    with_junk, without = said(batch), said(batch.take(good))
    assert without
    np.testing.assert_equal(with_junk, without)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), JUNKS)
def test_no_proof_over_days_learns_from_bad_quality(
    seed: int, junk: dict[int, tuple[float, Quality]]
) -> None:
    """Drift and response say the same with junk between the good readings or without."""

    def said(batch: ReadingBatch) -> list[tuple[str, list[int], list[float]]]:
        trust = Trust(TrustSettings(step_s=20, drift_warm_up=4))
        trust.set_points([point(name) for name in "abc"])
        return [(s.place, s.ts_ns.tolist(), s.value.tolist()) for s in trust.take(batch)[1]]

    batch, good = rows(seed, junk, points=3)
    with_junk, without = said(batch), said(batch.take(good))
    assert without
    np.testing.assert_equal(with_junk, without)


@pytest.mark.parametrize("quality", DOUBTED)
def test_no_quality_silences_a_limit(quality: Quality) -> None:
    """Above it an uncertain value raises as a good one does; a bad one neither raises nor clears."""
    made = engine((9, 0, VALUE, 2.0))
    uncertain = quality < Quality.BAD
    raised = made.step(_one(0, 3.0, quality)).transitions
    assert [row[3] for row in told(raised)] == ([True] if uncertain else [])
    made.step(_one(10, 3.0, Quality.GOOD))
    for second, value in ((20, 0.0), (30, math.nan), (40, -2.0)):
        cleared = told(made.step(_one(second, value, quality)).transitions)
        assert [row[3] for row in cleared] == ([False] if uncertain and value == 0.0 else [])
    assert len(told(made.step(_one(50, 0.0, Quality.GOOD)).transitions)) == (0 if uncertain else 1)


def _one(second: int, value: float, quality: Quality) -> ReadingBatch:
    one = ReadingBatch.of([0], [START + second * S], [value])
    one.quality[0] = quality
    return one
