"""The change chart: an EWMA baseline with z (Roberts 1959, West 1979) and a two-sided CUSUM (Page 1954).

The mean and what is taken from it are doubles, all else 4-byte floats: a root of doubles costs four times as
much. Three roundings a reading put the variance off by less than 3 x 2^-24 x memory of its size, z by half of
that: 5e-5 for a memory of 600, where chance alone puts it off by 1 / sqrt(2 x memory), 3e-2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import Chart

LARGEST = 1e15  # no instrument reads more, and squares fit a 4-byte float: passed over like NaN
RUN = 16  # shorter runs of neighbouring points do not repay the vector loop
BLOCK = 1024  # neighbours a time: what one loop leaves to the next stays in the nearest cache

Single = np.float32
ZERO, ONE, NAN = Single(0.0), Single(1.0), Single(np.nan)  # a literal would make doubles of what it meets
WIDEST = Single(1e6)  # z is reported within +-1e6, so that it is always finite
CLOSEST = Single(0.99)  # the highest correlation of neighbouring readings that is believed
SHARPEST, LEAST = Single(1e-9), Single(1e-12)  # no sigma is less than this of the mean, nor than this
FAINT, DUST = Single(1e-15), Single(1e-30)  # what fades ends here: still less costs 100 cycles a number


@kernel
def depart(mean: float, floor: np.float32, x: float) -> tuple[np.float32, np.float32]:
    """Return how far x lies from the mean, and the least sigma there."""
    d = Single(x - mean)
    return d if abs(d) >= FAINT else ZERO, max(SHARPEST * abs(Single(mean)) + LEAST, floor)


@kernel
def weigh(
    variance: np.float32, high: np.float32, low: np.float32, lag: np.float32, echo: np.float32,
    d: np.float32, least: np.float32, share: np.float32, ready: bool | np.bool_, clip: np.float32,
    slack: np.float32, cap: np.float32,
) -> tuple[
    np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32
]:  # fmt: skip
    """Return (step, variance, high, low, lag, echo, z, cusum) for a reading that lies d from the mean.

    ``step`` is what the mean moves, ``share`` what the reading counts of all. A baseline that is not
    ``ready`` learns d unclipped.
    """
    variance, echo = variance + DUST, echo + DUST
    sd = max(np.sqrt(variance), least)
    tie = min(max(echo / variance, FAINT), CLOSEST)  # correlation of neighbours
    alone = max(np.sqrt(variance * (ONE - tie * tie)), least)  # sigma of what is new in a reading
    inverse = ONE / (sd * alone)  # one division for two
    z = min(max(d * alone * inverse, -WIDEST), WIDEST)
    news = min(max((d - tie * lag) * sd * inverse, -clip), clip)
    up = min(max(high + news - slack, ZERO), cap)
    down = min(max(low - news - slack, ZERO), cap)
    taught = min(max(z, -clip), clip) * sd if ready else d
    rest = ONE - share
    step = (ONE - rest) * taught  # not ``share``: with a long memory, rounding leaves another part
    return (
        step, rest * (variance + step * taught), up, down, rest * taught, rest * (echo + step * lag), z,
        max(up, down),
    )  # fmt: skip


@kernel
def learn(
    mean: float, variance: np.float32, high: np.float32, low: np.float32, floor: np.float32,
    seen: np.float32, lag: np.float32, echo: np.float32,
    x: float, memory: float, warm_up: float, clip: float, slack: float, cap: float,
) -> tuple[
    float, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32
]:  # fmt: skip
    """Return (mean, variance, high, low, seen, lag, echo, z, cusum) after a reading x.

    z = (x - mean) / sd, signed. The CUSUM adds what is new in a reading: what the one before it foretold is
    taken off (``lag``, its distance from the mean, times the correlation of neighbours, of which ``echo`` is
    the covariance), the rest put in sigmas of its own, clipped to +-clip, less ``slack``, on either side, and
    held below ``cap`` so that it comes down again. Without that, the CUSUM of a slow process stands high for
    most of its life (Alwan and Roberts 1988). NaN for both until ``warm_up`` readings are learned.
    What is learned is clipped too: a spike must not widen the baseline that judges the next one.
    No branches, so that a loop over neighbours becomes vector instructions.
    """
    taken = abs(x) <= LARGEST
    ready = taken and seen >= Single(warm_up)
    before = x if seen == ZERO and taken else mean
    d, least = depart(before, floor, x if taken else before)
    count = seen + ONE
    step, spread, up, down, apart, together, z, cusum = weigh(
        variance, high, low, lag, echo, d, least, ONE / min(count, Single(memory)), ready,
        Single(clip), Single(slack), Single(cap),
    )  # fmt: skip
    return (
        before + float(step),
        spread if taken else variance,
        up if ready else high,
        down if ready else low,
        min(count, Single(max(memory, warm_up))) if taken else seen,
        apart if taken else lag,
        together if taken else echo,
        z if ready else NAN,
        cusum if ready else NAN,
    )


@kernel
def change(
    chart: Chart, p: int, x: float, memory: float, warm_up: float, clip: float, slack: float, cap: float
) -> tuple[np.float32, np.float32]:
    """Let point p learn x; return (z, cusum) against what it knew before."""
    mean, variance, high, low, seen, lag, echo, z, cusum = learn(
        chart.mean[p], chart.variance[p], chart.high[p], chart.low[p], chart.floor[p], chart.seen[p],
        chart.lag[p], chart.echo[p], x, memory, warm_up, clip, slack, cap,
    )  # fmt: skip
    chart.mean[p] = mean
    chart.variance[p] = variance
    chart.high[p] = high
    chart.low[p] = low
    chart.seen[p] = seen
    chart.lag[p] = lag
    chart.echo[p] = echo
    return z, cusum


@kernel
def learning_run(
    mean: NDArray[np.float64], variance: NDArray[np.float32], high: NDArray[np.float32],
    low: NDArray[np.float32], floor: NDArray[np.float32], seen: NDArray[np.float32],
    lag: NDArray[np.float32], echo: NDArray[np.float32],
    value: NDArray[np.float64], memory: float, warm_up: float, clip: float, slack: float, cap: float,
    z: NDArray[np.float32], cusum: NDArray[np.float32],
) -> None:  # fmt: skip
    """Let neighbouring points learn a value each."""
    for i in range(value.shape[0]):
        mean[i], variance[i], high[i], low[i], seen[i], lag[i], echo[i], z[i], cusum[i] = learn(
            mean[i], variance[i], high[i], low[i], floor[i], seen[i], lag[i], echo[i], value[i],
            memory, warm_up, clip, slack, cap,
        )  # fmt: skip


@kernel
def are_neighbours(point: NDArray[np.int32]) -> bool:
    """Say whether each point is the one after the point before it."""
    others = 0
    for k in range(point.shape[0]):
        others += 0 if point[k] - point[0] == k else 1
    return others == 0


@kernel
def departures(
    mean: NDArray[np.float64], floor: NDArray[np.float32], seen: NDArray[np.float32],
    value: NDArray[np.float64], most: np.float32, d: NDArray[np.float32], least: NDArray[np.float32],
) -> bool:  # fmt: skip
    """Let neighbouring points ``depart``; say whether each has a value to learn and has seen ``most``."""
    others = 0
    for i in range(value.shape[0]):
        d[i], least[i] = depart(mean[i], floor[i], value[i])
        others += 0 if abs(value[i]) <= LARGEST and seen[i] == most else 1
    return others == 0


@kernel
def settled_run(
    mean: NDArray[np.float64], variance: NDArray[np.float32], high: NDArray[np.float32],
    low: NDArray[np.float32], lag: NDArray[np.float32], echo: NDArray[np.float32],
    d: NDArray[np.float32], least: NDArray[np.float32], share: np.float32, clip: np.float32,
    slack: np.float32, cap: np.float32, z: NDArray[np.float32], cusum: NDArray[np.float32],
) -> None:  # fmt: skip
    """Do what ``learn`` does, bit for bit, where no point leaves a question; ``d`` is overwritten."""
    for i in range(d.shape[0]):
        d[i], variance[i], high[i], low[i], lag[i], echo[i], z[i], cusum[i] = weigh(
            variance[i], high[i], low[i], lag[i], echo[i], d[i], least[i], share, True, clip, slack, cap
        )
    for i in range(d.shape[0]):
        mean[i] += d[i]


@kernel
def change_rows(
    chart: Chart, point: NDArray[np.int32], value: NDArray[np.float64],
    memory: float, warm_up: float, clip: float, slack: float, cap: float,
    z: NDArray[np.float32], cusum: NDArray[np.float32],
) -> None:  # fmt: skip
    """Run the chart over rows of (point, value) into ``z`` and ``cusum``; runs of neighbours go fast.

    Blocks of settled neighbours go fastest, in loops of their own for what is double and what is not: a
    vector instruction takes eight 4-byte floats, and a loop in which one double stands takes four of all.
    """
    most = Single(max(memory, warm_up))
    d, least = np.empty(BLOCK, Single), np.empty(BLOCK, Single)
    n = point.shape[0]
    i = 0
    while i < n:
        j = min(i + BLOCK, n)
        if not (point[j - 1] - point[i] == j - 1 - i and are_neighbours(point[i:j])):
            j = i + 1
            while j < n and point[j] == point[j - 1] + 1:
                j += 1
        p, q = point[i], point[j - 1] + 1
        if j - i < RUN:
            for k in range(i, j):
                z[k], cusum[k] = change(chart, point[k], value[k], memory, warm_up, clip, slack, cap)
        elif chart.seen[p] == most and departures(
            chart.mean[p:q], chart.floor[p:q], chart.seen[p:q], value[i:j], most, d, least
        ):
            settled_run(
                chart.mean[p:q], chart.variance[p:q], chart.high[p:q], chart.low[p:q], chart.lag[p:q],
                chart.echo[p:q], d[: j - i], least[: j - i], ONE / Single(memory), Single(clip),
                Single(slack), Single(cap), z[i:j], cusum[i:j],
            )  # fmt: skip
        else:
            learning_run(
                chart.mean[p:q], chart.variance[p:q], chart.high[p:q], chart.low[p:q], chart.floor[p:q],
                chart.seen[p:q], chart.lag[p:q], chart.echo[p:q], value[i:j],
                memory, warm_up, clip, slack, cap, z[i:j], cusum[i:j],
            )  # fmt: skip
        i = j
