"""Silence and freeze of most columns of a file, for ``minewatch score``: looked at as a gateway is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minewatch.contracts import F8, I8, NO_WORDS, PointInfo, ReadingBatch, Text
from minewatch.detect.company.catalogue import BY_NAME
from minewatch.detect.company.scorer import Scored
from minewatch.detect.company.series import Rowwise
from minewatch.detect.engine import Engine
from minewatch.detect.gateways import POINTS, Gateways
from minewatch.detect.settings import DetectSettings
from minewatch.errors import ConfigError

SHARE = 0.4  # of the points; as rules/signal.toml has it
KNOWN = ("interval_s", "threshold")


def score_outage(
    name: str, columns: Sequence[str], ts_ns: I8, rows: F8, parameters: Mapping[str, str | float]
) -> Rowwise:
    """Score rows (n, columns) at their times: the columns are the points of a gateway, NaN is no reading.

    The score is share / (share + threshold). Raises ConfigError for an unknown parameter, one out of bounds,
    or too few columns.
    """
    interval_s, threshold = _given(name, parameters)
    if len(columns) < POINTS:
        raise ConfigError(
            f"{name} needs {POINTS} columns, there are {len(columns)}", where="--columns", mend="Name more."
        )
    engine, gateways = Engine(DetectSettings()), Gateways()
    engine.add_points([PointInfo(c, "", "", "", c, "value", "1", "", interval_s=interval_s) for c in columns])
    gateways.set_points(engine.points)
    share = np.zeros(len(rows))
    why: list[Text] = []
    latest, words = 0.0, NO_WORDS
    for row, now_ns in enumerate(ts_ns.tolist()):
        there = np.flatnonzero(np.isfinite(rows[row]))
        engine.step(ReadingBatch.of(there.tolist(), [now_ns] * len(there), rows[row, there].tolist()))
        for said in gateways.look(engine.state.point, now_ns):  # nothing within 5 s of the last look
            if said.detector == BY_NAME[name]:
                latest, words = float(said.value[0]), said.say(0)
        share[row] = latest
        why.append(words)
    nothing = np.zeros(rows.shape)
    scored = Scored(share / threshold, share / (share + threshold), nothing, nothing)
    return Rowwise(scored, scored.score >= 0.5, {}, why.__getitem__)


def _given(name: str, parameters: Mapping[str, str | float]) -> tuple[float, float]:
    """Return the normal interval and the threshold."""
    for key in parameters:
        if key not in KNOWN:
            raise ConfigError(
                f"{name} has no parameter {key!r}", where=f"--set {key}", mend=f"Known: {', '.join(KNOWN)}."
            )
    found = []
    for key, default, most in (("interval_s", 0.0, 1e9), ("threshold", SHARE, 1.0)):
        try:
            number = float(parameters.get(key, default))
        except ValueError:
            number = float("nan")
        if not 0 < number <= most:
            raise ConfigError(
                f"{name} needs {key} above 0 and up to {most:g}",
                where=f"--set {key}",
                mend="Add --set interval_s=SECONDS, the longest normal time between two readings of a column."
                if key == "interval_s"
                else "Give a share of the columns.",
            )
        found.append(number)
    return found[0], found[1]
