"""The change chart: an EWMA baseline with z (Roberts 1959, West 1979) and a two-sided CUSUM (Page 1954)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import Chart

WIDEST = 1e6  # z is reported within +-1e6, so that it is always finite
LARGEST = 1e15  # no instrument reads more, and squares fit a 4-byte float: passed over like NaN
CLOSEST = 0.99  # the highest correlation of neighbouring readings that is believed
RUN = 16  # shorter runs of neighbouring points do not repay the vector loop
BLOCK = 2048  # neighbours a time: their roots stay in the nearest cache


@kernel
def scale(mean: float, variance: float, floor: float, echo: float) -> tuple[float, float, float]:
    """Return (sd, tie, alone): sigma of a reading, correlation of neighbours, sigma of what is new in one."""
    least = max(1e-9 * abs(mean) + 1e-12, floor)
    sd = max(np.sqrt(variance), least)
    tie = echo / variance if variance > 0.0 else 0.0
    tie = min(max(tie, 0.0), CLOSEST)
    alone = max(np.sqrt(variance * (1.0 - tie * tie)), least)
    return sd, tie, alone


@kernel
def weigh(
    d: float, high: float, low: float, lag: float, sd: float, tie: float, alone: float,
    clip: float, slack: float, cap: float,
) -> tuple[float, float, float, float, float]:  # fmt: skip
    """Return (z, what d teaches, high, low, cusum) of a reading that lies d from the mean."""
    inverse = 1.0 / (sd * alone)  # one division for two
    z = min(max(d * alone * inverse, -WIDEST), WIDEST)
    news = min(max((d - tie * lag) * sd * inverse, -clip), clip)
    up = min(max(high + news - slack, 0.0), cap)
    down = min(max(low - news - slack, 0.0), cap)
    return z, min(max(z, -clip), clip) * sd, up, down, max(up, down)


@kernel
def teach(
    mean: float, variance: float, lag: float, echo: float, d: float, share: float
) -> tuple[float, float, float, float]:
    """Return (mean, variance, lag, echo) after a reading d from the mean that counts as ``share`` of all."""
    rest = 1.0 - share
    step = share * d
    return mean + step, rest * (variance + step * d), rest * d, rest * (echo + step * lag)


@kernel
def learn(
    mean: float, variance: float, high: float, low: float, floor: float, seen: float, lag: float, echo: float,
    x: float, memory: float, warm_up: float, clip: float, slack: float, cap: float,
) -> tuple[float, float, float, float, float, float, float, float, float]:  # fmt: skip
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
    ready = taken and seen >= warm_up
    before = x if seen == 0.0 and taken else mean
    d = x - before if taken else 0.0
    sd, tie, alone = scale(before, variance, floor, echo)
    z, clipped, up, down, cusum = weigh(d, high, low, lag, sd, tie, alone, clip, slack, cap)
    count = seen + 1.0
    share = 1.0 / (count if count < memory else memory)
    most = memory if memory > warm_up else warm_up
    count = count if count < most else most
    after, spread, apart, together = teach(before, variance, lag, echo, clipped if ready else d, share)
    return (
        after,
        spread if taken else variance,
        up if ready else high,
        down if ready else low,
        count if taken else seen,
        apart if taken else lag,
        together if taken else echo,
        z if ready else np.nan,
        cusum if ready else np.nan,
    )


@kernel
def change(
    chart: Chart, p: int, x: float, memory: float, warm_up: float, clip: float, slack: float, cap: float
) -> tuple[float, float]:
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
    mean: NDArray[np.float64], variance: NDArray[np.float64], high: NDArray[np.float32],
    low: NDArray[np.float32], floor: NDArray[np.float32], seen: NDArray[np.float32],
    lag: NDArray[np.float32], echo: NDArray[np.float32],
    value: NDArray[np.float64], memory: float, warm_up: float, clip: float, slack: float, cap: float,
    z: NDArray[np.float64], cusum: NDArray[np.float64],
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
def settled_scale(
    mean: NDArray[np.float64], variance: NDArray[np.float64], floor: NDArray[np.float32],
    seen: NDArray[np.float32], echo: NDArray[np.float32], value: NDArray[np.float64], most: float,
    sd: NDArray[np.float64], tie: NDArray[np.float64], alone: NDArray[np.float64],
) -> bool:  # fmt: skip
    """Take the roots of neighbouring points; say whether each has a value to learn and has seen ``most``."""
    others = 0
    for i in range(value.shape[0]):
        sd[i], tie[i], alone[i] = scale(mean[i], variance[i], floor[i], echo[i])
        others += 0 if abs(value[i]) <= LARGEST and seen[i] == most else 1
    return others == 0


@kernel
def settled_run(
    mean: NDArray[np.float64], variance: NDArray[np.float64], high: NDArray[np.float32],
    low: NDArray[np.float32], lag: NDArray[np.float32], echo: NDArray[np.float32],
    sd: NDArray[np.float64], tie: NDArray[np.float64], alone: NDArray[np.float64],
    value: NDArray[np.float64], share: float, clip: float, slack: float, cap: float,
    z: NDArray[np.float64], cusum: NDArray[np.float64],
) -> None:  # fmt: skip
    """Do what ``learn`` does, bit for bit, where nothing is left to ask of any point."""
    for i in range(value.shape[0]):
        z[i], d, high[i], low[i], cusum[i] = weigh(
            value[i] - mean[i], high[i], low[i], lag[i], sd[i], tie[i], alone[i], clip, slack, cap
        )
        mean[i], variance[i], lag[i], echo[i] = teach(mean[i], variance[i], lag[i], echo[i], d, share)


@kernel
def change_rows(
    chart: Chart, point: NDArray[np.int32], value: NDArray[np.float64],
    memory: float, warm_up: float, clip: float, slack: float, cap: float,
    z: NDArray[np.float64], cusum: NDArray[np.float64],
) -> None:  # fmt: skip
    """Run the chart over rows of (point, value) into ``z`` and ``cusum``; runs of neighbours go fast.

    Blocks of settled neighbours go fastest. Their roots are a loop of their own: both loops in one would
    keep more instructions waiting for a root than a processor can hold, and the divider would stand idle.
    """
    most = memory if memory > warm_up else warm_up
    sd, tie, alone = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
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
        elif chart.seen[p] == most and settled_scale(
            chart.mean[p:q], chart.variance[p:q], chart.floor[p:q], chart.seen[p:q], chart.echo[p:q],
            value[i:j], most, sd, tie, alone,
        ):  # fmt: skip
            settled_run(
                chart.mean[p:q], chart.variance[p:q], chart.high[p:q], chart.low[p:q], chart.lag[p:q],
                chart.echo[p:q], sd, tie, alone, value[i:j], 1.0 / memory, clip, slack, cap, z[i:j],
                cusum[i:j],
            )  # fmt: skip
        else:
            learning_run(
                chart.mean[p:q], chart.variance[p:q], chart.high[p:q], chart.low[p:q], chart.floor[p:q],
                chart.seen[p:q], chart.lag[p:q], chart.echo[p:q], value[i:j],
                memory, warm_up, clip, slack, cap, z[i:j], cusum[i:j],
            )  # fmt: skip
        i = j
