"""What a slow quantity will be, or at most be, a horizon from now, with an interval: learned from outcomes.

A ridge regression of (outcome - reading) on how the reading and its helpers stand to their own recent past. A
forecast is held back as a pending row until its horizon is over; only then it teaches. Forgetting is by time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .layout import NONE, Row, Rows

OWN = 5  # features of the reading itself: 1, against short mean, long mean, recent maximum; recent spread
PENDING = 16  # forecasts held until they came true
SPACING = 12  # a forecast is held back every twelfth of the horizon at most
BUCKETS = 6  # of the recent maximum, a sixth of the horizon each
LONG = 16.0  # horizons of the long mean
SPREAD = 4.0  # horizons of the spread of readings
MEMORY = 250.0  # horizons that the regression remembers
RIDGE = 30.0  # outcomes that speak for "no change" from the start
HUBER = 6.0  # an error counts for at most so many mean errors
LEAST = 30.0  # outcomes before the regression may speak
SCALE = 16.0  # horizons of the mean error that scales the interval
PACE = 0.05  # how far one outcome moves the interval, in mean errors
FIRST = 2.0  # half the interval at the start, in mean errors
LARGEST = 1e15  # no instrument reads more: passed over like NaN


def forecaster_of(helpers: int) -> np.dtype[np.void]:
    """Return the row of a forecaster with so many helpers."""
    d = OWN + 2 * helpers
    return np.dtype(
        [
            ("point", "i8"),
            ("horizon_ns", "i8"),
            ("coverage", "f8"),
            ("largest", "i8"),  # 1: the largest value until then; 0: the value then
            ("sign", "i8"),  # -1: the engine turns readings upside down, for limits below
            ("last_ns", "i8"),
            ("anchor_ns", "i8"),  # of the newest pending forecast
            ("taught_ns", "i8"),  # of the newest one that came true
            ("bucket", "i8"),
            ("head", "i8"),  # of the oldest pending forecast
            ("held", "i8"),
            ("readings", "f8"),
            ("outcomes", "f8"),
            ("short", "f8"),
            ("long", "f8"),
            ("square", "f8"),
            ("weight", "f8"),  # of outcomes remembered
            ("error", "f8"),  # mean size of the regression's error
            ("widest", "f8"),  # the largest change that came true, slowly forgotten
            ("scale", "f8"),  # mean size of the forecast's error
            ("below", "f8"),  # the interval, in scales
            ("above", "f8"),
            ("miss", "f8"),  # mean square error of the regression
            ("miss_still", "f8"),  # and of "no change"
            ("latest", "f8"),  # the newest reading, and what was said at it
            ("expected", "f8"),
            ("lower", "f8"),
            ("upper", "f8"),
            ("skill", "f8"),
            ("peak", "f8", (BUCKETS,)),
            ("helper", "f8", (max(helpers, 1), 3)),  # readings, short mean, long mean
            ("moment", "f8", (d, d)),
            ("product", "f8", (d,)),
            ("weights", "f8", (d,)),
            ("feature", "f8", (d,)),
            ("due_ns", "i8", (PENDING,)),
            ("heard_ns", "i8", (PENDING,)),  # the newest reading that counted for it
            ("reading", "f8", (PENDING,)),
            ("outcome", "f8", (PENDING,)),
            ("regressed", "f8", (PENDING,)),
            ("said", "f8", (PENDING,)),
            ("low", "f8", (PENDING,)),
            ("high", "f8", (PENDING,)),
            ("features", "f8", (PENDING, d)),
        ]
    )


FORECAST = forecaster_of(0)


def begin(rows: Rows, horizon_ns: int, coverage: float, largest: bool) -> None:
    """Make rows that know nothing yet."""
    rows[:] = np.zeros(1, rows.dtype)[0]
    rows["horizon_ns"], rows["coverage"], rows["largest"] = horizon_ns, coverage, int(largest)
    rows["last_ns"] = rows["anchor_ns"] = rows["taught_ns"] = rows["bucket"] = NONE
    rows["sign"] = 1
    rows["below"] = rows["above"] = FIRST
    rows["peak"] = -np.inf


@kernel
def share(elapsed: float, span: float, count: float) -> float:
    """Return what the newest of ``count`` counts for in a mean that forgets over ``span``."""
    return max(1.0 / count, float(1.0 - np.exp(-elapsed / span)))


@kernel
def solve(row: Row, d: int) -> None:
    """Write the weights of the ridge regression: ``RIDGE`` outcomes of nothing are added (Cholesky)."""
    moment = row["moment"]
    product = row["product"]
    weights = row["weights"]
    extra = 1.0 + RIDGE / max(row["weight"], 1e-9)
    size = np.empty(d)
    root = np.empty((d, d))
    for i in range(d):
        size[i] = np.sqrt(moment[i, i])
        size[i] = 1.0 / size[i] if size[i] > 1e-150 else 0.0
    for j in range(d):
        for i in range(j, d):
            s = extra if i == j else moment[i, j] * size[i] * size[j]
            for k in range(j):
                s -= root[i, k] * root[j, k]
            root[i, j] = np.sqrt(max(s, 1e-12)) if i == j else s / root[j, j]
    for i in range(d):
        s = product[i] * size[i]
        for k in range(i):
            s -= root[i, k] * weights[k]
        weights[i] = s / root[i, i]
    for i in range(d - 1, -1, -1):
        s = weights[i]
        for k in range(i + 1, d):
            s -= root[k, i] * weights[k]
        weights[i] = s / root[i, i]
    for i in range(d):
        weights[i] *= size[i]


@kernel
def teach(row: Row, k: int, d: int) -> None:
    """Let the pending forecast k, which has come true, teach regression, interval and trust."""
    horizon = float(row["horizon_ns"])
    anchor = row["due_ns"][k] - row["horizon_ns"]
    taught = row["taught_ns"]
    elapsed = min(float(anchor - taught), horizon) if taught != NONE else horizon
    row["taught_ns"] = anchor
    row["outcomes"] += 1.0
    count = row["outcomes"]
    outcome = row["outcome"][k]
    rise = outcome - row["reading"][k]
    features = row["features"]
    weights = row["weights"]
    moment = row["moment"]
    product = row["product"]

    new = share(elapsed, MEMORY * horizon, count)
    row["miss"] += new * ((outcome - row["regressed"][k]) ** 2 - row["miss"])
    row["miss_still"] += new * (rise * rise - row["miss_still"])
    error = rise
    for i in range(d):
        error -= weights[i] * features[k, i]
    row["error"] += new * (abs(error) - row["error"])
    most = HUBER * row["error"]
    trust = most / abs(error) if abs(error) > most else 1.0
    keep = np.exp(-elapsed / (MEMORY * horizon))
    row["widest"] = max(row["widest"] * keep, abs(rise))
    row["weight"] = row["weight"] * keep + 1.0
    for i in range(d):
        product[i] = product[i] * keep + trust * features[k, i] * rise
        for j in range(i + 1):
            moment[i, j] = moment[i, j] * keep + trust * features[k, i] * features[k, j]
    solve(row, d)

    if not np.isnan(row["low"][k]):
        tail = 0.5 * (1.0 - row["coverage"])
        row["above"] += PACE * ((1.0 if outcome > row["high"][k] else 0.0) - tail)
        row["below"] += PACE * ((1.0 if outcome < row["low"][k] else 0.0) - tail)
    row["scale"] += share(elapsed, SCALE * horizon, count) * (abs(outcome - row["said"][k]) - row["scale"])


@kernel
def come_true(row: Row, x: float, t: int, d: int) -> None:
    """Let a reading count for the pending forecasts, and those whose horizon is over teach, oldest first."""
    heard = row["heard_ns"]
    due = row["due_ns"]
    outcome = row["outcome"]
    head = row["head"]
    held = row["held"]
    over = 0
    for n in range(held):
        k = (head + n) % PENDING
        if t <= due[k]:
            first = heard[k] == NONE or row["largest"] == 0
            outcome[k] = x if first else max(outcome[k], x)
            heard[k] = t
        if t >= due[k]:
            over += 1
            if heard[k] != NONE and due[k] - heard[k] <= row["horizon_ns"] // 2:
                teach(row, k, d)
    row["head"] = (head + over) % PENDING
    row["held"] = held - over


@kernel
def look(row: Row, x: float, t: int, helpers: NDArray[np.float64]) -> None:
    """Take a reading into the means and the recent maximum, and write the features."""
    horizon = float(row["horizon_ns"])
    feature = row["feature"]
    helper = row["helper"]
    peak = row["peak"]
    elapsed = float(t - row["last_ns"]) if row["last_ns"] != NONE else 0.0
    row["readings"] += 1.0
    count = row["readings"]
    near = share(elapsed, horizon, count)
    far = share(elapsed, LONG * horizon, count)
    row["short"] += near * (x - row["short"])
    row["long"] += far * (x - row["long"])
    off = x - row["short"]
    row["square"] += share(elapsed, SPREAD * horizon, count) * (off * off - row["square"])
    bucket = t // max(row["horizon_ns"] // BUCKETS, 1)
    past = row["bucket"]
    if past == NONE or bucket - past >= BUCKETS:
        peak[:] = -np.inf
    else:
        for b in range(past + 1, bucket + 1):
            peak[b % BUCKETS] = -np.inf
    row["bucket"] = bucket
    peak[bucket % BUCKETS] = max(peak[bucket % BUCKETS], x)
    top = x
    for b in range(BUCKETS):
        top = max(top, peak[b])
    feature[0] = 1.0
    feature[1] = off
    feature[2] = x - row["long"]
    feature[3] = x - top
    feature[4] = np.sqrt(row["square"])
    for h in range(helpers.shape[0]):
        u = helpers[h]
        feature[OWN + 2 * h] = 0.0
        feature[OWN + 2 * h + 1] = 0.0
        if abs(u) <= LARGEST:
            helper[h, 0] += 1.0
            count = helper[h, 0]
            helper[h, 1] += share(elapsed, horizon, count) * (u - helper[h, 1])
            helper[h, 2] += share(elapsed, LONG * horizon, count) * (u - helper[h, 2])
            feature[OWN + 2 * h] = u - helper[h, 1]
            feature[OWN + 2 * h + 1] = u - helper[h, 2]


@kernel
def hold(row: Row, x: float, t: int, regressed: float, said: float, low: float, high: float, d: int) -> None:
    """Hold a forecast until it comes true, if the last one held is long enough ago."""
    if row["anchor_ns"] != NONE and t - row["anchor_ns"] < row["horizon_ns"] // SPACING:
        return
    k = (row["head"] + row["held"]) % PENDING
    row["held"] += 1
    row["anchor_ns"] = t
    row["due_ns"][k] = t + row["horizon_ns"]
    row["heard_ns"][k] = NONE
    row["reading"][k] = x
    row["outcome"][k] = x
    row["regressed"][k] = regressed
    row["said"][k] = said
    row["low"][k] = low
    row["high"][k] = high
    for i in range(d):
        row["features"][k, i] = row["feature"][i]


@kernel
def foresee(row: Row, x: float, t: int, helpers: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Take a reading; return (forecast, low, high, skill), NaN for a reading that is late or no number.

    No change larger than any that came true is foretold: far from what it has seen a line leads astray.
    ``helpers`` are the newest values of the other quantities, NaN where unknown. skill = 1 - the mean square
    error of the regression over that of "no change", of late; where it is not above 0, or fewer than
    ``LEAST`` forecasts came true, it is given as 0 and the forecast is the reading itself. The interval
    is NaN until a forecast came true; its ends move with each hit and miss so that the share ``coverage`` of
    outcomes is held (Gibbs and Candès 2021), and it always holds the forecast.
    """
    if not abs(x) <= LARGEST or (row["last_ns"] != NONE and t <= row["last_ns"]):
        return np.nan, np.nan, np.nan, np.nan
    d = OWN + 2 * helpers.shape[0]
    come_true(row, x, t, d)
    look(row, x, t, helpers)
    row["last_ns"] = t
    change = 0.0
    for i in range(d):
        change += row["weights"][i] * row["feature"][i]
    regressed = x + min(max(change, -row["widest"]), row["widest"])
    skill = 0.0
    if row["outcomes"] >= LEAST and row["miss"] < row["miss_still"]:
        skill = 1.0 - row["miss"] / row["miss_still"]
    said = regressed if skill > 0.0 else x
    low = np.nan
    high = np.nan
    if row["outcomes"] > 0.0:
        low = min(said - row["below"] * row["scale"], said)
        high = max(said + row["above"] * row["scale"], said)
    hold(row, x, t, regressed, said, low, high, d)
    row["latest"], row["expected"], row["lower"], row["upper"], row["skill"] = x, said, low, high, skill
    return said, low, high, skill


@kernel
def foresee_series(
    row: Row, ts_ns: NDArray[np.int64], value: NDArray[np.float64], helpers: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:  # fmt: skip
    """Run one forecaster over a series; ``helpers`` is (rows, helpers), ``out`` (rows, 4) as ``foresee``."""
    known = np.full(helpers.shape[1], np.nan)
    for i in range(value.shape[0]):
        for h in range(helpers.shape[1]):
            if abs(helpers[i, h]) <= LARGEST:
                known[h] = helpers[i, h]
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = foresee(row, value[i], ts_ns[i], known)
