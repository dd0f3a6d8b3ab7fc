"""Drift and lost response, told plainly over the lists of all steps and events."""

import math
import statistics

NAN = float("nan")


def drift(pairs, warm_up, floor):
    """Return for each (x, neighbours) the sigmas of drift."""
    out, learned, now = [], [], 0.0
    for x, other in pairs:
        d = x - other
        if not math.isfinite(d):
            out.append(NAN)
        elif len(learned) < warm_up:
            learned.append(d)
            now = statistics.fmean(learned)
            out.append(NAN)
        else:
            now = now + (d - now) / 24
            sigma = statistics.stdev(learned) if len(learned) > 1 else 0.0
            out.append((now - statistics.fmean(learned)) / max(sigma, floor))
    return out


def _average(values, memory):
    mean, n = 0.0, 0
    for v in values:
        n = min(n + 1, memory)
        mean = mean + (v - mean) / n
    return mean


def responses(events, warm_up, least_tie, memory):
    """Return for each (stimulus, reply) the share of the usual response that is lost."""
    out, known, fast = [], [], [0.0, 0.0]
    for s, r in events:
        if not (math.isfinite(s) and math.isfinite(r)) or s == 0:
            out.append(NAN)
            continue
        fast = [fast[0] + (s * s - fast[0]) / 8, fast[1] + (s * r - fast[1]) / 8]
        ss, sr, rr = (_average([f(a, b) for a, b in known], memory)
                      for f in (lambda a, b: a * a, lambda a, b: a * b, lambda a, b: b * b))  # fmt: skip
        lost = NAN
        if (
            min(len(known), memory) >= warm_up
            and ss > 0
            and rr > 0
            and abs(sr) / math.sqrt(ss * rr) >= least_tie
        ):
            lost = min(max(1 - (fast[1] / fast[0]) / (sr / ss), 0.0), 1.0)
        out.append(lost)
        if not lost > 0.5:
            known.append((s, r))
    return out
