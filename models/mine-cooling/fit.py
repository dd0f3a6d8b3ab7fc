"""Fit the sensors of a real mine's cooling and water plant to its first fortnight."""

from __future__ import annotations

import csv
import gzip
import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from minewatch.detect.company.fit import Choice, fit_with_library
from minewatch.detect.company.model import Model
from minewatch.detect.company.scorer import Scorer

DATA = "mine_cooling/mine_cooling_1min.csv.gz"
FITTED = 20_160  # minutes: a fortnight
NO_MEASUREMENTS = (
    "m_evapSD",
    "U_MP",
    "F_outCD",
    "T_outPT",
    "T_outRP",
)  # its README: calculated, or a counter
FROZEN = (30_821, 264)  # minutes: 17 of 23 channels stand still


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _read(file: Path) -> tuple[list[str], np.ndarray]:
    with gzip.open(file, "rt", newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    keep = [i for i, name in enumerate(header) if i and name not in NO_MEASUREMENTS]
    return [header[i] for i in keep], np.array([[_number(row[i]) for i in keep] for row in rows])


def fit(file: Path, reason: str) -> Model:
    """Return the model of the first fortnight; slow sensors are judged too, a fortnight knows their range."""
    names, rows = _read(file)
    about: dict[str, Any] = {
        "data": DATA,
        "data_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "rows": FITTED,
        "from": "minute 0",
        "to": f"minute {FITTED - 1}",
        "reason": reason,
    }
    return fit_with_library("pca", names, rows[:FITTED], Choice(slow_share=2.0), about)


def figures(model: Model, file: Path) -> dict[str, float]:
    """Return the share of alarms in the freeze that is known, and in the rest of the rows after the fit."""
    _, rows = _read(file)
    alarm = Scorer(model).take(rows).score >= 0.5
    begin, minutes = FROZEN
    known = np.zeros(len(rows), np.bool_)
    known[begin : begin + minutes + model.window] = True
    return {
        "in_the_freeze": float(alarm[begin : begin + minutes].mean()),
        "elsewhere": float(alarm[FITTED:][~known[FITTED:]].mean()),
    }
