"""One detector over one series, for benchmarks and engineers: ``minewatch score``.

It drives the same engine as live data, so what is scored here is what would have been judged there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from pydantic import ValidationError

from minewatch.contracts import B1, F8, I8, U1, LimitTable, PointInfo, ReadingBatch
from minewatch.detect.catalogue import DETECTORS, index
from minewatch.detect.engine import Engine
from minewatch.detect.run_length import BETWEEN
from minewatch.detect.run_length import threshold as threshold_for
from minewatch.detect.settings import DetectSettings
from minewatch.detect.slots import ASKED
from minewatch.errors import ConfigError

# The statistic at which the score is 0.5, and after an alarm so many readings without another one.
THRESHOLDS = {
    "range": 0.5,
    "sentinel": 0.5,
    "stuck": 3600.0,
    "gap": 60.0,
    "frozen": 1.0,
    "leap": 1.0,
    "novelty": 1.0,
    "robust-z": 7.0,
    "level-shift": 2.5,
}
# a series has no quantity: what makes these detectors speak
QUANTITIES = {
    "ambient": "carbon_monoxide",
    "above-ambient": "carbon_monoxide",
    "noise-dose-5db": "noise",
    "noise-dose-3db": "noise",
}
GATES = {"ewma": 100, "cusum": 100, "robust-z": 100}
# A series is counted in rows, whatever its rate: times that live data must last are none here.
OF_SERIES = {"novelty_memory_s": 0.0, "novelty_warm_up_s": 0.0, "novelty_gate_s": 0.0}
RATE = "rate-of-rise"
LISTED_READINGS = 60  # of the robust z, whose false alarms were simulated
OF_POINT = ("low", "high", "resolution", "interval_s", "sentinels")


@dataclass(frozen=True, slots=True)
class _Call:
    settings: DetectSettings
    info: PointInfo
    threshold: float
    gate: int
    confidence: float


def score_series(
    name: str, ts_ns: I8, values: F8, parameters: Mapping[str, str | float] | None = None, train_rows: int = 0
) -> tuple[F8, B1]:
    """Return (score, alarm) of each row: score 0 usual .. 1, finite; row t depends on rows up to t alone.

    score = s / (s + threshold) of the size s of the detector's statistic, and 0 where it has none. An alarm
    is a score of at least 0.5 with none in the ``gate`` rows before. The first ``train_rows`` are learned and
    score 0. Parameters: those of the detector, ``threshold``, ``gate``,
    ``between_alarms`` (readings, of ``level-shift`` blocks, between false alarms, instead of a threshold),
    ``confidence`` of a
    rate of rise (the end of its interval nearer to 0 is judged), and of the point: low, high, resolution,
    interval_s, sentinels. Raises ConfigError for an unknown detector or parameter, or a threshold missing.
    """
    statistic = _statistic(name, ts_ns, values, call := _call(name, parameters or {}, ts_ns))
    size = np.abs(statistic)
    with np.errstate(invalid="ignore"):
        score = np.where(np.isinf(size), 1.0, size / (size + call.threshold))
    score = np.where(np.isnan(size), 0.0, score)
    score[:train_rows] = 0.0
    return score, _gated(score >= 0.5, call.gate)


def _statistic(name: str, ts_ns: I8, values: F8, call: _Call) -> F8:
    engine = Engine(call.settings)
    engine.add_points([call.info])
    if index(name) in ASKED:
        engine.set_limits(_asking(index(name)))
    n = len(values)
    quality: U1 = np.zeros(n, np.uint8)
    batch = ReadingBatch(
        np.zeros(n, np.int32),
        np.asarray(ts_ns, np.int64),
        np.asarray(values, np.float64),
        quality,
        np.zeros(n, np.bool_),
    )
    _, table = engine.statistics(batch)
    column: F8 = table[:, index(name)]
    if name == RATE and call.confidence:
        bound = np.abs(column) - NormalDist().inv_cdf(call.confidence) * table[:, index("rate-error")]
        return np.sign(column) * np.maximum(bound, 0.0)
    return column


def _two_windows(ts_ns: I8, settings: DetectSettings) -> int:
    """Return the rows of two windows of the level shift: so long one shift is seen."""
    if len(ts_ns) < 2:
        return 0
    spacing_s = float(np.median(np.diff(ts_ns))) / 1e9
    return round(2 * settings.level_window_s / spacing_s) if spacing_s > 0 else 0


def _asking(detector: int) -> LimitTable:
    """Return a limit that is never reached: dear detectors speak only where a limit asks for them."""
    one = np.ones(1, np.int64)
    return LimitTable(
        one, np.zeros(1, np.int32), np.array([detector], np.uint16), np.zeros(1, np.uint8),
        np.array([np.finfo(np.float64).max]), np.zeros(1), 0 * one, 0 * one,
    )  # fmt: skip


def _gated(over: B1, gate: int) -> B1:
    if gate == 0:
        return over
    alarm = np.zeros(len(over), np.bool_)
    free = 0
    for row in np.flatnonzero(over).tolist():
        if row >= free:
            alarm[row] = True
            free = row + gate + 1
    return alarm


def _call(name: str, parameters: Mapping[str, str | float], ts_ns: I8) -> _Call:
    detector = DETECTORS[index(name, where="--detector")]
    own = [p.name for p in detector.parameters]
    known = ["threshold", "gate", *own, *OF_POINT, *(["between_alarms"] if name in BETWEEN else [])]
    known += ["confidence"] if name == RATE else []
    for key in parameters:
        if key not in known:
            raise ConfigError(
                f"{name} has no parameter {key!r}", where=f"--set {key}", mend=f"Known: {', '.join(known)}."
            )
    try:
        settings = DetectSettings.model_validate(
            OF_SERIES | {k: _listed(k, v) for k, v in parameters.items() if k in own}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(
            f"{first['input']!r} does not fit", where=f"--set {first['loc'][0]}", mend=f"{first['msg']}."
        ) from None
    threshold = _threshold(name, parameters, settings)
    own_gate = _two_windows(ts_ns, settings) if name == "level-shift" else GATES.get(name, 0)
    gate = _number(parameters, "gate", own_gate)
    if not 0 <= gate < 1e12:
        raise ConfigError(f"{gate} does not fit", where="--set gate", mend="Give readings, 0 or more.")
    confidence = _number(parameters, "confidence", 0.0)
    if "confidence" in parameters and not 0.5 <= confidence < 1:
        raise ConfigError(
            f"{confidence} does not fit", where="--set confidence", mend="Give a share from 0.5 to under 1."
        )
    point = _point(parameters, QUANTITIES.get(name, "value"))
    return _Call(settings, point, threshold, int(gate), confidence)


def _threshold(name: str, parameters: Mapping[str, str | float], settings: DetectSettings) -> float:
    """Return the threshold that is given, that of a stated rate of false alarms, or the detector's own."""
    own = THRESHOLDS | {"ewma": settings.ewma_half_score, "cusum": settings.cusum_half_score}
    if "between_alarms" in parameters:
        if "threshold" in parameters:
            raise ConfigError(
                "is a threshold already", where="--set between_alarms", mend="Leave one of the two out."
            )
        threshold = threshold_for(name, _number(parameters, "between_alarms", 0.0), settings.cusum_slack)
        if name == "robust-z" and settings.robust_readings != LISTED_READINGS:
            raise ConfigError(
                f"is known for {LISTED_READINGS} robust_readings alone",
                where="--set between_alarms",
                mend="Leave robust_readings out, or give a threshold.",
            )
        if name == "cusum" and threshold > settings.cusum_cap:
            raise ConfigError(
                f"needs a CUSUM of {threshold:.1f}, which is capped at {settings.cusum_cap:g}",
                where="--set between_alarms",
                mend="Raise cusum_cap or cusum_slack.",
            )
        return threshold
    threshold = _number(parameters, "threshold", own.get(name, 0.0))
    if not threshold > 0:
        raise ConfigError(
            f"{name} needs a threshold above 0", where="--set threshold", mend="Add --set threshold=NUMBER."
        )
    return threshold


def _point(parameters: Mapping[str, str | float], quantity: str) -> PointInfo:
    raw = str(parameters.get("sentinels", ""))
    sentinels = tuple(
        _number({"sentinels": part}, "sentinels", 0.0) for part in raw.split(",") if part.strip()
    )
    return PointInfo(
        "series", "", "", "", "", quantity, "1", "",
        low=_number(parameters, "low", -math.inf),
        high=_number(parameters, "high", math.inf),
        resolution=_number(parameters, "resolution", 0.0),
        interval_s=_number(parameters, "interval_s", 0.0),
        sentinels=sentinels,
    )  # fmt: skip


def _number(parameters: Mapping[str, str | float], key: str, default: float) -> float:
    try:
        return float(parameters.get(key, default))
    except ValueError:
        raise ConfigError(
            f"{parameters[key]!r} is not a number", where=f"--set {key}", mend=f"Write --set {key}=NUMBER."
        ) from None


def _listed(key: str, value: str | float) -> object:
    if key == "fastest":  # a series has one quantity
        return {"value": value}
    return [part.strip() for part in str(value).split(",")] if key == "shift_starts_h" else value
