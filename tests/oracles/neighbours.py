"""Leave-one-out neighbours, and airflow against gas, in plain Python."""

import math
from statistics import median

NAN = float("nan")


def _there(x):
    return abs(x) <= 1e15


def _clip(x, most):
    return max(-most, min(most, x))


def neighbours(rows, *, memory, warm_up, half, clip, floor):
    """Return per row (statistic, sigmas of each meter, what each reads above the others)."""
    meters = len(rows[0]) if rows else 0
    offset, variance, seen = [0.0] * meters, [0.0] * meters, [0] * meters
    out = []
    for row in rows:
        level = {j: row[j] - offset[j] for j in range(meters) if _there(row[j]) and seen[j]}
        for j in range(meters):
            if _there(row[j]) and not seen[j]:
                offset[j] = row[j] - median(level.values() if level else [x for x in row if _there(x)])
                seen[j] = 1
        sigmas, above = [0.0] * meters, [0.0] * meters
        judged = []
        for i, mine in level.items():
            others = [x for j, x in level.items() if j != i]
            if not others:
                continue
            left = mine - median(others)
            sd = max(math.sqrt(variance[i]), floor)
            taught = left
            if seen[i] >= warm_up:
                sigmas[i], above[i] = _clip(left / sd, 1e6), left
                judged.append(abs(sigmas[i]))
                taught = _clip(left, clip * sd)
            rate = 1 / min(seen[i] + 1, memory)
            offset[i] += rate * taught
            variance[i] = (1 - rate) * (variance[i] + rate * taught**2)
            seen[i] += 1
        out.append((max(judged) / half if judged else NAN, sigmas, above))
    return out


def airflow(rows, air, *, memory, warm_up, fall, rise, least):
    """Return per row (statistic, what each sensor says, present less usual)."""
    sensors = len(rows[0]) if rows else 0
    past, usual = [[] for _ in range(sensors)], [NAN] * sensors
    out = []
    for row in rows:
        says, off = [0.0] * sensors, [0.0] * sensors
        falls, rises = [], []
        for j in range(sensors):
            if not _there(row[j]):
                continue
            learned = len(past[j])
            past[j].append(row[j])
            now = median(past[j][-3:])
            if learned == 0:
                usual[j] = now
            departs = False
            if learned >= warm_up:
                off[j] = now - usual[j]
                if j >= air:
                    rises.append(off[j])
                    says[j], departs = off[j] / rise, off[j] >= rise / 2
                elif abs(usual[j]) >= least:
                    part = 1 - now / usual[j]
                    falls.append(part)
                    says[j], departs = -part / fall, part >= fall / 2
            rate = 1 / min(learned + 1, memory)
            usual[j] += (0.1 * rate if departs else rate) * (now - usual[j])
        statistic = NAN
        if falls and rises:
            low = sorted(falls)[(len(falls) - 1) // 2]
            statistic = max(0.0, min(low / fall, max(0.0, *rises, 0.0) / rise))
        out.append((statistic, says, off))
    return out
