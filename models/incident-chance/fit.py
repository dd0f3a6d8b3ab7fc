"""Fit how often alerts of gas and air are real to counts of simulated days."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np

from minewatch.alerts.chance import FACTS, Chance
from minewatch.detect.company.model import LOGISTIC, Model

DATA = "counts.csv"  # beside this file, written by: python -m tests.bench.accuracy_fusion FILE
RIDGE = 1.0  # each weight as if one more alert spoke against it
STEPS = 50


def _read(file: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the facts of each row and (real, not real), of the part of the seeds that is asked for."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["part"] == part]
    facts = np.array([[float(row[name]) for name in FACTS] for row in rows])
    return facts, np.array([[float(row["real"]), float(row["not_real"])] for row in rows])


def fit(file: Path, reason: str) -> Model:
    """Return the logistic of the counts of the fitting seeds: Newton's method, the ridge on the weights."""
    facts, counts = _read(file, "fit")
    x = np.column_stack([facts, np.ones(len(facts))])
    ridge = np.diag([RIDGE] * len(FACTS) + [0.0])
    w = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-x @ w))
        slope = x.T @ (counts[:, 0] - counts.sum(1) * p) - ridge @ w
        bend = (x.T * (counts.sum(1) * p * (1 - p))) @ x + ridge
        w += np.linalg.solve(bend, slope)
    about = {
        "data": DATA,
        "data_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "rows": int(counts.sum()),
        "reason": reason,
    }
    weights = {"weights": np.round(w[:-1], 6)}
    bias = {"bias": float(round(w[-1], 6))}
    return Model(LOGISTIC, FACTS, np.arange(len(FACTS)), 1, {}, bias, weights, about)


def figures(model: Model, file: Path) -> dict[str, float]:
    """Return the Brier score on the judging seeds, that of the base rate, and what came true."""
    _, fitted = _read(file, "fit")
    facts, counts = _read(file, "judge")
    chance = Chance(tuple(model.arrays["weights"].tolist()), model.parameters["bias"])
    said = np.array([chance.of([bool(f) for f in row]) for row in facts])
    real, total = counts[:, 0], counts.sum(1)

    def brier(p: np.ndarray | float) -> float:
        return float(np.sum(real * (1 - p) ** 2 + counts[:, 1] * np.square(p)) / total.sum())

    base = float(fitted[:, 0].sum() / fitted.sum())
    found = {"alerts": float(total.sum()), "real": float(real.sum() / total.sum())}
    found |= {"brier": brier(said), "brier_of_base_rate": brier(base)}
    for low, high in ((0.0, 0.5), (0.5, 0.9), (0.9, 1.0)):
        within = (said >= low) & (said < high)
        if n := float(total[within].sum()):
            name = f"said_{100 * low:.0f}_{100 * high:.0f}"
            found[f"{name}_alerts"] = n
            found[f"{name}_mean"] = float((said * total)[within].sum() / n)
            found[f"{name}_real"] = float(real[within].sum() / n)
    return found
