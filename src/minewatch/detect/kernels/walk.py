"""One pass over a batch: quality, averages, rate, change, novelty, limits, in the order the rows came."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ahead import ask_for
from .ambient import ambient
from .change import learn
from .dose import dose
from .forecast import foresee
from .frozen import frozen, leap
from .gap import note_silence, silence
from .jit import kernel
from .layout import (
    ABOVE_AMBIENT,
    AMBIENT_LEVEL,
    BAD,
    BAD_NO_SIGNAL,
    COVER_8H,
    COVER_15MIN,
    COVER_SHIFT,
    CUSUM,
    DETECTORS,
    DOSE_3DB,
    DOSE_5DB,
    EWMA,
    FORESEEN,
    FROZEN,
    GAP,
    HAS_AMBIENT,
    IS_NOISE,
    LEAP,
    LEVEL_SHIFT,
    MEAN_15MIN,
    NONE,
    NOVELTY,
    RANGE,
    RATE,
    RATE_ERROR,
    RESTS,
    ROBUST_Z,
    SENTINEL,
    SHIFT_MEAN,
    STEL_BUCKET_NS,
    STEL_BUCKETS,
    STUCK,
    TWA_8H,
    TWA_BUCKET_NS,
    TWA_BUCKETS,
    UNCERTAIN,
    UNCERTAIN_CLOCK,
    UNCERTAIN_RANGE,
    UNCERTAIN_RATE,
    UNCERTAIN_STUCK,
    VALUE,
    WORN,
    Parameters,
    Row,
    Rows,
    State,
)
from .level import level_shift
from .limits import judge, note
from .novelty import novelty
from .quality import classify, is_sentinel, unchanged
from .rate import rate_of_rise
from .rate_error import rate_error
from .robust import robust_z
from .shift import shift_mean
from .wear import assess
from .window import cover

AHEAD = 2  # rows: what is asked for now has come by then
STEL_S = STEL_BUCKETS * STEL_BUCKET_NS / 1e9
TWA_S = TWA_BUCKETS * TWA_BUCKET_NS / 1e9


@kernel
def mean_15min(window: Row, x: float, begin: int, t: int, coverage: float) -> tuple[float, float]:
    """Let x cover (begin, t]; return the mean of 15 minutes, NaN below the coverage, and what is covered."""
    total, weight = cover(window, x, begin, t, STEL_BUCKET_NS, STEL_BUCKETS)
    if weight > 0.0 and weight + 1e-6 >= coverage * STEL_S:
        return total / weight, weight / STEL_S
    return np.nan, weight / STEL_S


@kernel
def twa_8h(window: Row, x: float, begin: int, t: int) -> tuple[float, float]:
    """Let x cover (begin, t]; return value x time of 8 hours over 8 hours, and the share that is covered."""
    total, weight = cover(window, x, begin, t, TWA_BUCKET_NS, TWA_BUCKETS)
    return (total / TWA_S if weight > 0.0 else np.nan), weight / TWA_S


@kernel
def noise_dose(row: Row, start: int, x: float, begin: int, t: int, par: Parameters) -> tuple[float, float]:
    """Let level x cover (begin, t] of the shift that began at ``start``; return both doses in per cent."""
    if row["start_ns"] != start:
        row["start_ns"] = start
        for k in range(2):
            row["sum"][k] = 0.0
            row["rest"][k] = 0.0
    seconds = float(t - max(begin, start)) / 1e9
    return (
        dose(row, 0, x, seconds, par.noise_5db_criterion, 5.0, par.noise_5db_threshold),
        dose(row, 1, x, seconds, par.noise_3db_criterion, 3.0, -np.inf),
    )


@kernel
def note_score(out: Row, p: int, t: int, detector: int, statistic: float, half: float) -> None:
    """Write a score: s / (s + half) of the statistic's size s, so 0.5 where it is ``half``."""
    size = abs(statistic)
    out["point"] = p
    out["ts_ns"] = t
    out["detector"] = detector
    out["score"] = size / (size + half)
    out["evidence"] = statistic


@kernel
def walk(
    state: State, par: Parameters,
    point: NDArray[np.int32], ts_ns: NDArray[np.int64], value: NDArray[np.float64], given: NDArray[np.uint8],
    begin: int, quality: NDArray[np.uint8], transitions: Rows, scores: Rows, statistics: NDArray[np.float64],
    heard_at: int,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Take rows[begin:] in; return (rows done, transitions, scores, late rows).

    It stops before a row for which ``transitions`` or ``scores`` might be too short. ``statistics`` is (rows,
    DETECTORS), or has no rows when nobody asks. ``heard_at`` is when these rows were heard by the clock that
    judges silence, NONE where the readings' own times do (a recording).

    A row not after the point's last is late: it gets its quality and is not judged. A row whose clock is
    doubted is judged by its value, and moves no time but that of delays. A bad row is no measurement: it only
    ends a silence, and not even that when the sender says there was no signal. A value out of range counts in
    the averages as the end of the range (a meter at its stop says "at least that"), and teaches no model.
    """
    points, sentinel, limits, first = state.point, state.sentinel, state.limit, state.limit_first
    mean, variance, high, low, floor, seen, lag, echo = state.chart
    forecast, forecast_at, wear, wear_at = state.forecast, state.forecast_at, state.wear, state.wear_at
    robust, robust_at, levels, level_at = state.robust, state.robust_at, state.level, state.level_at
    alone = np.empty(0)  # the engine's forecasts have no helpers
    stat = np.empty(DETECTORS)
    moved = 0
    scored = 0
    late = 0
    for i in range(begin, point.shape[0]):
        if i + AHEAD < point.shape[0] and point[i + AHEAD] != point[i]:
            ask_for(state, point[i + AHEAD], ts_ns[i + AHEAD])
        p = point[i]
        if moved + 2 * (first[p + 1] - first[p]) > transitions.shape[0] or scored + 4 > scores.shape[0]:
            return i, moved, scored, late
        t = ts_ns[i]
        x = value[i]
        r = points[p]
        track = r["track"]
        marked = False
        for k in range(sentinel.shape[1]):
            marked = marked or is_sentinel(x, sentinel[p, k])
        q = classify(x, given[i], r["low"], r["high"], marked)
        last = track["last_ns"]
        heard = track["heard_ns"]
        doubted = given[i] == UNCERTAIN_CLOCK
        if last != NONE and t <= last and not doubted:
            late += 1
            quality[i] = q
            continue
        track["judged_ns"] = t
        stat[:] = np.nan
        if q != BAD_NO_SIGNAL:
            stat[SENTINEL] = 1.0 if q >= BAD else 0.0
        if q < BAD:
            stat[VALUE] = x
            stat[RANGE] = 1.0 if q == UNCERTAIN_RANGE else 0.0
        moment = t if heard_at == NONE else heard_at
        if doubted and heard_at == NONE:
            heard = NONE
        elif q != BAD_NO_SIGNAL:
            stat[GAP] = float(moment - heard) / 1e9 if heard != NONE else 0.0
            track["heard_ns"] = moment if heard == NONE else max(moment, heard)
        if not doubted:
            track["last_ns"] = t
            if q < BAD:
                hold = r["hold_ns"]
                stat[STUCK] = unchanged(track, x, t, r["half_step"], hold, last)
                runs = r["runs"]
                stat[LEAP] = leap(
                    runs["latest"], runs["last_ns"], x, t, r["fastest"], 2.0 * r["half_step"]
                )  # fmt: skip
                rest = frozen(
                    runs, x, t, r["half_step"], r["wet"], hold, par.frozen_factor, par.frozen_least_s,
                    par.frozen_least_readings, par.stuck_after_s, par.frozen_warm_up, par.frozen_fade_s,
                    par.frozen_growth, par.saturated_after_s,
                )  # fmt: skip
                if not r["kind"] & RESTS:
                    stat[FROZEN] = rest
                if q < UNCERTAIN and stat[FROZEN] >= 1.0:
                    q = UNCERTAIN_STUCK
                if q < UNCERTAIN and stat[LEAP] > 1.0:
                    q = UNCERTAIN_RATE
                a = t if last == NONE else t - min(t - last, hold)
                within = min(max(x, r["low"]), r["high"])
                stat[MEAN_15MIN], stat[COVER_15MIN] = mean_15min(r["stel"], within, a, t, par.coverage)
                stat[TWA_8H], stat[COVER_8H] = twa_8h(r["twa"], within, a, t)
                stat[SHIFT_MEAN] = shift_mean(
                    r["shift"], within, a, t, par.shift_offset_ns, par.shift_starts_ns, par.coverage,
                    par.shift_least_s,
                )  # fmt: skip
                shift = r["shift"]
                if t > shift["start_ns"]:
                    stat[COVER_SHIFT] = shift["weight"] / (float(t - shift["start_ns"]) / 1e9)
                if r["kind"] & IS_NOISE:
                    stat[DOSE_5DB], stat[DOSE_3DB] = noise_dose(
                        r["dose"], shift["start_ns"], within, a, t, par
                    )
                if r["kind"] & HAS_AMBIENT:
                    hour = r["ambient"]["hour"]
                    level = ambient(
                        r["ambient"], x if q < UNCERTAIN else np.nan, a, t, par.ambient_memory_h,
                        par.ambient_free_h, par.ambient_rise, par.ambient_least_s,
                    )  # fmt: skip
                    stat[AMBIENT_LEVEL] = level
                    stat[ABOVE_AMBIENT] = x - level
                    if hour != r["ambient"]["hour"] and not np.isnan(level):
                        note_score(scores[scored], p, t, AMBIENT_LEVEL, level, np.inf)
                        scored += 1
            if q < UNCERTAIN:
                stat[RATE] = rate_of_rise(r["rise"], x, t, r["rate_window_ns"])
                mean[p], variance[p], high[p], low[p], seen[p], lag[p], echo[p], z, cusum = learn(
                    mean[p], variance[p], high[p], low[p], floor[p], seen[p], lag[p], echo[p], x,
                    par.memory, par.warm_up, par.clip, par.slack, par.cap,
                )  # fmt: skip
                if forecast_at[p] >= 0:
                    f = forecast[forecast_at[p]]
                    said, _, _, _ = foresee(f, f["sign"] * x, t, alone)
                    stat[FORESEEN] = f["sign"] * said
                if wear_at[p] >= 0:
                    stat[WORN] = assess(wear[wear_at[p]], x, t)[0]
                if robust_at[p] >= 0:
                    stat[ROBUST_Z] = robust_z(robust[robust_at[p]], x, floor[p])
                if level_at[p] >= 0:
                    stat[LEVEL_SHIFT] = level_shift(levels[level_at[p]], x, t, floor[p])
                if statistics.shape[0] > 0:
                    stat[RATE_ERROR] = rate_error(r["rise"], stat[RATE], r["half_step"])
                stat[EWMA] = z
                stat[CUSUM] = cusum
                if abs(z) >= par.ewma_half:
                    note_score(scores[scored], p, t, EWMA, stat[EWMA], par.ewma_half)
                    scored += 1
                if cusum >= par.cusum_half:
                    note_score(scores[scored], p, t, CUSUM, stat[CUSUM], par.cusum_half)
                    scored += 1
                stat[NOVELTY] = novelty(
                    r["novel"], x, t, r["least_range"], par.novel_weight, par.novel_usual_ns,
                    par.novel_share, par.novel_block, par.novel_block_ns, par.novel_warm, par.novel_warm_ns,
                    par.novel_threshold, par.novel_again, par.novel_gate, par.novel_gate_ns,
                )  # fmt: skip
                if stat[NOVELTY] >= 1.0:
                    note_score(scores[scored], p, t, NOVELTY, stat[NOVELTY], 1.0)
                    scored += 1
        quality[i] = q
        for k in range(first[p], first[p + 1]):
            limit = limits[k]
            judged = said = stat[limit["detector"]]
            if limit["sigmas"] != 0.0 or limit["detector"] == RATE_ERROR:
                if np.isnan(stat[RATE_ERROR]):  # costs more than the rate: worked out where it is asked for
                    stat[RATE_ERROR] = rate_error(r["rise"], stat[RATE], r["half_step"])
                said = stat[limit["detector"]]
                judged = said + limit["sigmas"] * stat[RATE_ERROR]
            if limit["detector"] == GAP:
                # the silence that this reading ends is told first, even when no tick of a clock fell into it
                since = silence(limit, heard, moment)
                if since != NONE:
                    note_silence(transitions[moved], limit, since, heard)
                    moved += 1
                if not np.isnan(judged):
                    judged = said = 0.0
            when = moment if limit["detector"] == GAP else t
            since = judge(limit, judged, when)
            if since != NONE:
                note(transitions[moved], limit, when, since, said)
                moved += 1
        if statistics.shape[0] > 0:
            for k in range(DETECTORS):  # numba would compile an error text of shapes for `[i, :] =`
                statistics[i, k] = stat[k]
    return point.shape[0], moved, scored, late
