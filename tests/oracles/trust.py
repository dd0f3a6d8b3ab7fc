"""Drift and lost response, told plainly over the lists of all steps and events."""

import math
import statistics

NAN = float("nan")


def means(readings, first, kept):
    """Return {(sensor, step): (count, sum)} of the steps that are held, and how many readings were late.

    A sensor holds one step of each remainder by ``kept``, the newest; steps before ``first`` are closed.
    """
    held, late = {}, 0
    for sensor, step, value in readings:
        others = [s for n, s in held if n == sensor and s % kept == step % kept]
        newest = max(others, default=step)
        if step < first or newest > step:
            late += 1
            continue
        if newest < step:
            del held[sensor, newest]
        held.setdefault((sensor, step), []).append(value)
    return {key: (len(values), sum(values)) for key, values in held.items()}, late


def drifts(rows, warm_up, floor):
    """Return per row, per meter (drift, the same in sigmas, median of the others, how many others)."""
    meters = len(rows[0]) if rows else 0
    hangs, learned, later = [None] * meters, [[] for _ in range(meters)], [[] for _ in range(meters)]
    out = []
    for row in rows:
        level = {
            j: row[j] - hangs[j] for j in range(meters) if hangs[j] is not None and math.isfinite(row[j])
        }
        known = level.values() if level else [x for x in row if math.isfinite(x)]
        for j in range(meters):
            if hangs[j] is None and math.isfinite(row[j]):
                hangs[j] = row[j] - statistics.median(known)
        told = []
        for i in range(meters):
            others = [x for j, x in level.items() if j != i]
            around = statistics.median(others) if len(others) >= 2 else NAN
            away = sigmas = NAN
            if i in level and math.isfinite(around):
                d = level[i] - around
                if len(learned[i]) < warm_up:
                    learned[i].append(d)
                else:
                    later[i].append(d)
                    usual = now = statistics.fmean(learned[i])
                    for x in later[i]:
                        now = now + (x - now) / 24
                    spread = statistics.stdev(learned[i]) if len(learned[i]) > 1 else 0.0
                    away = now - usual
                    sigmas = away / max(spread, floor)
            told.append([away, sigmas, around, len(others)])
        most = max((abs(t[0]) for t in told if not math.isnan(t[0])), default=0.0)
        for t in told:
            if t[3] == 2 and abs(t[0]) < most:
                t[1] = 0.0
        out.append(told)
    return out


def events(steps, least, longest):
    """Return for each (step, stimulus, own) the event that ends there, (NAN, NAN) for none."""
    out, begin = [], None
    for step, stimulus, own in steps:
        out.append((NAN, NAN))
        if not (math.isfinite(stimulus) and math.isfinite(own)):
            continue
        if begin is not None and step - begin[0] <= longest:
            if abs(stimulus - begin[1]) < least:
                continue
            out[-1] = (stimulus - begin[1], own - begin[2])
        begin = (step, stimulus, own)
    return out


def _average(values, memory):
    mean, n = 0.0, 0
    for v in values:
        n = min(n + 1, memory)
        mean = mean + (v - mean) / n
    return mean


def responses(pairs, warm_up, least_tie, memory, recent, sure):
    """Return for each (stimulus, reply) the share of the usual response that is lost, sigmas, and missed."""
    out, known, fast, missed = [], [], [0.0, 0.0], 0
    for s, r in pairs:
        lost = sigmas = NAN
        if not (math.isfinite(s) and math.isfinite(r)) or s == 0:
            out.append((lost, sigmas, missed))
            continue
        fast = [fast[0] + (s * s - fast[0]) / recent, fast[1] + (s * r - fast[1]) / recent]
        ss, sr, rr = (_average([f(a, b) for a, b in known], memory)
                      for f in (lambda a, b: a * a, lambda a, b: a * b, lambda a, b: b * b))  # fmt: skip
        if (
            min(len(known), memory) >= warm_up
            and ss > 0
            and rr > 0
            and sr != 0
            and abs(sr) >= least_tie * math.sqrt(ss * rr)
        ):
            slope = sr / ss
            gone = 1 - (fast[1] / fast[0]) / slope
            left_over = max(rr - sr * slope, 1e-12 * rr)
            scatter = 1 / (fast[0] * (2 * recent - 1)) + 1 / (ss * min(len(known), memory))
            sigmas = gone * abs(slope) / math.sqrt(left_over * scatter)
            lost = min(max(gone, 0.0), 1.0)
            missed = missed + 1 if (r / s) / slope < 0.5 else 0
            r = slope * s + max(-3 * math.sqrt(left_over), min(3 * math.sqrt(left_over), r - slope * s))
        out.append((lost, sigmas, missed))
        if not (lost > 0.25 and sigmas >= sure / 2):
            known.append((s, r))
    return out
