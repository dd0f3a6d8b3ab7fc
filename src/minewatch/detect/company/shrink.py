"""The shrunk covariance of Ledoit and Wolf (2004), for where scikit-learn is not to be imported."""

from __future__ import annotations

import numpy as np

from minewatch.contracts import F8


def precision(z: F8) -> F8:
    """Return the inverse of the shrunk covariance of rows (n, sensors): LedoitWolf().precision_."""
    n, p = z.shape
    z = z - z.mean(axis=0)
    squares = z**2
    empirical = z.T @ z / n
    trace = float(squares.sum()) / n
    mean = trace / p
    power = float((empirical**2).sum())
    noise = (float((squares.T @ squares).sum()) / n - power) / (p * n)
    spread = (power - 2 * mean * trace + p * mean**2) / p
    part = min(noise, spread) / spread if p > 1 and noise > 0 and spread > 0 else 0.0
    found: F8 = np.linalg.pinv((1 - part) * empirical + (part * mean) * np.eye(p), hermitian=True)
    return found
