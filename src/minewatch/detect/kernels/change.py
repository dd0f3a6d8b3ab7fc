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
    sd = np.sqrt(variance)
    sd = sd if sd > floor else floor
    least = 1e-9 * abs(before) + 1e-12
    sd = sd if sd > least else least
    tie = echo / variance if variance > 0.0 else 0.0
    tie = tie if tie > 0.0 else 0.0
    tie = tie if tie < CLOSEST else CLOSEST
    alone = np.sqrt(variance * (1.0 - tie * tie))
    alone = alone if alone > floor else floor
    alone = alone if alone > least else least
    inverse = 1.0 / (sd * alone)  # one division for two
    z = d * alone * inverse
    z = z if z < WIDEST else WIDEST
    z = z if z > -WIDEST else -WIDEST
    clipped = z if z < clip else clip
    clipped = clipped if clipped > -clip else -clip
    news = (d - tie * lag) * sd * inverse
    news = news if news < clip else clip
    news = news if news > -clip else -clip
    up = high + news - slack
    up = up if up > 0.0 else 0.0
    up = up if up < cap else cap
    down = low - news - slack
    down = down if down > 0.0 else 0.0
    down = down if down < cap else cap
    cusum = up if up > down else down
    d = clipped * sd if ready else d
    count = seen + 1.0
    share = 1.0 / (count if count < memory else memory)
    most = memory if memory > warm_up else warm_up
    count = count if count < most else most
    spread = (1.0 - share) * (variance + share * d * d)
    return (
        before + share * d,
        spread if taken else variance,
        up if ready else high,
        down if ready else low,
        count if taken else seen,
        (1.0 - share) * d if taken else lag,
        (1.0 - share) * (echo + share * d * lag) if taken else echo,
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
def change_run(
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
def change_rows(
    chart: Chart, point: NDArray[np.int32], value: NDArray[np.float64],
    memory: float, warm_up: float, clip: float, slack: float, cap: float,
    z: NDArray[np.float64], cusum: NDArray[np.float64],
) -> None:  # fmt: skip
    """Run the chart over rows of (point, value) into ``z`` and ``cusum``; runs of neighbours go fast."""
    n = point.shape[0]
    i = 0
    while i < n:
        j = i + 1
        while j < n and point[j] == point[j - 1] + 1:
            j += 1
        if j - i >= RUN:
            p, q = point[i], point[j - 1] + 1
            change_run(
                chart.mean[p:q], chart.variance[p:q], chart.high[p:q], chart.low[p:q], chart.floor[p:q],
                chart.seen[p:q], chart.lag[p:q], chart.echo[p:q], value[i:j],
                memory, warm_up, clip, slack, cap, z[i:j], cusum[i:j],
            )  # fmt: skip
        else:
            for k in range(i, j):
                z[k], cusum[k] = change(chart, point[k], value[k], memory, warm_up, clip, slack, cap)
        i = j
