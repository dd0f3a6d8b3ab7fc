"""Calibration gas: a step at one meter while air, barometer and neighbours stay as they were.

A meter answers gas from a bottle as a first-order step: fast at once, flattening within seconds. Gas from
the seam fills a roadway and goes on rising. An outburst can be as fast as a bottle, so the shape alone
never decides: every witness of the meter's group must be there and quiet, at each reading, for as long as
the trial lasts.

``stage``: IDLE, SUSPECTED (a step, not yet decided), TESTED, REFUTED (until the gas is gone), AFTER (a trial
that is over, while alerts of it may still stand). Every doubt ends in REFUTED.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, UNCERTAIN, Row, Rows
from .place import sign, weigh
from .trial_layout import (
    AFTER,
    AFTER_NS,
    AFTER_STEP_NS,
    AIR,
    AIR_FELL,
    AIR_LOW,
    AIR_MEMORY_NS,
    BOUND,
    CREEP,
    CURVE,
    HOLE,
    IDLE,
    LEVEL,
    MEMORY_NS,
    METER,
    MOST_MEMBERS,
    NEAR,
    NEIGHBOUR,
    NO_AIR,
    NO_DOUBT,
    NO_NEIGHBOUR,
    PRESSURE,
    RECOVERED,
    REFUTED,
    RING,
    RING_NS,
    RISES,
    SHAPE,
    SILENT,
    SUSPECTED,
    TESTED,
    Signs,
)


@kernel
def doubt(
    rows: Rows, members: NDArray[np.int64], first: NDArray[np.int64], k: int, marked: bool, alone: bool,
    signs: Signs,
) -> tuple[int, int]:  # fmt: skip
    """Return (why this is no test gas, which witness says so), (NO_DOUBT, -1) where all are there and quiet.

    ``marked`` compares with what was usual when the trial began, else with what is usual now. A witness that
    was alive and now says nothing, or nothing good, is a doubt; one long dead is no witness. ``alone``
    needs no neighbour.
    """
    meter = rows[k]
    g = meter["group"]
    if first[g + 1] - first[g] > MOST_MEMBERS:
        return NO_NEIGHBOUR, -1
    airs = 0
    neighbours = 0
    for i in range(first[g], first[g + 1]):
        m = members[i]
        if m == k:
            continue
        r = rows[m]
        if r["good_ns"] == NONE or r["good_ns"] < meter["before_ns"] - signs.alive_ns:
            continue
        if r["bad"] != 0 or r["good_ns"] < meter["before_ns"] - signs.fresh_ns:
            return SILENT, m
        usual = r["mark"] if marked and not np.isnan(r["mark"]) else r["ref"]
        x = r["last"]
        if r["kind"] == METER:
            neighbours += 1
            if x - usual >= signs.neighbour - NEAR:
                return NEIGHBOUR, m
        elif r["kind"] == AIR:
            airs += 1
            if x < signs.air_least:
                return AIR_LOW, m
            if x < usual * (1.0 - signs.air_fall):
                return AIR_FELL, m
        elif abs(x - usual) >= signs.pressure - NEAR:
            return PRESSURE, m
    if airs == 0:
        return NO_AIR, -1
    if neighbours == 0 and not alone:
        return NO_NEIGHBOUR, -1
    return NO_DOUBT, -1


@kernel
def lone(told: bool, gas: float, signs: Signs) -> bool:
    """Say whether a test needs no neighbour: its gas is known, and not above what always calls."""
    return bool(told and gas <= signs.most)


@kernel
def until(r: Row, signs: Signs) -> int:
    """Return when a trial is over for good: whoever still measures gas then is paged."""
    if r["told"] != 0:
        return int(min(r["trial_to"], r["onset_ns"] + signs.announced_ns))
    return int(r["onset_ns"] + signs.bound_ns)


@kernel
def note_change(
    rows: Rows, k: int, stage: int, reason: int, witness: int, t: int, signs: Signs, out: Row
) -> None:
    """Let a trial go on to a stage and write that down."""
    r = rows[k]
    r["stage"] = stage
    out["slot"] = k
    out["stage"] = stage
    out["reason"] = reason
    out["told"] = r["told"]
    out["ts_ns"] = t
    out["since_ns"] = r["onset_ns"]
    out["until_ns"] = until(r, signs)
    out["value"] = r["last"]
    out["base"] = r["base"]
    out["level"] = r["found"]
    out["t90_s"] = np.nan
    goal = r["base"] + 0.9 * (r["found"] - r["base"]) - NEAR
    for i in range(r["curves"]):
        if r["curve"][i] >= goal:
            out["t90_s"] = (r["curve_ns"][i] - r["onset_ns"]) / 1e9
            break
    out["recovery_s"] = np.nan
    if r["low_ns"] != NONE and r["high_ns"] != NONE:
        out["recovery_s"] = (r["low_ns"] - r["high_ns"]) / 1e9
    out["witness"] = witness
    out["witness_value"] = np.nan
    out["witness_usual"] = np.nan
    if witness >= 0:
        w = rows[witness]
        out["witness_value"] = w["last"]
        out["witness_usual"] = w["ref"] if np.isnan(w["mark"]) else w["mark"]


@kernel
def lowest(r: Row, t: int, x: float, onset_ns: int) -> tuple[float, int]:
    """Return the lowest kept reading of the last ``onset_ns``, and when the rise from it began.

    That is the latest reading within a tenth of the rise of it: noise before a step is no part of the step.
    """
    low = x
    kept = min(r["kept"], RING)
    for i in range(kept):
        slot = (r["kept"] - 1 - i) % RING
        if r["ring_ns"][slot] < t - onset_ns:
            kept = i
            break
        low = min(low, r["ring"][slot])
    for i in range(kept):
        slot = (r["kept"] - 1 - i) % RING
        if r["ring"][slot] <= low + 0.1 * (x - low):
            return low, r["ring_ns"][slot]
    return x, t


@kernel
def keep(r: Row, t: int, x: float) -> None:
    """Keep a reading for the onset, unless the last kept one is too near."""
    if r["kept"] > 0 and t - r["ring_ns"][(r["kept"] - 1) % RING] < RING_NS:
        return
    slot = r["kept"] % RING
    r["ring_ns"][slot] = t
    r["ring"][slot] = x
    r["kept"] += 1


@kernel
def usual(r: Row, t: int, x: float, signs: Signs) -> None:
    """Let a good reading teach what is usual; after a hole it begins anew."""
    if r["good_ns"] == NONE:
        r["ref"] = x
        return
    dt = t - r["good_ns"]
    memory = AIR_MEMORY_NS if r["kind"] == AIR else MEMORY_NS
    if dt > signs.alive_ns:
        r["ref"] = x
        return
    step = float(min(dt, MEMORY_NS))
    r["ref"] += (x - r["ref"]) * step / (memory + step)


@kernel
def begin(
    rows: Rows, members: NDArray[np.int64], first: NDArray[np.int64], k: int, low: float, at: int, moment: int
) -> None:
    """Let a trial of a meter begin at its lowest reading, and mark what is usual around it."""
    r = rows[k]
    r["onset_ns"] = at
    r["onset_heard"] = moment
    r["trial_to"] = r["announced_to"]
    r["bottle"] = r["gas"]
    r["base"] = low
    r["mid"] = r["last"]
    r["level"] = r["last"]
    r["found"] = r["last"]
    r["count"] = 1
    r["high_ns"] = NONE
    r["low_ns"] = NONE
    r["curves"] = 1
    r["curve_ns"][0] = r["last_ns"]
    r["curve"][0] = r["last"]
    g = r["group"]
    for i in range(first[g], first[g + 1]):
        m = members[i]
        if m != k:
            rows[m]["mark"] = rows[m]["ref"]


@kernel
def undecided(
    rows: Rows, members: NDArray[np.int64], first: NDArray[np.int64], k: int, t: int, x: float, moment: int,
    hole: bool, signs: Signs, out: Row,
) -> int:  # fmt: skip
    """Go on where no trial runs (IDLE, AFTER): does one begin? Return the changes written."""
    r = rows[k]
    low, at = lowest(r, t, x, signs.onset_ns)
    if x - low >= signs.onset_rise - NEAR:
        told = r["announced_from"] <= at and t <= r["announced_to"]
        reason, witness = doubt(rows, members, first, k, False, lone(told, r["gas"], signs), signs)
        if reason == NO_DOUBT and x > signs.most:
            reason = LEVEL
        if reason == NO_DOUBT:
            r["told"] = 1 if told else 0
            begin(rows, members, first, k, low, at, moment)
            note_change(rows, k, SUSPECTED, NO_DOUBT, -1, t, signs, out)
            return 1
        if r["stage"] == AFTER:
            note_change(rows, k, REFUTED, reason, witness, t, signs, out)
            return 1
        return 0
    if r["stage"] != AFTER:
        return 0
    if not hole and r["last_ns"] != NONE:
        r["after_ns"] += min(t - r["before_ns"], AFTER_STEP_NS)
    half = r["base"] + 0.5 * (r["found"] - r["base"])
    if x >= r["low"] + signs.onset_rise - NEAR or (x >= half and r["after_ns"] >= signs.onset_ns):
        note_change(rows, k, REFUTED, RISES, -1, t, signs, out)
        return 1
    r["low"] = min(r["low"], x)
    if r["after_ns"] >= AFTER_NS:
        note_change(rows, k, IDLE, BOUND, -1, t, signs, out)
        return 1
    return 0


@kernel
def decide(r: Row, t: int, x: float, signs: Signs) -> bool:
    """Say whether the rise of a suspected trial flattens as a meter's answer to a bottle does."""
    early = r["mid"] - r["base"]
    late = x - r["mid"]
    return bool(
        r["count"] >= 2
        and early + late >= signs.least - NEAR
        and x >= signs.least_level - NEAR
        and late <= signs.flat * early + NEAR
        and late >= -0.3 * early - NEAR
    )


@kernel
def running(
    rows: Rows, members: NDArray[np.int64], first: NDArray[np.int64], k: int, t: int, x: float, signs: Signs,
    out: Row,
) -> int:  # fmt: skip
    """Go on where a trial runs (SUSPECTED, TESTED). Return the changes written."""
    r = rows[k]
    told = r["told"] != 0
    reason, witness = doubt(rows, members, first, k, True, lone(told, r["bottle"], signs), signs)
    since = t - r["onset_ns"]
    rise = r["found"] - r["base"]
    gas = x >= r["base"] + 0.5 * rise
    most = signs.most
    if told and not np.isnan(r["bottle"]):
        most = min(most, 1.2 * r["bottle"] + 0.1)
    if reason == NO_DOUBT and x > most:
        reason = LEVEL
    if reason != NO_DOUBT:
        if gas or r["stage"] == SUSPECTED:
            note_change(rows, k, REFUTED, reason, witness, t, signs, out)
        else:
            r["low"] = x
            r["after_ns"] = 0
            note_change(rows, k, AFTER, reason, witness, t, signs, out)
        return 1
    if since <= signs.settle_ns:
        if x > r["level"]:
            if r["curves"] == CURVE:  # full: every second one is enough
                r["curves"] = CURVE // 2
                for i in range(CURVE // 2):
                    r["curve_ns"][i] = r["curve_ns"][2 * i]
                    r["curve"][i] = r["curve"][2 * i]
            r["curve_ns"][r["curves"]] = t
            r["curve"][r["curves"]] = x
            r["curves"] += 1
        r["level"] = max(r["level"], x)
        r["found"] = r["level"]
    if r["stage"] == SUSPECTED:
        if since <= signs.onset_ns:
            r["mid"] = x
            r["count"] += 1
        if since < signs.decide_ns:
            return 0
        r["high_ns"] = t
        if decide(r, t, x, signs):
            note_change(rows, k, TESTED, NO_DOUBT, -1, t, signs, out)
        else:
            note_change(rows, k, REFUTED, SHAPE, -1, t, signs, out)
        return 1
    if gas and t > until(r, signs):
        note_change(rows, k, REFUTED, BOUND, -1, t, signs, out)
        return 1
    if since > signs.settle_ns and x >= r["level"] + signs.creep - NEAR:
        low, _ = lowest(r, t, x, signs.onset_ns)
        if x - low < signs.onset_rise - NEAR and t - r["before_ns"] <= signs.onset_ns:
            note_change(rows, k, REFUTED, CREEP, -1, t, signs, out)
            return 1
        r["level"] = x  # another bottle
    if x <= r["base"] + max(0.2, 0.15 * rise) + NEAR:
        if r["low_ns"] == NONE:
            r["low_ns"] = t
        elif t - r["low_ns"] >= signs.recovered_ns:
            r["low"] = x
            r["after_ns"] = 0
            note_change(rows, k, AFTER, RECOVERED, -1, t, signs, out)
            return 1
    else:
        r["low_ns"] = NONE
        if x >= r["base"] + 0.9 * rise - NEAR:
            r["high_ns"] = t
    return 0


@kernel
def follow(
    rows: Rows, members: NDArray[np.int64], first: NDArray[np.int64], k: int, t: int, x: float, moment: int,
    signs: Signs, out: Rows, at: int,
) -> int:  # fmt: skip
    """Take a good reading of a meter in; return the changes written from ``out[at]`` on, at most two."""
    r = rows[k]
    changes = 0
    hole = r["before_ns"] != NONE and t - r["before_ns"] > signs.hole_ns
    if hole:
        r["kept"] = 0
        if r["stage"] == SUSPECTED or r["stage"] == TESTED:
            note_change(rows, k, AFTER, HOLE, -1, t, signs, out[at])
            changes += 1
        if r["stage"] == REFUTED:
            r["stage"] = IDLE
        r["low"] = x
        r["after_ns"] = 0
    stage = r["stage"]
    if stage in (IDLE, AFTER):
        changes += undecided(rows, members, first, k, t, x, moment, hole, signs, out[at + changes])
    elif stage == REFUTED:
        if x >= r["base"] + 0.5 * (r["found"] - r["base"]):
            r["low_ns"] = NONE
        elif r["low_ns"] == NONE:
            r["low_ns"] = t
        elif t - r["low_ns"] >= signs.recovered_ns:
            r["stage"] = IDLE
    else:
        changes += running(rows, members, first, k, t, x, signs, out[at + changes])
    if r["stage"] == REFUTED and stage != REFUTED:
        r["low_ns"] = NONE
    keep(r, t, x)
    return changes


@kernel
def watch(
    rows: Rows, groups: Rows, members: NDArray[np.int64], first: NDArray[np.int64], slot: NDArray[np.int64],
    point: NDArray[np.int32], ts_ns: NDArray[np.int64], value: NDArray[np.float64],
    quality: NDArray[np.uint8], start: int, heard_at: int, signs: Signs, out: Rows,
) -> tuple[int, int, int]:  # fmt: skip
    """Take rows[start:] in; return (rows done, changes, group whose evidence has just changed or -1).

    It stops before a row ``out`` might be too short for, and after one that changes the evidence of a place.

    ``slot`` maps points to rows, -1 where a point is no witness. Late rows change nothing; a reading that is
    not good is no measurement, and a doubt while it lasts.
    """
    changes = 0
    for i in range(start, point.shape[0]):
        k = slot[point[i]]
        if k < 0:
            continue
        r = rows[k]
        t = ts_ns[i]
        if r["last_ns"] != NONE and t <= r["last_ns"]:
            continue
        if changes + 2 > out.shape[0]:
            return i, changes, -1
        moment = t if heard_at == NONE else heard_at
        x = value[i]
        r["before_ns"] = r["last_ns"]
        if quality[i] >= UNCERTAIN or not np.isfinite(x):
            r["bad"] = 1
            r["last_ns"] = t
            if r["stage"] == SUSPECTED or r["stage"] == TESTED:
                r["low_ns"] = NONE
                note_change(rows, k, REFUTED, SILENT, k, t, signs, out[changes])
                changes += 1
            continue
        before = r["ref"]
        if r["good_ns"] != NONE and t - r["good_ns"] > signs.alive_ns:
            before = np.nan
        usual(r, t, x, signs)
        r["bad"] = 0
        r["last_ns"] = t
        r["good_ns"] = t
        r["last"] = x
        r["heard_ns"] = moment
        if r["kind"] == METER:
            changes += follow(rows, members, first, k, t, x, moment, signs, out, changes)
        moved = sign(rows, groups, k, t, x, before, signs)
        if weigh(rows, groups, members, first, r["group"], t, signs, moved) != 0:
            return i + 1, changes, r["group"]
    return point.shape[0], changes, -1


@kernel
def expire(
    rows: Rows, members: NDArray[np.int64], first: NDArray[np.int64], start: int, now: int, signs: Signs,
    out: Rows,
) -> tuple[int, int]:  # fmt: skip
    """End by the clock what no reading of the meter ends: undecided, too long, silent, a witness speaks."""
    changes = 0
    for k in range(start, rows.shape[0]):
        r = rows[k]
        stage = r["stage"]
        if stage != SUSPECTED and stage != TESTED:
            continue
        if changes + 1 > out.shape[0]:
            return k, changes
        lasted = now - r["onset_heard"]
        gas = r["last"] >= r["base"] + 0.5 * (r["found"] - r["base"])
        reason = NO_DOUBT
        witness = k
        if gas or stage == SUSPECTED:
            reason, witness = doubt(
                rows, members, first, k, True, lone(r["told"] != 0, r["bottle"], signs), signs
            )
        if reason != NO_DOUBT:
            pass
        elif stage == SUSPECTED:
            witness = k
            if lasted > signs.decide_ns + 2_000_000_000:
                reason = SILENT
        elif gas:
            witness = k
            if lasted > until(r, signs) - r["onset_ns"] + 2_000_000_000:
                reason = BOUND
            elif now - r["heard_ns"] > (
                max(signs.fresh_ns, 2 * r["interval_ns"]) if r["interval_ns"] > 0 else 3 * signs.fresh_ns
            ):
                reason = SILENT
        if reason != NO_DOUBT:
            r["low_ns"] = NONE
            note_change(rows, k, REFUTED, reason, witness, r["onset_ns"] + lasted, signs, out[changes])
            changes += 1
    return rows.shape[0], changes
