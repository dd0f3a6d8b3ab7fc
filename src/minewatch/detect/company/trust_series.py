"""Drift and lost response of columns over rows, for ``minewatch score``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minewatch.contracts import F8, I8, NO_WORDS, PointInfo, Text
from minewatch.detect.company import trust_words
from minewatch.detect.company.neighbours import judged
from minewatch.detect.company.scorer import Scored
from minewatch.detect.company.series import Rowwise, given_of
from minewatch.detect.company.trust import HALF
from minewatch.detect.kernels.trust import LEAST_OTHERS, walk_drift, walk_response
from minewatch.detect.kernels.trust_layout import BY_BAROMETER, DRIFT, RESPONSE
from minewatch.errors import ConfigError

LEAST = 1e-9  # of what has to be above 0


def score_trust(
    name: str, columns: Sequence[str], ts_ns: I8, rows: F8, parameters: Mapping[str, str | float]
) -> Rowwise:
    """Score rows (n, columns) at their times; NaN is a missing value.

    A step is judged by the first row of a later one, and holds until the next step is over. ``drift``
    compares all columns with each other, ``response`` the others with the first, which moves them. Raises
    ConfigError for an unknown parameter, one out of bounds, or too few columns.
    """
    given = given_of(name, parameters)
    needed = LEAST_OTHERS + 1 if name == "drift" else 2
    if len(columns) < needed:
        raise ConfigError(
            f"{name} needs {needed} columns, there are {len(columns)}", where="--columns", mend="Name more."
        )
    step = np.asarray(ts_ns // round(given["step_s"] * 1e9), np.int64)
    edges = np.flatnonzero(np.diff(step, prepend=step[:1] - 1))
    means = np.array([_mean(part) for part in np.split(rows, edges[1:])]).reshape(-1, len(columns))
    judge = _drifts if name == "drift" else _answers
    share, off, beside = judge(step[edges], means, given)
    closed = np.searchsorted(edges, np.arange(len(rows)), side="right") - 2  # the step before a row's own
    share, off, beside = (_held(part, closed) for part in (share, off, beside))
    with np.errstate(invalid="ignore"):
        statistic = np.max(np.where(np.isnan(share), -1.0, np.abs(share)), axis=1)
    statistic[statistic < 0] = np.nan
    scored = judged(statistic, np.nan_to_num(share), np.nan_to_num(off))
    infos = [PointInfo("", "", "", column, "", "", "", "") for column in columns]

    def explain(row: int) -> Text:
        return _why(name, infos, scored, beside, row)

    return Rowwise(scored, scored.score >= 0.5, {}, explain)


def _why(name: str, infos: Sequence[PointInfo], scored: Scored, beside: F8, row: int) -> Text:
    worst = int(np.abs(scored.share[row]).argmax())
    off, number = float(scored.off[row, worst]), beside[row, worst]
    if np.isnan(number):
        return NO_WORDS
    if name == "drift":
        return trust_words.drifted(infos[worst], off, int(number))
    return trust_words.unanswered(infos[worst], BY_BAROMETER, off, int(number))


def _mean(part: F8) -> F8:
    there = np.isfinite(part)
    count = there.sum(axis=0)
    total = np.where(there, part, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _held(steps: F8, closed: I8) -> F8:
    found = np.full((len(closed), steps.shape[1]), np.nan)
    found[closed >= 0] = steps[closed[closed >= 0]]
    return found


def _drifts(_: I8, means: F8, given: Mapping[str, float]) -> tuple[F8, F8, F8]:
    """Return of each step and column the signed statistic, the drift, and how many others there were."""
    sensors = np.zeros(means.shape[1], DRIFT)
    sensors["offset"] = np.nan
    off, sigmas, around = (np.empty(means.shape) for _ in range(3))
    others = np.empty(means.shape, np.int64)
    floor = max(given["floor"], LEAST)
    walk_drift(means, sensors, given["drift_warm_up"], floor, off, sigmas, around, others)
    size = np.abs(sigmas) / given["drift_half"]
    if given["least"] > 0:
        size = np.minimum(size, np.abs(off) / given["least"])
    return size * np.sign(off), off, others.astype(np.float64)


def _answers(step: I8, means: F8, given: Mapping[str, float]) -> tuple[F8, F8, F8]:
    """Return of each step and column the statistic, the share that is lost, and the events missed."""
    n, k = means.shape
    answers = np.zeros(k, RESPONSE)
    lost, sigmas = np.full(k, np.nan), np.full(k, np.nan)
    size, share, missed = (np.full((n, k), np.nan) for _ in range(3))
    own = means.copy()
    own[:, 0] = np.nan  # what moves the others answers nothing
    for row in range(n):
        walk_response(
            answers, int(step[row]), np.full(k, means[row, 0]), own[row], max(given["least"], LEAST),
            int(given["event_steps"]), given["response_warm_up"], given["response_tie"],
            given["response_memory"], given["response_recent"], given["response_sure"], lost, sigmas,
        )  # fmt: skip
        size[row] = np.maximum(np.minimum(lost / HALF, sigmas / given["response_sure"]), 0.0)
        share[row], missed[row] = lost, answers["missed"]
    return size, share, missed
