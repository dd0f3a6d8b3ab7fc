"""Rests of one point, told plainly: the list of all rests that ended, and what was usual by then."""

import math

NAN = float("nan")


def _usual(ended, kept, rests, factor, least, first, warm_up):
    if rests < warm_up:
        return first
    return max(factor * kept["end" if ended else "between"], least)


def frozen(
    times, values, *, half_step, wet, hold, factor, least, least_readings, first, warm_up, fade, growth, wet_s
):
    """Return (for each reading how long the value rests, in multiples of the usual; the mean rest in s).

    Times are in ns, lengths in s.
    """
    out = []
    kept, rests = {"end": 0.0, "between": 0.0}, 0
    mean = 0.0
    run = []  # the readings (time, value) of the rest that goes on
    seen = []  # the first value of every rest
    last = None
    for t, x in zip(times, values, strict=True):
        if not math.isfinite(x):
            out.append(NAN)
            continue
        if not run:
            run, seen, last = [t], [x], t
            out.append(0.0)
            continue
        value = seen[-1]
        step = max(half_step, 1e-9 * abs(value))
        at_end = value <= min(seen) + step or value >= max(seen) - step
        silent, last = t - last > hold, t
        moved = not abs(x - value) <= step
        if moved and not silent and value < wet:
            length = (t - run[0]) / 1e9
            name = "end" if at_end else "between"
            clipped = min(length, growth * _usual(at_end, kept, rests, factor, least, first, warm_up))
            kept[name] = max(kept[name] * (1 - min(length / fade, 1)), clipped)
            mean += (clipped - mean) / min(rests + 1, 2 * warm_up + 1)
            rests += 1
        if moved or silent:
            if moved:
                seen.append(x)
            run = [t]
            out.append(0.0)
            continue
        run.append(t)
        rest = (t - run[0]) / 1e9
        if value >= wet:
            out.append(rest / wet_s)
        elif rests < warm_up and abs(value) <= step and min(seen) >= value - step:
            out.append(0.0)
        else:
            allowed = _usual(at_end, kept, rests, factor, least, first, warm_up)
            out.append(min(rest / allowed, len(run) / least_readings))
    return out, mean


def leaps(times, values, *, fastest, step):
    """Return the speed of each reading against the last finite one before it, in multiples of the fastest."""
    out = []
    before = None
    for t, x in zip(times, values, strict=True):
        if not math.isfinite(x):
            out.append(NAN)
            continue
        if before is None or math.isinf(fastest) or t <= before[0]:
            out.append(NAN)
        else:
            out.append(max(abs(x - before[1]) - step, 0) / (fastest * max((t - before[0]) / 1e9, 1)))
        before = (t, x)
    return out
