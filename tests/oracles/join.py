"""Rows of several points on a grid of times, in plain Python."""


def join(readings, step, hold):
    """Return [(tick, values)] of readings (slot, ts, value) in order of time; None where nothing is held."""
    if not readings:
        return []
    first = -(-readings[0][1] // step) * step
    out = []
    for tick in range(first, readings[-1][1] + max(hold) + step + 1, step):
        row = []
        for slot in range(len(hold)):
            mine = [(ts, i, x) for i, (s, ts, x) in enumerate(readings) if s == slot and ts <= tick]
            newest = max(mine, default=None)
            row.append(newest[2] if newest and tick - newest[0] <= hold[slot] else None)
        fresh = any(tick - step < ts <= tick for _, ts, _ in readings)
        if fresh and any(x is not None for x in row):
            out.append((tick, row))
    return out
