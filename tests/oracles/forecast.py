"""The forecaster in plain Python: everything worked out from the whole past anew at each reading."""

import itertools
import math

NAN = float("nan")
LARGEST = 1e15


def _means(pairs, span):
    """Return the means after each of [(elapsed, value)], forgetting over ``span``."""
    mean, out = 0.0, []
    for n, (elapsed, value) in enumerate(pairs, 1):
        mean += max(1 / n, 1 - math.exp(-elapsed / span)) * (value - mean)
        out.append(mean)
    return out


def _forgetting(pairs, span):
    return _means(pairs, span)[-1] if pairs else 0.0


def _features(past, helpers, horizon):
    """Return how the newest of [(time, value, helper values)] stands to what came before."""
    t, x, _ = past[-1]
    steps = [0.0] + [b[0] - a[0] for a, b in itertools.pairwise(past)]
    short = _means(list(zip(steps, (v for _, v, _ in past), strict=True)), horizon)
    long = _forgetting(list(zip(steps, (v for _, v, _ in past), strict=True)), 16 * horizon)
    square = _forgetting(
        [(e, (v - m) ** 2) for e, (_, v, _), m in zip(steps, past, short, strict=True)], 4 * horizon
    )
    sixth = max(horizon // 6, 1)
    top = max(v for u, v, _ in past if u // sixth > t // sixth - 6)
    row = [1.0, x - short[-1], x - long, x - top, math.sqrt(square)]
    for h in range(helpers):
        known = [(e, p[2][h]) for e, p in zip(steps, past, strict=True) if abs(p[2][h]) <= LARGEST]
        if abs(past[-1][2][h]) <= LARGEST:
            u = past[-1][2][h]
            row += [u - _forgetting(known, horizon), u - _forgetting(known, 16 * horizon)]
        else:
            row += [0.0, 0.0]
    return row


def _outcome(past, anchor, due, largest, horizon):
    """Return what came true of a forecast, None where too little of its horizon was heard."""
    within = [(t, x) for t, x, _ in past if anchor < t <= due]
    if not within or due - within[-1][0] > horizon // 2:
        return None
    return max(x for _, x in within) if largest else within[-1][1]


def _regression(taught, horizon):
    """Return the weights after [(elapsed, features, rise, trust)]: ridge of correlations, by elimination."""
    d = len(taught[0][1])
    keep, terms = 1.0, []
    for elapsed, features, rise, trust in reversed(taught):
        terms.append((keep, features, rise, trust))
        keep *= math.exp(-elapsed / (250 * horizon))
    weight = sum(k for k, *_ in terms)
    moment = [[sum(k * w * f[i] * f[j] for k, f, _, w in terms) for j in range(d)] for i in range(d)]
    product = [sum(k * w * f[i] * r for k, f, r, w in terms) for i in range(d)]
    size = [1 / math.sqrt(moment[i][i]) if moment[i][i] > 1e-300 else 0.0 for i in range(d)]
    rows = [
        [
            1 + 30 / weight if i == j else moment[i][j] * size[i] * size[j]
            for j in range(d)
        ] + [product[i] * size[i]]
        for i in range(d)
    ]  # fmt: skip
    for i in range(d):
        for k in range(i + 1, d):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    found = [0.0] * d
    for i in reversed(range(d)):
        found[i] = (rows[i][d] - sum(rows[i][j] * found[j] for j in range(i + 1, d))) / rows[i][i]
    return [v * s for v, s in zip(found, size, strict=True)]


def forecasts(times, values, helpers, horizon, coverage, largest):
    """Return (forecast, low, high, skill) at each reading; ``helpers`` is a list of values for each row."""
    past, said, waiting, taught, out = [], {}, [], [], []
    count = len(helpers[0]) if helpers else 0
    known = [NAN] * count
    weights = [0.0] * (5 + 2 * count)
    miss, still, errors, scales = [], [], [], []
    above = below = 2.0
    widest = 0.0
    last = None
    for t, x, row in zip(times, values, helpers, strict=True):
        known = [u if abs(u) <= LARGEST else k for u, k in zip(row, known, strict=True)]
        if not abs(x) <= LARGEST or (past and t <= past[-1][0]):
            out.append((NAN,) * 4)
            continue
        past.append((t, x, known))
        for anchor in [a for a in waiting if a + horizon <= t]:
            waiting.remove(anchor)
            y = _outcome(past, anchor, anchor + horizon, largest, horizon)
            if y is None:
                continue
            x0, features, regressed, forecast, low, high = said[anchor]
            elapsed = horizon if last is None else min(anchor - last, horizon)
            last = anchor
            miss.append((elapsed, (y - regressed) ** 2))
            still.append((elapsed, (y - x0) ** 2))
            error = y - x0 - sum(w * f for w, f in zip(weights, features, strict=True))
            errors.append((elapsed, abs(error)))
            most = 6 * _forgetting(errors, 250 * horizon)
            widest = max(widest * math.exp(-elapsed / (250 * horizon)), abs(y - x0))
            taught.append((elapsed, features, y - x0, most / abs(error) if abs(error) > most else 1.0))
            weights = _regression(taught, horizon)
            if not math.isnan(low):
                above += 0.05 * ((y > high) - (1 - coverage) / 2)
                below += 0.05 * ((y < low) - (1 - coverage) / 2)
            scales.append((elapsed, abs(y - forecast)))
        features = _features(past, count, horizon)
        change = sum(w * f for w, f in zip(weights, features, strict=True))
        regressed = x + min(max(change, -widest), widest)
        a, b = _forgetting(miss, 250 * horizon), _forgetting(still, 250 * horizon)
        skill = 1 - a / b if len(miss) >= 30 and a < b else 0.0
        forecast = regressed if skill > 0 else x
        low = high = NAN
        if scales:
            scale = _forgetting(scales, 16 * horizon)
            low = min(forecast - below * scale, forecast)
            high = max(forecast + above * scale, forecast)
        if not said or t - max(said) >= horizon // 12:
            said[t] = (x, features, regressed, forecast, low, high)
            waiting.append(t)
        out.append((forecast, low, high, skill))
    return out
