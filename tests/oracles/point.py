"""One point, everything at once: what quality, statistics and transitions must come of its rows."""

import math

from oracles import (
    ambient,
    change,
    dose,
    forecast,
    frozen,
    level,
    limits,
    novelty,
    quality,
    rate,
    rate_error,
    robust,
    shift,
    wear,
    window,
)

S = 1_000_000_000
NAN = float("nan")
DETECTORS = 26


def judge(rows, info, settings, rules):
    """Return (qualities, statistics, transitions) of rows [(time, value, given quality)] of one point.

    ``info``: low, high, sentinels, interval_s, resolution. ``settings``: the field names of the detect room.
    ``rules``: [(key, detector, limit arguments)], where gap (detector 10) is left to its own oracle.
    Everything is worked out from the whole past anew at each row.
    """
    hold = round((info["interval_s"] or settings["default_interval_s"]) * S)
    span = round(max(settings["rate_window_s"], 6 * info["interval_s"]) * S)
    floor = max(info["resolution"], settings["noise_floor"] * (info["high"] - info["low"]))
    qualities, table = [], []
    taught = []
    past, measured, good, hours = [], [], [], []
    last = heard = None
    for t, x, given in rows:
        q = quality.classify(x, given, info["low"], info["high"], info["sentinels"])
        stat = [NAN] * DETECTORS
        table.append(stat)
        doubted = given == 67
        if not doubted and last is not None and t <= last:
            qualities.append(q)
            continue
        if q != 131:
            stat[8] = 1.0 if q >= 128 else 0.0
        if q < 128:
            stat[0], stat[7] = x, float(q == 65)
        if not doubted:
            before, last = last, t
            if q != 131:
                stat[10] = 0.0 if heard is None else (t - heard) / 1e9
                heard = t
            if q < 128:
                measured.append((t, x, before))
                stat[9] = _unchanged(measured, info["resolution"], hold)
                stat[14], stat[15] = _rest(measured, info, settings, hold)
                if q == 0 and stat[14] >= 1:
                    q = 66
                if q == 0 and stat[15] > 1:
                    q = 68
                begin = t if before is None else t - min(t - before, hold)
                past.append((begin, t, min(max(x, info["low"]), info["high"])))
                stat[1], share_15min = window.mean(past, t, 15 * S, 60, settings["coverage"])
                stat[2], share_8h = window.twa(past, t, 300 * S, 96)
                stat[3] = shift.mean(
                    past,
                    t,
                    settings["utc_offset_h"],
                    settings["shift_starts_h"],
                    settings["coverage"],
                    settings["shift_least_s"],
                )
                stat[16] = share_15min
                stat[17] = share_8h
                stat[18] = _share_of_shift(past, t, settings)
                hours.append((begin, t, x if q == 0 else NAN))
                stat[19:23] = _exposure(hours, past, x, info, settings)
            if q == 0:
                good.append((t, x))
                taught.append(stat)
                stat[4] = rate.rates(*zip(*good, strict=True), span)[-1]
                stat[5], stat[6] = change.chart(
                    [v for _, v in good],
                    memory=settings["memory_readings"],
                    warm_up=settings["warm_up_readings"],
                    clip=settings["clip_sigmas"],
                    slack=settings["cusum_slack"],
                    cap=settings["cusum_cap"],
                    floor=floor,
                )[-1]
                stat[11] = _novelty(good, info, settings)
                stat[23] = rate_error.errors(*zip(*good, strict=True), span, info["resolution"])[-1]
        qualities.append(q)
    _slow(good, taught, settings, rules, floor)
    times = [t for t, _, _ in rows]
    found = []
    for key, detector, rule in rules:
        column = [stat[detector] for stat in table]
        found += [(key, *row) for row in limits.transitions(times, column, **rule)]
    return qualities, table, found


def _slow(good, taught, settings, rules, floor):
    """Write what is dear into the statistics of good readings, where a rule asks for it."""
    sides = [rule["comparison"] < 2 for _, detector, rule in rules if detector == 12]
    if good and sides:
        sign = 1 if any(sides) else -1
        times, values = [t for t, _ in good], [sign * x for _, x in good]
        horizon = round(settings["forecast_horizon_s"] * S)
        nothing = [[] for _ in good]
        said = forecast.forecasts(
            times, values, nothing, horizon, settings["forecast_coverage"], largest=True
        )
        for stat, row in zip(taught, said, strict=True):
            stat[12] = sign * row[0]
    if good and any(detector == 13 for _, detector, _ in rules):
        span = round(settings["wear_baseline_s"] * S)
        for stat, row in zip(taught, wear.assessments(*zip(*good, strict=True), span), strict=True):
            stat[13] = row[0]
    if any(detector == 24 for _, detector, _ in rules):
        said = robust.scores([x for _, x in good], settings["robust_readings"], floor)
        for stat, z in zip(taught, said, strict=True):
            stat[24] = z
    if good and any(detector == 25 for _, detector, _ in rules):
        block = round(settings["level_window_s"] * S / 24)
        said = level.shifts(*zip(*good, strict=True), block, floor)
        for stat, moved in zip(taught, said, strict=True):
            stat[25] = moved


def _novelty(good, info, settings):
    span = info["high"] - info["low"]
    return novelty.novelty(
        [t for t, _ in good],
        [x for _, x in good],
        floor=max(settings["novelty_floor"] * span, settings["novelty_floor_steps"] * info["resolution"]),
        weight=settings["novelty_hour_weight"],
        hour_ns=round(settings["novelty_hour_s"] * S),
        share=settings["novelty_hour_share"],
        block=settings["novelty_memory_readings"] // 50,
        block_ns=round(settings["novelty_memory_s"] * S / 50),
        warm=settings["novelty_warm_up_readings"],
        warm_ns=round(settings["novelty_warm_up_s"] * S),
        threshold=settings["novelty_threshold"],
        again=settings["novelty_again"],
        gate=settings["novelty_gate_readings"],
        gate_ns=round(settings["novelty_gate_s"] * S),
    )[-1][2]


def _rest(measured, info, settings, hold):
    """Return (frozen, leap) of the newest reading."""
    times, values = [t for t, _, _ in measured], [x for _, x, _ in measured]
    rests, _ = frozen.frozen(
        times,
        values,
        half_step=info["resolution"] / 2,
        wet=info.get("wet", math.inf),
        hold=hold,
        factor=settings["frozen_factor"],
        least=settings["frozen_least_s"],
        least_readings=settings["frozen_least_readings"],
        first=settings["stuck_after_s"],
        warm_up=settings["frozen_warm_up_rests"],
        fade=settings["frozen_fade_s"],
        growth=settings["frozen_growth"],
        wet_s=settings["saturated_after_s"],
    )
    leaps = frozen.leaps(times, values, fastest=info.get("fastest", math.inf), step=info["resolution"])
    return rests[-1], leaps[-1]


def _exposure(hours, past, x, info, settings):
    """Return (ambient, above it, both noise doses); NaN where the quantity has none."""
    out = [NAN] * 4
    if info.get("quantity") == "carbon_monoxide":
        level = ambient.ambients(
            hours,
            memory_h=settings["ambient_memory_h"],
            free_h=settings["ambient_free_h"],
            rise=settings["ambient_rise"],
            least_s=settings["ambient_least_s"],
        )[-1]
        out[0] = NAN if level is None else float(level)
        out[1] = x - out[0]
    if info.get("quantity") == "noise":
        out[2:] = _doses(past, hours[-1][1], settings)
    return out


def _share_of_shift(past, t, settings):
    begin, end = shift.bounds(t, settings["utc_offset_h"], settings["shift_starts_h"])
    weight = sum((b - max(a, begin)) / 1e9 for a, b, _ in past if begin <= b < end)
    return weight / ((t - begin) / 1e9) if t > begin else NAN


def _doses(past, t, settings):
    begin, end = shift.bounds(t, settings["utc_offset_h"], settings["shift_starts_h"])
    pairs = [(x, (b - max(a, begin)) / 1e9) for a, b, x in past if begin <= b < end]
    five = dose.dose(pairs, settings["noise_5db_criterion"], 5, settings["noise_5db_threshold"])
    return float(five), float(dose.dose(pairs, settings["noise_3db_criterion"], 3, -math.inf))


def _unchanged(measured, resolution, hold):
    anchor = began = None
    for t, x, before in measured:
        if anchor is None or abs(x - anchor) > resolution / 2:
            anchor, began = x, t
        elif before is not None and t - before > hold:
            began = t
    return math.nan if began is None else (measured[-1][0] - began) / 1e9
