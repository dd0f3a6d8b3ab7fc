"""Slow proofs of a sensor: drift against its neighbours, and a response to what always moved it that is gone.

One step of either is an hour's mean or one event, not a reading, so nothing here is on the hot path.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import Row, Rows
from .median import median_of
from .trust_layout import MEANS

FAST = 24.0  # steps that the present is averaged over
CLIP = 3.0  # sigmas that one event teaches at most
LEAST_OTHERS = 2  # of one other nobody can say which of the two is wrong


@kernel
def collect(rows: Rows, slot: NDArray[np.int64], value: NDArray[np.float64], step: int) -> int:
    """Add readings of one step to the means of their sensors; return how many came after it was closed."""
    column = step % MEANS
    late = 0
    for i in range(slot.shape[0]):
        row = rows[slot[i]]
        if row["open"] > step or row["which"][column] > step:
            late += 1
            continue
        if row["which"][column] < step:
            row["which"][column] = step
            row["count"][column] = 0.0
            row["sum"][column] = 0.0
        row["count"][column] += 1.0
        row["sum"][column] += value[i]
    return late


@kernel
def drift(row: Row, d: float, warm_up: float) -> None:
    """Note what a sensor reads above its neighbours, ``d``; NaN and infinite change nothing.

    The first ``warm_up`` steps teach the usual difference and its spread, which then stand still: a baseline
    that follows would follow the drift. After that ``now`` is the mean of the newest ``FAST`` steps.
    """
    if not np.isfinite(d):
        return
    if row["learned"] < warm_up:
        row["learned"] += 1.0
        before = d - row["mean"]
        row["mean"] += before / row["learned"]
        row["squares"] += before * (d - row["mean"])
        row["now"] = row["mean"]
    else:
        row["now"] += (d - row["now"]) / FAST
        row["judged"] = 1.0


@kernel
def walk_drift(
    rows: NDArray[np.float64], sensors: Rows, warm_up: float, floor: float, off: NDArray[np.float64],
    sigmas: NDArray[np.float64], around: NDArray[np.float64], others: NDArray[np.int64],
) -> None:  # fmt: skip
    """Say of rows (n, meters) how far each meter has moved away from the others since it was learned.

    A meter's first row says where it hangs among those that are known, so that one that is missing moves no
    median. ``around`` is the median of the others on that common level, ``others`` how many there are; NaN
    below two of them. ``off`` is the drift in the unit of the meter, ``sigmas`` the same in sigmas of one
    step, at least ``floor``; NaN while it learns or is missing. Of two others one that drifts moves the
    median by half: then only the meter with the largest drift is told, the sigmas of the rest are 0.
    """
    n, meters = rows.shape
    level = np.empty(meters)
    room = np.empty(meters)
    for r in range(n):
        there = 0
        for j in range(meters):
            level[j] = rows[r, j] - sensors[j]["offset"]
            if np.isfinite(level[j]):
                room[there] = level[j]
                there += 1
        for j in range(meters):
            off[r, j] = np.nan
            sigmas[r, j] = np.nan
            around[r, j] = np.nan
            others[r, j] = 0
            if np.isnan(sensors[j]["offset"]) and np.isfinite(rows[r, j]):
                if there > 0:
                    sensors[j]["offset"] = rows[r, j] - median_of(room, there)
                else:
                    sensors[j]["offset"] = rows[r, j] - _median_of_row(rows[r])
        for i in range(meters):
            count = 0
            for j in range(meters):
                if j != i and np.isfinite(level[j]):
                    room[count] = level[j]
                    count += 1
            others[r, i] = count
            if count < LEAST_OTHERS:
                continue
            around[r, i] = median_of(room, count)
            row = sensors[i]
            d = level[i] - around[r, i]
            drift(row, d, warm_up)
            if np.isfinite(d) and row["judged"] > 0.0:
                sigma = max(np.sqrt(row["squares"] / max(row["learned"] - 1.0, 1.0)), floor)
                off[r, i] = row["now"] - row["mean"]
                sigmas[r, i] = off[r, i] / sigma
        most = 0.0
        for i in range(meters):
            if np.isfinite(off[r, i]):
                most = max(most, abs(off[r, i]))
        for i in range(meters):
            if others[r, i] == LEAST_OTHERS and abs(off[r, i]) < most:
                sigmas[r, i] = 0.0


@kernel
def _median_of_row(row: NDArray[np.float64]) -> float:
    room = np.empty(row.shape[0])
    count = 0
    for j in range(row.shape[0]):
        if np.isfinite(row[j]):
            room[count] = row[j]
            count += 1
    return median_of(room, count)


@kernel
def change(
    row: Row, step: int, stimulus: float, own: float, least: float, longest: int
) -> tuple[float, float]:
    """Return the event that ends at this step: the change of what moves a sensor, and the sensor's own.

    An event is complete when ``stimulus`` has moved by ``least`` since the last, within ``longest`` steps: a
    slower change is mixed with too much else, and the count begins anew. NaN where there is no event.
    """
    if not np.isfinite(stimulus) or not np.isfinite(own):
        return np.nan, np.nan
    moved = stimulus - row["at_stimulus"]
    answer = own - row["at_own"]
    known = row["at_step"] > 0 and step - row["at_step"] <= longest
    if known and abs(moved) < least:
        return np.nan, np.nan
    row["at_step"] = step
    row["at_stimulus"] = stimulus
    row["at_own"] = own
    if known:
        return moved, answer
    return np.nan, np.nan


@kernel
def response(
    row: Row, stimulus: float, reply: float, warm_up: float, least_tie: float, memory: float, recent: float,
    sure: float,
) -> tuple[float, float]:  # fmt: skip
    """Return how much of its usual response a sensor has lost, 0 none to 1 all, and by how many sigmas.

    An event is a change of what moves the sensor (barometer, the neighbours, test gas) and the sensor's own
    change with it. The usual response is the regression of one on the other through zero, over ``memory``
    events, once ``warm_up`` are known and their correlation is at least ``least_tie``: a sensor that never
    answered cannot stop. From then on an event teaches at most ``CLIP`` sigmas. Present are the newest
    ``recent`` events. The sigma is that of the difference of the two slopes, by what the usual one leaves
    unexplained. While more than a quarter is lost, by half of ``sure`` sigmas, nothing is learned, so a loss
    does not become usual on its way. NaN while nothing is known, and for what is no event.
    """
    if not np.isfinite(stimulus) or not np.isfinite(reply) or stimulus == 0.0:
        return np.nan, np.nan
    share = 1.0 / recent
    row["now_ss"] += share * (stimulus * stimulus - row["now_ss"])
    row["now_sr"] += share * (stimulus * reply - row["now_sr"])
    lost = np.nan
    sigmas = np.nan
    if row["events"] >= warm_up and row["ss"] > 0.0 and row["rr"] > 0.0 and row["now_ss"] > 0.0:
        usual = row["sr"] / row["ss"]
        if abs(row["sr"]) >= least_tie * np.sqrt(row["ss"] * row["rr"]) and usual != 0.0:
            whole = 1.0 - (row["now_sr"] / row["now_ss"]) / usual
            unexplained = max(row["rr"] - usual * row["sr"], 1e-12 * row["rr"])
            scatter = 1.0 / (row["now_ss"] * (2.0 * recent - 1.0)) + 1.0 / (row["ss"] * row["events"])
            error = np.sqrt(unexplained * scatter)
            sigmas = whole * abs(usual) / error
            lost = min(max(whole, 0.0), 1.0)
            row["missed"] = row["missed"] + 1.0 if reply / stimulus / usual < 0.5 else 0.0
            most = CLIP * np.sqrt(unexplained)
            reply = usual * stimulus + min(max(reply - usual * stimulus, -most), most)
    if not (lost > 0.25 and sigmas >= 0.5 * sure):
        row["events"] = min(row["events"] + 1.0, memory)
        share = 1.0 / row["events"]
        row["ss"] += share * (stimulus * stimulus - row["ss"])
        row["sr"] += share * (stimulus * reply - row["sr"])
        row["rr"] += share * (reply * reply - row["rr"])
    return float(lost), float(sigmas)


@kernel
def walk_response(
    answers: Rows, step: int, stimulus: NDArray[np.float64], own: NDArray[np.float64], least: float,
    longest: int, warm_up: float, least_tie: float, memory: float, recent: float, sure: float,
    lost: NDArray[np.float64], sigmas: NDArray[np.float64],
) -> None:  # fmt: skip
    """Give one step to each of several sensors; ``lost`` and ``sigmas`` change where an event says something.

    ``stimulus`` and ``own`` are (sensors,), NaN where not known.
    """
    for k in range(own.shape[0]):
        moved, reply = change(answers[k], step, stimulus[k], own[k], least, longest)
        share, size = response(answers[k], moved, reply, warm_up, least_tie, memory, recent, sure)
        if np.isfinite(share):
            lost[k] = share
            sigmas[k] = size
