"""One pass over a batch: quality, averages, rate, change, limits, in the order the rows came."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .change import change
from .gap import note_silence, silence
from .jit import kernel
from .layout import (
    BAD,
    BAD_NO_SIGNAL,
    CUSUM,
    DETECTORS,
    EWMA,
    GAP,
    GOOD,
    MEAN_15MIN,
    NONE,
    RANGE,
    RATE,
    SENTINEL,
    SHIFT_MEAN,
    STEL_BUCKET_NS,
    STEL_BUCKETS,
    STUCK,
    TWA_8H,
    TWA_BUCKET_NS,
    TWA_BUCKETS,
    UNCERTAIN_CLOCK,
    UNCERTAIN_RANGE,
    UNCERTAIN_STUCK,
    VALUE,
    Parameters,
    Rows,
    State,
)
from .limits import judge
from .quality import classify, unchanged
from .rate import rate_of_rise
from .shift import shift_mean
from .window import cover


@kernel
def averages(
    state: State, par: Parameters, p: int, x: float, begin: int, t: int, stat: NDArray[np.float64]
) -> None:
    """Let x cover (begin, t] and write the three averages of point p."""
    total, weight = cover(state.stel, state.stel_ring, p, x, begin, t, STEL_BUCKET_NS)
    if weight > 0.0 and weight + 1e-6 >= par.coverage * (STEL_BUCKETS * STEL_BUCKET_NS / 1e9):
        stat[MEAN_15MIN] = total / weight
    total, weight = cover(state.twa, state.twa_ring, p, x, begin, t, TWA_BUCKET_NS)
    if weight > 0.0:
        stat[TWA_8H] = total / (TWA_BUCKETS * TWA_BUCKET_NS / 1e9)
    stat[SHIFT_MEAN] = shift_mean(
        state.shift, p, x, begin, t, par.shift_offset_ns, par.shift_starts_ns, par.coverage, par.shift_least_s
    )


@kernel
def measure(
    state: State, par: Parameters, p: int, x: float, t: int, quality: int, stat: NDArray[np.float64]
) -> int:
    """Take a new reading of point p into its state, write its statistics, return its quality.

    A bad reading is no measurement: it only ends a silence. One out of range counts in the averages at the
    range's end (a gas meter at its stop says "at least that"), and teaches no model.
    """
    setup = state.setup[p]
    track = state.track[p]
    before = track["last_ns"]
    track["last_ns"] = t
    if quality == BAD_NO_SIGNAL:
        return quality
    heard = track["heard_ns"]
    stat[GAP] = float(t - heard) / 1e9 if heard != NONE else 0.0
    track["heard_ns"] = t if heard == NONE else max(t, heard)
    stat[SENTINEL] = 1.0 if quality >= BAD else 0.0
    if quality >= BAD:
        return quality
    hold = setup["hold_ns"]
    stat[VALUE] = x
    stat[RANGE] = 1.0 if quality == UNCERTAIN_RANGE else 0.0
    stat[STUCK] = unchanged(state.track, p, x, t, setup["half_step"], hold, before)
    if quality == GOOD and stat[STUCK] >= par.stuck_after_s:
        quality = UNCERTAIN_STUCK
    begin = t if before == NONE else t - min(t - before, hold)
    averages(state, par, p, min(max(x, setup["low"]), setup["high"]), begin, t, stat)
    if quality == GOOD:
        stat[RATE] = rate_of_rise(
            state.rise, state.rise_ns, state.rise_value, p, x, t, setup["rate_window_ns"]
        )
        stat[EWMA], stat[CUSUM] = change(
            state.change, p, x, par.memory, par.warm_up, par.clip, par.slack, par.cap
        )
    return quality


@kernel
def judge_all(state: State, p: int, t: int, heard: int, stat: NDArray[np.float64], out: Rows, n: int) -> int:
    """Judge every limit of point p by its statistic; return the number of transitions now in ``out``.

    A silence that this reading ends is told first, even when no tick of the clock fell into it.
    """
    for k in range(state.limit_first[p], state.limit_first[p + 1]):
        detector = state.limit[k]["detector"]
        value = stat[detector]
        if detector == GAP:
            since = silence(state.limit, k, heard, t)
            if since != NONE:
                note_silence(out, n, state.limit, k, since, heard)
                n += 1
            if not np.isnan(value):
                value = 0.0
        since = judge(state.limit, k, value, t)
        if since != NONE:
            out[n]["key"] = state.limit[k]["key"]
            out[n]["ts_ns"] = t
            out[n]["since_ns"] = since
            out[n]["active"] = state.limit[k]["active"] != 0
            out[n]["value"] = value
            n += 1
    return n


@kernel
def note_score(out: Rows, n: int, p: int, t: int, detector: int, statistic: float, half: float) -> int:
    """Write a score of at least 0.5, s / (s + half) of the statistic's size s; return the next row."""
    size = abs(statistic)
    if not size >= half:  # also when it is NaN
        return n
    out[n]["point"] = p
    out[n]["ts_ns"] = t
    out[n]["detector"] = detector
    out[n]["score"] = size / (size + half)
    out[n]["evidence"] = statistic
    return n + 1


@kernel
def walk(
    state: State, par: Parameters,
    point: NDArray[np.int32], ts_ns: NDArray[np.int64], value: NDArray[np.float64], given: NDArray[np.uint8],
    begin: int, quality: NDArray[np.uint8], transitions: Rows, scores: Rows, statistics: NDArray[np.float64],
) -> tuple[int, int, int, int]:  # fmt: skip
    """Take rows[begin:] in; return (rows done, transitions, scores, late rows).

    It stops before a row for which ``transitions`` or ``scores`` might be too short. ``statistics`` is (rows,
    DETECTORS), or has no rows when nobody asks. A row not after the point's last is late: it gets its quality
    and is not judged. A row whose clock is doubted is judged for what needs no time, and moves no time.
    """
    stat = np.empty(DETECTORS)
    moved = 0
    scored = 0
    late = 0
    for i in range(begin, point.shape[0]):
        p = point[i]
        room = 2 * (state.limit_first[p + 1] - state.limit_first[p])
        if moved + room > transitions.shape[0] or scored + 2 > scores.shape[0]:
            return i, moved, scored, late
        t = ts_ns[i]
        x = value[i]
        setup = state.setup[p]
        q = classify(x, given[i], setup["low"], setup["high"], state.sentinel[p])
        stat[:] = np.nan
        last = state.track[p]["last_ns"]
        heard = state.track[p]["heard_ns"]
        if given[i] == UNCERTAIN_CLOCK:
            stat[SENTINEL] = 1.0 if q >= BAD else 0.0
            if q < BAD:
                stat[VALUE] = x
                stat[RANGE] = 1.0 if q == UNCERTAIN_RANGE else 0.0
            heard = NONE
        elif last != NONE and t <= last:
            late += 1
            quality[i] = q
            continue
        else:
            q = measure(state, par, p, x, t, q, stat)
            scored = note_score(scores, scored, p, t, EWMA, stat[EWMA], par.ewma_half)
            scored = note_score(scores, scored, p, t, CUSUM, stat[CUSUM], par.cusum_half)
        quality[i] = q
        moved = judge_all(state, p, t, heard, stat, transitions, moved)
        if statistics.shape[0] > 0:
            statistics[i, :] = stat
    return point.shape[0], moved, scored, late
