"""The wear of one machine over one series: severity, zone, trend and days to a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minewatch.contracts import B1, F8, I8
from minewatch.detect.kernels.wear import WEAR, ZONE_B, ZONE_C, ZONE_D, assess_series, begin
from minewatch.detect.settings import DetectSettings
from minewatch.errors import ConfigError

KNOWN = ("baseline_s", "limit", "threshold", "low", "high")
ZONES = ("", "A", "B", "C", "D")  # "": the baseline is still learned


@dataclass(frozen=True, slots=True)
class Wear:
    """A row for each reading; NaN and zone "" while the baseline is learned.

    ``severity`` counts significant changes over the baseline, ``trend`` is their growth a day, ``days`` the
    time until the limit by that trend, NaN in zone A or without growth. ``score`` is s / (s + threshold).
    """

    severity: F8
    trend: F8
    days: F8
    zone: list[str]
    score: F8
    alarm: B1


def wear_series(ts_ns: I8, values: F8, parameters: Mapping[str, str | float], train_rows: int = 0) -> Wear:
    """Assess each row from the rows up to it; a row without a reading repeats what was said last.

    Parameters: ``baseline_s`` of measured time to learn, ``limit`` and ``threshold`` in severities, ``low``
    and ``high`` of the instrument. Raises ConfigError for a parameter that is unknown or does not fit.
    """
    call = _call(parameters)
    value = np.array(values, np.float64)
    with np.errstate(invalid="ignore"):
        value[~((value >= call["low"]) & (value <= call["high"]))] = np.nan
    rows = np.zeros(1, WEAR)
    begin(rows, round(call["baseline_s"] * 1e9))
    out = np.empty((len(value), 3))
    assess_series(rows[0], np.ascontiguousarray(ts_ns, np.int64), value, call["limit"], out)
    severity, trend, days = out.T
    known = ~np.isnan(severity)
    level = np.where(known, np.searchsorted([ZONE_B, ZONE_C, ZONE_D], severity, "right") + 1, 0)
    score = np.where(known, severity / (severity + call["threshold"]), 0.0)
    score[:train_rows] = 0.0
    return Wear(severity, trend, days, [ZONES[k] for k in level.tolist()], score, score >= 0.5)


def _call(parameters: Mapping[str, str | float]) -> dict[str, float]:
    baseline_s = float(DetectSettings.model_fields["wear_baseline_s"].default)
    call = dict(zip(KNOWN, (baseline_s, ZONE_D, ZONE_B, -math.inf, math.inf), strict=True))
    for key, text in parameters.items():
        if key not in call:
            raise ConfigError(
                f"wear has no parameter {key!r}", where=f"--set {key}", mend=f"Known: {', '.join(KNOWN)}."
            )
        try:
            call[key] = float(text)
        except ValueError:
            call[key] = math.nan
        least = -math.inf if key in ("low", "high") else 1e-9
        if not least <= call[key] <= (1e9 if key == "baseline_s" else math.inf):
            raise ConfigError(
                f"{text!r} does not fit", where=f"--set {key}", mend=f"Give a number, at least {least:g}."
            )
    return call
