"""Slow proofs of a sensor: drift against its neighbours, and a response to what always moved it that is gone.

One step of either is an hour's mean or one event, not a reading, so nothing here is on the hot path.
"""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import Row

FAST = 24.0  # steps that the present is averaged over
EVENTS = 8.0  # the newest events that speak of the response now


@kernel
def drift(row: Row, x: float, neighbours: float, warm_up: float, floor: float) -> float:
    """Return by how many sigmas a sensor has moved away from its neighbours since it was learned; signed.

    ``neighbours`` is the median of at least two others that measure the same air. The first ``warm_up``
    steps teach the usual difference and its spread, which then stand still: a baseline that follows would
    follow the drift. After that the mean difference of the newest ``FAST`` steps is told in sigmas of one
    step, at least ``floor``. NaN until then, and for a step without a number, which changes nothing.
    """
    d = x - neighbours
    if not np.isfinite(d):
        return np.nan
    if row["learned"] < warm_up:
        row["learned"] += 1.0
        before = d - row["mean"]
        row["mean"] += before / row["learned"]
        row["squares"] += before * (d - row["mean"])
        row["now"] = row["mean"]
        return np.nan
    row["now"] += (d - row["now"]) / FAST
    sigma = max(np.sqrt(row["squares"] / max(row["learned"] - 1.0, 1.0)), floor)
    return float((row["now"] - row["mean"]) / sigma)


@kernel
def response(
    row: Row, stimulus: float, reply: float, warm_up: float, least_tie: float, memory: float
) -> float:
    """Return how much of its usual response a sensor has lost: 0 none, 1 all; NaN while none is known.

    An event is a change of what moves the sensor (barometer, a blast seen by the neighbours, test gas) and
    the sensor's own change with it. The usual response is the regression of one on the other through zero,
    over ``memory`` events, once ``warm_up`` are known and their correlation is at least ``least_tie``: a
    sensor that never answered cannot stop. While more than half is lost nothing is learned, so the loss stays
    visible.
    """
    if not np.isfinite(stimulus) or not np.isfinite(reply) or stimulus == 0.0:
        return np.nan
    share = 1.0 / EVENTS
    row["now_ss"] += share * (stimulus * stimulus - row["now_ss"])
    row["now_sr"] += share * (stimulus * reply - row["now_sr"])
    lost = np.nan
    if row["events"] >= warm_up and row["ss"] > 0.0 and row["rr"] > 0.0 and row["now_ss"] > 0.0:
        tie = row["sr"] / np.sqrt(row["ss"] * row["rr"])
        if abs(tie) >= least_tie:
            lost = 1.0 - (row["now_sr"] / row["now_ss"]) / (row["sr"] / row["ss"])
            lost = min(max(lost, 0.0), 1.0)
    if not lost > 0.5:
        row["events"] = min(row["events"] + 1.0, memory)
        share = 1.0 / row["events"]
        row["ss"] += share * (stimulus * stimulus - row["ss"])
        row["sr"] += share * (stimulus * reply - row["sr"])
        row["rr"] += share * (reply * reply - row["rr"])
    return float(lost)
