"""The forecast of one series with helpers: value or maximum a horizon from now, and minutes to a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from minewatch.contracts import B1, F8, I8
from minewatch.detect.kernels.forecast import LARGEST, begin, forecaster_of, foresee_series
from minewatch.errors import ConfigError

TARGETS = ("value", "max", "min")
REACH = 10  # a limit further away than so many horizons is not told
KNOWN = ("horizon_s", "target", "limit", "coverage", "low", "high", "sentinels", "threshold", "gate")


@dataclass(frozen=True, slots=True)
class Forecast:
    """A row for each reading: what is expected at its time plus the horizon, and how far a limit is.

    ``forecast``, ``low`` and ``high`` are finite from the first reading and the first outcome on.
    ``skill`` is 0 where the forecast is silent, that is the reading itself. ``minutes`` is NaN where no limit
    is in sight. ``score`` is the probability that the forecast is beyond the limit, 0 where it is silent.
    """

    forecast: F8
    low: F8
    high: F8
    skill: F8
    minutes: F8
    score: F8
    alarm: B1


@dataclass(frozen=True, slots=True)
class _Call:
    horizon_s: float
    target: str
    limit: float
    coverage: float
    low: float
    high: float
    sentinels: tuple[float, ...]
    threshold: float
    gate: int


def forecast_series(
    ts_ns: I8, values: F8, helpers: F8, parameters: Mapping[str, str | float], train_rows: int = 0
) -> Forecast:
    """Forecast each row from the rows up to it; ``helpers`` is (rows, helpers), such as airflow.

    A value that is no number, a sentinel or outside [low, high] is no reading: its row repeats what was said
    last, with score 0. Raises ConfigError for a parameter that is unknown or does not fit.
    """
    call = _call(parameters)
    sign = -1.0 if call.target == "min" else 1.0
    value = sign * np.asarray(values, np.float64)
    with np.errstate(invalid="ignore"):
        missing = ~(np.abs(value) <= LARGEST) | (sign * value < call.low) | (sign * value > call.high)
    missing |= np.isin(sign * value, call.sentinels)
    value[missing] = np.nan
    row = np.zeros(1, forecaster_of(helpers.shape[1]))
    begin(row, round(call.horizon_s * 1e9), call.coverage, call.target != "value")
    out = np.empty((len(value), 4))
    table = np.ascontiguousarray(helpers, np.float64)
    foresee_series(row[0], np.ascontiguousarray(ts_ns, np.int64), value, table, out)
    said = ~np.isnan(out[:, 0])
    reading = _held(value, said)
    forecast, low, high, skill = (_held(out[:, k], said) for k in range(4))
    limit = sign * call.limit
    score = np.where(said & (skill > 0), _beyond(forecast, low, high, limit, call.coverage), 0.0)
    minutes = minutes_to(limit, reading, forecast, skill, call.horizon_s)
    score[:train_rows] = 0.0
    low, high = (low, high) if sign > 0 else (-high, -low)
    alarm = _gated(score >= call.threshold, call.gate)
    return Forecast(sign * forecast, low, high, np.nan_to_num(skill), minutes, score, alarm)


def minutes_to(limit: float, reading: F8, forecast: F8, skill: F8, horizon_s: float) -> F8:
    """Return the minutes to the limit along the line from reading to forecast; NaN: not in sight."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (limit - reading) / (forecast - reading)
        seen = (skill > 0) & (forecast > reading) & (share <= REACH)
        minutes = np.where(seen, share * horizon_s / 60, np.nan)
        found: F8 = np.where(reading >= limit, 0.0, minutes)
    return found


def _held(column: F8, said: B1) -> F8:
    """Return the column with each row that said nothing as the last one that did."""
    last = np.maximum.accumulate(np.where(said, np.arange(len(said)), -1))
    found: F8 = np.where(last >= 0, column[np.maximum(last, 0)], np.nan)
    return found


def _beyond(forecast: F8, low: F8, high: F8, limit: float, coverage: float) -> F8:
    """Return the probability that the outcome reaches the limit, as a bell curve with this interval."""
    if math.isnan(limit):
        return np.zeros(len(forecast))
    sigmas = NormalDist().inv_cdf(0.5 + coverage / 2)
    spread = np.where(forecast < limit, high - forecast, forecast - low) / sigmas
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(spread > 0, (forecast - limit) / spread, np.where(forecast >= limit, np.inf, -np.inf))
    return np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in np.nan_to_num(z, nan=-np.inf).tolist()])


def _gated(over: B1, gate: int) -> B1:
    alarm = over.copy()
    free = 0
    for row in np.flatnonzero(over).tolist() if gate else ():
        alarm[row] = row >= free
        free = row + gate + 1 if alarm[row] else free
    return alarm


def _call(parameters: Mapping[str, str | float]) -> _Call:
    for key in parameters:
        if key not in KNOWN:
            raise ConfigError(
                f"forecast has no parameter {key!r}", where=f"--set {key}", mend=f"Known: {', '.join(KNOWN)}."
            )
    target = str(parameters.get("target", "value"))
    if target not in TARGETS:
        raise ConfigError(
            f"{target!r} does not fit", where="--set target", mend=f"Give one of {', '.join(TARGETS)}."
        )
    raw = str(parameters.get("sentinels", ""))
    return _Call(
        horizon_s=_number(parameters, "horizon_s", 600.0, 1e-3, 1e9),
        target=target,
        limit=_number(parameters, "limit", math.nan, -math.inf, math.inf),
        coverage=_number(parameters, "coverage", 0.9, 0.01, 0.999),
        low=_number(parameters, "low", -math.inf, -math.inf, math.inf),
        high=_number(parameters, "high", math.inf, -math.inf, math.inf),
        sentinels=tuple(
            _number({"sentinels": part}, "sentinels", 0.0, -math.inf, math.inf)
            for part in raw.split(",")
            if part.strip()
        ),
        threshold=_number(parameters, "threshold", 0.5, 1e-9, 1e12),
        gate=int(_number(parameters, "gate", 0.0, 0.0, 1e12)),
    )


def _number(
    parameters: Mapping[str, str | float], key: str, default: float, least: float, most: float
) -> float:
    text = parameters.get(key, default)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if key in parameters and not least <= number <= most:
        raise ConfigError(
            f"{text!r} does not fit", where=f"--set {key}", mend=f"Give a number from {least:g} to {most:g}."
        )
    return number
