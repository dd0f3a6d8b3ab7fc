"""Fit the sensors of SKAB's pump loop to its recording without faults."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from minewatch.detect.company.fit import Choice, fit_with_library
from minewatch.detect.company.model import Model
from minewatch.detect.company.scorer import Scorer

DATA = "skab/anomaly-free/anomaly-free.csv"
KIND = "mahalanobis"
FITTED = 0.7  # of the rows; the rest shows the false alarms


def _read(file: Path) -> tuple[list[str], np.ndarray, list[str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines, delimiter=";")
    return header[1:], np.array([[float(x) for x in row[1:]] for row in rows]), [row[0] for row in rows]


def fit(file: Path, reason: str) -> Model:
    """Return the model of the first rows, by the default parameters."""
    names, rows, times = _read(file)
    upto = int(FITTED * len(rows))
    about: dict[str, Any] = {
        "data": DATA,
        "data_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "rows": upto,
        "from": times[0],
        "to": times[upto - 1],
        "reason": reason,
    }
    return fit_with_library(KIND, names, rows[:upto], Choice(), about)


def figures(model: Model, file: Path) -> dict[str, float]:
    """Return the share of alarms in the rows after the fit, and in them with the current 20 % up."""
    _, rows, _ = _read(file)
    upto = int(FITTED * len(rows))
    broken = rows[upto:].copy()
    broken[:, 2] *= 1.2
    return {
        "false_alarms": float((Scorer(model).take(rows[upto:]).score >= 0.5).mean()),
        "current_up_20": float((Scorer(model).take(broken).score >= 0.5).mean()),
    }
