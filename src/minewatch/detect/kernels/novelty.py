"""Novelty: how far a value lies from everything seen lately, on two views, behind a refractory gate.

View 0 is the reading, view 1 what is left of it after the usual value of its hour of the week. Each remembers
the values of the last ``NOVEL_BLOCKS`` blocks of readings: the first ``NOVEL_KEPT`` of them exactly, more as
marks in a grid of ``NOVEL_BINS``. A value far outside is again kept exactly, so that a spike never coarsens
the grid. A mark is the number 1..NOVEL_BLOCKS of the block in which its bin was last seen, 0 never.
"""

from __future__ import annotations

import numpy as np

from .jit import kernel
from .layout import NOVEL_BINS as BINS
from .layout import NOVEL_BLOCKS as BLOCKS
from .layout import NOVEL_HOURS as HOURS
from .layout import NOVEL_KEPT as KEPT
from .layout import Row

LARGEST = 1e15  # no instrument reads more: passed over like NaN
HOUR_NS = 3_600_000_000_000
COUNTED = 255  # readings of an hour that are counted
NARROW = BINS // 4  # a grid whose marks span fewer bins is made finer
REACH = 1.0  # a value at most so many ranges outside widens the grid, a farther one is kept exactly
WIDEST = 4.0  # kept values far outside count as range, up to so many ranges of the grid
LONELY = 0.25  # a value without which less than this share of the range is left is no part of a new grid
CLOSE = 1.0 / 64.0  # kept values outside the grid nearer to each other than this share of its range are one
FINEST = 1e-13  # the least width of a bin, as a share of the values: floats cannot tell finer ones apart


@kernel
def age(mark: int, now: int) -> int:
    """Return how many blocks ago a mark was made."""
    return (now - mark + BLOCKS) % BLOCKS


@kernel
def younger(a: int, b: int, now: int) -> int:
    """Return the younger of two marks; 0 is none."""
    if a == 0 or b == 0:
        return a + b
    return a if age(a, now) <= age(b, now) else b


@kernel
def mark(view: Row, x: float, block: int, now: int) -> None:
    """Mark the bin of x, which the grid covers, as seen in that block."""
    b = int(min(max(np.floor((x - view["low"]) / view["width"]), 0.0), BINS - 1.0))
    seen = view["seen"]
    seen[b] = younger(seen[b], block, now)
    view["least"] = min(view["least"], b)
    view["most"] = max(view["most"], b)


@kernel
def widen(view: Row, up: bool, now: int) -> None:
    """Let the grid cover twice as much, upwards or downwards: two bins become one."""
    seen = view["seen"]
    half = BINS // 2
    if up:
        for j in range(half):
            seen[j] = younger(seen[2 * j], seen[2 * j + 1], now)
        for j in range(half, BINS):
            seen[j] = 0
        view["least"] = view["least"] // 2
        view["most"] = view["most"] // 2
    else:
        for j in range(half):
            seen[BINS - 1 - j] = younger(seen[BINS - 1 - 2 * j], seen[BINS - 2 - 2 * j], now)
        for j in range(half):
            seen[j] = 0
        view["least"] = half + view["least"] // 2
        view["most"] = half + view["most"] // 2
        view["low"] -= BINS * view["width"]
    view["width"] *= 2.0


@kernel
def cover(view: Row, x: float, now: int) -> None:
    """Widen the grid until it covers x."""
    while x < view["low"]:
        widen(view, False, now)
    while x >= view["low"] + BINS * view["width"]:
        widen(view, True, now)


@kernel
def refine(view: Row) -> None:
    """Halve the bins around the marks; both halves of a marked bin are marked."""
    seen = view["seen"]
    half = BINS // 2
    begin = min(max((view["least"] + view["most"] + 1) // 2 - half // 2, 0), half)
    for j in range(half):
        seen[j] = seen[begin + j]
    for j in range(half - 1, -1, -1):
        seen[2 * j + 1] = seen[j]
        seen[2 * j] = seen[j]
    view["low"] += begin * view["width"]
    view["width"] *= 0.5
    view["least"] = 2 * (view["least"] - begin)
    view["most"] = 2 * (view["most"] - begin) + 1


@kernel
def sort_kept(view: Row) -> None:
    """Sort the kept values, all of them in use, with their marks."""
    kept, when = view["kept"], view["when"]
    for i in range(1, KEPT):
        x, block = kept[i], when[i]
        j = i - 1
        while j >= 0 and kept[j] > x:
            kept[j + 1] = kept[j]
            when[j + 1] = when[j]
            j -= 1
        kept[j + 1] = x
        when[j + 1] = block


@kernel
def found(view: Row, now: int, floor: float) -> None:
    """Make a grid of the kept values, when all places are taken; up to half of them, lonely, stay kept."""
    sort_kept(view)
    kept, when, seen = view["kept"], view["when"], view["seen"]
    a, b = 0, KEPT - 1
    while b - a > KEPT // 2:
        some = LONELY * (kept[b] - kept[a])
        if kept[b - 1] - kept[a] < some:
            b -= 1
        elif kept[b] - kept[a + 1] < some:
            a += 1
        else:
            break
    finest = max(FINEST * max(abs(kept[a]), abs(kept[b])), 1e-300)
    view["width"] = max((kept[b] - kept[a]) * 2.0 / BINS, max(floor / BINS, finest))
    view["low"] = 0.5 * (kept[a] + kept[b]) - view["width"] * (BINS // 2)
    view["least"] = BINS
    view["most"] = -1
    for j in range(BINS):
        seen[j] = 0
    for j in range(a, b + 1):
        mark(view, kept[j], when[j], now)
        when[j] = 0


@kernel
def keep(view: Row, x: float, now: int, near: float) -> bool:
    """Keep x exactly; kept values within ``near`` stand for it. Return False where no place is left."""
    kept, when = view["kept"], view["when"]
    free = -1
    known = False
    for j in range(KEPT):
        if when[j] == 0:
            free = j
        elif abs(x - kept[j]) <= near:
            when[j] = now
            known = True
    if not known and free >= 0:
        kept[free] = x
        when[free] = now
    return known or free >= 0


@kernel
def outside(view: Row, x: float) -> float:
    """Return how far x lies outside the marks of the grid; negative inside."""
    below = view["low"] + view["least"] * view["width"] - x
    above = x - (view["low"] + (view["most"] + 1) * view["width"])
    return float(max(below, above))


@kernel
def remember(view: Row, x: float, now: int, floor: float) -> None:
    """Remember x as seen now."""
    if view["width"] == 0.0:
        if keep(view, x, now, 0.0):
            return
        found(view, now, floor)
    span = (view["most"] - view["least"] + 1) * view["width"]
    if outside(view, x) > REACH * span:
        if keep(view, x, now, CLOSE * span):
            return
        kept, when = view["kept"], view["when"]
        lowest, highest = x, x
        for j in range(KEPT):
            lowest = min(lowest, kept[j])
            highest = max(highest, kept[j])
        cover(view, lowest, now)
        cover(view, highest, now)
        for j in range(KEPT):
            mark(view, kept[j], when[j], now)
            when[j] = 0
    cover(view, x, now)
    mark(view, x, now, now)


@kernel
def nearest_mark(view: Row, x: float, b: int) -> float:
    """Return how far x lies from the nearest mark; its bin b, or -1 or BINS beyond an end, is not marked."""
    width = view["width"]
    if b < view["least"] or b > view["most"]:
        return max(outside(view, x), 0.0) + 0.5 * float(width)
    seen = view["seen"]
    r = 1
    while seen[b - r] == 0 and seen[b + r] == 0:
        r += 1
    return (r - 0.5) * float(width)


@kernel
def gap(view: Row, x: float, now: int, floor: float) -> float:
    """Return how new x is, 0 seen .. 1, and remember it.

    It is the distance to the nearest value in memory over the range of the values in memory, at least
    ``floor``. Where all are the same and there is no floor, anything else is new.
    """
    nearest = np.inf
    lowest = np.inf
    highest = -np.inf
    widest = np.inf
    if view["width"] > 0.0:
        b = int(min(max(np.floor((x - view["low"]) / view["width"]), -1.0), float(BINS)))
        seen = view["seen"]
        if 0 <= b < BINS and seen[b] != 0:
            seen[b] = now
            return 0.0
        nearest = nearest_mark(view, x, b)
        lowest = view["low"] + view["least"] * view["width"]
        highest = view["low"] + (view["most"] + 1) * view["width"]
        widest = WIDEST * (highest - lowest)
    kept, when = view["kept"], view["when"]
    for j in range(KEPT):
        if when[j] != 0:
            nearest = min(nearest, abs(x - kept[j]))
            lowest = min(lowest, kept[j])
            highest = max(highest, kept[j])
    remember(view, x, now, floor)
    if nearest == 0.0 or lowest > highest:
        return 0.0
    span = max(min(highest - lowest, widest), floor)
    return nearest / span if nearest < span else 1.0


@kernel
def forget(view: Row, now: int) -> None:
    """Forget what was last seen a whole memory ago, its mark is used anew from here; refine where it pays."""
    when, seen = view["when"], view["seen"]
    for j in range(KEPT):
        if when[j] == now:
            when[j] = 0
    if view["width"] == 0.0:
        return
    for j in range(BINS):
        seen[j] = 0 if seen[j] == now else seen[j]
    least, most = view["least"], view["most"]
    while least <= most and seen[least] == 0:
        least += 1
    while most > least and seen[most] == 0:
        most -= 1
    view["least"] = least
    view["most"] = most
    if least > most:
        view["width"] = 0.0
        return
    finest = 2.0 * FINEST * max(abs(view["low"]), abs(view["low"] + view["width"] * BINS))
    while view["most"] - view["least"] + 1 < NARROW and view["width"] > finest:
        refine(view)


@kernel
def rest(novel: Row, x: float, t: int, step_ns: int, memory_ns: int, share: float) -> float:
    """Return x less the usual value of its hour of the week, 0 while there is none, and learn it.

    The usual value is the mean of the hour's first readings, then an EWMA of time constant ``memory_ns``, to
    which no reading gives more than ``share``.
    """
    usual, readings = novel["usual"], novel["readings"]
    hour = (t // HOUR_NS) % HOURS
    if novel["count"] == 0:
        novel["base"] = x
    at = x - novel["base"]  # kept as 4-byte floats, so relative to the first reading
    n = readings[hour]
    if n == 0:
        usual[hour] = at
        readings[hour] = 1
        return 0.0
    before = float(usual[hour])
    part = min(share, step_ns / (step_ns + memory_ns))
    if n < COUNTED:
        readings[hour] = n + 1
        part = max(part, 1.0 / (n + 1.0))
    usual[hour] = before + part * (at - before)
    return float(at - before)


@kernel
def views(
    novel: Row, x: float, t: int, floor: float, usual_ns: int, share: float, block: int,
    block_ns: int,
) -> tuple[float, float]:  # fmt: skip
    """Return how new x at t is in itself and for its hour, 0 .. 1 each, and remember it.

    A block of memory ends after ``block`` readings, but not
    before ``block_ns``. No number, and what no instrument reads, teaches nothing: NaN.
    """
    if not abs(x) <= LARGEST:
        return np.nan, np.nan
    step_ns = HOUR_NS
    if novel["count"] == 0:
        novel["now"] = 1
        novel["block_ns"] = t
        novel["first_ns"] = t
    else:
        step_ns = min(max(t - novel["last_ns"], 0), HOUR_NS)
        if novel["count"] - novel["block_at"] >= block and t - novel["block_ns"] >= block_ns:
            novel["now"] = novel["now"] % BLOCKS + 1
            novel["block_at"] = novel["count"]
            novel["block_ns"] = t
            forget(novel["view"][0], novel["now"])
            forget(novel["view"][1], novel["now"])
    novel["last_ns"] = t
    left = rest(novel, x, t, step_ns, usual_ns, share)
    novel["count"] += 1
    now = novel["now"]
    return gap(novel["view"][0], x, now, floor), gap(novel["view"][1], left, now, floor)


@kernel
def gate(
    novel: Row, size: float, t: int, threshold: float, again: float, readings: int, gate_ns: int
) -> float:
    """Return the novelty over the bar in force: 1 and more is an alarm.

    The bar is ``threshold``; for ``readings`` readings and at least ``gate_ns`` after an alarm it is
    ``again`` times what raised that one.
    """
    bar = threshold
    if novel["alarm_size"] > 0.0 and (
        novel["count"] - novel["alarm_at"] <= readings or t - novel["alarm_ns"] <= gate_ns
    ):
        bar = max(bar, again * novel["alarm_size"])
    if size >= bar:
        novel["alarm_size"] = size
        novel["alarm_at"] = novel["count"]
        novel["alarm_ns"] = t
    return size / bar


@kernel
def novelty(
    novel: Row, x: float, t: int, floor: float, weight: float, usual_ns: int, share: float,
    block: int, block_ns: int, warm: int, warm_ns: int, threshold: float, again: float, readings: int,
    gate_ns: int,
) -> float:  # fmt: skip
    """Return the novelty of x over the bar in force, and remember it; NaN before ``warm`` and ``warm_ns``."""
    first, second = views(novel, x, t, floor, usual_ns, share, block, block_ns)
    if np.isnan(first) or novel["count"] <= warm or t - novel["first_ns"] < warm_ns:
        return np.nan
    size = np.sqrt(first) + weight * np.sqrt(second)
    return gate(novel, size, t, threshold, again, readings, gate_ns)
